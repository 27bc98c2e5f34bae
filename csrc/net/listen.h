/* Opening sockets to listen on. rt_listen_tcp may block for a name look-up: call it before the loop
 * runs.
 *
 * Ownership: the descriptors are the caller's. Thread: any. */
#ifndef RT_NET_LISTEN_H
#define RT_NET_LISTEN_H

#include "base/status.h"

#include <stddef.h>
#include <sys/types.h>

#define RT_LISTEN_LOCK_MS 1000 /* for another server that is just now starting on the same file */

/* Non-blocking listening sockets for host:port (empty host: all interfaces, IPv4 and IPv6 in one
 * socket where the system allows). Fills up to `max` descriptors; *port becomes the one really
 * bound. RT_OK with *count; RT_EIO with errno set (EADDRINUSE, EACCES, ...) and `why`. */
RT_MUST_CHECK int rt_listen_tcp(const char *host, int *port, int *fds, int max, int *count,
                                char *why, size_t why_len);

/* The file of a Unix socket, and which file it was when we bound it. */
typedef struct rt_unix_file {
    char path[108]; /* empty: none */
    dev_t dev;
    ino_t ino;
} rt_unix_file;

/* Removes the file if it is still ours: another server may have put its own in its place. Call it
 * before the socket is closed: until then no other file can get our inode's number. Afterwards, and
 * when called again, there is nothing to remove. */
void rt_unix_file_remove(rt_unix_file *file);

/* A listening Unix socket whose file has `mode` from its first moment. A stale file is replaced,
 * one that somebody still listens on is EADDRINUSE, one that is no socket EEXIST. While another
 * server is busy in the folder this waits up to `lock_ms`, then goes on; with 0 nothing waits, and
 * it is EWOULDBLOCK. *file becomes that file. */
RT_MUST_CHECK int rt_listen_unix(const char *path, unsigned mode, unsigned lock_ms, int *fd,
                                 rt_unix_file *file, char *why, size_t why_len);

#endif
