/* UTF-8 validation (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF), in one piece
 * or across pieces, as WebSocket fragments need it.
 *
 * Ownership: caller's memory. Thread: any. */
#ifndef RT_BASE_UTF8_H
#define RT_BASE_UTF8_H

#include "base/slice.h"
#include "base/status.h"
#include "base/word.h"

#include <stdint.h>

typedef struct rt_utf8 {
    uint8_t need;   /* continuation bytes still due */
    uint8_t lo, hi; /* range of the next continuation byte */
} rt_utf8;

#define RT_UTF8_INIT ((rt_utf8){0, 0x80, 0xbf})

/* Feeds more bytes. RT_OK (complete), RT_AGAIN (ends inside a character) or RT_EUTF8. The state
 * is of no use after RT_EUTF8. ASCII runs are skipped eight bytes at a time. */
RT_MUST_CHECK int rt_utf8_feed(rt_utf8 *state, rt_slice bytes);

/* True when the whole slice is valid and complete. */
bool rt_utf8_valid(rt_slice bytes);

/* Writes a code point as 1-4 bytes; returns how many: 0 for a surrogate or above U+10FFFF. */
size_t rt_utf8_encode(uint32_t code_point, char out[4]);

/* Length of the character of two to four bytes that starts at p < end; 0 when the bytes are none,
 * or when it is not all there. */
static inline size_t rt_utf8_char(const char *p, const char *end) {
    const uint8_t *c = (const uint8_t *)p;
    size_t left = (size_t)(end - p);
    if (c[0] < 0xe0)
        return c[0] >= 0xc2 && left >= 2 && (c[1] & 0xc0) == 0x80 ? 2 : 0;
    if (c[0] < 0xf0) {
        if (left < 3 || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80)
            return 0;
        bool overlong = c[0] == 0xe0 && c[1] < 0xa0;
        bool surrogate = c[0] == 0xed && c[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (c[0] > 0xf4 || left < 4)
        return 0;
    if ((c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80 || (c[3] & 0xc0) != 0x80)
        return 0;
    bool overlong = c[0] == 0xf0 && c[1] < 0x90;
    bool too_high = c[0] == 0xf4 && c[1] > 0x8f;
    return overlong || too_high ? 0 : 4;
}

/* The first byte from 0x80 on, or end. */
static inline const char *rt_utf8_skip_ascii(const char *p, const char *end) {
    for (; end - p >= 8; p += 8) {
        uint64_t mask = rt_word_high(rt_word_load(p));
        if (mask)
            return p + rt_word_first(mask);
    }
    while (p < end && (uint8_t)*p < 0x80)
        p++;
    return p;
}

#endif
