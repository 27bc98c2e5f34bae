/* Deadlines for waiting threads, on the clock that nobody sets.
 *
 * Ownership: the caller's. Thread: any. */
#ifndef RT_PROCESS_CLOCK_H
#define RT_PROCESS_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* So many milliseconds from now, for pthread_cond_timedwait on a condition of rt_cond_init. */
struct timespec rt_deadline_in(uint32_t ms);

/* Also over one that nobody will use any more: in a forked child. */
void rt_cond_init(pthread_cond_t *condition);

#endif
