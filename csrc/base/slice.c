/* The parts of slices that are not worth inlining. */
#include "base/slice.h"

#include "base/status.h"

static unsigned char lower(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool rt_slice_eq_nocase(rt_slice a, rt_slice b) {
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

size_t rt_slice_find(rt_slice s, char c) {
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

rt_slice rt_slice_trim(rt_slice s) {
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

int rt_slice_to_u64(rt_slice s, unsigned long long max, unsigned long long *out) {
    if (s.n == 0)
        return RT_EINVAL;
    unsigned long long v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9 || digit > max || v > (max - digit) / 10)
            return RT_EINVAL;
        v = v * 10 + digit;
    }
    *out = v;
    return RT_OK;
}
