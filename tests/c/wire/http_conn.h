/* A recorded HTTP connection for the tests of wire/http.c: every piece of bytes ends at an
 * unreadable page and is fed until it is used up; what happened becomes text. Include <cmocka.h>
 * before this. */
#ifndef RT_TESTS_HTTP_CONN_H
#define RT_TESTS_HTTP_CONN_H

#include "base/buf.h"
#include "base/status.h"
#include "support/guard.h"
#include "wire/http.h"

/* --- recording: one line for each thing that happened ---
 *
 *     GET /path?query keep upgrade body expect      flags only when set
 *     Name=value                                    each header
 *     .                                             end of the head
 *     +body bytes                                   joined, before the end
 *     end 57                                        bytes of the connection used by then
 */
typedef struct record {
    rt_buf log, body;
    const rt_http_request *req;
    int heads, bodies, ends;
    int stop_head, stop_body, stop_end; /* what the callback answers */
} record;

static const char *const methods[] = {"OTHER", "GET", "POST",   "OPTIONS",
                                      "HEAD",  "PUT", "DELETE", "PATCH"};

static inline int on_head(void *arg, const rt_http_request *req) {
    record *r = arg;
    r->heads++;
    r->req = req;
    rt_buf_printf(&r->log, "%s ", methods[req->method]);
    rt_buf_puts(&r->log, req->target);
    rt_buf_printf(&r->log, "%s%s%s%s\n", req->keep_alive ? " keep" : "",
                  req->upgrade ? " upgrade" : "", req->has_body ? " body" : "",
                  req->expect_continue ? " expect" : "");
    for (unsigned i = 0; i < req->header_count; i++) {
        rt_buf_puts(&r->log, req->headers[i].name);
        rt_buf_putc(&r->log, '=');
        rt_buf_puts(&r->log, req->headers[i].value);
        rt_buf_putc(&r->log, '\n');
    }
    rt_buf_puts(&r->log, RT_LIT(".\n"));
    return r->stop_head;
}

static inline int on_body(void *arg, rt_slice bytes) {
    record *r = arg;
    r->bodies++;
    assert_true(bytes.n > 0);
    assert_int_equal(rt_buf_puts(&r->body, bytes), RT_OK);
    return r->stop_body;
}

static inline int on_end(void *arg) {
    record *r = arg;
    r->ends++;
    assert_true(r->req->target.n > 0 && r->req->target.p[0] != '\0'); /* the head is still there */
    if (r->body.n > 0) {
        rt_buf_putc(&r->log, '+');
        rt_buf_puts(&r->log, rt_buf_slice(&r->body));
        rt_buf_putc(&r->log, '\n');
    }
    rt_buf_clear(&r->body);
    return r->stop_end;
}

static const rt_http_events events = {on_head, on_body, on_end};

static inline void record_fini(record *r) {
    rt_buf_fini(&r->log);
    rt_buf_fini(&r->body);
}

/* --- a connection: pieces of bytes, each fed until used up --- */

typedef struct conn {
    rt_http *h;
    record r;
    size_t total;
    bool started; /* bytes of the next request came, not only empty lines */
    rt_guard guard;
} conn;

static inline void conn_init(conn *c, size_t max) {
    *c = (conn){.r = {.log = RT_BUF_INIT, .body = RT_BUF_INIT}};
    rt_guard_init(&c->guard, max);
}

static inline void conn_start(conn *c) {
    c->h = rt_http_new(&events, &c->r);
    assert_non_null(c->h);
    c->total = 0;
    c->started = false;
}

static inline void conn_stop(conn *c) {
    rt_http_free(c->h);
    rt_buf_clear(&c->r.log);
    rt_buf_clear(&c->r.body);
}

static inline void conn_fini(conn *c) {
    record_fini(&c->r);
    rt_guard_fini(&c->guard);
}

/* RT_AGAIN when all was used and a request is not complete, RT_OK when one just was. */
static inline int conn_feed(conn *c, const char *bytes, size_t n) {
    int rc = RT_AGAIN;
    rt_slice piece = rt_guard_tail(&c->guard, bytes, n);
    while (piece.n > 0) {
        size_t used = SIZE_MAX;
        rc = rt_http_feed(c->h, piece, &used);
        assert_true(used <= piece.n);
        c->total += used;
        for (size_t i = 0; i < used; i++)
            c->started |= piece.p[i] != '\r' && piece.p[i] != '\n';
        piece = rt_slice_from(piece, used);
        if (rc == RT_OK) {
            rt_buf_printf(&c->r.log, "end %zu\n", c->total);
            c->started = false;
        } else if (rc == RT_AGAIN)
            assert_int_equal(piece.n, 0);
        else
            return rc;
        assert_int_equal(rt_http_busy(c->h), c->started);
    }
    return rc;
}

#endif
