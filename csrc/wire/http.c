/* HTTP/1.1 requests. llhttp knows the grammar; this file adds limits, keeps the head, and stops
 * after each request.
 *
 * The raw head is collected in one buffer, and llhttp parses it there. What llhttp finds is kept as
 * offsets into the buffer, which may move; they become slices when the head is whole.
 * The body is handed on from the caller's own bytes.
 *
 *            a byte that is not CR or LF            end of head: on_head
 *     IDLE ------------------------------> HEAD ----------------------> BODY --+
 *      ^                                                                       |
 *      +------------- end of message: on_end, the head's memory is freed ------+
 */
#include "wire/http.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"

#include <llhttp.h>

enum http_state { IDLE, HEAD, BODY };

/* One header line as offsets into the raw head. RT_HTTP_HEAD_MAX fits in 16 bits. */
typedef struct http_line {
    uint16_t name_at, name_n;
    uint16_t value_at, value_n;
} http_line;

struct rt_http {
    const rt_http_events *events;
    void *arg;
    llhttp_t parser;
    enum http_state state;
    bool stopped; /* failed, or stopped by a callback: `status` is all it will ever say */
    bool in_value;
    int status;
    unsigned line_count, line_cap;
    uint16_t name_at, name_n; /* header name under way */
    uint16_t target_at, target_n;
    size_t run; /* bytes since the start of the head, or of body framing without a body byte */
    const char *mark; /* first byte of the current piece that is not body */
    rt_buf raw;
    http_line *lines;
    rt_http_header *headers;
    rt_http_request req;
};

static int stop(rt_http *h, int status) {
    h->stopped = true;
    h->status = status;
    return status;
}

/* From inside llhttp: remembers why and makes llhttp_execute return. */
static int stop_llhttp(rt_http *h, int status) {
    stop(h, status);
    return -1;
}

static size_t offset_of(const rt_http *h, const char *at) {
    return (size_t)(at - h->raw.p);
}

/* --- llhttp's callbacks; those of headers also come for the trailers of a chunked body, which are
 * dropped (RFC 9112, section 7.1.2) --- */

static int on_url(llhttp_t *parser, const char *at, size_t n) {
    rt_http *h = parser->data;
    if (h->target_n == 0)
        h->target_at = (uint16_t)offset_of(h, at);
    h->target_n = (uint16_t)(offset_of(h, at) + n - h->target_at);
    return 0;
}

static int on_url_complete(llhttp_t *parser) {
    rt_http *h = parser->data;
    return h->target_n > RT_HTTP_TARGET_MAX ? stop_llhttp(h, RT_EHTTP_TARGET) : 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n) {
    rt_http *h = parser->data;
    if (h->state != HEAD)
        return 0;
    if (h->name_n == 0)
        h->name_at = (uint16_t)offset_of(h, at);
    h->name_n = (uint16_t)(offset_of(h, at) + n - h->name_at);
    return 0;
}

static int grow_lines(rt_http *h) {
    unsigned cap = h->line_cap ? h->line_cap * 2 : 16;
    http_line *lines = rt_realloc(h->lines, cap * sizeof *lines);
    if (!lines)
        return RT_ENOMEM;
    h->lines = lines;
    h->line_cap = cap;
    return RT_OK;
}

static int on_header_field_complete(llhttp_t *parser) {
    rt_http *h = parser->data;
    if (h->state != HEAD)
        return 0;
    if (h->line_count == RT_HTTP_HEADERS_MAX)
        return stop_llhttp(h, RT_EHTTP_HEADERS);
    if (h->line_count == h->line_cap && grow_lines(h) != RT_OK)
        return stop_llhttp(h, RT_ENOMEM);
    h->lines[h->line_count++] = (http_line){h->name_at, h->name_n, h->name_at, 0};
    h->name_n = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n) {
    rt_http *h = parser->data;
    if (h->state != HEAD)
        return 0;
    http_line *line = &h->lines[h->line_count - 1];
    if (!h->in_value)
        line->value_at = (uint16_t)offset_of(h, at);
    h->in_value = true;
    line->value_n = (uint16_t)(offset_of(h, at) + n - line->value_at);
    return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
    rt_http *h = parser->data;
    h->in_value = false;
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t n) {
    rt_http *h = parser->data;
    h->run = 0;
    h->mark = at + n;
    int rc = n > 0 ? h->events->on_body(h->arg, (rt_slice){at, n}) : RT_OK;
    return rc == RT_OK ? 0 : stop_llhttp(h, rc);
}

