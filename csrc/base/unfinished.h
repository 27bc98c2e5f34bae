/* What has come in part and is kept until the rest comes: half a message, half a body. Each has so
 * much time, and all together a budget of bytes. Beyond it the oldest is dropped; one may always be
 * there, however big.
 *
 *     rt_unfinished_grow ──► kept ──► rt_unfinished_done
 *                             │
 *                             └─ its time is up, or (rt_unfinished_trim) the budget ──► drop()
 *
 * Ownership: the caller's memory; an item lives inside the object it is about. Thread: the loop's.
 * Must not know: what is kept. */
#ifndef RT_BASE_UNFINISHED_H
#define RT_BASE_UNFINISHED_H

#include "base/timers.h"

typedef struct rt_unfinished {
    rt_list node; /* in rt_unfinished_all.items */
    rt_timer timer;
    size_t bytes;
    void (*drop)(struct rt_unfinished *u); /* it is none any more; may free it */
} rt_unfinished;

typedef struct rt_unfinished_all {
    rt_list items; /* oldest first */
    rt_timerq due;
    size_t bytes, max;
    uint64_t *late, *over; /* counters of those that were dropped */
} rt_unfinished_all;

void rt_unfinished_init(rt_unfinished_all *all, rt_timers *timers, uint32_t ms, size_t max,
                        uint64_t *late, uint64_t *over);
void rt_unfinished_fini(rt_unfinished_all *all);

void rt_unfinished_item_init(rt_unfinished *u, void (*drop)(rt_unfinished *u));
/* So many bytes have come of it. Its time runs from the first call. */
void rt_unfinished_grow(rt_unfinished_all *all, rt_unfinished *u, size_t bytes, uint64_t now);
/* It is whole, or given up. Harmless when repeated. */
void rt_unfinished_done(rt_unfinished_all *all, rt_unfinished *u);
/* Drops until the budget suffices: once a turn, while nobody is at work on an item. */
void rt_unfinished_trim(rt_unfinished_all *all);

#endif
