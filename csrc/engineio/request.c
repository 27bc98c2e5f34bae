/* The HTTP interface: tells handshake, poll, post and upgrade apart, and refuses what is none.
 *
 * The checks come in the order of the reference server (docs/protocol.md, "Order of checks"), since
 * clients see which error comes first. */
#include "base/alloc.h"
#include "engineio/session.h"
#include "wire/query.h"
#include "wire/reply.h"

enum { /* the reference's error codes */
       TRANSPORT_UNKNOWN,
       SID_UNKNOWN,
       BAD_METHOD,
       BAD_REQUEST,
       FORBIDDEN,
       BAD_VERSION,
       ACCEPTED = -1,
};

enum transport { NONE, POLLING, WEBSOCKET };

/* What the query string asks for. */
struct asked {
    enum transport transport;
    bool has_sid;
    bool eio4;
    bool base64; /* `b64` */
    bool jsonp;  /* `j` */
    char jsonp_index[RT_EIO_JSONP_INDEX_MAX + 1];
    rt_slice forbidden;      /* why, when FORBIDDEN */
    rt_eio_session *session; /* of the sid, or NULL */
};

/* The decoded value of a parameter, in `room`. A longer one: empty, and *too_long is set. */
static rt_slice parameter(rt_slice query, rt_slice name, char *room, size_t n, bool *too_long) {
    rt_slice raw;
    *too_long = false;
    if (!rt_query_get(query, name, &raw))
        return RT_EMPTY;
    rt_buf b;
    rt_buf_init(&b, n);
    rt_slice value = RT_EMPTY;
    if (rt_query_decode(raw, true, &b) == RT_OK) {
        if (b.n)
            memcpy(room, b.p, b.n);
        value = rt_slice_make(room, b.n);
    } else {
        *too_long = true;
    }
    rt_buf_fini(&b);
    return value;
}

/* The digits of the callback's index. Nothing else that a page writes there may become script. */
static void read_jsonp_index(rt_slice raw, char *digits) {
    size_t n = 0;
    for (size_t i = 0; i < raw.n && n < RT_EIO_JSONP_INDEX_MAX; i++)
        if (raw.p[i] >= '0' && raw.p[i] <= '9')
            digits[n++] = raw.p[i];
    digits[n] = '\0';
}

static void read_query(rt_eio *e, rt_slice query, struct asked *a) {
    char room[32];
    bool too_long;
    rt_slice v = parameter(query, RT_LIT("transport"), room, sizeof room, &too_long);
    if (rt_slice_eq(v, RT_LIT("polling")) && e->opts.allow_polling)
        a->transport = POLLING;
    else if (rt_slice_eq(v, RT_LIT("websocket")) && e->opts.allow_websocket)
        a->transport = WEBSOCKET;
    v = parameter(query, RT_LIT("EIO"), room, sizeof room, &too_long);
    a->eio4 = rt_slice_eq(v, RT_LIT("4"));
    v = parameter(query, RT_LIT("sid"), room, sizeof room, &too_long);
    a->has_sid = v.n > 0 || too_long;
    if (v.n == RT_ID_LEN)
        a->session = rt_map_get(&e->by_sid, v);
    rt_slice raw;
    a->base64 = rt_query_get(query, RT_LIT("b64"), &raw) && raw.n > 0;
    a->jsonp = rt_query_get(query, RT_LIT("j"), &raw);
    if (a->jsonp)
        read_jsonp_index(raw, a->jsonp_index);
}

/* Control characters could break a header, so the reference refuses them. */
static bool origin_bytes_valid(rt_slice origin) {
    for (size_t i = 0; i < origin.n; i++)
        if ((unsigned char)origin.p[i] < 0x20 || (unsigned char)origin.p[i] == 0x7f)
            return false;
    return true;
}

static int check_session(const struct asked *a, const rt_http_request *req) {
    if (!a->session)
        return SID_UNKNOWN;
    bool is_websocket = a->session->state == RT_EIO_WEBSOCKET;
    if (a->transport == POLLING && (is_websocket || req->upgrade))
        return BAD_REQUEST;
    if (a->transport == WEBSOCKET && !req->upgrade)
        return BAD_REQUEST;
    return a->eio4 ? ACCEPTED : BAD_REQUEST;
}

