/* Where the server listens: the sockets that its configuration asks for, or those it was handed.
 *
 * Ownership: descriptors are the caller's. Thread: the one that starts the server.
 * Must not know: what is served on them. */
#ifndef RT_SERVER_LISTENERS_H
#define RT_SERVER_LISTENERS_H

#include "net/front.h"
#include "server/config.h"
#include "server/server.h"

typedef struct rt_listeners {
    int fds[RT_FRONT_LISTENERS_MAX];
    int count;
} rt_listeners;

/* Opens what the configuration says. RT_OK, or RT_EIO with errno and `why`. */
int rt_listeners_open(rt_listeners *l, const rt_config *c, rt_server_address *where, char *why,
                      size_t why_len);

/* Takes sockets that somebody else has opened and listens on already (systemd's socket activation,
 * sd_listen_fds(3)). RT_OK; RT_EINVAL with `why`: too many, or one that is no listening stream
 * socket; they stay open then. */
int rt_listeners_take(rt_listeners *l, const int *fds, int count, rt_server_address *where,
                      char *why, size_t why_len);

/* Closes those from `from` on. */
void rt_listeners_close(rt_listeners *l, int from);

#endif
