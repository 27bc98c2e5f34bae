/* What Engine.IO needs of one connection. net/conn.c embeds an rt_eio_port in each connection,
 * tests embed one in a fake.
 *
 * A connection speaks HTTP at first: request in, answer out, and again. After
 * rt_eio_port_ops.upgrade it is a WebSocket. What is sent is queued, and written once at the end of
 * the loop's turn.
 *
 * Ownership: the connection owns the port. All fields but `ops` and `serial` belong to engineio and
 * are zero at first. Thread: the loop's. Must not know: fds, libuv. */
#ifndef RT_ENGINEIO_PORT_H
#define RT_ENGINEIO_PORT_H

#include "base/msg.h"
#include "base/status.h"
#include "wire/http.h"

typedef struct rt_eio_port rt_eio_port;

/* Whom a handshake is charged to: the 16 bytes of an IPv6 address (IPv4 as ::ffff:a.b.c.d; of IPv6
 * the network alone, since a client has all addresses of one), or a number for one connection
 * behind this first byte, with which no client's address begins. */
#define RT_EIO_ADDRESS_LEN 16
#define RT_EIO_ADDRESS_CONNECTION '\xff'

typedef struct rt_eio_port_ops {
    /* Queues a message behind what is queued already, with a reference of its own. RT_OK, RT_ENOMEM
     * or RT_ECLOSED; after an error nothing is queued. */
    RT_MUST_CHECK int (*send)(rt_eio_port *p, rt_msg *m);
    /* The HTTP answer is queued whole. The next request may be read; if not `keep_alive`, the
     * connection closes once all is written. */
    void (*finish)(rt_eio_port *p, bool keep_alive);
    /* The 101 answer is queued. What comes in from now on is WebSocket bytes. */
    void (*upgrade)(rt_eio_port *p);
    /* Closes the connection: at once, or (`flush`) after what is queued is written, within the
     * write deadline. May be called twice. engineio has let go of the port before (up is NULL), and
     * gets no further call for it. */
    void (*close)(rt_eio_port *p, bool flush);
    /* As send, for the answer to a WebSocket ping. On a blocked connection it takes the place of
     * one that is last in the queue: only the latest ping needs an answer (RFC 6455, 5.5.3). */
    RT_MUST_CHECK int (*pong)(rt_eio_port *p, rt_msg *m);
    /* Memory that what is owed takes; 0: the connection is not blocked. */
    size_t (*owed)(const rt_eio_port *p);
    /* Where a request comes from, RT_EIO_ADDRESS_LEN bytes. NULL: nobody is charged. */
    void (*address)(const rt_eio_port *p, const rt_http_request *req, char *out);
} rt_eio_port_ops;

/* What `up` points at. */
enum rt_eio_use {
    RT_EIO_USE_NONE,      /* NULL: engineio has let go */
    RT_EIO_USE_EXCHANGE,  /* rt_eio_exchange: an HTTP request without an answer yet */
    RT_EIO_USE_PROBE,     /* rt_eio_probe: a WebSocket that may become a session's transport */
    RT_EIO_USE_TRANSPORT, /* rt_eio_session: this WebSocket is its transport */
};

/* A send touches so many bytes from the start of the port. Whoever embeds a port puts next to it
 * what a send needs besides. */
#define RT_EIO_PORT_HOT 88

struct rt_eio_port {
    const rt_eio_port_ops *ops;
    uint8_t use;       /* enum rt_eio_use */
    bool ws_as_base64; /* the client wants binary messages as text (`b64`) */
    bool shaken;       /* a handshake has come on it */
    union {
        uint32_t serial; /* the owner's: its number, for ops.address, until it is a transport */
        uint32_t paid;   /* of a transport: what its client has paid for (pace.c) */
    };
    void *up;
    struct rt_eio_partial *partial; /* a message that has come in part; NULL between messages */
};

#endif
