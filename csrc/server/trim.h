/* Gives free memory back to the system.
 *
 * The C library keeps freed memory: 12 of 14 MB after 5 000 clients, 600 MB after an attack. This
 * calls malloc_trim in two cases, each at most once in RT_TRIM_AFTER_MS: the number of clients has
 * fallen by RT_TRIM_CLIENTS; or the process has grown by RT_TRIM_GROWN, and that much, and a
 * quarter of the heap, is free. It takes about a millisecond, more when there is much to return.
 * While fewer clients come and go, it costs nothing; while nothing happens, no timer runs.
 *
 * Ownership: caller's memory, init/fini. Thread: the loop's. Must not know: what a client is. */
#ifndef RT_SERVER_TRIM_H
#define RT_SERVER_TRIM_H

#include "base/status.h"
#include "base/timers.h"

#include <stdbool.h>

#define RT_TRIM_CLIENTS 500       /* trim when this many have left */
#define RT_TRIM_AFTER_MS 15000    /* wait before it, until cached answers about them have expired */
#define RT_TRIM_GROWN (32u << 20) /* bytes */
#define RT_TRIM_FREE_PART 4       /* trim when 1/4 of the heap, or more, is free */

/* In bytes. */
typedef struct rt_trim_memory {
    size_t resident; /* of the process */
    size_t heap;     /* of the C library, all threads together ... */
    size_t unused;   /* ... and the free part of it */
} rt_trim_memory;

typedef struct rt_trim {
    rt_timerq due;
    rt_timer after_mass;
    rt_timer after_growth;
    uint32_t most;   /* highest number of connections since the last trim */
    uint32_t now;    /* current number of connections */
    bool has_looked; /* in this turn, at the memory */
    size_t least;    /* smallest resident size since the last trim */
    uint64_t trims;
    size_t (*resident)(void);                            /* 0: unknown */
    RT_MUST_CHECK bool (*measure)(rt_trim_memory *into); /* false: unknown */
} rt_trim;

void rt_trim_init(rt_trim *t, rt_timers *timers);
void rt_trim_fini(rt_trim *t);
/* Call it once a turn with the current number of connections; it is cheap. */
void rt_trim_look(rt_trim *t, uint32_t connections, uint64_t now_ms);

#endif
