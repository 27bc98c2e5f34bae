/* Growable byte buffers. */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#define FIRST_CAP 64
#define PRINTF_STACK 256 /* most formatted lines are shorter and need no second block */

void rt_buf_init(rt_buf *b, size_t max) {
    *b = RT_BUF_INIT;
    b->max = max;
}

void rt_buf_fini(rt_buf *b) {
    rt_free(b->p);
    rt_buf_init(b, b->max);
}

void rt_buf_clear(rt_buf *b) {
    b->n = 0;
    b->err = RT_OK;
}

static int fail(rt_buf *b, int err) {
    b->err = err;
    return err;
}

static int grow(rt_buf *b, size_t need) {
    size_t cap = b->cap > FIRST_CAP / 2 ? b->cap : FIRST_CAP / 2;
    do {
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    } while (cap < need);
    if (b->max && cap > b->max)
        cap = b->max;
    char *p = rt_realloc(b->p, cap);
    if (!p)
        return fail(b, RT_ENOMEM);
    b->p = p;
    b->cap = cap;
    return RT_OK;
}

int rt_buf_reserve(rt_buf *b, size_t n) {
    if (b->err)
        return b->err;
    if (n <= b->cap - b->n)
        return RT_OK;
    if (n > SIZE_MAX - b->n)
        return fail(b, RT_ENOMEM);
    if (b->max && b->n + n > b->max)
        return fail(b, RT_ELIMIT);
    return grow(b, b->n + n);
}

int rt_buf_put(rt_buf *b, const void *p, size_t n) {
    int rc = rt_buf_reserve(b, n);
    if (rc)
        return rc;
    if (n) {
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
    return RT_OK;
}

int rt_buf_putc(rt_buf *b, char c) {
    int rc = rt_buf_reserve(b, 1);
    if (rc)
        return rc;
    b->p[b->n++] = c;
    return RT_OK;
}

int rt_buf_puts(rt_buf *b, rt_slice s) {
    return rt_buf_put(b, s.p, s.n);
}

int rt_buf_put_u64(rt_buf *b, uint64_t v) {
    char text[20]; /* 2^64 - 1 has twenty digits */
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return rt_buf_put(b, text + at, sizeof(text) - at);
}

int rt_buf_printf(rt_buf *b, const char *fmt, ...) {
    if (b->err)
        return b->err;
    char small[PRINTF_STACK];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0)
        return fail(b, RT_ELIMIT);
    if ((size_t)n < sizeof(small))
        return rt_buf_put(b, small, (size_t)n);

    /* vsnprintf wants room for its NUL, which must not count against `max`. */
    char *big = rt_alloc((size_t)n + 1);
    if (!big)
        return fail(b, RT_ENOMEM);
    va_start(args, fmt);
    vsnprintf(big, (size_t)n + 1, fmt, args);
    va_end(args);
    int rc = rt_buf_put(b, big, (size_t)n);
    rt_free(big);
    return rc;
}

void rt_buf_drop(rt_buf *b, size_t n) {
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    if (n) {
        memmove(b->p, b->p + n, b->n - n);
        b->n -= n;
    }
}
