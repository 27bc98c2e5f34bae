/* The requests of a polling session: a GET waits for packets, a POST brings packets. */
#include "base/utf8.h"
#include "engineio/payload.h"
#include "engineio/session.h"

#define SEPARATOR '\x1e'

/* Two GETs or two POSTs at once: refuse the new one and end the session. */
static void refuse_overlap(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_count(s->eio, RT_EIO_REFUSED_OVERLAP);
    rt_eio_exchange_reply(x, 400, NULL, NULL);
    rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
}

void rt_eio_polling_get(rt_eio_session *s, rt_eio_exchange *x) {
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
    rt_eio_flush_app(e); /* what the app holds back belongs in this answer */
    if (p->poll != x)
        return;
    if (!rt_outq_empty(&p->queue)) {
        rt_eio_session_flush(s);
    } else if (s->state == RT_EIO_CLOSING) {
        rt_eio_poll_answer(s, RT_LIT("6\x1e"
                                     "1"));
        rt_eio_session_end(s, RT_EIO_FORCED_CLOSE);
    }
}

void rt_eio_polling_post(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_count(s->eio, RT_EIO_POSTS);
    if (s->polling->post) {
        refuse_overlap(s, x);
        return;
    }
    s->polling->post = x;
    x->session = s;
}

/* Handles packet after packet, until one ends the session. */
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

/* Handles the packets of a POST. A page that polls by script tags sends them in a form. */
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

void rt_eio_polling_post_end(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    rt_eio_exchange_detach(x); /* it gets its answer even if a packet ends the session */
    feed_body(s, rt_buf_slice(&x->body), x->jsonp);
    rt_eio_exchange_reply_text(x, 200, "text/html", RT_LIT("ok"));
}
