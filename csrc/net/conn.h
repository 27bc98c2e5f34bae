/* Inside net/ only: one accepted connection, and the front that owns it (front.c, conn.c).
 *
 *             head            engineio answers          keep-alive
 *   accept ──► READING ──────► ANSWERING ──────────────► READING
 *                │  bad request    │  101      │ close       ▲
 *                │                 ▼           │             │
 *                │              WEBSOCKET      │          pipelined bytes
 *                ▼                 ▼           ▼
 *              FLUSHING (no more input; what is owed is written) ──► LINGERING ──► CLOSED
 *
 * Ownership: a closed connection waits in front->closed for the turn's end. Thread: the loop's. */
#ifndef RT_NET_CONN_H
#define RT_NET_CONN_H

#include "base/log.h"
#include "base/outq.h"
#include "net/charges.h"
#include "net/conn_io.h"
#include "net/front.h"
#include "net/poller.h"
#include "wire/http.h"

struct rt_front {
    rt_loop *loop;
    rt_eio *eio;
    const rt_conn_io *io; /* of its connections */
    rt_front_opts opts;
    rt_front_route *route;
    void *route_ctx;
    uv_poll_t *listeners[RT_FRONT_LISTENERS_MAX];
    int listener_fds[RT_FRONT_LISTENERS_MAX];
    int listener_count;
    int spare_fd;     /* given up to accept and close one connection when descriptors run out */
    rt_poller poller; /* of the connections */
    rt_list open;
    rt_list closed; /* to be freed */
    /* The connections with bytes not yet offered to the kernel, linked by rt_conn.pending. A closed
     * one stays in it until the turn's end; it is freed after that. NULL: none. */
    struct rt_conn *pending, *last_pending;
    rt_list resume; /* rt_conn_held: the answer is out, the held requests may go on */
    rt_timerq head_due, body_due, idle_due, write_due, linger_due;
    rt_charges charges;
    rt_loop_hook hook;
    rt_log_gate accept_gate, budget_gate;
    uint32_t connections;
    rt_front_counters counters;
};

enum rt_conn_state {
    RT_CONN_READING,
    RT_CONN_ANSWERING,
    RT_CONN_WEBSOCKET,
    RT_CONN_FLUSHING,
    RT_CONN_LINGERING,
    RT_CONN_CLOSED,
};

/* Bytes that wait: behind an open request, or those of a WebSocket for a later turn. */
typedef struct rt_conn_held {
    rt_list resume; /* in front->resume */
    rt_alarm again; /* of a WebSocket: it is their turn */
    struct rt_conn *conn;
    rt_buf bytes;
} rt_conn_held;

/* First what a write needs (RT_EIO_PORT_HOT). */
typedef struct rt_conn {
    rt_eio_port port;
    rt_front *front;
    struct rt_conn *pending; /* the next one, of the last itself; NULL: not in that list */
    rt_outq out;
    int fd;
    uint8_t state;
    uint8_t watches;    /* what the poller is asked for: EPOLLIN, EPOLLOUT; 0: it knows it not */
    bool blocked;       /* the kernel would not take more; waiting for writable */
    bool engineio : 1;  /* the open request is engineio's */
    bool pong_last : 1; /* the last message of `out`, if any, answers a ping */
    rt_list node;       /* in front->open or front->closed */
    rt_timer timer;
    rt_http *http;      /* while a request is being read */
    rt_conn_held *held; /* NULL: nothing */
    union {
        uint32_t unsent; /* lingering: what the kernel last had to send */
        uint32_t
            answers; /* before: the part of out.taken that a WebSocket's own input has caused */
    };
} rt_conn;

/* Takes an accepted, non-blocking descriptor, and what front->charges has of it; gives both up when
 * something fails. */
void rt_conn_new(rt_front *f, int fd);
/* The poller's callback. */
void rt_conn_ready(void *conn, uint32_t events);
/* At once; engineio is told. `broken`: by an error. */
void rt_conn_close(rt_conn *c, bool broken);
/* Once it is closed and nobody is in its code any more. */
void rt_conn_free(rt_conn *c);
/* Offers what is owed to the peer, in one send. */
void rt_conn_flush(rt_conn *c);
/* Bytes that the kernel has and the peer's has not confirmed. */
uint32_t rt_conn_unsent(const rt_conn *c);
/* The time to linger is over: closes it, unless the peer is still taking our last bytes. */
void rt_conn_lingered(rt_conn *c);
/* --- budget.c --- */

/* At the turn's end: closes clients while all that is owed takes more memory than it may. */
void rt_budget_keep(rt_front *f);

/* --- conn.c --- */

/* Goes on with the bytes that were held back. */
void rt_conn_resume(rt_conn *c);

static inline void rt_front_count(rt_front *f, int counter) {
    f->counters.v[counter]++;
}

#endif
