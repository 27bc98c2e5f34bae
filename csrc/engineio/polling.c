/* Polling: what waits for the client goes out with its GET, what it says comes in with its POST. */
#include "base/utf8.h"
#include "engineio/payload.h"
#include "engineio/session.h"
#include "wire/reply.h"

#define SEPARATOR '\x1e'
#define PLAIN "text/plain; charset=UTF-8"
#define SCRIPT "text/javascript; charset=UTF-8"

void rt_eio_poll_forget(rt_eio *e) {
    rt_msg_rele(e->payload_source);
    e->payload_source = NULL;
    for (int coding = 0; coding < RT_CODINGS; coding++) {
        rt_msg_rele(e->payload[coding]);
        e->payload[coding] = NULL;
    }
}

/* The queue's payload with a reference for the caller. In a fan-out every queue holds the same one
 * message, so its payload is built once per turn. */
static rt_msg *payload_of(rt_eio_session *s) {
    rt_eio *e = s->eio;
    const rt_outq *queue = &s->polling->queue;
    if (queue->count > 1)
        return rt_eio_payload_encode(queue);
    rt_msg *source = rt_outq_at(queue, 0);
    if (source == e->payload_source)
        return rt_msg_hold(e->payload[RT_CODING_IDENTITY]);
    rt_msg *payload = rt_eio_payload_encode(queue);
    if (!payload)
        return NULL;
    rt_eio_poll_forget(e);
    e->payload_source = rt_msg_hold(source);
    e->payload[RT_CODING_IDENTITY] = rt_msg_hold(payload);
    return payload;
}

/* The coding that a body of this size is to have. */
static enum rt_coding coding_for(const rt_eio_exchange *x, const rt_msg *body) {
    rt_eio *e = x->eio;
    if (x->coding == RT_CODING_IDENTITY || !e->opts.compress_min ||
        body->len < e->opts.compress_min)
        return RT_CODING_IDENTITY;
    if (body->len <= RT_EIO_COMPRESS_MAX)
        return x->coding;
    rt_eio_count(e, RT_EIO_COMPRESS_TOO_BIG);
    return RT_CODING_IDENTITY;
}

/* The body in that coding, a new reference; the body itself when there is no memory for it, with
 * *coding saying so. */
static rt_msg *coded(rt_eio *e, rt_msg *body, enum rt_coding *coding) {
    if (*coding == RT_CODING_IDENTITY)
        return rt_msg_hold(body);
    bool shared = body == e->payload[RT_CODING_IDENTITY];
    rt_msg *made = shared ? e->payload[*coding] : NULL;
    if (made)
        return rt_msg_hold(made);
    made = rt_eio_compress(&e->compressor, *coding, rt_msg_slice(body));
    if (!made) {
        *coding = RT_CODING_IDENTITY;
        return rt_msg_hold(body);
    }
    if (shared)
        e->payload[*coding] = rt_msg_hold(made);
    return made;
}

/* Does not take the body's reference. False: it did not go out. */
static bool reply(rt_eio_exchange *x, const char *content_type, rt_msg *body) {
    enum rt_coding coding = coding_for(x, body);
    rt_msg *sent = coded(x->eio, body, &coding);
    if (coding != RT_CODING_IDENTITY) {
        rt_reply_header(&x->headers, RT_LIT("Content-Encoding"), rt_coding_name(coding));
        rt_eio_count(x->eio, RT_EIO_COMPRESSED);
    }
    bool went = rt_eio_exchange_reply(x, 200, content_type, sent);
    rt_msg_rele(sent);
    return went;
}

static bool reply_payload(rt_eio_exchange *x, rt_msg *payload) {
    if (!x->jsonp)
        return reply(x, PLAIN, payload);
    rt_msg *script = rt_eio_payload_jsonp(rt_slice_of(x->jsonp_index), rt_msg_slice(payload));
    bool went = script && reply(x, SCRIPT, script);
    if (!script)
        rt_eio_exchange_abort(x);
    rt_msg_rele(script);
    return went;
}

