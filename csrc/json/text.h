/* Inside json/ only: skips white space and plain text, eight bytes at a time.
 *
 * Ownership: none. Thread: any. */
#ifndef RT_JSON_TEXT_H
#define RT_JSON_TEXT_H

#include "base/word.h"

#include <stdbool.h>
#include <stddef.h>

/* RFC 8259, section 2. */
static inline bool rt_json_is_white(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *rt_json_skip_white(const char *p, const char *end) {
    while (p < end && rt_json_is_white(*p))
        p++;
    return p;
}

/* The first byte that may not stand for itself in a string: a quote, a backslash or a control
 * character (RFC 8259, section 7); end when there is none. With `ascii` also any byte from 0x80. */
static inline const char *rt_json_skip_plain(const char *p, const char *end, bool ascii) {
    for (; end - p >= 8; p += 8) {
        uint64_t w = rt_word_load(p);
        uint64_t mask = rt_word_below(w, 0x20) | rt_word_equal(w, '"') | rt_word_equal(w, '\\');
        if (ascii)
            mask |= rt_word_high(w);
        if (mask)
            return p + rt_word_first(mask);
    }
    for (; p < end; p++) {
        uint8_t c = (uint8_t)*p;
        if (c < 0x20 || c == '"' || c == '\\' || (ascii && c >= 0x80))
            break;
    }
    return p;
}

#endif
