/* The server of this process: one thread, one loop, everything wired together.
 *
 * Ownership: process-wide; at most one runs. Thread: every function may be called from any thread,
 * none needs the GIL. Fork: a child has no server (fork.c).
 * Must not know: Python. */
#ifndef RT_SERVER_SERVER_H
#define RT_SERVER_SERVER_H

#include "base/buf.h"
#include "base/slice.h"
#include "server/config.h"

#include <stdbool.h>
#include <stdint.h>

#define RT_INBOX_MAX_BYTES (64u << 20) /* publishes waiting for the thread */

typedef struct rt_server_address {
    int port;       /* 0 on a Unix socket */
    char uds[108];  /* empty on TCP */
    char host[256]; /* as configured; empty: all interfaces */
} rt_server_address;

/* Sockets that somebody else listens on for us (sd_listen_fds(3)); count 0: none. They become the
 * server's when it starts. */
typedef struct rt_handed {
    const int *fds;
    int count;
} rt_handed;

/* Listens and starts the thread. Takes the configuration, whatever happens. RT_OK; RT_EIO with
 * errno and `why` (cannot listen); RT_EINVAL with `why` (a bad URL, a bad socket in `handed`);
 * RT_ECLOSED: one runs already. */
int rt_server_start(rt_config *config, const rt_handed *handed, rt_server_address *where, char *why,
                    size_t why_len);

/* Appends `{"port": .. | null, "uds": .. | null, "addresses": [..]}`. */
int rt_server_put_address(const rt_server_address *where, rt_buf *out);

/* Stops and joins within the deadline. RT_OK; RT_ENOENT: none runs, and those left behind have had
 * that time to end; RT_AGAIN: it did not end in time and is left behind. */
int rt_server_stop(uint32_t deadline_ms);

bool rt_server_running(void);

/* Hands an event to the thread. RT_OK; RT_ENOENT: none runs here; RT_ELIMIT: the inbox is full;
 * RT_ENOMEM. Everything is copied. An empty room means the whole site. */
int rt_server_publish(rt_slice site, rt_slice room, rt_slice event, rt_slice message);

/* Hands the thread what a new reading of the configuration says; the log tells what it changes.
 * Takes the configuration, whatever happens. RT_OK, RT_ENOENT: none runs here, RT_ENOMEM. */
int rt_server_reload(rt_config *config);

/* Appends the figures as JSON. RT_OK; RT_ENOENT; RT_AGAIN: no answer in time. */
int rt_server_stats(uint32_t timeout_ms, rt_buf *out);

/* Log lines go to this descriptor. */
void rt_server_log_to(int level, int fd);

#endif
