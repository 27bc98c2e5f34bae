/* What Engine.IO needs of one connection, and nothing more: net/conn.c embeds an rt_eio_port in
 * each connection, tests embed one in a script.
 *
 * A connection is first an HTTP one (request in, answer out, again), and after
 * rt_eio_port_ops.upgrade a WebSocket one. Everything sent is queued and written once, at the end
 * of the loop's turn.
 *
 * Ownership: the connection owns the port. All but `ops` belongs to engineio, and is zero at first:
 * what is going on there now. Thread: the loop's. Must not know: fds, libuv. */
#ifndef RT_ENGINEIO_PORT_H
#define RT_ENGINEIO_PORT_H

#include "base/msg.h"

typedef struct rt_eio_port rt_eio_port;

typedef struct rt_eio_port_ops {
    /* Queues bytes behind what is queued already; takes a reference of its own. RT_OK, RT_ENOMEM,
     * or RT_ECLOSED (nothing is queued, the caller drops it). */
    int (*send)(rt_eio_port *p, rt_msg *m);
    /* The HTTP answer is queued whole: the next request may be read, or, when `keep_alive` is
     * false, the connection closes once everything is written. */
    void (*finish)(rt_eio_port *p, bool keep_alive);
    /* The 101 answer is queued: what comes in from now on is WebSocket bytes. */
    void (*upgrade)(rt_eio_port *p);
    /* Closes the connection: after what is queued has been written (`flush`, within the write
     * deadline), or at once. Idempotent. engineio gets no further call for this port: it has
     * already let go (up == NULL). */
    void (*close)(rt_eio_port *p, bool flush);
    /* Bytes queued that the kernel would not take so far; 0 while it takes what comes. */
    size_t (*owed)(const rt_eio_port *p);
} rt_eio_port_ops;

/* What `up` points at. */
enum rt_eio_use {
    RT_EIO_USE_NONE,      /* NULL: engineio has let go */
    RT_EIO_USE_EXCHANGE,  /* rt_eio_exchange: an HTTP request that is not answered yet */
    RT_EIO_USE_PROBE,     /* rt_eio_probe: a WebSocket that may become a session's transport */
    RT_EIO_USE_TRANSPORT, /* rt_eio_session: a WebSocket that is its transport */
};

/* Bytes from the start of a port on that a send touches: whoever embeds a port puts what it needs
 * to send right behind. */
#define RT_EIO_PORT_HOT 80

struct rt_eio_port {
    const rt_eio_port_ops *ops;
    uint8_t use;       /* enum rt_eio_use */
    bool ws_as_base64; /* it asked for binary messages as text (`b64`) */
    void *up;
    struct rt_ws *ws; /* a WebSocket message that has not come whole; else NULL */
};

#endif
