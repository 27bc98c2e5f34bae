/* Prefetching. A room of a thousand sockets does not fit the near caches, so a walk through it
 * waits for memory most of the time. Ask for what the next steps need while you do this one.
 *
 * Ownership: none; an address that is not mapped does no harm. Thread: any. */
#ifndef RT_BASE_PREFETCH_H
#define RT_BASE_PREFETCH_H

#include <stddef.h>

#define RT_CACHE_LINE 64

/* Asks for the n bytes at p, which will be written to. */
static inline void rt_prefetch(const void *p, size_t n) {
    for (size_t at = 0; at < n; at += RT_CACHE_LINE)
        __builtin_prefetch((const char *)p + at, 1);
}

#endif
