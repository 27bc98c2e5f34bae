/* wire/http.c: whole connections as cases, in every split; then limits, memory and callbacks. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "support/faults.h"
#include "wire/http_cases.h"
#include "wire/http_conn.h"

#include <stdio.h>

static void check(const http_case *t, const conn *c, int rc, size_t at) {
    if (rc == t->status && rt_slice_eq(rt_buf_slice(&c->r.log), rt_slice_of(t->log)))
        return;
    fail_msg("cut at %zu: status %d instead of %d, for\n%s\ngot\n%.*s\ninstead of\n%s", at, rc,
             t->status, t->in, (int)c->r.log.n, c->r.log.p, t->log);
}

static void run_case(const http_case *t) {
    conn c;
    size_t n = strlen(t->in);
    conn_init(&c, n);
    for (size_t cut = 0; cut <= n; cut++) {
        conn_start(&c);
        int rc = conn_feed(&c, t->in, cut);
        if (rc >= 0 && cut < n)
            rc = conn_feed(&c, t->in + cut, n - cut);
        check(t, &c, rc, cut);
        conn_stop(&c);
    }
    for (size_t piece = 1; piece < 8; piece++) {
        int rc = RT_AGAIN;
        conn_start(&c);
        for (size_t at = 0; at < n && rc >= 0; at += piece)
            rc = conn_feed(&c, t->in + at, n - at < piece ? n - at : piece);
        check(t, &c, rc, piece);
        conn_stop(&c);
    }
    conn_fini(&c);
}

static void test_cases(void **state) {
    (void)state;
    long live = rt_alloc_live();
    for (size_t i = 0; i < HTTP_CASE_COUNT; i++)
        run_case(&http_cases[i]);
    assert_int_equal(rt_alloc_live(), live);
}

/* NUL cannot be written in the table. */
static void test_nul(void **state) {
    (void)state;
    static const rt_slice bad[] = {RT_LIT("G\0T / HTTP/1.1\r\n" H "\r\n"),
                                   RT_LIT("GET /\0 HTTP/1.1\r\n" H "\r\n"),
                                   RT_LIT(LINE H "X\0: y\r\n\r\n"), RT_LIT(LINE H "X: \0\r\n\r\n")};
    conn c;
    conn_init(&c, 100);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conn_start(&c);
        assert_int_equal(conn_feed(&c, bad[i].p, bad[i].n), RT_EHTTP_SYNTAX);
        assert_int_equal(c.r.heads, 0);
        conn_stop(&c);
    }
    conn_fini(&c);
}

/* The bytes behind an upgrade are not looked at and not used. */
static void test_upgrade_leaves_the_rest(void **state) {
    (void)state;
    static const char head[] = LINE WS "Sec-WebSocket-Key: x\r\n\r\n";
    static const char bytes[] = LINE WS "Sec-WebSocket-Key: x\r\n\r\n\x81\x85\0\0\0\0hello";
    conn c;
    conn_init(&c, sizeof bytes);
    for (size_t cut = 0; cut < sizeof head - 1; cut++) {
        size_t used;
        conn_start(&c);
        rt_slice first = rt_guard_tail(&c.guard, bytes, cut);
        assert_int_equal(rt_http_feed(c.h, first, &used), RT_AGAIN);
        assert_int_equal(used, cut);
        rt_slice rest = rt_guard_tail(&c.guard, bytes + cut, sizeof bytes - 1 - cut);
        assert_int_equal(rt_http_feed(c.h, rest, &used), RT_OK);
        assert_int_equal(used, sizeof head - 1 - cut);
        conn_stop(&c);
    }
    conn_fini(&c);
}

/* --- limits: the last thing that fits, and one more --- */

static void put_times(rt_buf *b, const char *text, size_t times) {
    for (size_t i = 0; i < times; i++)
        rt_buf_puts(b, rt_slice_of(text));
    assert_int_equal(b->err, RT_OK);
}

