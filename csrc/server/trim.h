/* Gives memory back to the system after many clients have left.
 *
 * The C library keeps freed memory: 12 of 14 MB after 5 000 clients. When the number of clients has
 * fallen by RT_TRIM_CLIENTS, this calls malloc_trim once. That takes about a millisecond. While
 * fewer clients come and go, it costs nothing.
 *
 * Ownership: caller's memory, init/fini. Thread: the loop's. Must not know: what a client is. */
#ifndef RT_SERVER_TRIM_H
#define RT_SERVER_TRIM_H

#include "base/timers.h"

#include <stdbool.h>

#define RT_TRIM_CLIENTS 500    /* trim when this many have left */
#define RT_TRIM_AFTER_MS 15000 /* wait before it, until cached answers about them have expired */

typedef struct rt_trim {
    rt_timerq due;
    rt_timer timer;
    uint32_t most; /* highest number of connections since the last trim */
    uint32_t now;  /* current number of connections */
    uint64_t trims;
} rt_trim;

void rt_trim_init(rt_trim *t, rt_timers *timers);
void rt_trim_fini(rt_trim *t);
/* Call it once a turn with the current number of connections; it is cheap. */
void rt_trim_look(rt_trim *t, uint32_t connections, uint64_t now_ms);

#endif
