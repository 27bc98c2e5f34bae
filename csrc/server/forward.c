/* The queue between local publishes and the channel. */
#include "server/forward.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "json/scan.h"

#include <stdio.h>

RT_COUNTERS_DEFINE(rt_forward, RT_FORWARD_COUNTERS)

typedef struct parcel {
    rt_list node;
    size_t n;
    char bytes[];
} parcel;

static void add(rt_forward *f, int which, uint64_t n) {
    f->counters.v[which] += n;
}

/* ---- the queue ---- */

static void drop(rt_forward *f, parcel *p, int counter) {
    rt_list_unlink(&p->node);
    f->bytes -= p->n;
    add(f, counter, 1);
    rt_free(p);
}

static void drop_all(rt_forward *f, int counter) {
    while (!rt_list_empty(&f->queue))
        drop(f, RT_OF(rt_list_first(&f->queue), parcel, node), counter);
}

static void on_published(void *arg, int status, long long receivers) {
    rt_forward *f = arg;
    rt_redis_figures redis;
    f->in_flight--;
    if (status != RT_OK) {
        add(f, status == RT_EIO ? RT_FORWARD_LOST_REFUSED : RT_FORWARD_LOST_REDIS_AWAY, 1);
        return;
    }
    add(f, RT_FORWARD_SENT, 1);
    rt_redis_get_figures(f->redis, &redis);
    f->shared = receivers > (redis.subscribed ? 1 : 0);
    f->alone_until = f->shared ? 0 : f->loop->now + RT_FORWARD_ALONE_MS;
    if (!f->always && !f->shared)
        drop_all(f, RT_FORWARD_NOT_NEEDED); /* they waited for this answer, and nobody listens */
}

/* Until it is known whether others listen, one event is in flight and the rest wait. */
static unsigned in_flight_max(const rt_forward *f) {
    return f->always || f->shared ? RT_FORWARD_IN_FLIGHT : 1;
}

static void at_turn_end(void *arg) {
    rt_forward *f = arg;
    while (!rt_list_empty(&f->queue) && f->in_flight < in_flight_max(f)) {
        parcel *p = RT_OF(rt_list_first(&f->queue), parcel, node);
        int status = rt_redis_publish(f->redis, RT_LIT(RT_FRAPPE_CHANNEL),
                                      rt_slice_make(p->bytes, p->n), on_published, f);
        if (status == RT_ELIMIT || status == RT_AGAIN)
            return; /* its next answer, or the connection itself, starts another turn */
        if (status == RT_ECLOSED) {
            drop_all(f, RT_FORWARD_LOST_REDIS_AWAY);
            return;
        }
        if (status == RT_OK) {
            f->in_flight++;
            rt_list_unlink(&p->node);
            f->bytes -= p->n;
            rt_free(p);
        } else {
            drop(f, p, RT_FORWARD_LOST_NO_MEMORY);
        }
    }
}

static bool has_room(const rt_forward *f, size_t n) {
    return n <= RT_FORWARD_QUEUE_MAX && f->bytes <= RT_FORWARD_QUEUE_MAX - n;
}

static void put(rt_forward *f, const rt_buf *text) {
    if (text->err == RT_OK && !has_room(f, text->n)) {
        add(f, RT_FORWARD_LOST_QUEUE_FULL, 1);
        return;
    }
    parcel *p = text->err == RT_OK ? rt_alloc(sizeof *p + text->n) : NULL;
    if (!p) {
        add(f, RT_FORWARD_LOST_NO_MEMORY, 1);
        return;
    }
    memcpy(p->bytes, text->p, text->n);
    p->n = text->n;
    f->bytes += p->n;
    rt_list_init(&p->node);
    rt_list_push(&f->queue, &p->node);
}

/* Whether to forward an event of at least `n` bytes: others may listen, and the queue has room. */
static bool wanted(rt_forward *f, size_t n) {
    if (f->off)
        return false;
    if (!f->always && f->loop->now < f->alone_until) {
        add(f, RT_FORWARD_NOT_NEEDED, 1);
        return false;
    }
    if (has_room(f, n))
        return true;
    add(f, RT_FORWARD_LOST_QUEUE_FULL, 1); /* checked before anything is copied */
    return false;
}

/* ---- what is forwarded ---- */

void rt_forward_event(rt_forward *f, const rt_event *e) {
    if (!wanted(f, e->message.n))
        return;
    rt_buf text = RT_BUF_INIT, message = RT_BUF_INIT;
    rt_event fixed = *e;
    text.err = rt_json_copy_fixed(e->message, &message);
    fixed.message = rt_buf_slice(&message);
    rt_envelope_put(&text, rt_slice_make(f->mark, f->mark_len), &fixed);
    put(f, &text);
    rt_buf_fini(&message);
    rt_buf_fini(&text);
}

/* Insert the mark after the opening brace. Replace Python's NaN, which other parsers refuse. */
void rt_forward_envelope(rt_forward *f, rt_slice json) {
    json = rt_json_trim(json);
    if (!wanted(f, json.n))
        return;
    rt_buf text = RT_BUF_INIT;
    rt_buf_putc(&text, '{');
    rt_buf_put(&text, f->mark, f->mark_len);
    rt_json_copy_fixed(rt_slice_from(json, 1), &text);
    put(f, &text);
    rt_buf_fini(&text);
}

bool rt_forward_is_own(rt_forward *f, rt_slice envelope) {
    if (!rt_slice_starts(rt_slice_from(envelope, 1), rt_slice_make(f->mark, f->mark_len)))
        return false;
    add(f, RT_FORWARD_OWN_IGNORED, 1);
    return true;
}

/* ---- life ---- */

int rt_forward_init(rt_forward *f, rt_loop *loop, rt_redis *redis, const char *mode) {
    rt_random random;
    char id[RT_ID_LEN];
    memset(f, 0, sizeof *f);
    rt_random_init(&random);
    int status = rt_random_id(&random, id);
    if (status != RT_OK)
        return status;
    f->mark_len =
        (size_t)snprintf(f->mark, sizeof f->mark, "\"frappe_rt_from\":\"%.*s\",", RT_ID_LEN, id);
    f->loop = loop;
    f->redis = redis;
    f->off = !redis || strcmp(mode, "off") == 0;
    f->always = strcmp(mode, "on") == 0;
    rt_list_init(&f->queue);
    f->hook.at_turn_end = at_turn_end;
    f->hook.arg = f;
    rt_loop_add_hook(loop, &f->hook);
    return RT_OK;
}

bool rt_forward_owes(const rt_forward *f) {
    return f->loop && (f->in_flight > 0 || !rt_list_empty(&f->queue));
}

void rt_forward_fini(rt_forward *f) {
    if (!f->loop)
        return;
    uint64_t before = f->counters.v[RT_FORWARD_LOST_REDIS_AWAY];
    drop_all(f, RT_FORWARD_LOST_REDIS_AWAY);
    uint64_t lost = f->counters.v[RT_FORWARD_LOST_REDIS_AWAY] - before;
    if (lost > 0)
        rt_log(
            RT_LOG_WARN, "forward",
            "%llu event%s did not reach the other servers: Redis did not accept %s before the stop",
            (unsigned long long)lost, lost == 1 ? "" : "s", lost == 1 ? "it" : "them");
    rt_loop_remove_hook(f->loop, &f->hook);
}
