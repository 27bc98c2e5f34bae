/* Where the server listens: the sockets that its configuration asks for, or those it was handed.
 *
 * Ownership: descriptors are the caller's. Thread: the one that starts the server.
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

/* Sockets that somebody else listens on for us (sd_listen_fds(3)); count 0: none. They become the
 * server's when it starts. */
typedef struct rt_handed {
    const int *fds;
    int count;
} rt_handed;

typedef struct rt_listeners {
    int fds[RT_FRONT_LISTENERS_MAX];
    int count;
    rt_unix_file file; /* of our own Unix socket; no path: there is none */
} rt_listeners;

/* Opens what the configuration says. RT_OK, or RT_EIO with errno and `why`. */
RT_MUST_CHECK int rt_listeners_open(rt_listeners *l, const rt_config *c, rt_server_address *where,
                                    char *why, size_t why_len);

/* Takes sockets that somebody else has opened and listens on already (systemd's socket activation,
 * sd_listen_fds(3)). RT_OK; RT_EINVAL with `why`: too many, or one that is no listening stream
 * socket; they stay open then. */
RT_MUST_CHECK int rt_listeners_adopt(rt_listeners *l, const rt_handed *handed,
                                     rt_server_address *where, char *why, size_t why_len);

/* Closes those from `from` on. */
void rt_listeners_close(rt_listeners *l, int from);

#endif
