/* Answers to polls: builds the payload, compresses it, wraps it in a script if asked. */
#include "engineio/payload.h"
#include "engineio/session.h"
#include "wire/reply.h"

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

/* The payload of the queue, a new reference; NULL: no memory. After a fan-out all queues hold the
 * same single message, so its payload is kept for the turn. */
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

/* The coding for a body of this size. */
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

/* The body in that coding, a new reference. Without memory for it, the body itself, and *coding is
 * set to identity. */
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

/* False: the answer did not go out. The caller keeps its reference of the body. */
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

void rt_eio_poll_answer(rt_eio_session *s, rt_slice payload) {
    if (s->polling && s->polling->poll)
        rt_eio_poll_reply(s->polling->poll, payload);
}

int rt_eio_poll_flush(rt_eio_session *s) {
    rt_eio_polling *p = s->polling;
    if (!p->poll || rt_outq_empty(&p->queue))
        return RT_OK;
    rt_msg *payload = payload_of(s);
    if (!payload)
        return RT_ENOMEM;
    rt_outq_fini(&p->queue);
    if (p->answers > RT_EIO_ANSWERS_MAX && p->post && p->post->read_whole)
        rt_alarm_arm(&s->eio->timers->alarms, &p->post->again, rt_eio_now(s->eio));
    p->answers = 0;
    bool went = reply_payload(p->poll, payload);
    rt_msg_rele(payload);
    return went ? RT_OK : RT_ENOMEM;
}
