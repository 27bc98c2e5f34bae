/* Callbacks around each wait of a publish. The caller releases its locks meanwhile, so that a
 * fork and other threads never wait for a slow peer.
 *
 * Between the two, the connection must not change, and rt_*_forget must be able to find its
 * descriptor: the process may fork there. Ownership: the caller's. Thread: the one that
 * publishes. */
#ifndef RT_PUBLISH_WAITS_H
#define RT_PUBLISH_WAITS_H

#include <stddef.h>

typedef struct rt_waits {
    void (*begin)(void *arg);
    void (*end)(void *arg);
    void *arg;
} rt_waits;

/* `w` NULL: no callbacks. */
static inline void rt_waits_begin(const rt_waits *w) {
    if (w)
        w->begin(w->arg);
}

static inline void rt_waits_end(const rt_waits *w) {
    if (w)
        w->end(w->arg);
}

#endif
