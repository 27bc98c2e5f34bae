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

#include <stdbool.h>

typedef struct rt_server_address {
    int port;       /* 0 on a Unix socket */
    char uds[108];  /* empty on TCP */
    char host[256]; /* as configured; empty: all interfaces */
} rt_server_address;

/* Listening sockets that another program opened for us (sd_listen_fds(3)); count 0: none. A
 * server that starts takes them. When a start fails, they are still the caller's, and open. */
typedef struct rt_handed {
    const int *fds;
    int count;
} rt_handed;

/* The same sockets while there is a server. It listens on duplicates, so that it can close those
 * and leave these open. */
typedef struct rt_taken {
    int fds[RT_FRONT_LISTENERS_MAX];
    int count;
    bool ours; /* the start has succeeded: close them in the end */
} rt_taken;

typedef struct rt_listeners {
    int fds[RT_FRONT_LISTENERS_MAX];
    int count;
    rt_unix_file file; /* of our own Unix socket; no path: we have none */
} rt_listeners;

/* Opens what the configuration says. RT_OK, or RT_EIO with errno and `why`. */
RT_MUST_CHECK int rt_listeners_open(rt_listeners *l, const rt_config *c, rt_server_address *where,
                                    char *why, size_t why_len);

/* Duplicates the sockets that were handed over. RT_OK; RT_EINVAL with `why`: too many, one comes
 * twice, or one is not a listening stream socket; RT_EIO with errno and `why`. On an error `l` has
 * those duplicated so far. */
RT_MUST_CHECK int rt_listeners_adopt(rt_listeners *l, const rt_handed *handed,
                                     rt_server_address *where, char *why, size_t why_len);

/* Records them, for forked children to close. RT_OK, or RT_ENOMEM: call rt_taken_end. */
RT_MUST_CHECK int rt_taken_init(rt_taken *t, const rt_handed *handed);

/* Closes them if they are ours. It may be called again. */
void rt_taken_end(rt_taken *t);

/* Closes the sockets from index `from` on, and removes our Unix socket's file. */
void rt_listeners_close(rt_listeners *l, int from);

#endif
