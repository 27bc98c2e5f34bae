/* Giving memory back after many clients have left.
 *
 * The C library keeps what was freed: 12 of 14 MB after 5 000 clients. So when RT_TRIM_CLIENTS
 * fewer are connected than there were, it is asked, once, to return what it can; that costs about
 * a millisecond, and nothing while clients come and go in smaller numbers.
 *
 * Ownership: caller's memory, init/fini. Thread: the loop's. Must not know: what a client is. */
#ifndef RT_SERVER_TRIM_H
#define RT_SERVER_TRIM_H

#include "base/timers.h"

#include <stdbool.h>

#define RT_TRIM_CLIENTS 500    /* so many have left */
#define RT_TRIM_AFTER_MS 15000 /* then; answers kept about them are forgotten by that time */

typedef struct rt_trim {
    rt_timerq due;
    rt_timer timer;
    uint32_t most; /* connections at one time since the last trim */
    uint32_t now;
    uint64_t trims;
} rt_trim;

void rt_trim_init(rt_trim *t, rt_timers *timers);
void rt_trim_fini(rt_trim *t);
/* So many are connected now; cheap, once a turn. */
void rt_trim_look(rt_trim *t, uint32_t connections, uint64_t now_ms);

#endif
