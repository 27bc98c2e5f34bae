/* The contents of a handshake, as JSON. */
#include "json/write.h"
#include "hosts/state.h"
#include "wire/query.h"

#include "base/utf8.h"

/* A newline in JSON is white space, because strings escape it. So is a carriage return, which some
 * readers take for the end of a line. */
void rt_host_put_json(rt_buf *b, rt_slice json) {
    size_t from = b->n;
    if (rt_buf_puts(b, json) != RT_OK || json.n == 0)
        return;
    if (!memchr(json.p, '\n', json.n) && !memchr(json.p, '\r', json.n))
        return;
    for (char *p = b->p + from, *end = b->p + b->n; p < end; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

/* Appends bytes whose encoding nobody stated: as UTF-8 if they are valid UTF-8, else as Latin-1, as
 * Node reads headers. */
static void put_foreign(rt_buf *b, rt_slice text) {
    if (rt_utf8_valid(text)) {
        rt_json_put_str(b, text);
        return;
    }
    rt_buf utf8 = RT_BUF_INIT;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x80)
            rt_buf_putc(&utf8, (char)(0xc0 | c >> 6));
        rt_buf_putc(&utf8, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
    if (utf8.err)
        b->err = utf8.err;
    rt_json_put_str(b, rt_buf_slice(&utf8));
    rt_buf_fini(&utf8);
}

static bool is_repeat(const rt_http_request *req, unsigned at) {
    for (unsigned i = 0; i < at; i++)
        if (rt_slice_eq_nocase(req->headers[i].name, req->headers[at].name))
            return true;
    return false;
}

/* The name is in lower case. Values of a repeated name are joined, as Node joins them. */
static void put_header(rt_buf *b, const rt_http_request *req, unsigned at) {
    char name[256];
    rt_slice raw = req->headers[at].name;
    size_t n = raw.n < sizeof name ? raw.n : sizeof name;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)(raw.p[i] >= 'A' && raw.p[i] <= 'Z' ? raw.p[i] | 0x20 : raw.p[i]);
    rt_buf value = RT_BUF_INIT;
    bool cookie = rt_slice_eq_nocase(raw, RT_LIT("cookie"));
    rt_buf_puts(&value, req->headers[at].value);
    for (unsigned i = at + 1; i < req->header_count; i++) {
        if (!rt_slice_eq_nocase(raw, req->headers[i].name))
            continue;
        rt_buf_puts(&value, cookie ? RT_LIT("; ") : RT_LIT(", "));
        rt_buf_puts(&value, req->headers[i].value);
    }
    if (value.err)
        b->err = value.err;
    rt_json_put_key(b, rt_slice_make(name, n));
    put_foreign(b, rt_buf_slice(&value));
    rt_buf_fini(&value);
}

static void put_decoded(rt_buf *b, rt_slice raw) {
    rt_buf text = RT_BUF_INIT;
    if (rt_query_decode(raw, true, &text) == RT_OK)
        put_foreign(b, rt_buf_slice(&text));
    else
        b->err = text.err;
    rt_buf_fini(&text);
}

static void put_parameter(rt_buf *b, rt_slice name, rt_slice value) {
    if (b->n && b->p[b->n - 1] != '{')
        rt_buf_putc(b, ',');
    put_decoded(b, name);
    rt_buf_putc(b, ':');
    put_decoded(b, value);
}

/* A repeated parameter appears twice, and JSON readers use the last. */
static void put_query(rt_buf *b, rt_slice query) {
    while (query.n > 0) {
        size_t end = rt_slice_find(query, '&');
        rt_slice pair = {query.p, end};
        size_t eq = rt_slice_find(pair, '=');
        if (end > 0)
            put_parameter(b, rt_slice_make(pair.p, eq), rt_slice_from(pair, eq + 1));
        query = rt_slice_from(query, end + 1);
    }
}

void rt_host_put_headers(rt_buf *b, const rt_http_request *req) {
    rt_json_put_key(b, RT_LIT("headers"));
    rt_buf_putc(b, '{');
    for (unsigned i = 0; i < req->header_count; i++)
        if (!is_repeat(req, i))
            put_header(b, req, i);
    rt_buf_putc(b, '}');
}

void rt_host_put_query_and_auth(rt_buf *b, const rt_http_request *req, rt_slice auth) {
    rt_json_put_key(b, RT_LIT("query"));
    rt_buf_putc(b, '{');
    put_query(b, req->query);
    rt_buf_putc(b, '}');
    rt_json_put_key(b, RT_LIT("auth"));
    rt_host_put_json(b, auth.n ? auth : RT_LIT("{}"));
}