/* Feeds `bytes` at once, byte by byte, and cut near the end; always the same must come out. */
static void assert_status(const rt_buf *bytes, int status) {
    conn c;
    conn_init(&c, bytes->n);
    for (size_t i = 0; i < 24; i++) {
        conn_start(&c);
        int rc;
        if (i == 0) {
            rc = RT_AGAIN;
            for (size_t at = 0; at < bytes->n && rc == RT_AGAIN; at++)
                rc = conn_feed(&c, bytes->p + at, 1);
        } else {
            rc = conn_feed(&c, bytes->p, bytes->n - i + 1);
            for (size_t at = bytes->n - i + 1; at < bytes->n && rc == RT_AGAIN; at++)
                rc = conn_feed(&c, bytes->p + at, 1);
        }
        assert_int_equal(rc, status);
        if (rc < 0) {
            size_t used = 1;
            assert_int_equal(rt_http_feed(c.h, RT_LIT("x"), &used), status);
            assert_int_equal(used, 0);
        }
        conn_stop(&c);
    }
    conn_fini(&c);
}

static void head_of(rt_buf *b, size_t n) {
    rt_buf_clear(b);
    rt_buf_puts(b, RT_LIT(LINE H "X: "));
    put_times(b, "y", n - b->n - 4);
    rt_buf_puts(b, RT_LIT("\r\n\r\n"));
    assert_int_equal(b->n, n);
}

static void test_head_limit(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    head_of(&b, RT_HTTP_HEAD_MAX);
    assert_status(&b, RT_OK);
    head_of(&b, RT_HTTP_HEAD_MAX + 1);
    assert_status(&b, RT_EHTTP_HEADERS);
    head_of(&b, RT_HTTP_HEAD_MAX * 3);
    assert_status(&b, RT_EHTTP_HEADERS);
    rt_buf_fini(&b);
}

/* Spaces around values are in no slice, and are counted. */
static void test_head_limit_counts_spaces(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT(LINE H "X:"));
    put_times(&b, " ", RT_HTTP_HEAD_MAX - b.n - 5);
    rt_buf_puts(&b, RT_LIT("y\r\n\r\n"));
    assert_int_equal(b.n, RT_HTTP_HEAD_MAX);
    assert_status(&b, RT_OK);
    rt_buf_clear(&b);
    rt_buf_puts(&b, RT_LIT(LINE H "X:"));
    put_times(&b, " ", RT_HTTP_HEAD_MAX);
    assert_status(&b, RT_EHTTP_HEADERS);
    rt_buf_fini(&b);
}

static void test_empty_lines_end_somewhere(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    put_times(&b, "\r\n", RT_HTTP_HEAD_MAX / 2 - 1);
    assert_status(&b, RT_AGAIN);
    put_times(&b, "\r\n", 1);
    assert_status(&b, RT_EHTTP_HEADERS);
    rt_buf_fini(&b);
}

static void test_header_limit(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    for (int more = 0; more < 2; more++) {
        rt_buf_clear(&b);
        rt_buf_puts(&b, RT_LIT(LINE H));
        put_times(&b, "X: y\r\n", RT_HTTP_HEADERS_MAX - 1 + (size_t)more);
        rt_buf_puts(&b, RT_LIT("\r\n"));
        assert_status(&b, more ? RT_EHTTP_HEADERS : RT_OK);
    }
    rt_buf_fini(&b);
}

static void test_target_limit(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    for (size_t more = 0; more < 2; more++) {
        rt_buf_clear(&b);
        rt_buf_puts(&b, RT_LIT("GET /"));
        put_times(&b, "x", RT_HTTP_TARGET_MAX - 1 + more);
        rt_buf_puts(&b, RT_LIT(" HTTP/1.1\r\n" H "\r\n"));
        assert_status(&b, more ? RT_EHTTP_TARGET : RT_OK);
    }
    rt_buf_fini(&b);
}