static int check_handshake(const rt_eio *e, struct asked *a, const rt_http_request *req) {
    if (req->method != RT_HTTP_GET)
        return BAD_METHOD;
    if ((a->transport == WEBSOCKET) != req->upgrade)
        return BAD_REQUEST;
    if (e->app.forbid)
        a->forbidden = e->app.forbid(e->app.ctx, req);
    if (a->forbidden.n > 0)
        return FORBIDDEN;
    return a->eio4 ? ACCEPTED : BAD_VERSION;
}

static int check(rt_eio *e, const rt_http_request *req, struct asked *a) {
    read_query(e, req->query, a);
    if (a->transport == NONE)
        return TRANSPORT_UNKNOWN;
    if (!origin_bytes_valid(rt_http_header_get(req, RT_LIT("Origin"))))
        return BAD_REQUEST;
    if (a->jsonp && (!e->opts.allow_jsonp || a->transport != POLLING))
        return BAD_REQUEST;
    return a->has_sid ? check_session(a, req) : check_handshake(e, a, req);
}

/* --- CORS --- */

static bool origin_allowed(rt_eio *e, const rt_http_request *req, rt_slice origin) {
    if (e->opts.cors == RT_EIO_CORS_REFLECT)
        return true;
    return e->opts.cors == RT_EIO_CORS_ASK && e->app.allow_origin &&
           e->app.allow_origin(e->app.allow_origin_ctx, req, origin);
}

static void put_cors(rt_eio *e, const rt_http_request *req, rt_buf *b) {
    rt_slice origin = rt_http_header_get(req, RT_LIT("Origin"));
    if (e->opts.cors == RT_EIO_CORS_OFF)
        return;
    if (e->opts.cors == RT_EIO_CORS_ANY) {
        rt_reply_header(b, RT_LIT("Access-Control-Allow-Origin"), RT_LIT("*"));
        return;
    }
    bool allowed = origin.n && origin_allowed(e, req, origin);
    if (allowed)
        rt_reply_header(b, RT_LIT("Access-Control-Allow-Origin"), origin);
    if (req->method != RT_HTTP_OPTIONS)
        rt_reply_header(b, RT_LIT("Vary"), RT_LIT("Origin"));
    if (allowed)
        rt_reply_header(b, RT_LIT("Access-Control-Allow-Credentials"), RT_LIT("true"));
}

static void put_preflight(rt_eio *e, const rt_http_request *req, rt_buf *b) {
    rt_reply_header(b, RT_LIT("Access-Control-Allow-Methods"),
                    RT_LIT("GET,HEAD,PUT,PATCH,POST,DELETE"));
    rt_reply_header(b, RT_LIT("Vary"),
                    e->opts.cors == RT_EIO_CORS_ANY
                        ? RT_LIT("Access-Control-Request-Headers")
                        : RT_LIT("Origin, Access-Control-Request-Headers"));
    rt_slice asked = rt_http_header_get(req, RT_LIT("Access-Control-Request-Headers"));
    if (asked.n)
        rt_reply_header(b, RT_LIT("Access-Control-Allow-Headers"), asked);
}

/* --- upgrade requests --- */

/* Refuses an upgrade: the message as plain text, then the connection closes. */
static void refuse_upgrade(rt_eio *e, rt_eio_port *port, int code, rt_slice message) {
    rt_slice usual = rt_eio_refusal(e, code);
    if (message.n == 0)
        message = usual;
    rt_buf b;
    rt_buf_init(&b, 0);
    rt_reply_start(&b, 400);
    rt_reply_header(&b, RT_LIT("Content-type"), RT_LIT("text/html"));
    rt_reply_end(&b, message.n, false);
    rt_buf_puts(&b, message);
    rt_msg *m = b.err == RT_OK ? rt_msg_copy(rt_buf_slice(&b)) : NULL;
    rt_buf_fini(&b);
    bool sent = m && port->ops->send(port, m) == RT_OK;
    rt_msg_rele(m);
    if (sent)
        port->ops->finish(port, false);
    else
        port->ops->close(port, false);
}

static bool websocket_request_valid(const rt_http_request *req) {
    return req->method == RT_HTTP_GET && !req->has_body && /* it would be read as frames */
           rt_http_header_has_token(req, RT_LIT("Upgrade"), RT_LIT("websocket")) &&
           rt_slice_eq(rt_http_header_get(req, RT_LIT("Sec-WebSocket-Version")), RT_LIT("13")) &&
           rt_ws_key_valid(rt_http_header_get(req, RT_LIT("Sec-WebSocket-Key")));
}

