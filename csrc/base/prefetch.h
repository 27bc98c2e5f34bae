/* Fetching ahead: a room of a thousand is in no near cache, and whoever walks through one waits for
 * memory most of the time. What the next steps need is asked for while this one is made.
 *
 * Ownership: none; an address that is not there does no harm. Thread: any. */
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
