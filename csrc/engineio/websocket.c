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

rt_eio_socket *rt_eio_socket_accept(rt_eio *e, rt_eio_port *port, const rt_http_request *req,
                                    const rt_buf *extra_headers) {
    rt_eio_socket *k = rt_alloc0(sizeof *k);
    if (!k || send_accept(port, req, extra_headers) != RT_OK) {
        rt_free(k);
        port->ops->close(port, false);
        return NULL;
    }
    k->use = RT_EIO_USE_SOCKET;
    k->eio = e;
    k->port = port;
    rt_list_init(&k->node);
    rt_ws_init(&k->ws, e->opts.max_payload);
    port->up = &k->use;
    port->ops->upgrade(port);
    return k;
}

void rt_eio_socket_start_probe(rt_eio_socket *k, rt_eio_session *s) {
    k->probe = rt_alloc(sizeof *k->probe);
    if (!k->probe) {
        rt_eio_count(k->eio, RT_EIO_UPGRADES_FAILED);
        rt_eio_socket_close(k, rt_ws_close_code(RT_ENOMEM));
        return;
    }
    k->probe->socket = k;
    rt_timer_init(&k->probe->due);
    rt_timer_init(&k->probe->noop);
    k->session = s;
    s->probe = k;
    rt_timer_arm(&k->eio->probe_due, &k->probe->due, rt_eio_now(k->eio));
}

static void end_probe(rt_eio_socket *k) {
    if (!k->probe)
        return;
    rt_timer_disarm(&k->probe->due);
    rt_timer_disarm(&k->probe->noop);
    rt_free(k->probe);
    k->probe = NULL;
}

void rt_eio_socket_free(rt_eio_socket *k) {
    rt_ws_fini(&k->ws);
    rt_free(k);
}

/* Undoes every link; the memory waits for the reap, since the parser may be running in it. */
static rt_eio_port *let_go(rt_eio_socket *k) {
    rt_eio_port *port = k->port;
    rt_eio_session *s = k->session;
    k->ended = true;
    k->port = NULL;
    k->session = NULL;
    end_probe(k);
    rt_list_push(&k->eio->ended_sockets, &k->node);
    port->up = NULL;
    if (s && s->probe == k) {
        s->probe = NULL;
        if (s->state == RT_EIO_PROBING)
            s->state = RT_EIO_POLLING;
    }
    return port;
}

void rt_eio_socket_drop(rt_eio_socket *k) {
    if (k->ended)
        return;
    rt_eio_port *port = let_go(k);
    port->ops->close(port, false);
}

void rt_eio_socket_close(rt_eio_socket *k, uint16_t code) {
    if (k->ended)
        return;
    rt_eio_port *port = let_go(k);
    rt_msg *frame = rt_ws_close_frame(code, RT_EMPTY);
    if (frame)
        port->ops->send(port, frame);
    rt_msg_rele(frame);
    port->ops->close(port, true);
}

void rt_eio_socket_refuse(rt_eio_socket *k) {
    rt_eio_count(k->eio, RT_EIO_REFUSED_WEBSOCKET);
    rt_eio_socket_close(k, 0);
}

int rt_eio_socket_send(rt_eio_socket *k, rt_msg *frames) {
    if (k->ended)
        return RT_ECLOSED;
    if (!k->as_base64)
        return k->port->ops->send(k->port, frames);
    rt_msg *text = rt_eio_payload_as_text_frames(frames);
    int status = text ? k->port->ops->send(k->port, text) : RT_ENOMEM;
    rt_msg_rele(text);
    return status;
}

int rt_eio_socket_send_text(rt_eio_socket *k, rt_slice packet) {
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, packet);
    if (!m)
        return RT_ENOMEM;
    int status = rt_eio_socket_send(k, m);
    rt_msg_rele(m);
    return status;
}

static int probe_packet(rt_eio_socket *k, rt_slice packet) {
    rt_eio *e = k->eio;
    rt_eio_session *s = k->session;
    if (rt_slice_eq(packet, RT_LIT("2probe"))) {
        if (rt_eio_socket_send_text(k, RT_LIT("3probe")) != RT_OK)
            return RT_ENOMEM;
        s->state = RT_EIO_PROBING;
        rt_timer_arm(&e->noop_due, &k->probe->noop, rt_eio_now(e));
        rt_eio_poll_answer(s, RT_LIT("6"));
        return RT_OK;
    }
    if (rt_slice_eq(packet, RT_LIT("5"))) {
        end_probe(k);
        rt_eio_session_switch(s, k);
        return k->ended ? RT_ECLOSED : RT_OK;
    }
    return RT_EEIO_PACKET;
}

static int on_message(void *arg, bool binary, rt_slice bytes) {
    rt_eio_socket *k = arg;
    if (!k->session)
        return RT_ECLOSED;
    if (k->session->probe == k)
        return binary ? RT_EEIO_PACKET : probe_packet(k, bytes);
    rt_eio_session_packet(k->session, binary, bytes);
    return k->ended ? RT_ECLOSED : RT_OK;
}

static int on_ping(void *arg, rt_slice payload) {
    rt_msg *pong = rt_ws_frame(RT_WS_PONG, payload);
    if (!pong)
        return RT_ENOMEM;
    int status = rt_eio_socket_send(arg, pong);
    rt_msg_rele(pong);
    return status;
}

static int on_pong(void *arg, rt_slice payload) {
    (void)payload;
    return ((rt_eio_socket *)arg)->ended ? RT_ECLOSED : RT_OK;
}

/* The peer's close frame is answered with its own code (RFC 6455, 5.5.1). */
static int on_close(void *arg, uint16_t code, rt_slice reason) {
    (void)reason;
    rt_eio_socket *k = arg;
    rt_eio_session *s = k->session;
    bool transport = s && s->ws == k;
    rt_eio_socket_close(k, code == 1005 ? 0 : code);
    if (transport)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_CLOSE);
    return RT_ECLOSED;
}

static const rt_ws_events events = {on_message, on_ping, on_pong, on_close};

void rt_eio_websocket_bytes(rt_eio *e, rt_eio_port *port, char *bytes, size_t n) {
    if (!port->up || *port->up != RT_EIO_USE_SOCKET)
        return;
    rt_eio_socket *k = RT_OF(port->up, rt_eio_socket, use);
    int status = rt_ws_feed(&k->ws, bytes, n, &events, k);
    if (status == RT_OK || k->ended)
        return;
    rt_eio_session *s = k->session;
    bool transport = s && s->ws == k;
    if (status == RT_EWS_TOO_BIG)
        rt_eio_count(e, RT_EIO_REFUSED_TOO_BIG);
    else if (status == RT_EWS_PROTOCOL || status == RT_EWS_UTF8)
        rt_eio_count(e, RT_EIO_BAD_FRAMES);
    if (s && s->probe == k)
        rt_eio_count(e, RT_EIO_UPGRADES_FAILED);
    rt_eio_socket_close(k, status == RT_EEIO_PACKET ? 0 : rt_ws_close_code(status));
    if (transport)
        rt_eio_session_end(s, status == RT_ENOMEM ? RT_EIO_NO_MEMORY : RT_EIO_TRANSPORT_ERROR);
}