/* How a handshake is answered for which there is no session. */
static const struct refused {
    int status;
    int counter;   /* -1: counted already */
    int http;      /* status of the answer */
    uint16_t code; /* of the WebSocket's close frame */
} refused[] = {
    {RT_ELIMIT, RT_EIO_REFUSED_FULL, 503, 1013},
    {RT_AGAIN, -1, 429, 1013},
    {RT_EHTTP_HEADERS, RT_EIO_HANDSHAKE_TOO_BIG, 431, 1009},
    {0, RT_EIO_HANDSHAKES_NO_MEMORY, 503, 1013},
};

/* Looks it up, and counts. */
static const struct refused *no_session(rt_eio *e, int status) {
    const struct refused *r = refused;
    while (r->status && r->status != status)
        r++;
    if (r->counter >= 0)
        rt_eio_count(e, r->counter);
    return r;
}

static void open_websocket(rt_eio *e, rt_eio_port *port, const rt_http_request *req) {
    int status;
    rt_eio_session *s = rt_eio_session_new(e, port, req, true, &status);
    if (!s) {
        rt_eio_ws_close(port, no_session(e, status)->code);
        return;
    }
    rt_eio_ws_join(port, s);
    rt_buf open;
    rt_buf_init(&open, 0);
    status = rt_eio_session_put_open(s, &open);
    if (status == RT_OK)
        status = rt_eio_ws_send_text(port, rt_buf_slice(&open));
    rt_buf_fini(&open);
    if (status == RT_OK)
        status = rt_eio_session_open(s);
    if (status != RT_OK)
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
}

static void upgrade(rt_eio *e, rt_eio_port *port, const rt_http_request *req) {
    struct asked a = {0};
    int code = check(e, req, &a);
    if (code == ACCEPTED && !websocket_request_valid(req))
        code = BAD_REQUEST;
    if (code != ACCEPTED) {
        refuse_upgrade(e, port, code, a.forbidden);
        return;
    }
    rt_buf cors;
    rt_buf_init(&cors, 0);
    put_cors(e, req, &cors);
    bool accepted = rt_eio_ws_accept(port, req, &cors);
    rt_buf_fini(&cors);
    if (!accepted)
        return;
    port->ws_as_base64 = a.base64;
    rt_eio_session *s = a.session;
    if (!a.has_sid)
        open_websocket(e, port, req);
    else if (s->state == RT_EIO_POLLING && !s->polling->probe && e->opts.allow_upgrades)
        rt_eio_ws_start_probe(port, s);
    else
        rt_eio_ws_refuse(e, port); /* it has a probe or a WebSocket already: the first one stays */
}

/* --- ordinary requests --- */

static void open_polling(rt_eio_exchange *x, const rt_http_request *req) {
    rt_eio *e = x->eio;
    int status;
    rt_eio_session *s = rt_eio_session_new(e, x->port, req, false, &status);
    if (!s) {
        if (status == RT_AGAIN)
            rt_reply_header(&x->headers, RT_LIT("Retry-After"), RT_LIT("1"));
        rt_eio_exchange_reply(x, no_session(e, status)->http, NULL, NULL);
        return;
    }
    rt_buf open;
    rt_buf_init(&open, 0);
    if (rt_eio_session_put_open(s, &open) == RT_OK && rt_eio_session_open(s) == RT_OK) {
        if (e->opts.cookie)
            rt_buf_printf(&x->headers, "Set-Cookie: %s=%.*s; Path=/; HttpOnly; SameSite=Lax\r\n",
                          e->opts.cookie, RT_ID_LEN, s->sid);
        rt_eio_poll_reply(x, rt_buf_slice(&open));
    } else {
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
        rt_eio_exchange_reply(x, 503, NULL, NULL);
    }
    rt_buf_fini(&open);
}

