/* FIFOs of timers with constant durations, and the run of all timers. */
#include "base/timers.h"

#define NEVER UINT64_MAX

static rt_timer *first_armed(const rt_timerq *q) {
    rt_list *node = rt_list_first(&q->armed);
    return node ? RT_OF(node, rt_timer, node) : NULL;
}

void rt_timers_init(rt_timers *ts) {
    rt_list_init(&ts->queues);
    rt_alarms_init(&ts->alarms);
    ts->turn = 0;
}

void rt_timerq_init(rt_timerq *q, rt_timers *ts, uint32_t ms, rt_timer_fn *fire, void *arg) {
    rt_list_init(&q->armed);
    q->ms = ms ? ms : 1; /* with 0, a callback that arms again would keep the run going for ever */
    q->turn = ts->turn;
    q->fire = fire;
    q->arg = arg;
    rt_list_push(&ts->queues, &q->node);
}

void rt_timerq_fini(rt_timerq *q) {
    rt_list *node;
    while ((node = rt_list_first(&q->armed)))
        rt_list_unlink(node);
    rt_list_unlink(&q->node);
}

void rt_timer_init(rt_timer *t) {
    rt_list_init(&t->node);
    t->deadline = 0;
}

void rt_timer_arm(rt_timerq *q, rt_timer *t, uint64_t now) {
    rt_list_unlink(&t->node);
    t->deadline = now + q->ms;
    rt_list_push(&q->armed, &t->node);
}

void rt_timer_disarm(rt_timer *t) {
    rt_list_unlink(&t->node);
}

int64_t rt_timers_next(const rt_timers *ts, uint64_t now) {
    uint64_t least = ts->alarms.top ? ts->alarms.top->deadline : NEVER;
    for (rt_list *at = ts->queues.next; at != &ts->queues; at = at->next) {
        const rt_timer *t = first_armed(RT_OF(at, rt_timerq, node));
        if (t && t->deadline < least)
            least = t->deadline;
    }
    if (least == NEVER)
        return -1;
    return least > now ? (int64_t)(least - now) : 0;
}

/* The first queue that this run has not served; the served ones are at the end of the list. */
static rt_timerq *next_in_turn(const rt_timers *ts) {
    rt_list *node = rt_list_first(&ts->queues);
    rt_timerq *q = node ? RT_OF(node, rt_timerq, node) : NULL;
    return q && q->turn != ts->turn ? q : NULL;
}

/* A callback may free its timer, disarm others, arm any, and init or fini any queue. So keep no
 * pointer across it: each step starts again from the first queue's first timer. */
void rt_timers_run(rt_timers *ts, uint64_t now) {
    rt_alarms_run(&ts->alarms, now);
    ts->turn++;
    rt_timerq *q;
    while ((q = next_in_turn(ts))) {
        rt_timer *t = first_armed(q);
        if (t && t->deadline <= now) {
            rt_timer_disarm(t);
            q->fire(q, t);
            continue;
        }
        q->turn = ts->turn;
        rt_list_unlink(&q->node);
        rt_list_push(&ts->queues, &q->node);
    }
}
