/* A WebSocket under Engine.IO: frames become packets; a probe becomes the session's transport.
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
#include "engineio/payload.h"
#include "engineio/session.h"
#include "wire/reply.h"

static int put_accept(rt_buf *b, const rt_http_request *req, const rt_buf *extra_headers) {
    char accept[RT_WS_ACCEPT_LEN];
    rt_ws_accept(rt_http_header_get(req, RT_LIT("Sec-WebSocket-Key")), accept);
    rt_reply_start(b, 101);
    rt_reply_header(b, RT_LIT("Upgrade"), RT_LIT("websocket"));
    rt_reply_header(b, RT_LIT("Connection"), RT_LIT("Upgrade"));
    rt_reply_header(b, RT_LIT("Sec-WebSocket-Accept"), rt_slice_make(accept, sizeof accept));
    rt_buf_puts(b, rt_buf_slice(extra_headers));
    rt_buf_puts(b, RT_LIT("\r\n"));
    return extra_headers->err != RT_OK ? extra_headers->err : b->err; /* no half a header line */
}

static int send_accept(rt_eio_port *port, const rt_http_request *req, const rt_buf *extra) {
    rt_buf head;
    rt_buf_init(&head, 0);
    int status = put_accept(&head, req, extra);
    rt_msg *m = status == RT_OK ? rt_msg_copy(rt_buf_slice(&head)) : NULL;
    rt_buf_fini(&head);
    if (!m)
        return RT_ENOMEM;
    status = port->ops->send(port, m);
    rt_msg_rele(m);
    return status;
}

bool rt_eio_ws_accept(rt_eio_port *port, const rt_http_request *req, const rt_buf *extra_headers) {
    if (send_accept(port, req, extra_headers) != RT_OK) {
        port->ops->close(port, false);
        return false;
    }
    port->ops->upgrade(port);
    return true;
}

void rt_eio_ws_start_probe(rt_eio_port *port, rt_eio_session *s) {
    rt_eio *e = s->eio;
    rt_eio_probe *p = rt_alloc(sizeof *p);
    if (!p) {
        rt_eio_count(e, RT_EIO_UPGRADES_FAILED);
        rt_eio_ws_close(port, rt_ws_close_code(RT_ENOMEM));
        return;
    }
    p->port = port;
    p->session = s;
    rt_timer_init(&p->due);
    rt_timer_init(&p->noop);
    port->up = p;
    port->use = RT_EIO_USE_PROBE;
    s->polling->probe = p;
    rt_timer_arm(&e->probe_due, &p->due, rt_eio_now(e));
}

static void end_probe(rt_eio_probe *p) {
    rt_eio_session *s = p->session;
    s->polling->probe = NULL;
    if (s->state == RT_EIO_PROBING)
        s->state = RT_EIO_POLLING;
    rt_timer_disarm(&p->due);
    rt_timer_disarm(&p->noop);
    rt_free(p);
}

void rt_eio_ws_join(rt_eio_port *port, rt_eio_session *s) {
    port->up = s;
    port->use = RT_EIO_USE_TRANSPORT;
    s->port = port;
}

rt_eio_session *rt_eio_ws_transported(const rt_eio_port *port) {
    return port->use == RT_EIO_USE_TRANSPORT ? port->up : NULL;
}

/* --- letting go --- */

static void free_parser(rt_ws *ws) {
    if (!ws)
        return;
    rt_ws_fini(ws);
    rt_free(ws);
}

/* Undoes every link. */
static void let_go(rt_eio_port *port) {
    if (port->use == RT_EIO_USE_PROBE)
        end_probe(port->up);
    else if (port->use == RT_EIO_USE_TRANSPORT)
        ((rt_eio_session *)port->up)->port = NULL;
    free_parser(port->ws);
    port->ws = NULL;
    port->up = NULL;
    port->use = RT_EIO_USE_NONE;
}

void rt_eio_ws_drop(rt_eio_port *port) {
    let_go(port);
    port->ops->close(port, false);
}

