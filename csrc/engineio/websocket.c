/* A WebSocket as a connection: accepted, made a probe or a transport, sent to, let go. */
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
    return extra_headers->err != RT_OK ? extra_headers->err : b->err; /* never half a header line */
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
    if (port->use == RT_EIO_USE_PROBE)
        end_probe(port->up);
    port->paid = s->polling ? s->polling->paid : rt_eio_pace_start(s->eio);
    port->up = s;
    port->use = RT_EIO_USE_TRANSPORT;
    s->port = port;
}

rt_eio_session *rt_eio_ws_transported(const rt_eio_port *port) {
    return port->use == RT_EIO_USE_TRANSPORT ? port->up : NULL;
}

/* --- letting go --- */

void rt_eio_partial_free(rt_eio_partial *p) {
    if (!p)
        return;
    rt_unfinished_done(&p->eio->unfinished, &p->unfinished);
    rt_ws_fini(&p->ws);
    rt_free(p);
}

/* Unlinks the port from its probe or session. */
static void let_go(rt_eio_port *port) {
    if (port->use == RT_EIO_USE_PROBE)
        end_probe(port->up);
    else if (port->use == RT_EIO_USE_TRANSPORT)
        ((rt_eio_session *)port->up)->port = NULL;
    rt_eio_partial_free(port->partial);
    port->partial = NULL;
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
        rt_status_ignore(port->ops->send(port, frame)); /* without it the client sees code 1006 */
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
