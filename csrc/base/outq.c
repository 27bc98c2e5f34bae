/* Rings of message references. */
#include "base/outq.h"

#include "base/alloc.h"
#include "base/status.h"

#define FIRST_CAP 4
#define LAST_CAP (UINT32_C(1) << 31)

void rt_outq_init(rt_outq *q) {
    *q = (rt_outq){0};
}

static void free_ring(rt_outq *q) {
    if (!q->cap)
        return;
    rt_msg_note_memory(-(ptrdiff_t)(q->cap * sizeof(rt_msg *)));
    rt_free(q->items);
}

void rt_outq_fini(rt_outq *q) {
    for (uint32_t i = 0; i < q->count; i++)
        rt_msg_rele(rt_outq_at(q, i));
    free_ring(q);
    rt_outq_init(q);
}

/* Makes room for `more` entries; the queue then starts at slot 0. */
static int grow(rt_outq *q, uint32_t more) {
    uint32_t cap = q->cap ? q->cap : FIRST_CAP;
    if (more > LAST_CAP - q->count)
        return RT_ENOMEM;
    while (cap < q->count + more)
        cap *= 2;
    rt_msg **items = rt_alloc(cap * sizeof(rt_msg *));
    if (!items)
        return RT_ENOMEM;
    for (uint32_t i = 0; i < q->count; i++)
        items[i] = rt_outq_at(q, i);
    free_ring(q);
    rt_msg_note_memory((ptrdiff_t)(cap * sizeof(rt_msg *)));
    q->items = items;
    q->head = 0;
    q->cap = cap;
    return RT_OK;
}

int rt_outq_push(rt_outq *q, rt_msg *m) {
    if (q->count == 0 && q->cap == 0) {
        q->one = rt_msg_hold(m);
        q->count = 1;
        q->taken = rt_outq_cost(m);
        return RT_OK;
    }
    if (q->count >= q->cap) {
        int rc = grow(q, 1);
        if (rc)
            return rc;
    }
    q->items[(q->head + q->count) & (q->cap - 1)] = rt_msg_hold(m);
    q->count++;
    q->taken += rt_outq_cost(m);
    return RT_OK;
}

bool rt_outq_replace_last(rt_outq *q, rt_msg *m) {
    if (q->count == 0 || (q->count == 1 && q->head_off))
        return false;
    rt_msg **slot = q->cap ? &q->items[(q->head + q->count - 1) & (q->cap - 1)] : &q->one;
    q->taken += rt_outq_cost(m);
    q->taken -= rt_outq_cost(*slot);
    rt_msg_rele(*slot);
    *slot = rt_msg_hold(m);
    return true;
}

int rt_outq_iov(const rt_outq *q, struct iovec *iov, int n, size_t max_bytes) {
    int used = 0;
    size_t off = q->head_off;
    for (uint32_t i = 0; i < q->count && used < n && max_bytes; i++) {
        rt_msg *m = rt_outq_at(q, i);
        size_t left = m->len - off;
        if (left > max_bytes)
            left = max_bytes;
        if (left) {
            iov[used].iov_base = m->data + off;
            iov[used].iov_len = left;
            used++;
        }
        max_bytes -= left;
        off = 0;
    }
    return used;
}

/* Most queues hold one message and have no ring. */
static bool has_one(const rt_outq *q) {
    return q->count == 1 && q->cap == 0;
}

static void drop_one(rt_outq *q) {
    rt_msg *m = q->one;
    rt_outq_init(q);
    rt_msg_rele(m);
}

void rt_outq_pop(rt_outq *q) {
    if (q->count == 0)
        return;
    if (has_one(q)) {
        drop_one(q);
        return;
    }
    rt_msg *m = rt_outq_at(q, 0);
    q->taken -= rt_outq_cost(m);
    q->head_off = 0;
    rt_msg_rele(m);
    if (--q->count == 0)
        rt_outq_fini(q);
    else
        q->head = (q->head + 1) & (q->cap - 1);
}

void rt_outq_wrote(rt_outq *q, size_t n) {
    while (q->count) {
        const rt_msg *m = rt_outq_at(q, 0);
        size_t left = m->len - q->head_off;
        if (n < left) {
            q->head_off += (uint32_t)n;
            return;
        }
        n -= left;
        rt_outq_pop(q);
    }
}

int rt_outq_move(rt_outq *to, rt_outq *from) {
    if (to->count == 0) {
        *to = *from;
        rt_outq_init(from);
        return RT_OK;
    }
    /* The peer of `to` has not seen the first half of that message. */
    if (from->head_off)
        return RT_EINVAL;
    if (to->count + from->count > to->cap) {
        int rc = grow(to, from->count);
        if (rc)
            return rc;
    }
    for (uint32_t i = 0; i < from->count; i++)
        to->items[(to->head + to->count++) & (to->cap - 1)] = rt_outq_at(from, i);
    to->taken += from->taken;
    free_ring(from);
    rt_outq_init(from);
    return RT_OK;
}
