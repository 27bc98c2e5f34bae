/* CLOCK_MONOTONIC for conditions. */
#include "process/clock.h"

struct timespec rt_deadline_in(uint32_t ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

uint32_t rt_ms_until(const struct timespec *then) {
    struct timespec now = rt_deadline_in(0);
    int64_t ms =
        (int64_t)(then->tv_sec - now.tv_sec) * 1000 + (then->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (uint32_t)ms : 0;
}

void rt_cond_init(pthread_cond_t *condition) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attr);
    pthread_condattr_destroy(&attr);
}
