/* Writes the envelope; envelope.c is its reader. */
#include "frappe/envelope.h"

#include "base/status.h"
#include "json/write.h"

#define FRAME 64 /* bytes of names, quotes and braces, and a few for escapes */

/* A newline in valid JSON is white space between tokens, so a space can replace it. */
static void put_on_one_line(rt_buf *out, rt_slice json) {
    size_t from = out->n;
    if (rt_buf_puts(out, json) != RT_OK)
        return;
    char *end = out->p + out->n;
    for (char *p = out->p + from; p < end; p++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p)
            return;
        *p = ' ';
    }
}

static void put_text_or_null(rt_buf *out, rt_slice text) {
    if (text.n > 0)
        rt_json_put_str(out, text);
    else
        rt_buf_puts(out, RT_LIT("null"));
}

int rt_envelope_put(rt_buf *out, rt_slice mark, const rt_event *e) {
    rt_buf_reserve(out, FRAME + mark.n + e->event.n + e->message.n + e->site.n + e->room.n);
    rt_buf_putc(out, '{');
    rt_buf_puts(out, mark);
    rt_buf_puts(out, RT_LIT("\"event\":"));
    rt_json_put_str(out, e->event);
    rt_buf_puts(out, RT_LIT(",\"message\":"));
    put_on_one_line(out, e->message);
    rt_buf_puts(out, RT_LIT(",\"namespace\":"));
    put_text_or_null(out, e->site);
    rt_buf_puts(out, RT_LIT(",\"room\":"));
    put_text_or_null(out, e->room);
    return rt_buf_putc(out, '}');
}
