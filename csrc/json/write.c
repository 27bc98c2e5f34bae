/* Writing JSON text. */
#include "json/write.h"

#include "json/text.h"

static void put_escape(rt_buf *b, char c) {
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', c, '0', '0', 0, 0};
    switch (c) {
    case '"':
    case '\\':
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        text[1] = 'u';
        text[4] = hex[c >> 4 & 15];
        text[5] = hex[c & 15];
        rt_buf_put(b, text, 6);
        return;
    }
    rt_buf_put(b, text, 2);
}

int rt_json_put_str(rt_buf *b, rt_slice text) {
    rt_buf_reserve(b, text.n + 2);
    rt_buf_putc(b, '"');
    const char *p = text.n ? text.p : "";
    const char *end = p + text.n;
    for (;;) {
        const char *stop = rt_json_skip_plain(p, end, false);
        rt_buf_put(b, p, (size_t)(stop - p));
        if (stop == end)
            break;
        put_escape(b, *stop);
        p = stop + 1;
    }
    return rt_buf_putc(b, '"');
}

int rt_json_put_key(rt_buf *b, rt_slice key) {
    char last = b->n ? b->p[b->n - 1] : '{';
    if (last != '{' && last != '[')
        rt_buf_putc(b, ',');
    rt_json_put_str(b, key);
    return rt_buf_putc(b, ':');
}

int rt_json_put_member_str(rt_buf *b, rt_slice key, rt_slice text) {
    rt_json_put_key(b, key);
    return rt_json_put_str(b, text);
}

int rt_json_put_member_u64(rt_buf *b, rt_slice key, uint64_t v) {
    rt_json_put_key(b, key);
    return rt_buf_put_u64(b, v);
}

int rt_json_put_member_raw(rt_buf *b, rt_slice key, rt_slice raw) {
    rt_json_put_key(b, key);
    return rt_buf_puts(b, raw);
}
