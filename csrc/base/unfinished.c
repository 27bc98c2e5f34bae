/* A list, a sum and a queue of timers. */
#include "base/unfinished.h"

static void drop(rt_unfinished_all *all, rt_unfinished *u, uint64_t *counter) {
    rt_unfinished_done(all, u);
    ++*counter;
    u->drop(u);
}

static void on_due(rt_timerq *q, rt_timer *t) {
    rt_unfinished_all *all = q->arg;
    drop(all, RT_OF(t, rt_unfinished, timer), all->late);
}

void rt_unfinished_init(rt_unfinished_all *all, rt_timers *timers, uint32_t ms, size_t max,
                        uint64_t *late, uint64_t *over) {
    rt_list_init(&all->items);
    rt_timerq_init(&all->due, timers, ms, on_due, all);
    all->bytes = 0;
    all->max = max;
    all->late = late;
    all->over = over;
}

void rt_unfinished_fini(rt_unfinished_all *all) {
    rt_timerq_fini(&all->due);
}

void rt_unfinished_item_init(rt_unfinished *u, void (*drop)(rt_unfinished *u)) {
    rt_list_init(&u->node);
    rt_timer_init(&u->timer);
    u->bytes = 0;
    u->drop = drop;
}

void rt_unfinished_grow(rt_unfinished_all *all, rt_unfinished *u, size_t bytes, uint64_t now) {
    if (!rt_list_linked(&u->node)) {
        rt_list_push(&all->items, &u->node);
        rt_timer_arm(&all->due, &u->timer, now);
    }
    all->bytes += bytes - u->bytes;
    u->bytes = bytes;
}

void rt_unfinished_done(rt_unfinished_all *all, rt_unfinished *u) {
    rt_list_unlink(&u->node);
    rt_timer_disarm(&u->timer);
    all->bytes -= u->bytes;
    u->bytes = 0;
}

void rt_unfinished_trim(rt_unfinished_all *all) {
    while (all->bytes > all->max && all->items.next != all->items.prev)
        drop(all, RT_OF(rt_list_first(&all->items), rt_unfinished, node), all->over);
}
