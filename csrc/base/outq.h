/* A queue of message references: what a socket still owes to its peer, in order.
 *
 * Ownership: caller's memory; the queue holds one reference per entry. Most sockets owe one message
 * at most, so the first is stored in the queue itself. The array is allocated for the second and
 * freed when the queue is empty, so an idle socket keeps nothing.
 * Thread: the loop's. Must not know: what is in the messages, or where they go. */
#ifndef RT_BASE_OUTQ_H
#define RT_BASE_OUTQ_H

#include "base/msg.h"
#include "base/status.h"

#include <stdint.h>
#include <sys/uio.h>

/* Bytes that an entry takes besides those of its message: the message's header, the slot in the
 * ring, and what the allocator adds to both. */
#define RT_OUTQ_ENTRY 48

typedef struct rt_outq {
    union {
        rt_msg *one;    /* while cap is 0: the message, if count is 1 */
        rt_msg **items; /* ring of `cap` entries */
    };
    uint32_t head;
    uint32_t count;
    uint32_t cap;      /* a power of two; 0: at most one message, no ring */
    uint32_t head_off; /* bytes of the first message already written */
    size_t taken;      /* memory: each message whole, until it has left, and RT_OUTQ_ENTRY for it */
} rt_outq;

/* What the message adds to rt_outq.taken; a shared message counts fully in each queue. */
static inline size_t rt_outq_cost(const rt_msg *m) {
    return m->len + (size_t)RT_OUTQ_ENTRY;
}

void rt_outq_init(rt_outq *q);
void rt_outq_fini(rt_outq *q); /* drops all references */
/* Appends a reference (the queue takes its own; the caller keeps its own). The message must not
 * change any more. RT_OK or RT_ENOMEM. */
RT_MUST_CHECK int rt_outq_push(rt_outq *q, rt_msg *m);
/* Puts the message in the place of the last one. False: there is none, or it is half written. */
RT_MUST_CHECK bool rt_outq_replace_last(rt_outq *q, rt_msg *m);
/* The i-th message from the front. */
static inline rt_msg *rt_outq_at(const rt_outq *q, uint32_t i) {
    return q->cap ? q->items[(q->head + i) & (q->cap - 1)] : q->one;
}
/* Fills up to n iovecs with unwritten bytes; returns how many. Stops once
 * `max_bytes` are covered (the last one may be cut short at that border). A message without bytes
 * gets no iovec; it leaves with the next rt_outq_wrote, even one of 0 bytes. */
RT_MUST_CHECK int rt_outq_iov(const rt_outq *q, struct iovec *iov, int n, size_t max_bytes);
/* Marks n bytes as written; releases messages that are done. */
void rt_outq_wrote(rt_outq *q, size_t n);
/* Drops the first message whole. */
void rt_outq_pop(rt_outq *q);
/* Moves all of `from` behind what `to` has. RT_OK; with nothing moved RT_ENOMEM, or RT_EINVAL when
 * the first message of `from` is half written and `to` is not empty. */
RT_MUST_CHECK int rt_outq_move(rt_outq *to, rt_outq *from);

static inline bool rt_outq_empty(const rt_outq *q) {
    return q->count == 0;
}

#endif