/* A chunked body cannot go on for ever without a body byte. */
static void test_framing_limit(void **state) {
    (void)state;
    static const char *const starts[] = {CHUNKED "1;", CHUNKED "1;a=\"",
                                         CHUNKED "0\r\nX: ", CHUNKED "1\r\na\r\n1;"};
    static const char *const fill[] = {"a", "b", "c", "d"};
    rt_buf b = RT_BUF_INIT;
    for (size_t i = 0; i < 4; i++) {
        size_t framing = strlen(starts[i]) - (i == 3 ? sizeof CHUNKED + 3 : sizeof CHUNKED - 1);
        rt_buf_clear(&b);
        rt_buf_puts(&b, rt_slice_of(starts[i]));
        put_times(&b, fill[i], RT_HTTP_HEAD_MAX - 1 - framing);
        assert_status(&b, RT_AGAIN);
        rt_buf_puts(&b, rt_slice_of(fill[i]));
        assert_status(&b, RT_EHTTP_HEADERS);
    }
    rt_buf_fini(&b);
}

static void test_trailers_as_long_as_a_head(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT(CHUNKED "0\r\nX: "));
    put_times(&b, "y", RT_HTTP_HEAD_MAX - 10);
    rt_buf_puts(&b, RT_LIT("\r\n\r\n"));
    assert_int_equal(b.n, sizeof CHUNKED - 1 + RT_HTTP_HEAD_MAX);
    assert_status(&b, RT_OK);
    rt_buf_fini(&b);
}

/* The framing of one request does not count for the next one's head. */
static void test_limit_starts_afresh(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT, head = RT_BUF_INIT;
    head_of(&head, RT_HTTP_HEAD_MAX);
    rt_buf_puts(&b, RT_LIT(CHUNKED "1\r\na\r\n0;extension\r\nTrailer: x\r\n\r\n"));
    size_t first = b.n;
    rt_buf_puts(&b, rt_buf_slice(&head));
    conn c;
    conn_init(&c, b.n);
    for (size_t piece = 1; piece < 9; piece++) {
        conn_start(&c);
        int rc = RT_AGAIN;
        for (size_t at = 0; at < first; at += piece)
            rc = conn_feed(&c, b.p + at, first - at < piece ? first - at : piece);
        assert_int_equal(rc, RT_OK);
        assert_int_equal(conn_feed(&c, b.p + first, b.n - first), RT_OK);
        conn_stop(&c);
    }
    conn_fini(&c);
    rt_buf_fini(&b);
    rt_buf_fini(&head);
}

/* Many small chunks have more framing than a head may be long: that is fine. */
static void test_many_chunks(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    conn c;
    rt_buf_puts(&b, RT_LIT(CHUNKED));
    put_times(&b, "1\r\nx\r\n", 10000);
    rt_buf_puts(&b, RT_LIT("0\r\n\r\n"));
    conn_init(&c, b.n);
    for (size_t piece = 1; piece < b.n * 2; piece = piece * 3 + 1) {
        int rc = RT_AGAIN;
        conn_start(&c);
        for (size_t at = 0; at < b.n && rc == RT_AGAIN; at += piece)
            rc = conn_feed(&c, b.p + at, b.n - at < piece ? b.n - at : piece);
        assert_int_equal(rc, RT_OK);
        assert_int_equal(c.total, b.n);
        assert_int_equal(c.r.log.n, sizeof LOG_CHUNKED - 1 + 1 + 10000 + 1 + strlen("end 60062\n"));
        conn_stop(&c);
    }
    conn_fini(&c);
    rt_buf_fini(&b);
}

static void test_long_body(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    conn c;
    rt_buf_puts(&b, RT_LIT(POST "Content-Length: 1000000\r\n\r\n"));
    size_t head = b.n;
    for (size_t i = 0; i < 1000000; i++)
        rt_buf_putc(&b, (char)(i % 251));
    rt_buf_puts(&b, RT_LIT("GET"));
    conn_init(&c, b.n);
    conn_start(&c);
    size_t used;
    assert_int_equal(rt_http_feed(c.h, rt_guard_tail(&c.guard, b.p, b.n), &used), RT_OK);
    assert_int_equal(used, head + 1000000);
    assert_non_null(memmem(c.r.log.p, c.r.log.n, b.p + head, 1000000));
    conn_stop(&c);
    conn_fini(&c);
    rt_buf_fini(&b);
}

/* --- the head --- */

