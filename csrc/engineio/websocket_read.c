/* What comes in on a WebSocket: frames become packets, a probe becomes the transport.
 *
 *               `2probe` -> `3probe`            `5`
 *   probe ───────────────────────────► spoken ───────► transport
 *     │ │ `5` at once                                     ▲ │ close frame, error, gone
 *     │ └─────────────────────────────────────────────────┘ ▼
 *     │ anything else, 10 s, gone (from spoken too)       session ends
 *     ▼
 *   dropped, the session polls on
 */
#include "base/alloc.h"
#include "engineio/session.h"

static int probe_packet(rt_eio_probe *p, rt_slice packet) {
    rt_eio_session *s = p->session;
    rt_eio *e = s->eio;
    rt_eio_port *port = p->port;
    if (rt_slice_eq(packet, RT_LIT("2probe"))) {
        if (rt_eio_ws_send_text(port, RT_LIT("3probe")) != RT_OK)
            return RT_ENOMEM;
        s->state = RT_EIO_PROBING;
        rt_timer_arm(&e->noop_due, &p->noop, rt_eio_now(e));
        rt_eio_poll_answer(s, RT_LIT("6"));
        return RT_OK;
    }
    if (rt_slice_eq(packet, RT_LIT("5"))) {
        rt_eio_ws_join(port, s);
        rt_eio_session_switch(s);
        return port->up ? RT_OK : RT_ECLOSED;
    }
    return RT_EEIO_PACKET;
}

/* A WebSocket that is read, and what it may still have done in this turn. */
typedef struct reading {
    rt_eio_port *port;
    rt_eio_slice slice;
} reading;

static int next(reading *r, rt_slice bytes) {
    if (!r->port->up)
        return RT_ECLOSED;
    rt_eio_session *s = rt_eio_ws_transported(r->port);
    return rt_eio_slice_spend(&r->slice, s, bytes.n) ? RT_OK : RT_AGAIN;
}

static int on_message(void *arg, bool binary, rt_slice bytes) {
    reading *r = arg;
    rt_eio_port *port = r->port;
    int status = RT_OK;
    if (port->use == RT_EIO_USE_PROBE)
        status = binary ? RT_EEIO_PACKET : probe_packet(port->up, bytes);
    else if (port->use == RT_EIO_USE_TRANSPORT)
        rt_eio_session_packet(port->up, binary, bytes);
    return status == RT_OK ? next(r, bytes) : status;
}

static int on_ping(void *arg, rt_slice payload) {
    reading *r = arg;
    rt_msg *pong = rt_ws_frame(RT_WS_PONG, payload);
    if (!pong)
        return RT_ENOMEM;
    int status = r->port->ops->pong(r->port, pong);
    rt_msg_rele(pong);
    return status == RT_OK ? next(r, payload) : status;
}

static int on_pong(void *arg, rt_slice payload) {
    return next(arg, payload);
}

/* A close frame is answered with the same code (RFC 6455, 5.5.1). */
static int on_close(void *arg, uint16_t code, rt_slice reason) {
    (void)reason;
    rt_eio_port *port = ((const reading *)arg)->port;
    rt_eio_session *s = rt_eio_ws_transported(port);
    rt_eio_ws_close(port, code == 1005 ? 0 : code);
    if (s)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_CLOSE);
    return RT_ECLOSED;
}

static const rt_ws_events events = {on_message, on_ping, on_pong, on_close};

/* --- messages that come in part --- */

/* The rest has not come in time, or others need the memory more. The client comes back. */
static void drop_partial(rt_unfinished *u) {
    rt_eio_port *port = RT_OF(u, rt_eio_partial, unfinished)->port;
    rt_eio_session *s = rt_eio_ws_transported(port);
    rt_eio_ws_close(port, 1013);
    if (s)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
}

static rt_eio_partial *partial_new(rt_eio *e, rt_eio_port *port) {
    rt_eio_partial *p = rt_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->eio = e;
    p->port = port;
    rt_unfinished_item_init(&p->unfinished, drop_partial);
    return p;
}

/* Keeps the parser with what it has of a message. `p`: where it was kept before, or NULL. */
static int keep(rt_eio *e, rt_eio_port *port, rt_eio_partial *p, const rt_ws *ws) {
    if (!p)
        p = partial_new(e, port);
    if (!p)
        return RT_ENOMEM;
    p->ws = *ws;
    port->partial = p;
    size_t bytes = sizeof *p + (ws->message ? ws->message->cap : 0);
    rt_unfinished_grow(&e->unfinished, &p->unfinished, bytes, rt_eio_now(e));
    return RT_OK;
}

/* Bytes mostly end with a whole message, and after one a parser is as good as new. So the parser is
 * on the stack, and is kept on the heap only while a message has come in part. */
static int feed(rt_eio *e, rt_eio_port *port, char *bytes, size_t n, size_t *unread) {
    reading r = {.port = port};
    rt_ws ws;
    rt_eio_partial *kept = port->partial;
    port->partial = NULL; /* a callback may let go of the port */
    if (kept)
        ws = kept->ws;
    else
        rt_ws_init(&ws, e->opts.max_payload);
    rt_eio_slice_begin(&r.slice);
    int status = rt_ws_feed(&ws, bytes, n, &events, &r);
    *unread = ws.unread;
    if (status == RT_AGAIN)
        status = RT_OK;
    if (status == RT_OK && port->up && !rt_ws_at_rest(&ws)) {
        status = keep(e, port, kept, &ws);
        if (status == RT_OK)
            return RT_OK;
    }
    if (kept) {
        kept->ws = ws;
        rt_eio_partial_free(kept);
    } else {
        rt_ws_fini(&ws);
    }
    return status;
}

/* The peer has broken a rule, or there is no memory for it. */
static void give_up(rt_eio *e, rt_eio_port *port, int status) {
    rt_eio_session *s = rt_eio_ws_transported(port);
    if (status == RT_EWS_TOO_BIG)
        rt_eio_count(e, RT_EIO_REFUSED_TOO_BIG);
    else if (status == RT_EWS_PROTOCOL || status == RT_EWS_UTF8)
        rt_eio_count(e, RT_EIO_BAD_FRAMES);
    if (!s)
        rt_eio_count(e, RT_EIO_UPGRADES_FAILED);
    rt_eio_ws_close(port, status == RT_EEIO_PACKET ? 0 : rt_ws_close_code(status));
    if (s)
        rt_eio_session_end(s, status == RT_ENOMEM ? RT_EIO_NO_MEMORY : RT_EIO_TRANSPORT_ERROR);
}

size_t rt_eio_websocket_bytes(rt_eio *e, rt_eio_port *port, char *bytes, size_t n) {
    if (!port->up)
        return n;
    size_t unread;
    int status = feed(e, port, bytes, n, &unread);
    if (!port->up)
        return n;
    if (status != RT_OK) {
        give_up(e, port, status);
        return n;
    }
    rt_eio_session *s = rt_eio_ws_transported(port);
    bool paced = s && rt_eio_pace_again(s);
    if (s)
        s->held_back = unread > 0 || paced;
    if (paced)
        rt_eio_pace_tell(s);
    else if (unread > 0)
        rt_eio_count(e, RT_EIO_SLICED);
    return port->up ? n - unread : n;
}

uint64_t rt_eio_websocket_again(const rt_eio_port *port) {
    const rt_eio_session *s = rt_eio_ws_transported(port);
    return s ? rt_eio_pace_again(s) : 0;
}
