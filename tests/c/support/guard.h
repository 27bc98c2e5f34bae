/* Memory whose neighbours cannot be touched: a copy that ends where a PROT_NONE page begins makes
 * the first byte read too far a crash, and a copy that starts right behind one does it for the
 * byte before.
 *
 *     rt_guard g;
 *     rt_guard_init(&g, 4096);                       room for at most 4096 bytes
 *     parse(rt_guard_tail(&g, "GET /", 5));          reading too far crashes
 *     parse(rt_guard_head(&g, "GET /", 5));          reading backwards crashes
 *     rt_guard_fini(&g);
 *
 * The next tail or head of one guard overwrites the last. Include <cmocka.h> before this. */
#ifndef RT_TESTS_GUARD_H
#define RT_TESTS_GUARD_H

#include "base/slice.h"

#include <sys/mman.h>
#include <unistd.h>

typedef struct rt_guard {
    char *map;   /* PROT_NONE page, `room` bytes, PROT_NONE page */
    size_t size; /* of the mapping */
    size_t page;
} rt_guard;

static inline void rt_guard_init(rt_guard *g, size_t max) {
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (max / g->page + 1) * g->page;
    g->size = room + 2 * g->page;
    g->map =
        (char *)mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g->map != MAP_FAILED);
    assert_int_equal(mprotect(g->map, g->page, PROT_NONE), 0);
    assert_int_equal(mprotect(g->map + g->page + room, g->page, PROT_NONE), 0);
}

static inline void rt_guard_fini(rt_guard *g) {
    assert_int_equal(munmap(g->map, g->size), 0);
}

static inline char *rt_guard_place(rt_guard *g, char *at, const void *bytes, size_t n) {
    assert_true(n <= g->size - 2 * g->page);
    if (n > 0 && bytes)
        memcpy(at, bytes, n);
    return at;
}

/* n writable bytes that end at the unreadable page; `bytes` may be NULL. */
static inline char *rt_guard_tail_ptr(rt_guard *g, const void *bytes, size_t n) {
    return rt_guard_place(g, g->map + g->size - g->page - n, bytes, n);
}

static inline rt_slice rt_guard_tail(rt_guard *g, const void *bytes, size_t n) {
    return rt_slice_make(rt_guard_tail_ptr(g, bytes, n), n);
}

/* n bytes that start right behind the unreadable page. */
static inline rt_slice rt_guard_head(rt_guard *g, const void *bytes, size_t n) {
    return rt_slice_make(rt_guard_place(g, g->map + g->page, bytes, n), n);
}

#endif
