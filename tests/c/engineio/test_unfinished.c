/* Messages and bodies that come in part and go no further. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

#define HALF_MESSAGE 20000

static void begin(fake *f) {
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.max_unfinished = 100000;
    opts.ping_interval_ms = 1000000000;
    fake_init(f, &opts);
}

/* A message of twice so many bytes, as far as its middle. */
static void say_half(fake_conn *c) {
    static char bytes[8 + HALF_MESSAGE];
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\x82\xfe\x9c\x40", 4);
    rt_eio_websocket_bytes(c->f->eio, &c->port, bytes, sizeof bytes);
}

static void say_rest(fake_conn *c) {
    static char bytes[HALF_MESSAGE];
    memset(bytes, 0, sizeof bytes);
    rt_eio_websocket_bytes(c->f->eio, &c->port, bytes, sizeof bytes);
}

static void post_half(fake_conn *c, const char *sid) {
    char head[300];
    static char body[HALF_MESSAGE];
    snprintf(head, sizeof head,
             "POST " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", sid,
             2 * HALF_MESSAGE);
    memset(body, '4', sizeof body);
    fake_request(c, head);
    fake_feed(c, body, sizeof body);
}

static void websockets_are_bounded(void **state) {
    (void)state;
    fake f;
    fake_conn *c[20];
    begin(&f);
    for (int i = 0; i < 20; i++) {
        c[i] = fake_websocket(&f, NULL);
        fake_frames(c[i]);
        say_half(c[i]);
        fake_turn(&f);
        assert_in_range(fake_figures(&f).unfinished_bytes, HALF_MESSAGE, 100000);
    }
    assert_string_equal(fake_frames(c[0]), "close 1013");
    assert_string_equal(fake_frames(c[19]), "");
    uint64_t over = fake_figures(&f).counters.v[RT_EIO_UNFINISHED_OVER_MAX];
    assert_in_range(over, 15, 18);
    assert_int_equal(fake_figures(&f).closed[RT_EIO_TRANSPORT_ERROR], over);
    say_rest(c[19]);
    fake_turn(&f);
    assert_int_equal(fake_figures(&f).sessions, 20 - over);
    fake_fini(&f);
}

static void whole_messages_are_free(void **state) {
    (void)state;
    fake f;
    begin(&f);
    fake_conn *c = fake_websocket(&f, NULL);
    for (int i = 0; i < 100; i++) {
        say_half(c);
        assert_true(fake_figures(&f).unfinished_bytes > HALF_MESSAGE);
        say_rest(c);
        assert_int_equal(fake_figures(&f).unfinished_bytes, 0);
    }
    fake_turn(&f);
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void the_rest_must_come_in_time(void **state) {
    (void)state;
    fake f;
    begin(&f);
    fake_conn *slow = fake_websocket(&f, NULL), *whole = fake_websocket(&f, NULL);
    fake_frames(slow);
    fake_frames(whole);
    say_half(slow);
    fake_pass(&f, RT_EIO_UNFINISHED_TIMEOUT_MS - 1);
    assert_string_equal(fake_frames(slow), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(slow), "close 1013");
    assert_string_equal(fake_frames(whole), "");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UNFINISHED_LATE], 1);
    assert_int_equal(fake_figures(&f).unfinished_bytes, 0);
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void bodies_are_bounded(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_conn *c[20];
    begin(&f);
    for (int i = 0; i < 20; i++) {
        fake_handshake(&f, sid);
        c[i] = fake_open(&f);
        post_half(c[i], sid);
        fake_turn(&f);
        assert_in_range(fake_figures(&f).unfinished_bytes, HALF_MESSAGE, 100000);
    }
    assert_int_equal(c[0]->closed, 1);
    assert_int_equal(c[19]->closed, 0);
    assert_in_range(fake_figures(&f).counters.v[RT_EIO_UNFINISHED_OVER_MAX], 15, 18);
    fake_fini(&f);
}

/* A probe is no session's transport yet: the session polls on. */
static void half_a_probe(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    begin(&f);
    fake_handshake(&f, sid);
    fake_conn *c = fake_websocket(&f, sid);
    say_half(c);
    for (int i = 0; i < 6; i++)
        say_half(fake_websocket(&f, NULL));
    fake_turn(&f);
    assert_string_equal(fake_frames(c), "close 1013");
    fake_conn *post = fake_open(&f);
    fake_post(post, sid, "4x");
    assert_string_equal(fake_body(post, "200"), "ok");
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(websockets_are_bounded, leaks),
        cmocka_unit_test_teardown(whole_messages_are_free, leaks),
        cmocka_unit_test_teardown(the_rest_must_come_in_time, leaks),
        cmocka_unit_test_teardown(bodies_are_bounded, leaks),
        cmocka_unit_test_teardown(half_a_probe, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
