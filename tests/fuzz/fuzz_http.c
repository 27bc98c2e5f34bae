/* Any bytes through the HTTP parser, whole and in pieces that the first byte decides: the same must
 * come out, whatever the split, and nothing may be kept or used that is not there. */
#include "base/buf.h"
#include "base/status.h"
#include "wire/http.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

typedef struct record {
    rt_buf log;
    uint64_t body; /* hash: the pieces of a body may differ */
    size_t body_n;
    const rt_http_request *req;
    bool open; /* a head came, and no end yet */
} record;

static void log_slice(rt_buf *log, rt_slice s) {
    rt_buf_put_u64(log, s.n);
    rt_buf_putc(log, ':');
    rt_buf_puts(log, s);
}

static int on_head(void *arg, const rt_http_request *req) {
    record *r = arg;
    require(!r->open && req->target.n > 0 && req->target.n <= RT_HTTP_TARGET_MAX);
    require(req->header_count <= RT_HTTP_HEADERS_MAX);
    require(req->path.n + (req->query.p ? req->query.n + 1 : 0) <= req->target.n);
    r->open = true;
    r->req = req;
    r->body = 5381;
    r->body_n = 0;
    rt_buf_printf(&r->log, "H%d%d%d%d%d", req->method, req->keep_alive, req->upgrade, req->has_body,
                  req->expect_continue);
    log_slice(&r->log, req->target);
    log_slice(&r->log, req->query);
    for (unsigned i = 0; i < req->header_count; i++) {
        require(req->headers[i].name.n > 0);
        require(rt_http_header_get(req, req->headers[i].name).p != NULL);
        log_slice(&r->log, req->headers[i].name);
        log_slice(&r->log, req->headers[i].value);
    }
    rt_http_header_has_token(req, RT_LIT("connection"), RT_LIT("upgrade"));
    return RT_OK;
}

static int on_body(void *arg, rt_slice bytes) {
    record *r = arg;
    require(r->open && bytes.n > 0 && r->req->has_body);
    for (size_t i = 0; i < bytes.n; i++)
        r->body = r->body * 33 + (uint8_t)bytes.p[i];
    r->body_n += bytes.n;
    return RT_OK;
}

static int on_end(void *arg) {
    record *r = arg;
    require(r->open && r->req->target.p != NULL);
    r->open = false;
    rt_buf_printf(&r->log, "B%zu,%llx", r->body_n, (unsigned long long)r->body);
    return RT_OK;
}

static const rt_http_events events = {on_head, on_body, on_end};

/* A status below 0, or RT_AGAIN with everything used. Each request's end goes to the log. */
static int feed(rt_http *h, record *r, const uint8_t *p, size_t n, size_t *total) {
    rt_slice piece = rt_slice_make(p, n);
    while (piece.n > 0) {
        size_t used = SIZE_MAX;
        int rc = rt_http_feed(h, piece, &used);
        require(used <= piece.n);
        *total += used;
        if (rc < 0)
            return rc;
        if (rc == RT_OK)
            rt_buf_printf(&r->log, "E%zu;", *total);
        require(rc == RT_OK || (rc == RT_AGAIN && used == piece.n));
        require(rc == RT_AGAIN || !rt_http_busy(h));
        piece = rt_slice_from(piece, used);
    }
    return RT_AGAIN;
}

/* Pieces of pseudo-random sizes from a seed; seed 0: one piece. Each lies in a block of its own, so
 * that a slice into an earlier one would be seen. */
static int run(const uint8_t *data, size_t size, unsigned seed, record *r) {
    rt_http *h = rt_http_new(&events, r);
    require(h != NULL);
    int rc = RT_AGAIN;
    size_t total = 0;
    uint32_t random = seed * 2654435761u;
    for (size_t at = 0; at < size && rc == RT_AGAIN;) {
        random = random * 1664525 + 1013904223;
        size_t n = seed == 0 ? size : 1 + (random >> 24) % (seed < 64 ? seed : 64);
        if (n > size - at)
            n = size - at;
        uint8_t *block = malloc(n);
        require(block != NULL);
        memcpy(block, data + at, n);
        rc = feed(h, r, block, n, &total);
        free(block);
        at += n;
    }
    rt_http_free(h);
    require(r->log.err == RT_OK);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    unsigned seed = data[0] == 0 ? 1 : data[0];
    record whole = {.log = RT_BUF_INIT}, pieces = {.log = RT_BUF_INIT};
    int a = run(data + 1, size - 1, 0, &whole);
    int b = run(data + 1, size - 1, seed, &pieces);
    require(a == b);
    require(rt_slice_eq(rt_buf_slice(&whole.log), rt_buf_slice(&pieces.log)));
    require(whole.open == pieces.open);
    require(a < 0 || !whole.open || whole.body_n == pieces.body_n);
    rt_buf_fini(&whole.log);
    rt_buf_fini(&pieces.log);
    return 0;
}
