/* Sessions that are not let in yet: how many there may be, and who makes room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

static void begin(fake *f, uint32_t max, uint32_t max_bytes) {
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.max_newcomers = max;
    opts.max_newcomer_bytes = max_bytes;
    fake_init(f, &opts);
}

/* What a poll of the session is answered with. */
static bool is_there(fake *f, const char *sid) {
    fake_conn *c = fake_open(f);
    fake_post(c, sid, "3");
    return strncmp(fake_sent(c), "HTTP/1.1 200", 12) == 0;
}

static void the_oldest_makes_room(void **state) {
    (void)state;
    fake f;
    char sid[4][RT_ID_LEN + 1];
    begin(&f, 3, RT_EIO_NEWCOMER_BYTES_MAX);
    for (int i = 0; i < 3; i++)
        fake_handshake(&f, sid[i]);
    assert_int_equal(fake_figures(&f).newcomers, 3);
    fake_get(fake_open(&f), FAKE_POLLING);
    assert_string_equal(fake_log(&f), "close crowded out|open");
    assert_false(is_there(&f, sid[0]));
    assert_true(is_there(&f, sid[1]));
    assert_int_equal(fake_figures(&f).newcomers, 3);
    assert_int_equal(fake_figures(&f).closed[RT_EIO_CROWDED_OUT], 1);
    fake_fini(&f);
}

static void who_has_spoken_goes_last(void **state) {
    (void)state;
    fake f;
    char sid[4][RT_ID_LEN + 1];
    begin(&f, 2, RT_EIO_NEWCOMER_BYTES_MAX);
    fake_handshake(&f, sid[0]);
    fake_post(fake_open(&f), sid[0], "4hello");
    fake_handshake(&f, sid[1]);
    fake_handshake(&f, sid[2]);
    assert_true(is_there(&f, sid[0]));
    assert_false(is_there(&f, sid[1]));
    fake_post(fake_open(&f), sid[2], "bAAAA"); /* binary counts, too */
    fake_handshake(&f, sid[3]);
    assert_false(is_there(&f, sid[0])); /* all have spoken */
    assert_true(is_there(&f, sid[2]));
    fake_fini(&f);
}

static void who_is_let_in_never_goes(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], other[RT_ID_LEN + 1];
    begin(&f, 1, RT_EIO_NEWCOMER_BYTES_MAX);
    rt_eio_drop_handshake(fake_handshake(&f, sid));
    assert_int_equal(fake_figures(&f).newcomers, 0);
    assert_int_equal(fake_figures(&f).newcomer_bytes, 0);
    for (int i = 0; i < 5; i++)
        fake_handshake(&f, other);
    assert_true(is_there(&f, sid));
    assert_int_equal(fake_figures(&f).sessions, 2);
    fake_fini(&f);
}

static void bytes_are_bounded(void **state) {
    (void)state;
    fake f;
    char text[9000], padding[8000];
    begin(&f, RT_EIO_NEWCOMERS_MAX, 100000);
    memset(padding, 'x', sizeof padding);
    snprintf(text, sizeof text, "GET " FAKE_POLLING " HTTP/1.1\r\nHost: x\r\nA: %.*s\r\n\r\n",
             (int)sizeof padding, padding);
    fake_conn *c = fake_open(&f);
    for (int i = 0; i < 100; i++)
        fake_request(c, text);
    assert_in_range(fake_figures(&f).newcomers, 11, 12);
    assert_in_range(fake_figures(&f).newcomer_bytes, 88000, 110000);
    assert_int_equal(fake_figures(&f).closed[RT_EIO_CROWDED_OUT], 100 - fake_figures(&f).newcomers);
    fake_fini(&f);
}

/* Some clients stay away after a `1`, so the poll breaks off. */
static void its_client_comes_back(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], other[RT_ID_LEN + 1];
    begin(&f, 1, RT_EIO_NEWCOMER_BYTES_MAX);
    fake_handshake(&f, sid);
    fake_conn *poll = fake_open(&f);
    fake_poll(poll, sid);
    fake_handshake(&f, other);
    assert_string_equal(fake_sent(poll), "");
    assert_int_equal(poll->closed, 1);
    fake_conn *websocket = fake_websocket(&f, NULL);
    fake_frames(websocket);
    fake_handshake(&f, other);
    assert_string_equal(fake_frames(websocket), "close");
    fake_fini(&f);
}

/* A session that drains is still somebody who was never let in. */
static void those_that_close_count(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], other[RT_ID_LEN + 1];
    begin(&f, 1, RT_EIO_NEWCOMER_BYTES_MAX);
    rt_eio_close(fake_handshake(&f, sid), RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_log(&f), "close forced close");
    assert_int_equal(fake_figures(&f).newcomers, 1);
    fake_handshake(&f, other);
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void limits_change(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    begin(&f, 10, RT_EIO_NEWCOMER_BYTES_MAX);
    for (int i = 0; i < 10; i++)
        fake_handshake(&f, sid);
    rt_eio_set_newcomers(f.eio, 2, RT_EIO_NEWCOMER_BYTES_MAX);
    fake_handshake(&f, sid);
    assert_int_equal(fake_figures(&f).newcomers, 2);
    rt_eio_set_newcomers(f.eio, 10, 1);
    fake_handshake(&f, sid);
    assert_int_equal(fake_figures(&f).newcomers, 1); /* one there may always be */
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_oldest_makes_room, leaks),
        cmocka_unit_test_teardown(who_has_spoken_goes_last, leaks),
        cmocka_unit_test_teardown(who_is_let_in_never_goes, leaks),
        cmocka_unit_test_teardown(bytes_are_bounded, leaks),
        cmocka_unit_test_teardown(its_client_comes_back, leaks),
        cmocka_unit_test_teardown(those_that_close_count, leaks),
        cmocka_unit_test_teardown(limits_change, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
