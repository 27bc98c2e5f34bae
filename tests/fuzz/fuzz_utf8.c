/* The validator in one piece, in two pieces, byte by byte, and character by character: all four
 * must agree. The first byte of the input says where to cut. */
#include "base/status.h"
#include "base/utf8.h"

#include <stdlib.h>

static int feed_in_steps(rt_slice text, size_t step) {
    rt_utf8 state = RT_UTF8_INIT;
    int rc = RT_OK;
    for (size_t at = 0; at < text.n && rc >= 0; at += step) {
        size_t n = text.n - at < step ? text.n - at : step;
        rc = rt_utf8_feed(&state, rt_slice_make(text.p + at, n));
    }
    return rc;
}

static bool valid_by_character(rt_slice text) {
    const char *p = text.p;
    const char *end = p + text.n;
    while ((p = rt_utf8_skip_ascii(p, end)) < end) {
        size_t n = rt_utf8_char(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    rt_slice text = rt_slice_make(data + 1, size - 1);
    size_t step = data[0] ? data[0] : 1;
    rt_utf8 state = RT_UTF8_INIT;
    int whole = rt_utf8_feed(&state, text);
    if (feed_in_steps(text, step) != whole || feed_in_steps(text, 1) != whole)
        abort();
    if (rt_utf8_valid(text) != (whole == RT_OK) || valid_by_character(text) != (whole == RT_OK))
        abort();
    return 0;
}
