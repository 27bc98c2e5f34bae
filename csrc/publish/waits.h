/* What is done around each wait of a publish: whoever publishes gives up its locks meanwhile, so
 * that a fork and other threads never wait for a slow peer.
 *
 * Between the two nothing of the connection may be changed, and its descriptor is where
 * rt_*_forget finds it: a process may fork there.
 * Ownership: the caller's. Thread: that which publishes. */
#ifndef RT_PUBLISH_WAITS_H
#define RT_PUBLISH_WAITS_H

#include <stddef.h>

typedef struct rt_waits {
    void (*begin)(void *arg);
    void (*end)(void *arg);
    void *arg;
} rt_waits;

/* NULL: nobody wants to know. */
static inline void rt_waits_begin(const rt_waits *w) {
    if (w)
        w->begin(w->arg);
}

static inline void rt_waits_end(const rt_waits *w) {
    if (w)
        w->end(w->arg);
}

#endif