static int look_at_head(void *arg, const rt_http_request *req) {
    bool *looked = arg;
    *looked = true;
    assert_true(rt_slice_eq(req->target, RT_LIT("/a/b?c=d?e&f")));
    assert_true(rt_slice_eq(req->path, RT_LIT("/a/b")));
    assert_true(rt_slice_eq(req->query, RT_LIT("c=d?e&f")));
    assert_int_equal(req->header_count, 6);
    assert_true(rt_slice_eq(rt_http_header_get(req, RT_LIT("ACCEPT")), RT_LIT("one, Two ,three")));
    assert_int_equal(rt_http_header_get(req, RT_LIT("Accep")).n, 0);
    assert_null(rt_http_header_get(req, RT_LIT("nothing")).p);
    assert_true(rt_slice_eq(rt_http_header_get(req, RT_LIT("x")), RT_LIT("first")));
    static const char *const there[] = {"one", "two", "TWO", "three", "four", "five"};
    static const char *const not_there[] = {"on", "onet", "wo", "", "two ,three", "first"};
    for (size_t i = 0; i < 6; i++) {
        assert_true(rt_http_header_has_token(req, RT_LIT("accept"), rt_slice_of(there[i])));
        if (not_there[i][0])
            assert_false(
                rt_http_header_has_token(req, RT_LIT("accept"), rt_slice_of(not_there[i])));
    }
    assert_false(rt_http_header_has_token(req, RT_LIT("nothing"), RT_LIT("one")));
    return RT_OK;
}

static int ignore_body(void *arg, rt_slice bytes) {
    (void)arg;
    (void)bytes;
    return RT_OK;
}

static int ignore_end(void *arg) {
    (void)arg;
    return RT_OK;
}

static void test_reading_a_head(void **state) {
    (void)state;
    static const rt_http_events look = {look_at_head, ignore_body, ignore_end};
    bool looked = false;
    size_t used;
    rt_http *h = rt_http_new(&look, &looked);
    assert_non_null(h);
    assert_int_equal(rt_http_feed(h,
                                  RT_LIT("GET /a/b?c=d?e&f HTTP/1.1\r\n" H
                                         "Accept: one, Two ,three\r\nX: first\r\nX: second\r\n"
                                         "accept:,,four ,\tfive\t,\r\nAccept:\r\n\r\n"),
                                  &used),
                     RT_OK);
    assert_true(looked);
    rt_http_free(h);
}

/* --- memory --- */

static void test_idle_parser_is_small(void **state) {
    (void)state;
    long live = rt_alloc_live();
    conn c;
    conn_init(&c, 200);
    conn_start(&c);
    assert_int_equal(rt_alloc_live(), live + 1);
    assert_int_equal(conn_feed(&c, "GET", 3), RT_AGAIN);
    assert_true(rt_alloc_live() > live + 1);
    assert_int_equal(conn_feed(&c, &GET1[3], sizeof GET1 - 4), RT_OK);
    rt_buf_fini(&c.r.log);
    assert_int_equal(rt_alloc_live(), live + 1);
    conn_stop(&c);
    conn_fini(&c);
    assert_int_equal(rt_alloc_live(), live);
    rt_http_free(NULL);
}

static void test_freed_half_way(void **state) {
    (void)state;
    static const char bytes[] = CHUNKED "5\r\nhello\r\n0\r\n\r\n";
    long live = rt_alloc_live();
    conn c;
    conn_init(&c, sizeof bytes);
    for (size_t n = 0; n < sizeof bytes - 1; n++) {
        conn_start(&c);
        conn_feed(&c, bytes, n);
        conn_stop(&c);
    }
    conn_fini(&c);
    assert_int_equal(rt_alloc_live(), live);
}

static int count_head(void *arg, const rt_http_request *req) {
    *(unsigned *)arg = req->header_count;
    return RT_OK;
}

static const rt_http_events quiet = {count_head, ignore_body, ignore_end};

