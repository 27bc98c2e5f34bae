/* The sockets that the server listens on: opened by its configuration, or handed over to it.
 *
 * Ownership: the caller owns the descriptors. Thread: the one that starts the server.
 * Must not know: what is served on them. */
#ifndef RT_SERVER_LISTENERS_H
#define RT_SERVER_LISTENERS_H

#include "base/status.h"
#include "config/config.h"
#include "net/front.h"
#include "net/listen.h"

typedef struct rt_server_address {
    int port;       /* 0 on a Unix socket */
    char uds[108];  /* empty on TCP */
    char host[256]; /* as configured; empty: all interfaces */
} rt_server_address;

/* Listening sockets that another program opened for us (sd_listen_fds(3)); count 0: none. The
 * server takes them when it starts. */
typedef struct rt_handed {
    const int *fds;
    int count;
} rt_handed;

typedef struct rt_listeners {
    int fds[RT_FRONT_LISTENERS_MAX];
    int count;
    rt_unix_file file; /* of our own Unix socket; no path: we have none */
} rt_listeners;

/* Opens what the configuration says. RT_OK, or RT_EIO with errno and `why`. */
RT_MUST_CHECK int rt_listeners_open(rt_listeners *l, const rt_config *c, rt_server_address *where,
                                    char *why, size_t why_len);

/* Uses the sockets that were handed over. RT_OK; RT_EINVAL with `why`: too many, or one is not a
 * listening stream socket. On an error all stay open. */
RT_MUST_CHECK int rt_listeners_adopt(rt_listeners *l, const rt_handed *handed,
                                     rt_server_address *where, char *why, size_t why_len);

/* Closes the sockets from index `from` on, and removes our Unix socket's file. */
void rt_listeners_close(rt_listeners *l, int from);

#endif
