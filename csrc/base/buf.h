/* A growable byte buffer with a sticky error: append several times, check once at the end.
 *
 * After a failed append `err` is set, every later append does nothing, and the bytes so far stay.
 * So these functions, and every writer that fails only by setting `err`, do not need RT_MUST_CHECK.
 * Whoever uses the bytes reads `err` first, or the result of the last append, which is the same.
 * rt_buf_clear and rt_buf_fini erase `err`: read it before.
 *
 * Ownership: the caller's memory; rt_buf_fini frees what it grew. Thread: the owner's. */
#ifndef RT_BASE_BUF_H
#define RT_BASE_BUF_H

#include "base/slice.h"

#include <stdint.h>

typedef struct rt_buf {
    char *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* most bytes it may hold; 0: no limit */
    int err;    /* RT_OK, RT_ENOMEM, or RT_ELIMIT when max was reached */
} rt_buf;

#define RT_BUF_INIT ((rt_buf){NULL, 0, 0, 0, 0})

void rt_buf_init(rt_buf *b, size_t max);
void rt_buf_fini(rt_buf *b);             /* frees; b may be used again */
void rt_buf_clear(rt_buf *b);            /* n = 0, err = RT_OK, memory kept */
int rt_buf_reserve(rt_buf *b, size_t n); /* room for n more bytes, or b->err */
int rt_buf_put(rt_buf *b, const void *p, size_t n);
int rt_buf_putc(rt_buf *b, char c);
int rt_buf_puts(rt_buf *b, rt_slice s);
int rt_buf_put_u64(rt_buf *b, uint64_t v); /* decimal text */
int rt_buf_printf(rt_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rt_buf_drop(rt_buf *b, size_t n); /* removes n bytes from the front */

static inline rt_slice rt_buf_slice(const rt_buf *b) {
    return (rt_slice){b->p, b->n};
}

#endif