static void session_request(rt_eio_exchange *x, rt_eio_session *s, const rt_http_request *req) {
    switch (req->method) {
    case RT_HTTP_GET:
        x->coding = rt_coding_choose(rt_http_header_get(req, RT_LIT("Accept-Encoding")));
        rt_eio_polling_get(s, x);
        return;
    case RT_HTTP_POST:
        /* In version 4 binary is always base64. The reference once left this unanswered. */
        if (rt_slice_eq(rt_http_header_get(req, RT_LIT("Content-Type")),
                        RT_LIT("application/octet-stream"))) {
            rt_eio_count(x->eio, RT_EIO_REFUSED_MEDIA_TYPE);
            rt_eio_exchange_reply(x, 400, NULL, NULL);
        } else {
            rt_eio_polling_post(s, x);
        }
        return;
    default:
        rt_eio_count(x->eio, RT_EIO_REFUSED_SESSION_METHOD);
        rt_eio_exchange_reply(x, 500, NULL, NULL);
    }
}

static void ordinary(rt_eio_exchange *x, const rt_http_request *req) {
    rt_eio *e = x->eio;
    struct asked a = {0};
    put_cors(e, req, &x->headers);
    if (req->method == RT_HTTP_OPTIONS && e->opts.cors != RT_EIO_CORS_OFF) {
        put_preflight(e, req, &x->headers);
        rt_eio_exchange_reply(x, 204, NULL, NULL);
        return;
    }
    int code = check(e, req, &a);
    x->jsonp = a.jsonp;
    memcpy(x->jsonp_index, a.jsonp_index, sizeof x->jsonp_index);
    if (code != ACCEPTED)
        rt_eio_exchange_refuse(x, code, a.forbidden);
    else if (a.has_sid)
        session_request(x, a.session, req);
    else
        open_polling(x, req);
}

int rt_eio_request(rt_eio *e, rt_eio_port *port, const rt_http_request *req) {
    if (req->upgrade) {
        upgrade(e, port, req);
        return RT_OK;
    }
    rt_eio_exchange *x = rt_eio_exchange_new(e, port, req);
    if (!x)
        return RT_ENOMEM;
    ordinary(x, req);
    return RT_OK;
}

static rt_eio_exchange *exchange_of(const rt_eio_port *port) {
    return port->use == RT_EIO_USE_EXCHANGE ? port->up : NULL;
}

int rt_eio_request_body(rt_eio *e, rt_eio_port *port, rt_slice bytes) {
    rt_eio_exchange *x = exchange_of(port);
    if (!x || (x->session && x->session->polling->poll == x))
        return RT_OK; /* answered already, or the body of a GET */
    int status = rt_buf_puts(&x->body, bytes);
    if (status == RT_OK) {
        rt_unfinished_grow(&e->unfinished, &x->unfinished, x->body.cap, rt_eio_now(e));
        return RT_OK;
    }
    if (status == RT_ENOMEM)
        return status;
    /* Too big: refuse the request, not the session. */
    rt_eio_count(e, RT_EIO_REFUSED_TOO_BIG);
    rt_eio_exchange_reply(x, 413, NULL, NULL);
    return RT_OK;
}

int rt_eio_request_end(rt_eio *e, rt_eio_port *port) {
    (void)e;
    rt_eio_exchange *x = exchange_of(port);
    if (!x)
        return RT_OK;
    x->read_whole = true;
    if (x->session && x->session->polling->post == x)
        rt_eio_polling_post_end(x);
    return RT_OK;
}

static void exchange_gone(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    rt_eio_exchange_free(x);
    if (s)
        rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
}

void rt_eio_port_closed(rt_eio *e, rt_eio_port *port, bool broken) {
    if (port->use == RT_EIO_USE_EXCHANGE) {
        exchange_gone(exchange_of(port));
        return;
    }
    rt_eio_session *s = rt_eio_ws_transported(port);
    if (port->use == RT_EIO_USE_PROBE)
        rt_eio_count(e, RT_EIO_UPGRADES_FAILED);
    if (port->up)
        rt_eio_ws_drop(port);
    if (s)
        rt_eio_session_end(s, broken ? RT_EIO_TRANSPORT_ERROR : RT_EIO_TRANSPORT_CLOSE);
}

void rt_eio_port_slow(rt_eio *e, rt_eio_port *port) {
    rt_eio_session *s = rt_eio_ws_transported(port);
    if (!s) {
        rt_eio_port_closed(e, port, true);
        return;
    }
    rt_eio_ws_drop(port); /* a close frame would only queue behind what is owed */
    rt_eio_session_end(s, RT_EIO_SLOW_CLIENT);
}
