/* An HTTP request that Engine.IO answers, at once or later, and the bytes of its answer. */
#include "base/alloc.h"
#include "engineio/session.h"
#include "json/write.h"
#include "wire/reply.h"

#define JSON "application/json"

static const struct {
    int status;
    const char *message;
    int counter;
} errors[] = {
    /* Engine.IO protocol, "Error codes" of the reference server */
    {400, "Transport unknown", RT_EIO_REFUSED_TRANSPORT},
    {400, "Session ID unknown", RT_EIO_REFUSED_SID},
    {400, "Bad handshake method", RT_EIO_REFUSED_METHOD},
    {400, "Bad request", RT_EIO_REFUSED_REQUEST},
    {403, "Forbidden", RT_EIO_REFUSED_FORBIDDEN},
    {400, "Unsupported protocol version", RT_EIO_REFUSED_VERSION},
};

/* The rest of its body has not come in time, or others need the memory more. */
static void drop_body(rt_unfinished *u) {
    rt_eio_exchange *x = RT_OF(u, rt_eio_exchange, unfinished);
    rt_eio_session *s = x->session;
    rt_eio_exchange_abort(x);
    if (s)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
}

rt_eio_exchange *rt_eio_exchange_new(rt_eio *e, rt_eio_port *port, const rt_http_request *req) {
    rt_eio_exchange *x = rt_alloc0(sizeof *x);
    if (!x)
        return NULL;
    x->eio = e;
    x->port = port;
    x->keep_alive = req->keep_alive;
    x->read_whole = !req->has_body;
    rt_buf_init(&x->body, e->opts.max_payload);
    rt_unfinished_item_init(&x->unfinished, drop_body);
    rt_buf_init(&x->headers, 0);
    port->up = x;
    port->use = RT_EIO_USE_EXCHANGE;
    return x;
}

void rt_eio_exchange_detach(rt_eio_exchange *x) {
    if (!x->session)
        return;
    rt_eio_polling *p = x->session->polling;
    if (p->poll == x) {
        p->poll = NULL;
        x->eio->polls--;
    } else {
        p->post = NULL;
    }
    x->session = NULL;
}

void rt_eio_exchange_free(rt_eio_exchange *x) {
    rt_eio_exchange_detach(x);
    rt_unfinished_done(&x->eio->unfinished, &x->unfinished);
    rt_alarm_disarm(&x->again);
    x->port->up = NULL;
    x->port->use = RT_EIO_USE_NONE;
    rt_buf_fini(&x->body);
    rt_buf_fini(&x->headers);
    rt_free(x);
}

void rt_eio_exchange_abort(rt_eio_exchange *x) {
    rt_eio_port *port = x->port;
    rt_eio_exchange_free(x);
    port->ops->close(port, false);
}

static int put_head(rt_eio_exchange *x, rt_buf *b, int status, const char *content_type,
                    size_t body_len, bool keep_alive) {
    rt_reply_start(b, status);
    if (content_type)
        rt_reply_header(b, RT_LIT("Content-Type"), rt_slice_of(content_type));
    if (status == 200)
        rt_reply_header(b, RT_LIT("cache-control"), RT_LIT("no-store"));
    rt_buf_puts(b, rt_buf_slice(&x->headers));
    rt_reply_end(b, body_len, keep_alive);
    return x->headers.err != RT_OK ? x->headers.err : b->err; /* never half a header line */
}

bool rt_eio_exchange_reply(rt_eio_exchange *x, int status, const char *content_type, rt_msg *body) {
    rt_eio_port *port = x->port;
    /* If the request is not read whole, the next bytes on the connection are no request. */
    bool keep_alive = x->keep_alive && x->read_whole;
    rt_buf head;
    rt_buf_init(&head, 0);
    int made = put_head(x, &head, status, content_type, body ? body->len : 0, keep_alive);
    rt_msg *m = made == RT_OK ? rt_msg_copy(rt_buf_slice(&head)) : NULL;
    rt_buf_fini(&head);
    rt_eio_exchange_free(x);
    bool sent = m && port->ops->send(port, m) == RT_OK;
    rt_msg_rele(m);
    if (sent && body && body->len)
        sent = port->ops->send(port, body) == RT_OK;
    if (sent)
        port->ops->finish(port, keep_alive);
    else
        port->ops->close(port, false);
    return sent;
}

void rt_eio_exchange_reply_text(rt_eio_exchange *x, int status, const char *content_type,
                                rt_slice text) {
    rt_msg *body = rt_msg_copy(text);
    if (!body) {
        rt_eio_exchange_abort(x);
        return;
    }
    rt_eio_exchange_reply(x, status, content_type, body);
    rt_msg_rele(body);
}

rt_slice rt_eio_refusal(rt_eio *e, int code) {
    rt_eio_count(e, errors[code].counter);
    return rt_slice_of(errors[code].message);
}

void rt_eio_exchange_refuse(rt_eio_exchange *x, int code, rt_slice message) {
    rt_slice usual = rt_eio_refusal(x->eio, code);
    rt_buf json;
    rt_buf_init(&json, 0);
    rt_buf_printf(&json, "{\"code\":%d", code);
    rt_json_put_member_str(&json, RT_LIT("message"), message.n ? message : usual);
    if (rt_buf_putc(&json, '}') == RT_OK)
        rt_eio_exchange_reply_text(x, errors[code].status, JSON, rt_buf_slice(&json));
    else
        rt_eio_exchange_abort(x);
    rt_buf_fini(&json);
}
