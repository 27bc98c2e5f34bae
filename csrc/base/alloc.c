/* The heap, and in test builds the counters that let an allocation fail on demand. */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>

#ifdef RT_ALLOC_FAULTS

#include <stdatomic.h>

static atomic_long asked;
static atomic_long fail_at;
static atomic_long live;

void rt_alloc_fail_at(long n) {
    fail_at = n;
    asked = 0;
}

long rt_alloc_count(void) {
    return asked;
}

long rt_alloc_live(void) {
    return live;
}

static bool must_fail(void) {
    return ++asked == fail_at;
}

static void *counted(void *p) {
    if (p)
        live++;
    return p;
}

static void count_free(const void *p) {
    if (p)
        live--;
}

#else

static inline bool must_fail(void) {
    return false;
}

static inline void *counted(void *p) {
    return p;
}

static inline void count_free(const void *p) {
    (void)p;
}

#endif

/* malloc(0) may answer NULL, which would read as "out of memory". */
static size_t at_least_one(size_t n) {
    return n ? n : 1;
}

void *rt_alloc(size_t n) {
    return must_fail() ? NULL : counted(malloc(at_least_one(n)));
}

void *rt_alloc0(size_t n) {
    return must_fail() ? NULL : counted(calloc(1, at_least_one(n)));
}

void *rt_realloc(void *p, size_t n) {
    if (must_fail())
        return NULL;
    void *moved = realloc(p, at_least_one(n));
    return p ? moved : counted(moved);
}

void rt_free(void *p) {
    count_free(p);
    free(p);
}
