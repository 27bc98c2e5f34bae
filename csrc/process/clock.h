/* Deadlines for waiting threads, on the monotonic clock.
 *
 * Ownership: the caller's. Thread: any. */
#ifndef RT_PROCESS_CLOCK_H
#define RT_PROCESS_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* The time `ms` from now, for pthread_cond_timedwait on a condition of rt_cond_init. */
struct timespec rt_deadline_in(uint32_t ms);

/* The time left until then; 0 when it is over. */
uint32_t rt_ms_until(const struct timespec *then);

/* In a forked child it may overwrite a condition whose waiters are gone. */
void rt_cond_init(pthread_cond_t *condition);

#endif
