/* Opening sockets to listen on. May block for a name look-up: call it before the loop runs.
 *
 * Ownership: the descriptors are the caller's. Thread: any. */
#ifndef RT_NET_LISTEN_H
#define RT_NET_LISTEN_H

#include <stddef.h>

/* Non-blocking listening sockets for host:port (empty host: all interfaces, IPv4 and IPv6 in one
 * socket where the system allows). Fills up to `max` descriptors; *port becomes the one really
 * bound. RT_OK with *count; RT_EIO with errno set (EADDRINUSE, EACCES, ...) and `why`. */
int rt_listen_tcp(const char *host, int *port, int *fds, int max, int *count, char *why,
                  size_t why_len);

/* A listening Unix socket, mode 0666: as open to this host as a port is. A stale file is replaced,
 * one that somebody still listens on is EADDRINUSE. */
int rt_listen_unix(const char *path, int *fd, char *why, size_t why_len);

#endif
