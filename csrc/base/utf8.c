/* UTF-8 validation and encoding. */
#include "base/utf8.h"

#include "base/status.h"

/* RFC 3629, section 4: what may follow a lead byte. False for a byte that cannot lead. */
static bool lead(rt_utf8 *state, uint8_t c) {
    state->lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    state->hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    state->need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    return c >= 0xc2 && c <= 0xf4;
}

int rt_utf8_feed(rt_utf8 *state, rt_slice bytes) {
    const char *p = bytes.p;
    const char *end = bytes.n ? p + bytes.n : p;
    while (p < end) {
        if (state->need == 0) {
            p = rt_utf8_skip_ascii(p, end);
            size_t n;
            while (p < end && (uint8_t)*p >= 0x80 && (n = rt_utf8_char(p, end)) > 0)
                p += n;
            if (p == end)
                break;
            if ((uint8_t)*p < 0x80)
                continue;
            /* Wrong, or cut short by the end: byte by byte from here. */
            if (!lead(state, (uint8_t)*p++))
                return RT_EUTF8;
            continue;
        }
        uint8_t c = (uint8_t)*p++;
        if (c < state->lo || c > state->hi)
            return RT_EUTF8;
        state->lo = 0x80;
        state->hi = 0xbf;
        state->need--;
    }
    return state->need ? RT_AGAIN : RT_OK;
}

bool rt_utf8_valid(rt_slice bytes) {
    rt_utf8 state = RT_UTF8_INIT;
    return rt_utf8_feed(&state, bytes) == RT_OK;
}

size_t rt_utf8_encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c >= 0xd800 && c <= 0xdfff)
        return 0;
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    if (c > 0x10ffff)
        return 0;
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
