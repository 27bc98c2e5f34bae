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

/* Handles packets until the slice is used up, which is true, or none are left, or one has ended the
 * session. */
static bool feed_slice(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_slice slice;
    rt_eio_slice_begin(&slice);
    while (x->fed <= x->body.n) {
        rt_slice rest = rt_slice_from(rt_buf_slice(&x->body), x->fed);
        size_t n = rt_slice_find(rest, SEPARATOR);
        x->fed += n + 1;
        if (!rt_eio_session_packet(s, false, rt_slice_make(rest.p, n)))
            return false;
        if (!rt_eio_slice_spend(&slice, s, n))
            return x->fed <= x->body.n;
    }
    return false;
}

static bool has_more(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio_polling *p = s->polling;
    size_t before = p->queue.taken;
    bool more = feed_slice(s, x);
    if (p->queue.taken > before)
        p->answers += (uint32_t)(p->queue.taken - before);
    return more;
}

/* The rest waits for another turn, and the answer for what has been sent to be paid for. */
static void wait(rt_eio_session *s, rt_eio_exchange *x) {
    rt_eio *e = s->eio;
    uint64_t again = rt_eio_pace_again(s);
    s->held_back = true;
    s->polling->post = x;
    x->session = s;
    rt_alarm_arm(&e->timers->alarms, &x->again, again ? again : rt_eio_now(e));
    if (again)
        rt_eio_pace_tell(s);
    else
        rt_eio_count(e, RT_EIO_SLICED);
}

/* Handles the packets of a POST that have their turn. The exchange is not the session's meanwhile:
 * it gets its answer even if a packet ends the session. */
static void go_on(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    rt_eio *e = s->eio;
    s->held_back = false;
    if (s->polling->answers > RT_EIO_ANSWERS_MAX) {
        rt_eio_count(e, RT_EIO_POSTS_PAUSED); /* until a poll fetches them */
        return;
    }
    rt_eio_exchange_detach(x);
    bool more = has_more(s, x);
    if (more || (s->opened && rt_eio_pace_again(s)))
        wait(s, x);
    else
        rt_eio_exchange_reply_text(x, 200, "text/html", RT_LIT("ok"));
}

static void on_again(rt_alarm *a) {
    go_on(RT_OF(a, rt_eio_exchange, again));
}

/* Makes the body a payload. A page that polls by script tags sends it in a form. */
static int read_body(rt_eio_exchange *x) {
    if (x->jsonp) {
        rt_buf text;
        rt_buf_init(&text, 0);
        int status = rt_eio_payload_from_form(rt_buf_slice(&x->body), &text);
        rt_buf_fini(&x->body);
        x->body = text;
        if (status != RT_OK)
            return status;
    }
    return rt_utf8_valid(rt_buf_slice(&x->body)) ? RT_OK : RT_EUTF8;
}

void rt_eio_polling_post_end(rt_eio_exchange *x) {
    rt_eio_session *s = x->session;
    rt_alarm_init(&x->again, on_again);
    if (read_body(x) == RT_OK) {
        go_on(x);
        return;
    }
    rt_eio_exchange_detach(x);
    rt_eio_session_end(s, RT_EIO_PARSE_ERROR);
    rt_eio_exchange_reply_text(x, 200, "text/html", RT_LIT("ok"));
}