void rt_eio_poll_reply(rt_eio_exchange *x, rt_slice text) {
    rt_msg *payload = rt_msg_copy(text);
    if (payload)
        reply_payload(x, payload);
    else
        rt_eio_exchange_abort(x);
    rt_msg_rele(payload);
}

rt_eio_exchange *rt_eio_poll_take(rt_eio_session *s) {
    rt_eio_exchange *x = s->polling->poll;
    s->polling->poll = NULL;
    x->session = NULL;
    s->eio->polls--;
    return x;
}

void rt_eio_poll_answer(rt_eio_session *s, rt_slice payload) {
    if (s->polling && s->polling->poll)
        rt_eio_poll_reply(rt_eio_poll_take(s), payload);
}

void rt_eio_poll_flush(rt_eio_session *s) {
    rt_eio_polling *p = s->polling;
    if (!p->poll || rt_outq_empty(&p->queue))
        return;
    rt_msg *payload = payload_of(s);
    if (!payload) {
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_outq_fini(&p->queue);
    p->counted = p->queued_bytes = 0;
    /* The events have left the queue: what did not go out with them is lost, and so is the session,
     * or its client would never know. */
    if (!reply_payload(rt_eio_poll_take(s), payload))
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
    rt_msg_rele(payload);
}

/* Two GETs at once: the new one is refused, the waiting one returns, the session is over. */
static void refuse_overlap(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_count(s->eio, RT_EIO_REFUSED_OVERLAP);
    x->session = NULL;
    rt_eio_exchange_reply(x, 400, NULL, NULL);
    rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
}

void rt_eio_poll_begin(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio *e = s->eio;
    rt_eio_polling *p = s->polling;
    rt_eio_count(e, RT_EIO_POLLS);
    if (p->poll) {
        refuse_overlap(s, x);
        return;
    }
    p->poll = x;
    x->session = s;
    e->polls++;
    rt_eio_release(e); /* it belongs into this answer */
    if (p->poll != x)
        return;
    if (!rt_outq_empty(&p->queue)) {
        rt_eio_poll_flush(s);
    } else if (s->state == RT_EIO_CLOSING) {
        rt_eio_poll_answer(s, RT_LIT("6\x1e"
                                     "1"));
        rt_eio_session_end(s, RT_EIO_FORCED_CLOSE);
    }
}

void rt_eio_post_begin(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_count(s->eio, RT_EIO_POSTS);
    if (s->polling->post) {
        refuse_overlap(s, x);
        return;
    }
    s->polling->post = x;
    x->session = s;
}

/* Hands up packet after packet; the first that ends the session also ends the reading. */
static void feed_payload(rt_eio_session *s, rt_slice payload) {
    unsigned packets = 0;
    for (;;) {
        size_t n = rt_slice_find(payload, SEPARATOR);
        if (++packets > RT_EIO_POLL_PACKETS_MAX) {
            rt_eio_count(s->eio, RT_EIO_POLL_PACKETS_OVER_MAX);
            rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
            return;
        }
        if (!rt_eio_session_packet(s, false, rt_slice_make(payload.p, n)) || n == payload.n)
            return;
        payload = rt_slice_from(payload, n + 1);
    }
}

/* The packets of the POST, out of their form when a script tag's page sent them. */
static void feed_body(rt_eio_session *s, rt_slice body, bool form) {
    rt_buf text;
    rt_buf_init(&text, 0);
    if (form && rt_eio_payload_from_form(body, &text) != RT_OK) {
        rt_eio_session_end(s, RT_EIO_PARSE_ERROR);
    } else {
        rt_slice payload = form ? rt_buf_slice(&text) : body;
        if (rt_utf8_valid(payload))
            feed_payload(s, payload);
        else
            rt_eio_session_end(s, RT_EIO_PARSE_ERROR);
    }
    rt_buf_fini(&text);
}

void rt_eio_post_end(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    rt_eio_session_let_post_go(s);
    feed_body(s, rt_buf_slice(&x->body), x->jsonp);
    rt_eio_exchange_reply_text(x, 200, "text/html", RT_LIT("ok"));
}
