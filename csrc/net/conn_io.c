/* A connection's bytes on a plain socket. */
#include "net/conn.h"

#include <sys/socket.h>

static ssize_t socket_recv(rt_conn *c, void *bytes, size_t n) {
    return recv(c->fd, bytes, n, 0);
}

/* One piece is the rule, and send costs the kernel less: it has no msghdr to copy. */
static ssize_t socket_send(rt_conn *c, struct iovec *iov, int n) {
    if (n == 1)
        return send(c->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    return sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void socket_shutdown(rt_conn *c) {
    shutdown(c->fd, SHUT_WR);
}

const rt_conn_io rt_conn_sockets = {socket_recv, socket_send, socket_shutdown};
