/* How a connection's bytes reach its peer: plain sockets here, others beside them.
 *
 * Each function does what the system call of its name does and reports as that does: bytes, 0 at
 * the end of what comes, or -1 with errno. EAGAIN: not now; the connection tries again once the
 * poller says that its descriptor is ready. A send may take a part.
 *
 * Ownership: a table is static. Thread: the loop's. Must not know: what the bytes mean. */
#ifndef RT_NET_CONN_IO_H
#define RT_NET_CONN_IO_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct rt_conn;

typedef struct rt_conn_io {
    ssize_t (*recv)(struct rt_conn *c, void *bytes, size_t n);
    ssize_t (*send)(struct rt_conn *c, struct iovec *iov, int n); /* n is 1 or more */
    void (*shutdown)(struct rt_conn *c); /* nothing more is sent; the peer may still send */
} rt_conn_io;

extern const rt_conn_io rt_conn_sockets;

#endif
