/* wire/ws.c: the RFC 6455 cases of ws_cases.h in every split, then what a table cannot say: no
 * copy, failing early, callbacks that stop, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"
#include "wire/ws.h"
#include "wire/ws_cases.h"

#include <stdio.h>
#include <stdlib.h>

#define SPLIT_ALL 1024 /* cases up to this many bytes are cut at every point */

/* --- recording what the parser says --- */

typedef struct record {
    rt_buf log;          /* kind, code, length and payload of each event */
    const char *payload; /* of the last event */
    int events;
    int stop_at; /* the event that answers `stop_with`; 0: none */
    int stop_with;
    rt_ws *fini; /* freed from inside the stopping callback */
} record;

static int note(record *r, char kind, unsigned code, rt_slice payload) {
    r->payload = payload.p;
    rt_buf_printf(&r->log, "%c%u:%zu:", kind, code, payload.n);
    rt_buf_puts(&r->log, payload);
    if (++r->events != r->stop_at)
        return RT_OK;
    if (r->fini)
        rt_ws_fini(r->fini);
    return r->stop_with;
}

static int on_message(void *arg, bool binary, rt_slice bytes) {
    return note(arg, binary ? 'b' : 't', 0, bytes);
}

static int on_ping(void *arg, rt_slice payload) {
    return note(arg, 'p', 0, payload);
}

static int on_pong(void *arg, rt_slice payload) {
    return note(arg, 'o', 0, payload);
}

static int on_close(void *arg, uint16_t code, rt_slice reason) {
    return note(arg, 'c', code, reason);
}

static const rt_ws_events events = {on_message, on_ping, on_pong, on_close};

static void expected_log(const ws_case *c, rt_buf *log) {
    for (unsigned i = 0; i < WS_CASE_EVENTS && c->out[i].kind; i++) {
        const ws_event *e = &c->out[i];
        rt_buf_printf(log, "%c%u:%zu:", e->kind, e->code, e->n * e->repeat);
        for (size_t times = 0; times < e->repeat; times++)
            rt_buf_put(log, e->payload, e->n);
    }
    assert_int_equal(log->err, RT_OK);
}

static int expected_status(const ws_case *c) {
    switch (c->close_code) {
    case 1002:
        return RT_EWS_PROTOCOL;
    case 1007:
        return RT_EWS_UTF8;
    case 1009:
        return RT_EWS_TOO_BIG;
    default:
        return RT_OK;
    }
}

/* --- the table --- */

typedef struct bench {
    const ws_case *c;
    uint8_t *bytes;
    size_t n;
    rt_buf expected;
    rt_guard guard;
} bench;

static void check(const bench *b, const record *r, int rc, const char *split, size_t at) {
    rt_slice got = rt_buf_slice(&r->log);
    if (rc == expected_status(b->c) && rt_slice_eq(got, rt_buf_slice(&b->expected)))
        return;
    fail_msg("case \"%s\", %s %zu: status %d, %zu bytes of events \"%.*s\" instead of \"%.*s\"",
             b->c->name, split, at, rc, got.n, (int)(got.n < 80 ? got.n : 80), got.p,
             (int)(b->expected.n < 80 ? b->expected.n : 80), b->expected.p);
}

/* One piece, in memory that ends at an unreadable page and is the parser's to write to. */
static int feed_piece(bench *b, rt_ws *ws, record *r, size_t from, size_t n) {
    char *piece = rt_guard_tail_ptr(&b->guard, b->bytes + from, n);
    return rt_ws_feed(ws, piece, n, &events, r);
}

static void run_cut(bench *b, size_t cut) {
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    rt_ws_init(&ws, WS_CASE_LIMIT);
    int rc = feed_piece(b, &ws, &r, 0, cut);
    if (rc == RT_OK)
        rc = feed_piece(b, &ws, &r, cut, b->n - cut);
    check(b, &r, rc, "cut at", cut);
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
}

static void run_pieces(bench *b, size_t piece) {
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    int rc = RT_OK;
    rt_ws_init(&ws, WS_CASE_LIMIT);
    for (size_t at = 0; at < b->n && rc == RT_OK; at += piece)
        rc = feed_piece(b, &ws, &r, at, b->n - at < piece ? b->n - at : piece);
    check(b, &r, rc, "pieces of", piece);
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
}

static void run_case(const ws_case *c) {
    bench b = {.c = c, .expected = RT_BUF_INIT};
    long live = rt_alloc_live();
    b.n = ws_case_bytes(c, NULL);
    b.bytes = malloc(b.n + 1);
    assert_non_null(b.bytes);
    assert_int_equal(ws_case_bytes(c, b.bytes), b.n);
    expected_log(c, &b.expected);
    rt_guard_init(&b.guard, b.n);
    for (size_t cut = 0; cut <= b.n; cut++)
        if (b.n <= SPLIT_ALL || cut < 40 || b.n - cut < 8 || cut % 9973 == 0)
            run_cut(&b, cut);
    static const size_t pieces[] = {1, 2, 3, 7, 64, 4096, 65536};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        run_pieces(&b, pieces[i]);
    rt_guard_fini(&b.guard);
    rt_buf_fini(&b.expected);
    free(b.bytes);
    assert_int_equal(rt_alloc_live(), live);
}

