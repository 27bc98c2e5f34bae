/* Compares the number of clients once a turn, and trims when a timer fires. */
#include "server/trim.h"

#include <malloc.h>

static void on_due(rt_timerq *q, rt_timer *timer) {
    rt_trim *t = q->arg;
    (void)timer;
    if (t->most - t->now < RT_TRIM_CLIENTS)
        return; /* clients have come back */
    t->most = t->now;
    t->trims++;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void rt_trim_init(rt_trim *t, rt_timers *timers) {
    *t = (rt_trim){0};
    rt_timer_init(&t->timer);
    rt_timerq_init(&t->due, timers, RT_TRIM_AFTER_MS, on_due, t);
}

void rt_trim_fini(rt_trim *t) {
    rt_timerq_fini(&t->due);
}

void rt_trim_look(rt_trim *t, uint32_t connections, uint64_t now_ms) {
    t->now = connections;
    if (connections > t->most)
        t->most = connections;
    else if (t->most - connections >= RT_TRIM_CLIENTS && !rt_timer_armed(&t->timer))
        rt_timer_arm(&t->due, &t->timer, now_ms);
}
