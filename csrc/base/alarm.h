/* Timers for any deadline: a pairing heap, the earliest deadline on top.
 *
 * The nodes live inside the caller's objects, so arming needs no memory and cannot fail. Arming
 * takes O(1), disarming and firing O(log n) amortised: 12, 40 and 70 ns measured with a thousand.
 * Where all timers have the same duration, a FIFO of timers.h is cheaper.
 *
 * Ownership: the caller's memory; disarm before freeing, and let no rt_alarms move while something
 * is armed. Time comes in from the caller (monotonic milliseconds). Thread: the loop's.
 * Must not know: the event loop. rt_timers has one rt_alarms and runs it. */
#ifndef RT_BASE_ALARM_H
#define RT_BASE_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rt_alarm rt_alarm;
/* The alarm is disarmed when this is called. It may arm it again, or free it. */
typedef void rt_alarm_fn(rt_alarm *a);

struct rt_alarm {
    rt_alarm *child; /* first of those below it, none of which is due earlier */
    rt_alarm *next;  /* sibling */
    rt_alarm **slot; /* the pointer that points here; NULL: not armed */
    uint64_t deadline;
    uint64_t order; /* of arming */
    rt_alarm_fn *fire;
};

typedef struct rt_alarms {
    rt_alarm *top;
    uint64_t armings; /* so far */
    uint64_t ran_at;  /* ms */
} rt_alarms;

void rt_alarms_init(rt_alarms *all);

void rt_alarm_init(rt_alarm *a, rt_alarm_fn *fire);
/* (Re)arms it to fire at `deadline`. A deadline that the last run has passed becomes one
 * millisecond after that run, so a callback cannot keep a run going for ever. */
void rt_alarm_arm(rt_alarms *all, rt_alarm *a, uint64_t deadline);
void rt_alarm_disarm(rt_alarm *a); /* harmless when it is not armed */
static inline bool rt_alarm_armed(const rt_alarm *a) {
    return a->slot != NULL;
}

/* Fires everything due at `now`, in order of deadline, then of arming. What a callback arms waits
 * for a later run. A callback may arm and disarm any alarm; it must not call rt_alarms_run. */
void rt_alarms_run(rt_alarms *all, uint64_t now);

#endif
