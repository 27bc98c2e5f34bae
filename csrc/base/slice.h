/* A slice is a view of bytes that somebody else owns; it is never NUL-terminated by promise.
 *
 * Ownership: none; valid as long as what it points into. Thread: any. */
#ifndef RT_BASE_SLICE_H
#define RT_BASE_SLICE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct rt_slice {
    const char *p; /* may be NULL when n is 0 */
    size_t n;      /* bytes */
} rt_slice;

/* A slice of a string literal. */
#define RT_LIT(text) ((rt_slice){"" text, sizeof(text) - 1})
#define RT_EMPTY ((rt_slice){NULL, 0})

static inline rt_slice rt_slice_of(const char *text) {
    return (rt_slice){text, text ? strlen(text) : 0};
}

static inline rt_slice rt_slice_make(const void *p, size_t n) {
    return (rt_slice){(const char *)p, n};
}

/* The part from byte `from` on; `from` past the end gives an empty slice. */
static inline rt_slice rt_slice_from(rt_slice s, size_t from) {
    return from < s.n ? (rt_slice){s.p + from, s.n - from} : RT_EMPTY;
}

static inline bool rt_slice_eq(rt_slice a, rt_slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool rt_slice_starts(rt_slice s, rt_slice prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* ASCII case-insensitive equality (header names, host names, schemes). */
bool rt_slice_eq_nocase(rt_slice a, rt_slice b);

/* Index of the first `c`, or s.n. */
size_t rt_slice_find(rt_slice s, char c);

/* Without ASCII spaces and tabs at both ends. */
rt_slice rt_slice_trim(rt_slice s);

/* Reads a decimal number that fills the whole slice. RT_EINVAL when empty, not digits only, or
 * above `max`. */
RT_MUST_CHECK int rt_slice_to_u64(rt_slice s, unsigned long long max, unsigned long long *out);

#endif