static void test_cases(void **state) {
    (void)state;
    assert_true(WS_CASE_COUNT >= 150);
    for (size_t i = 0; i < WS_CASE_COUNT; i++)
        run_case(&ws_cases[i]);
}

static void test_cases_have_their_own_names(void **state) {
    (void)state;
    for (size_t i = 0; i < WS_CASE_COUNT; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(ws_cases[i].name, ws_cases[j].name) == 0)
                fail_msg("two cases are called \"%s\"", ws_cases[i].name);
}

/* The status of a case says the close code that the case demands. */
static void test_close_codes(void **state) {
    (void)state;
    for (size_t i = 0; i < WS_CASE_COUNT; i++)
        if (ws_cases[i].close_code)
            assert_int_equal(rt_ws_close_code(expected_status(&ws_cases[i])),
                             ws_cases[i].close_code);
    assert_int_equal(rt_ws_close_code(RT_ENOMEM), 1011);
    assert_int_equal(rt_ws_close_code(RT_OK), 1000);
    assert_int_equal(rt_ws_close_code(RT_ECLOSED), 1000);
}

/* --- how early it fails: the bytes up to `at` are fine, the one there is not --- */

static void assert_fails_at(const char *bytes, size_t n, size_t at, int status) {
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    char copy[64];
    assert_true(n <= sizeof copy && at < n);
    memcpy(copy, bytes, n);
    rt_ws_init(&ws, WS_CASE_LIMIT);
    for (size_t i = 0; i < at; i++)
        assert_int_equal(rt_ws_feed(&ws, copy + i, 1, &events, &r), RT_OK);
    assert_int_equal(rt_ws_feed(&ws, copy + at, 1, &events, &r), status);
    assert_int_equal(r.events, 0);
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
}

#define FAILS_AT(bytes, at, status) assert_fails_at(bytes, sizeof(bytes) - 1, at, status)

static void test_fails_early(void **state) {
    (void)state;
    FAILS_AT("\xc1", 0, RT_EWS_PROTOCOL);                        /* RSV1 */
    FAILS_AT("\x83", 0, RT_EWS_PROTOCOL);                        /* opcode */
    FAILS_AT("\x80", 0, RT_EWS_PROTOCOL);                        /* nothing to continue */
    FAILS_AT("\x09", 0, RT_EWS_PROTOCOL);                        /* ping without FIN */
    FAILS_AT("\x81\x05", 1, RT_EWS_PROTOCOL);                    /* no mask */
    FAILS_AT("\x89\xfe", 1, RT_EWS_PROTOCOL);                    /* long ping */
    FAILS_AT("\x88\x81", 1, RT_EWS_PROTOCOL);                    /* half a close code */
    FAILS_AT("\x81\xfe\x00\x7d", 3, RT_EWS_PROTOCOL);            /* 125 in 16 bits */
    FAILS_AT("\x81\xff\0\0\0\0\0\1\x86\xa1", 9, RT_EWS_TOO_BIG); /* 100001 */
    FAILS_AT("\x81\x8a\0\0\0\0ab\xff", 8, RT_EWS_UTF8);          /* 10 bytes announced */
    FAILS_AT("\x01\x84\0\0\0\0ab\xe2\x82\x80\x81\0\0\0\0a", 16, RT_EWS_UTF8);
}

/* --- copies and memory --- */

