/* A pairing heap (Fredman and others, 1986) with the usual two passes. */
#include "base/alarm.h"

static bool is_before(const rt_alarm *a, const rt_alarm *b) {
    return a->deadline < b->deadline || (a->deadline == b->deadline && a->order < b->order);
}

/* Puts a tree in front of the siblings that begin at `slot`. */
static void put(rt_alarm **slot, rt_alarm *a) {
    a->next = *slot;
    a->slot = slot;
    if (a->next)
        a->next->slot = &a->next;
    *slot = a;
}

/* Takes a tree out from among its siblings. */
static void take(rt_alarm *a) {
    *a->slot = a->next;
    if (a->next)
        a->next->slot = a->slot;
    a->next = NULL;
    a->slot = NULL;
}

static rt_alarm *take_first(rt_alarm **slot) {
    rt_alarm *a = *slot;
    if (a)
        take(a);
    return a;
}

/* Makes one tree of two. */
static rt_alarm *meld(rt_alarm *a, rt_alarm *b) {
    bool swap = is_before(b, a);
    rt_alarm *top = swap ? b : a;
    put(&top->child, swap ? a : b);
    return top;
}

/* Makes one tree of many, in pairs first; NULL when there are none. */
static rt_alarm *meld_all(rt_alarm **trees) {
    rt_alarm *pairs = NULL, *a;
    while ((a = take_first(trees))) {
        rt_alarm *b = take_first(trees);
        put(&pairs, b ? meld(a, b) : a);
    }
    rt_alarm *top = take_first(&pairs);
    while ((a = take_first(&pairs)))
        top = meld(top, a);
    return top;
}

void rt_alarms_init(rt_alarms *all) {
    *all = (rt_alarms){0};
}

void rt_alarm_init(rt_alarm *a, rt_alarm_fn *fire) {
    *a = (rt_alarm){.fire = fire};
}

void rt_alarm_arm(rt_alarms *all, rt_alarm *a, uint64_t deadline) {
    rt_alarm_disarm(a);
    a->deadline = deadline > all->ran_at ? deadline : all->ran_at + 1;
    a->order = all->armings++;
    rt_alarm *top = take_first(&all->top);
    put(&all->top, top ? meld(top, a) : a);
}

/* Its children take its place: none of them is due before what is above. */
void rt_alarm_disarm(rt_alarm *a) {
    rt_alarm **slot = a->slot;
    if (!slot)
        return;
    take(a);
    rt_alarm *below = meld_all(&a->child);
    if (below)
        put(slot, below);
}

/* A callback may free its alarm and disarm others, so each step starts again from the top. */
void rt_alarms_run(rt_alarms *all, uint64_t now) {
    all->ran_at = now;
    rt_alarm *a;
    while ((a = all->top) && a->deadline <= now) {
        rt_alarm_disarm(a);
        a->fire(a);
    }
}
