/* Polling: what waits for the client goes out with its GET, what it says comes in with its POST.
 *
 * A queue holds WebSocket frames (the form in which a message is built once for everybody); a
 * polling payload is the same packets with 0x1e between them (Engine.IO protocol, "Payload
 * encoding"). */
#include "base/alloc.h"
#include "base/digest.h"
#include "engineio/session.h"

#define SEPARATOR '\x1e'
#define PLAIN "text/plain; charset=UTF-8"

/* Bytes of the payload that these frames make, separators between them included. */
static size_t payload_len(rt_slice frames) {
    size_t n = 0;
    enum rt_ws_opcode opcode;
    rt_slice packet;
    while (rt_ws_next_frame(&frames, &opcode, &packet))
        n += 1 + (opcode == RT_WS_BINARY ? 1 + RT_BASE64_LEN(packet.n) : packet.n);
    return n ? n - 1 : 0;
}

static char *put_packet(char *at, enum rt_ws_opcode opcode, rt_slice packet) {
    if (opcode != RT_WS_BINARY) {
        if (packet.n)
            memcpy(at, packet.p, packet.n);
        return at + packet.n;
    }
    *at++ = 'b';
    rt_base64_encode(packet, at);
    return at + RT_BASE64_LEN(packet.n);
}

static char *put_payload(char *at, rt_slice frames) {
    enum rt_ws_opcode opcode;
    rt_slice packet;
    bool first = true;
    while (rt_ws_next_frame(&frames, &opcode, &packet)) {
        if (!first)
            *at++ = SEPARATOR;
        first = false;
        at = put_packet(at, opcode, packet);
    }
    return at;
}

/* Encodes the whole queue. */
static rt_msg *encode_queue(const rt_outq *q) {
    size_t n = q->count - 1;
    for (uint32_t i = 0; i < q->count; i++) {
        rt_msg_seal(rt_outq_at(q, i));
        n += payload_len(rt_msg_slice(rt_outq_at(q, i)));
    }
    rt_msg *m = rt_msg_new(n);
    if (!m)
        return NULL;
    char *at = m->data;
    for (uint32_t i = 0; i < q->count; i++) {
        if (i)
            *at++ = SEPARATOR;
        at = put_payload(at, rt_msg_slice(rt_outq_at(q, i)));
    }
    m->len = (uint32_t)n;
    rt_msg_seal(m);
    return m;
}

/* The queue's payload with a reference for the caller. In a fan-out every queue holds the same one
 * message, so its payload is built once per turn. */
static rt_msg *payload_of(rt_eio_session *s) {
    rt_eio *e = s->eio;
    if (s->queue.count > 1)
        return encode_queue(&s->queue);
    rt_msg *source = rt_outq_at(&s->queue, 0);
    if (source == e->payload_source)
        return rt_msg_hold(e->payload);
    rt_msg *payload = encode_queue(&s->queue);
    if (!payload)
        return NULL;
    rt_msg_rele(e->payload_source);
    rt_msg_rele(e->payload);
    e->payload_source = rt_msg_hold(source);
    e->payload = rt_msg_hold(payload);
    return payload;
}

static rt_eio_exchange *take_poll(rt_eio_session *s) {
    rt_eio_exchange *x = s->poll;
    s->poll = NULL;
    x->session = NULL;
    s->eio->polls--;
    return x;
}

void rt_eio_poll_answer(rt_eio_session *s, rt_slice payload) {
    if (s->poll)
        rt_eio_exchange_reply_text(take_poll(s), 200, PLAIN, payload);
}

void rt_eio_poll_flush(rt_eio_session *s) {
    if (!s->poll || rt_outq_empty(&s->queue))
        return;
    rt_msg *payload = payload_of(s);
    if (!payload) {
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_outq_fini(&s->queue);
    s->counted = s->queued_bytes = 0;
    rt_eio_exchange_reply(take_poll(s), 200, PLAIN, payload);
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
    rt_eio_count(e, RT_EIO_POLLS);
    if (s->poll) {
        refuse_overlap(s, x);
        return;
    }
    s->poll = x;
    x->session = s;
    e->polls++;
    if (!rt_outq_empty(&s->queue)) {
        rt_eio_poll_flush(s);
    } else if (s->state == RT_EIO_CLOSING) {
        rt_eio_poll_answer(s, RT_LIT("6\x1e"
                                     "1"));
        rt_eio_session_end(s, RT_EIO_FORCED_CLOSE);
    }
}

void rt_eio_post_begin(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_count(s->eio, RT_EIO_POSTS);
    if (s->post) {
        refuse_overlap(s, x);
        return;
    }
    s->post = x;
    x->session = s;
}

/* Hands up packet after packet; the first that ends the session also ends the reading. */
static void feed_payload(rt_eio_session *s, rt_slice payload) {
    unsigned packets = 0;
    for (;;) {
        size_t n = rt_slice_find(payload, SEPARATOR);
        if (++packets > RT_EIO_POLL_PACKETS_MAX) {
            rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
            return;
        }
        if (!rt_eio_session_packet(s, false, rt_slice_make(payload.p, n)) || n == payload.n)
            return;
        payload = rt_slice_from(payload, n + 1);
    }
}

void rt_eio_post_end(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    s->post = NULL;
    x->session = NULL;
    rt_slice body = rt_buf_slice(&x->body);
    if (rt_utf8_valid(body))
        feed_payload(s, body);
    else
        rt_eio_session_end(s, RT_EIO_PARSE_ERROR);
    rt_eio_exchange_reply_text(x, 200, "text/html", RT_LIT("ok"));
}
