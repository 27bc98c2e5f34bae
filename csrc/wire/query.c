/* Query strings and form bodies, read the way Node's querystring reads them. */
#include "wire/query.h"

#include "base/status.h"

bool rt_query_get(rt_slice query, rt_slice name, rt_slice *value) {
    bool found = false;
    *value = RT_EMPTY;
    while (query.n > 0) {
        size_t end = rt_slice_find(query, '&');
        rt_slice pair = {query.p, end};
        size_t eq = rt_slice_find(pair, '=');
        if (end > 0 && rt_slice_eq((rt_slice){pair.p, eq}, name)) {
            *value = rt_slice_from(pair, eq + 1);
            found = true;
        }
        query = rt_slice_from(query, end + 1);
    }
    return found;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte of an escape at the start of s, or -1. */
static int escaped_byte(rt_slice s) {
    if (s.n < 3 || s.p[0] != '%')
        return -1;
    int high = hex_digit(s.p[1]), low = hex_digit(s.p[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int rt_query_decode(rt_slice raw, bool form, rt_buf *out) {
    size_t i = 0;
    while (i < raw.n) {
        size_t start = i;
        while (i < raw.n && raw.p[i] != '%' && !(form && raw.p[i] == '+'))
            i++;
        rt_buf_put(out, raw.p + start, i - start);
        if (i == raw.n)
            break;
        int byte = escaped_byte(rt_slice_from(raw, i));
        if (byte >= 0)
            rt_buf_putc(out, (char)byte);
        else
            rt_buf_putc(out, raw.p[i] == '+' ? ' ' : '%');
        i += byte >= 0 ? 3 : 1;
    }
    return out->err;
}

/* RFC 3986, section 2.3 */
static bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

int rt_query_encode(rt_slice text, rt_buf *out) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (is_unreserved((char)c)) {
            rt_buf_putc(out, (char)c);
            continue;
        }
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        rt_buf_put(out, escape, sizeof escape);
    }
    return out->err;
}
