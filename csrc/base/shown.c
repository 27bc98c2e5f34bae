/* Replacing what a terminal would obey. */
#include "base/shown.h"

#include "base/utf8.h"

static bool is_between(const char *p, const char *first, const char *last, size_t n) {
    return memcmp(p, first, n) >= 0 && memcmp(p, last, n) <= 0;
}

/* Of a character of two or more bytes. */
static bool is_harmless(const char *p, size_t n) {
    if (n == 2)
        return !is_between(p, "\xc2\x80", "\xc2\x9f", 2); /* C1 */
    if (n == 3)
        return !is_between(p, "\xe2\x80\x8e", "\xe2\x80\x8f", 3) && /* U+200E, U+200F */
               !is_between(p, "\xe2\x80\xa8", "\xe2\x80\xae", 3) && /* U+2028 to U+202E */
               !is_between(p, "\xe2\x81\xa6", "\xe2\x81\xa9", 3);   /* U+2066 to U+2069 */
    return n > 0;
}

/* Length of the character at p < end, and whether it may be shown. */
static size_t next_char(const char *p, const char *end, bool *shown) {
    uint8_t c = (uint8_t)*p;
    size_t n = c < 0x80 ? 1 : rt_utf8_char(p, end);
    *shown = c < 0x80 ? c >= 0x20 && c != 0x7f : is_harmless(p, n);
    return n ? n : 1;
}

/* Cut at the end of a character. */
static rt_slice cut(rt_slice text) {
    text.n = RT_SHOWN_MAX;
    while (text.n > 0 && ((uint8_t)text.p[text.n] & 0xc0) == 0x80)
        text.n--;
    return text;
}

void rt_shown_put(rt_buf *b, rt_slice text) {
    bool whole = text.n <= RT_SHOWN_MAX, shown;
    if (!whole)
        text = cut(text);
    for (size_t i = 0, n; i < text.n; i += n) {
        n = next_char(text.p + i, text.p + text.n, &shown);
        rt_buf_put(b, shown ? text.p + i : "?", shown ? n : 1);
    }
    if (!whole)
        rt_buf_puts(b, RT_LIT("..."));
}

void rt_shown_clean(char *text) {
    char *end = text + strlen(text), *out = text;
    bool shown;
    for (size_t n; text < end; text += n) {
        n = next_char(text, end, &shown);
        if (!shown)
            *out++ = '?';
        else if (out != text)
            memmove(out, text, n);
        if (shown)
            out += n;
    }
    *out = '\0';
}