static void test_whole_message_is_not_copied(void **state) {
    (void)state;
    char bytes[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* "Hello" */
                   "\x89\x82\0\0\0\0hi"
                   "\x01\x80\0\0\0\0" /* an empty fragment need not be kept */
                   "\x80\x83\0\0\0\0abc";
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    assert_int_equal(rt_buf_reserve(&r.log, 256), RT_OK);
    rt_ws_init(&ws, 1000);
    rt_alloc_fail_at(0);
    assert_int_equal(rt_ws_feed(&ws, bytes, 11, &events, &r), RT_OK);
    assert_ptr_equal(r.payload, bytes + 6);
    assert_int_equal(rt_ws_feed(&ws, bytes + 11, 8, &events, &r), RT_OK);
    assert_ptr_equal(r.payload, bytes + 17);
    assert_int_equal(rt_ws_feed(&ws, bytes + 19, sizeof bytes - 1 - 19, &events, &r), RT_OK);
    assert_ptr_equal(r.payload, bytes + sizeof bytes - 1 - 3);
    assert_int_equal(rt_alloc_count(), 0);
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
}

static void test_memory_goes_with_the_message(void **state) {
    (void)state;
    char fragment[] = "\x01\x82\0\0\0\0ab";
    char half_ping[] = "\x89\x84\0\0\0\0hi";
    char rest_of_ping[] = "yo";
    char last[] = "\x80\x82\0\0\0\0"
                  "cd";
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    assert_int_equal(rt_buf_reserve(&r.log, 256), RT_OK);
    long live = rt_alloc_live();
    rt_ws_init(&ws, 1000);
    assert_int_equal(rt_ws_feed(&ws, fragment, sizeof fragment - 1, &events, &r), RT_OK);
    assert_int_equal(rt_ws_feed(&ws, half_ping, sizeof half_ping - 1, &events, &r), RT_OK);
    assert_int_equal(rt_alloc_live(), live + 3);
    assert_int_equal(rt_ws_feed(&ws, rest_of_ping, 2, &events, &r), RT_OK);
    assert_int_equal(rt_alloc_live(), live + 2);
    assert_int_equal(rt_ws_feed(&ws, last, sizeof last - 1, &events, &r), RT_OK);
    assert_int_equal(rt_alloc_live(), live);
    assert_true(rt_slice_eq(rt_buf_slice(&r.log), RT_LIT("p0:4:hiyot0:4:abcd")));
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
}

static void test_announced_bytes_take_no_memory(void **state) {
    (void)state;
    char header[] = "\x82\xff\0\0\0\0\x3b\x9a\xca\x00\1\2\3\4x"; /* 1e9 bytes, one is here */
    rt_ws ws;
    rt_ws_init(&ws, UINT32_MAX);
    assert_int_equal(rt_ws_feed(&ws, header, sizeof header - 1, &events, NULL), RT_OK);
    assert_true(ws.message->cap < 1000);
    rt_ws_fini(&ws);
    assert_null(ws.message);
}

static int split_everything(void *arg) {
    (void)arg;
    char bytes[] = "\x01\x83\0\0\0\0abc\x89\x84\0\0\0\0ping\x80\x83\0\0\0\0"
                   "def\x88\x82\0\0\0\0\x03\xe8";
    rt_ws ws;
    record r = {.log = RT_BUF_INIT};
    int rc = rt_buf_reserve(&r.log, 256);
    rt_ws_init(&ws, 1000);
    for (size_t i = 0; i < sizeof bytes - 1 && rc == RT_OK; i++)
        rc = rt_ws_feed(&ws, bytes + i, 1, &events, &r);
    if (rc == RT_OK)
        assert_true(rt_slice_eq(rt_buf_slice(&r.log), RT_LIT("p0:4:pingt0:6:abcdefc1000:0:")));
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(split_everything, NULL) >= 5);
}

/* --- callbacks that stop --- */

static void stop_in(int event, int with, size_t piece, bool fini) {
    char bytes[] = "\x01\x81\0\0\0\0a\x89\x81\0\0\0\0p\x80\x81\0\0\0\0b\x8a\x81\0\0\0\0o"
                   "\x82\x81\0\0\0\0c\x88\x82\0\0\0\0\x03\xe8";
    static const char *const log[] = {"", "p0:1:p", "t0:2:ab", "o0:1:o", "b0:1:c", "c1000:0:"};
    rt_ws ws;
    record r = {.log = RT_BUF_INIT, .stop_at = event, .stop_with = with, .fini = fini ? &ws : NULL};
    rt_buf expected = RT_BUF_INIT;
    int rc = RT_OK;
    rt_ws_init(&ws, 1000);
    for (size_t at = 0; at < sizeof bytes - 1 && rc == RT_OK; at += piece) {
        size_t left = sizeof bytes - 1 - at;
        rc = rt_ws_feed(&ws, bytes + at, left < piece ? left : piece, &events, &r);
    }
    assert_int_equal(rc, with);
    for (int i = 1; i <= event; i++)
        rt_buf_puts(&expected, rt_slice_of(log[i]));
    assert_true(rt_slice_eq(rt_buf_slice(&r.log), rt_buf_slice(&expected)));
    rt_ws_fini(&ws);
    rt_buf_fini(&r.log);
    rt_buf_fini(&expected);
}

static void test_callbacks_stop(void **state) {
    (void)state;
    static const int answers[] = {RT_ECLOSED, RT_AGAIN, RT_ENOMEM, 42};
    long live = rt_alloc_live();
    for (int event = 1; event <= 5; event++)
        for (size_t i = 0; i < 4; i++)
            for (size_t piece = 1; piece < 60; piece++) {
                stop_in(event, answers[i], piece, false);
                stop_in(event, answers[i], piece, true);
            }
    assert_int_equal(rt_alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cases_have_their_own_names),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_fails_early),
        cmocka_unit_test(test_whole_message_is_not_copied),
        cmocka_unit_test(test_memory_goes_with_the_message),
        cmocka_unit_test(test_announced_bytes_take_no_memory),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_callbacks_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