void rt_eio_ws_close(rt_eio_port *port, uint16_t code) {
    let_go(port);
    rt_msg *frame = rt_ws_close_frame(code, RT_EMPTY);
    if (frame)
        port->ops->send(port, frame);
    rt_msg_rele(frame);
    port->ops->close(port, true);
}

void rt_eio_ws_refuse(rt_eio *e, rt_eio_port *port) {
    rt_eio_count(e, RT_EIO_REFUSED_WEBSOCKET);
    rt_eio_ws_close(port, 0);
}

/* --- sending --- */

int rt_eio_ws_send(rt_eio_port *port, rt_msg *frames) {
    if (!port->ws_as_base64)
        return port->ops->send(port, frames);
    rt_msg *text = rt_eio_payload_as_text_frames(frames);
    int status = text ? port->ops->send(port, text) : RT_ENOMEM;
    rt_msg_rele(text);
    return status;
}

int rt_eio_ws_send_text(rt_eio_port *port, rt_slice packet) {
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, packet);
    if (!m)
        return RT_ENOMEM;
    int status = rt_eio_ws_send(port, m);
    rt_msg_rele(m);
    return status;
}

/* --- reading --- */

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
        end_probe(p);
        rt_eio_ws_join(port, s);
        rt_eio_session_switch(s);
        return port->up ? RT_OK : RT_ECLOSED;
    }
    return RT_EEIO_PACKET;
}

static int on_message(void *arg, bool binary, rt_slice bytes) {
    rt_eio_port *port = arg;
    if (port->use == RT_EIO_USE_PROBE)
        return binary ? RT_EEIO_PACKET : probe_packet(port->up, bytes);
    if (port->use == RT_EIO_USE_TRANSPORT)
        rt_eio_session_packet(port->up, binary, bytes);
    return port->up ? RT_OK : RT_ECLOSED;
}

static int on_ping(void *arg, rt_slice payload) {
    rt_msg *pong = rt_ws_frame(RT_WS_PONG, payload);
    if (!pong)
        return RT_ENOMEM;
    int status = rt_eio_ws_send(arg, pong);
    rt_msg_rele(pong);
    return status;
}

static int on_pong(void *arg, rt_slice payload) {
    (void)payload;
    return ((const rt_eio_port *)arg)->up ? RT_OK : RT_ECLOSED;
}

/* The peer's close frame is answered with its own code (RFC 6455, 5.5.1). */
static int on_close(void *arg, uint16_t code, rt_slice reason) {
    (void)reason;
    rt_eio_port *port = arg;
    rt_eio_session *s = rt_eio_ws_transported(port);
    rt_eio_ws_close(port, code == 1005 ? 0 : code);
    if (s)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_CLOSE);
    return RT_ECLOSED;
}

static const rt_ws_events events = {on_message, on_ping, on_pong, on_close};

/* Most bytes are whole messages, after which a parser knows nothing that a new one would not: it
 * lives on the stack, and is kept only while a message has not come whole. */
static int feed(rt_eio *e, rt_eio_port *port, char *bytes, size_t n) {
    rt_ws ws;
    rt_ws *kept = port->ws;
    port->ws = NULL; /* a callback may let go of the port */
    if (kept)
        ws = *kept;
    else
        rt_ws_init(&ws, e->opts.max_payload);
    int status = rt_ws_feed(&ws, bytes, n, &events, port);
    if (status == RT_OK && port->up && !rt_ws_at_rest(&ws)) {
        port->ws = kept ? kept : rt_alloc(sizeof ws);
        if (port->ws) {
            *port->ws = ws;
            return RT_OK;
        }
        status = RT_ENOMEM;
    }
    rt_ws_fini(&ws);
    rt_free(kept);
    return status;
}

void rt_eio_websocket_bytes(rt_eio *e, rt_eio_port *port, char *bytes, size_t n) {
    if (!port->up)
        return;
    int status = feed(e, port, bytes, n);
    if (status == RT_OK || !port->up)
        return;
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