static int request_with_headers(void *arg) {
    const size_t *piece = arg;
    unsigned seen = 0;
    char bytes[1024] = LINE H;
    size_t n = strlen(bytes), used;
    for (int i = 0; i < 60; i++)
        n += (size_t)sprintf(bytes + n, "X-%d: %d\r\n", i, i);
    n += (size_t)sprintf(bytes + n, "\r\n");
    rt_http *h = rt_http_new(&quiet, &seen);
    if (!h)
        return RT_ENOMEM;
    int rc = RT_AGAIN;
    for (size_t at = 0; at < n && rc == RT_AGAIN; at += *piece)
        rc = rt_http_feed(h, (rt_slice){bytes + at, n - at < *piece ? n - at : *piece}, &used);
    if (rc == RT_OK)
        assert_int_equal(seen, 61);
    rt_http_free(h);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    size_t whole = 1024, bytewise = 1;
    /* the parser, the head, its lines three times, the headers */
    assert_int_equal(rt_faults_each(request_with_headers, &whole), 6);
    assert_true(rt_faults_each(request_with_headers, &bytewise) > 6);
}

/* --- callbacks that stop --- */

static void assert_stops(record stops, const char *bytes, int with, int heads, int bodies,
                         int ends) {
    conn c;
    size_t n = strlen(bytes);
    conn_init(&c, n);
    for (size_t piece = 1; piece <= n; piece++) {
        int rc = RT_AGAIN;
        size_t used = 0;
        c.r.stop_head = stops.stop_head;
        c.r.stop_body = stops.stop_body;
        c.r.stop_end = stops.stop_end;
        c.r.heads = c.r.bodies = c.r.ends = 0;
        conn_start(&c);
        for (size_t at = 0; at < n && c.r.ends == 0; at += piece) {
            rt_slice part = {bytes + at, n - at < piece ? n - at : piece};
            rc = rt_http_feed(c.h, part, &used);
            assert_true(used <= part.n);
            if (c.r.heads == heads && c.r.bodies == bodies && c.r.ends == ends)
                break;
        }
        assert_int_equal(rc, with);
        assert_int_equal(rt_http_feed(c.h, RT_LIT("x"), &used), with);
        assert_int_equal(used, 0);
        assert_int_equal(c.r.heads, heads);
        assert_int_equal(c.r.bodies, bodies);
        assert_int_equal(c.r.ends, ends);
        conn_stop(&c);
    }
    conn_fini(&c);
}

static void test_callbacks_stop(void **state) {
    (void)state;
    static const int answers[] = {RT_ECLOSED, RT_AGAIN, RT_ENOMEM, 42};
    static const char length[] = POST "Content-Length: 1\r\n\r\nx" GET1;
    static const char chunked[] = CHUNKED "1\r\na\r\n1\r\nb\r\n0\r\n\r\n" GET1;
    for (size_t i = 0; i < 4; i++) {
        int with = answers[i];
        assert_stops((record){.stop_head = with}, GET1, with, 1, 0, 0);
        assert_stops((record){.stop_head = with}, length, with, 1, 0, 0);
        assert_stops((record){.stop_body = with}, length, with, 1, 1, 0);
        assert_stops((record){.stop_body = with}, chunked, with, 1, 1, 0);
        assert_stops((record){.stop_end = with}, GET1, with, 1, 0, 1);
        assert_stops((record){.stop_end = with}, length, with, 1, 1, 1);
        assert_stops((record){.stop_end = with}, chunked, with, 1, 2, 1);
        assert_stops((record){.stop_end = with}, LINE WS "\r\n", with, 1, 0, 1);
    }
}

static void test_no_bytes(void **state) {
    (void)state;
    conn c;
    size_t used = 1;
    conn_init(&c, 10);
    conn_start(&c);
    assert_int_equal(rt_http_feed(c.h, RT_EMPTY, &used), RT_AGAIN);
    assert_int_equal(used, 0);
    assert_false(rt_http_busy(c.h));
    conn_stop(&c);
    conn_fini(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_upgrade_leaves_the_rest),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_head_limit_counts_spaces),
        cmocka_unit_test(test_empty_lines_end_somewhere),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_target_limit),
        cmocka_unit_test(test_framing_limit),
        cmocka_unit_test(test_trailers_as_long_as_a_head),
        cmocka_unit_test(test_limit_starts_afresh),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_long_body),
        cmocka_unit_test(test_reading_a_head),
        cmocka_unit_test(test_idle_parser_is_small),
        cmocka_unit_test(test_freed_half_way),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_callbacks_stop),
        cmocka_unit_test(test_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