/* After an upgrade llhttp pauses by itself. */
static int on_message_complete(llhttp_t *parser) {
    return llhttp_get_upgrade(parser) ? 0 : HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the parser's life --- */

rt_http *rt_http_new(const rt_http_events *events, void *arg) {
    rt_http *h = rt_alloc0(sizeof *h);
    if (!h)
        return NULL;
    h->events = events;
    h->arg = arg;
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    rt_buf_init(&h->raw, RT_HTTP_HEAD_MAX);
    return h;
}

/* An idle parser keeps no memory but its own. */
static void drop_head(rt_http *h) {
    rt_free(h->headers);
    rt_free(h->lines);
    rt_buf_fini(&h->raw);
    h->headers = NULL;
    h->lines = NULL;
    h->line_count = h->line_cap = 0;
    h->name_n = h->target_n = 0;
    h->req = (rt_http_request){0};
}

void rt_http_free(rt_http *h) {
    if (!h)
        return;
    drop_head(h);
    rt_free(h);
}

bool rt_http_busy(const rt_http *h) {
    return h->state != IDLE;
}

/* --- from a complete head to an rt_http_request --- */

static enum rt_http_method method_of(const llhttp_t *parser) {
    switch (parser->method) {
    case HTTP_GET:
        return RT_HTTP_GET;
    case HTTP_POST:
        return RT_HTTP_POST;
    case HTTP_OPTIONS:
        return RT_HTTP_OPTIONS;
    case HTTP_HEAD:
        return RT_HTTP_HEAD;
    case HTTP_PUT:
        return RT_HTTP_PUT;
    case HTTP_DELETE:
        return RT_HTTP_DELETE;
    case HTTP_PATCH:
        return RT_HTTP_PATCH;
    default:
        return RT_HTTP_OTHER;
    }
}

static int resolve_headers(rt_http *h) {
    if (h->line_count == 0)
        return RT_OK;
    h->headers = rt_alloc(h->line_count * sizeof *h->headers);
    if (!h->headers)
        return RT_ENOMEM;
    for (unsigned i = 0; i < h->line_count; i++) {
        const http_line *line = &h->lines[i];
        rt_slice value = {h->raw.p + line->value_at, line->value_n};
        h->headers[i].name = (rt_slice){h->raw.p + line->name_at, line->name_n};
        h->headers[i].value = rt_slice_trim(value);
    }
    h->req.headers = h->headers;
    h->req.header_count = h->line_count;
    rt_free(h->lines);
    h->lines = NULL;
    h->line_cap = 0;
    return RT_OK;
}

/* What the RFCs demand of a head and llhttp leaves to its user, or does differently from release to
 * release. */
static bool head_is_sound(const rt_http *h) {
    /* RFC 9112, section 3. llhttp also reads RTSP, ICE and HTTP/2.0, and any number of spaces; of
     * HTTP/1 it takes 1.0 and 1.1 only. */
    rt_slice head = rt_buf_slice(&h->raw);
    rt_slice version = rt_slice_from(head, h->target_at + h->target_n);
    if (rt_slice_find(head, ' ') + 1 != h->target_at ||
        !rt_slice_starts(version, RT_LIT(" HTTP/1.")))
        return false;
    bool http_1_0 = h->parser.http_minor == 0;
    unsigned hosts = 0;
    for (unsigned i = 0; i < h->req.header_count; i++) {
        const rt_http_header *header = &h->req.headers[i];
        hosts += rt_slice_eq_nocase(header->name, RT_LIT("host"));
        /* Sections 6.1 and 6.3: no coding but chunked, and none in HTTP/1.0, else nobody
         * knows where the body ends. */
        if (rt_slice_eq_nocase(header->name, RT_LIT("transfer-encoding")) &&
            (http_1_0 || !rt_slice_eq_nocase(header->value, RT_LIT("chunked"))))
            return false;
    }
    /* Section 3.2: exactly one Host, which HTTP/1.0 may leave out. */
    return hosts == 1 || (hosts == 0 && http_1_0);
}

static int fill_request(rt_http *h) {
    rt_http_request *req = &h->req;
    const llhttp_t *parser = &h->parser;
    if (resolve_headers(h) != RT_OK)
        return RT_ENOMEM;
    if (!head_is_sound(h))
        return RT_EHTTP_SYNTAX;
    bool connect = parser->method == HTTP_CONNECT;
    bool http_1_1 = parser->http_minor == 1;
    req->method = method_of(parser);
    req->target = (rt_slice){h->raw.p + h->target_at, h->target_n};
    size_t mark = rt_slice_find(req->target, '?');
    req->path = (rt_slice){req->target.p, mark};
    req->query = mark < req->target.n ? rt_slice_from(req->target, mark + 1) : RT_EMPTY;
    /* What follows a CONNECT is not ours to read, whatever its headers say. */
    req->keep_alive = !connect && llhttp_should_keep_alive(parser);
    req->has_body = !connect && (parser->flags & F_CHUNKED || parser->content_length > 0);
    /* RFC 9110, sections 7.8 and 10.1.1: both are to be ignored in HTTP/1.0. */
    req->upgrade = http_1_1 && !connect && parser->upgrade;
    req->expect_continue =
        http_1_1 && rt_http_header_has_token(req, RT_LIT("expect"), RT_LIT("100-continue"));
    return RT_OK;
}

/* --- feeding --- */

static int llhttp_failed(rt_http *h) {
    return h->stopped ? h->status : stop(h, RT_EHTTP_SYNTAX);
}

static size_t piece_of(const rt_http *h, rt_slice bytes) {
    size_t room = RT_HTTP_HEAD_MAX - h->run;
    return bytes.n < room ? bytes.n : room;
}

static int end_request(rt_http *h) {
    h->state = IDLE;
    h->run = 0;
    int rc = h->events->on_end(h->arg);
    drop_head(h);
    return rc == RT_OK ? RT_OK : stop(h, rc);
}

/* The framing between two body bytes (chunk sizes, extensions, trailers) is bounded as a head is.
 * Also called with no bytes: a request without a body ends with its head. */
static int feed_body(rt_http *h, rt_slice bytes, size_t *used) {
    size_t n = piece_of(h, bytes);
    const char *p = n > 0 ? bytes.p : "";
    h->mark = p;
    llhttp_errno_t err = llhttp_execute(&h->parser, p, n);
    if (err == HPE_OK) {
        *used += n;
        h->run += (size_t)(p + n - h->mark);
        return h->run < RT_HTTP_HEAD_MAX ? RT_AGAIN : stop(h, RT_EHTTP_HEADERS);
    }
    if (err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE)
        return llhttp_failed(h);
    *used += (size_t)(llhttp_get_error_pos(&h->parser) - p);
    if (err == HPE_PAUSED)
        llhttp_resume(&h->parser);
    else
        llhttp_resume_after_upgrade(&h->parser); /* the caller may ignore the upgrade */
    return end_request(h);
}

static int feed_head(rt_http *h, rt_slice bytes, size_t *used) {
    size_t n = piece_of(h, bytes);
    size_t at = h->raw.n;
    int rc = rt_buf_put(&h->raw, bytes.p, n);
    if (rc != RT_OK)
        return stop(h, rc);
    llhttp_errno_t err = llhttp_execute(&h->parser, h->raw.p + at, n);
    if (err == HPE_OK) {
        *used += n;
        h->run += n;
        return h->run < RT_HTTP_HEAD_MAX ? RT_AGAIN : stop(h, RT_EHTTP_HEADERS);
    }
    if (err != HPE_PAUSED)
        return llhttp_failed(h);
    h->raw.n = offset_of(h, llhttp_get_error_pos(&h->parser));
    *used += h->raw.n - at;
    llhttp_resume(&h->parser);
    h->state = BODY;
    h->run = 0;
    rc = fill_request(h);
    if (rc == RT_OK)
        rc = h->events->on_head(h->arg, &h->req);
    if (rc != RT_OK)
        return stop(h, rc);
    return feed_body(h, rt_slice_from(bytes, h->raw.n - at), used);
}

/* Empty lines before a request are skipped (RFC 9112, section 2.2); they count as head bytes, so
 * that they cannot go on for ever. */
static int feed_idle(rt_http *h, rt_slice bytes, size_t *used) {
    size_t n = piece_of(h, bytes), i = 0;
    while (i < n && (bytes.p[i] == '\r' || bytes.p[i] == '\n'))
        i++;
    *used += i;
    h->run += i;
    if (h->run >= RT_HTTP_HEAD_MAX)
        return stop(h, RT_EHTTP_HEADERS);
    if (i < n)
        h->state = HEAD;
    return RT_AGAIN;
}

int rt_http_feed(rt_http *h, rt_slice bytes, size_t *used) {
    *used = 0;
    if (h->stopped)
        return h->status;
    int rc = RT_AGAIN;
    while (rc == RT_AGAIN && !h->stopped && *used < bytes.n) {
        rt_slice rest = rt_slice_from(bytes, *used);
        if (h->state == IDLE)
            rc = feed_idle(h, rest, used);
        else if (h->state == HEAD)
            rc = feed_head(h, rest, used);
        else
            rc = feed_body(h, rest, used);
    }
    return rc;
}

/* --- reading a head --- */

rt_slice rt_http_header_get(const rt_http_request *req, rt_slice name) {
    for (unsigned i = 0; i < req->header_count; i++)
        if (rt_slice_eq_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    return RT_EMPTY;
}

static bool list_has_token(rt_slice list, rt_slice token) {
    while (list.n > 0) {
        size_t comma = rt_slice_find(list, ',');
        if (rt_slice_eq_nocase(rt_slice_trim((rt_slice){list.p, comma}), token))
            return true;
        list = rt_slice_from(list, comma + 1);
    }
    return false;
}

bool rt_http_header_has_token(const rt_http_request *req, rt_slice name, rt_slice token) {
    for (unsigned i = 0; i < req->header_count; i++)
        if (rt_slice_eq_nocase(req->headers[i].name, name) &&
            list_has_token(req->headers[i].value, token))
            return true;
    return false;
}
