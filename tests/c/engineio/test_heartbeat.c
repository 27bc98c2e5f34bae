/* engineio: pings and their deadlines, to the millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

#define INTERVAL RT_EIO_PING_INTERVAL_MS
#define TIMEOUT RT_EIO_PING_TIMEOUT_MS

static void ping_is_due_exactly(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_frames(c);
    fake_pass(&f, INTERVAL - 1);
    assert_string_equal(fake_frames(c), "");
    assert_int_equal(rt_timers_next(&f.timers, f.now), 1);
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(c), "2");
    fake_fini(&f);
}

static void missing_pong_ends_session(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_pass(&f, INTERVAL);
    fake_frames(c);
    fake_log(&f);
    fake_pass(&f, TIMEOUT - 1);
    assert_string_equal(fake_log(&f), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_log(&f), "close ping timeout");
    assert_string_equal(fake_frames(c), "close");
    assert_int_equal(c->closed, 1);
    assert_int_equal(fake_figures(&f).closed[RT_EIO_PING_TIMEOUT], 1);
    fake_fini(&f);
}

/* A timer that fires late does not move the end: the session is gone INTERVAL + TIMEOUT after its
 * handshake, as its client counts. */
static void late_ping_keeps_the_deadline(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_frames(c);
    fake_pass(&f, INTERVAL + 3);
    assert_string_equal(fake_frames(c), "2");
    fake_pass(&f, TIMEOUT - 4);
    assert_string_equal(fake_frames(c), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(c), "close");
    fake_fini(&f);
}

/* After a standstill the client still gets nine tenths of the time to answer. */
static void very_late_ping_leaves_time_to_answer(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_frames(c);
    fake_pass(&f, INTERVAL + TIMEOUT);
    assert_string_equal(fake_frames(c), "2");
    fake_pass(&f, TIMEOUT - TIMEOUT / RT_EIO_PING_LATE_PART - 1);
    assert_string_equal(fake_frames(c), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(c), "close");
    fake_fini(&f);
}

/* A late ping, counted from its deadline, does not stand behind an extension that was counted from
 * a later moment. */
static void late_ping_after_an_extension(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *first = fake_websocket(&f, NULL);
    fake_pass(&f, 2);
    fake_conn *second = fake_websocket(&f, NULL);
    fake_pass(&f, INTERVAL - 2);
    f.now += 3;
    fake_text_frame(first, "4a");
    fake_pass(&f, 0); /* the second one's ping, a millisecond late */
    fake_frames(first);
    fake_frames(second);
    fake_pass(&f, TIMEOUT - 1);
    assert_string_equal(fake_frames(first), "");
    assert_string_equal(fake_frames(second), "close");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(first), "close");
    fake_fini(&f);
}

static void pong_starts_the_interval(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_pass(&f, INTERVAL);
    fake_frames(c);
    fake_pass(&f, TIMEOUT - 1);
    fake_text_frame(c, "3");
    fake_pass(&f, INTERVAL - 1);
    assert_string_equal(fake_frames(c), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(c), "2");
    fake_fini(&f);
}

/* Any packet buys time, but only the first one after each ping. */
static void packet_extends_once(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_pass(&f, INTERVAL);
    fake_pass(&f, TIMEOUT - 1);
    fake_text_frame(c, "4a");
    fake_pass(&f, TIMEOUT - 1);
    fake_text_frame(c, "4b");
    assert_string_equal(fake_log(&f), "open|message a|message b");
    fake_pass(&f, 1);
    assert_string_equal(fake_log(&f), "close ping timeout");
    fake_fini(&f);
}

static void packet_without_ping_changes_nothing(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_websocket(&f, NULL);
    fake_frames(c);
    fake_pass(&f, INTERVAL - 1);
    fake_text_frame(c, "4a");
    fake_pass(&f, 1);
    assert_string_equal(fake_frames(c), "2");
    fake_fini(&f);
}

static void polling_ping_waits_in_queue(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_pass(&f, INTERVAL);
    fake_pass(&f, TIMEOUT - 1);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid); /* a poll alone is no sign of life */
    assert_string_equal(fake_body(c, "200"), "2");
    fake_pass(&f, 1);
    assert_string_equal(fake_log(&f), "close ping timeout");
    fake_fini(&f);
}

static void polling_pong(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *poll = fake_open(&f), *c = fake_open(&f);
    fake_poll(poll, sid);
    fake_pass(&f, INTERVAL);
    assert_string_equal(fake_body(poll, "200"), "2");
    fake_post(c, sid, "3");
    fake_poll(poll, sid);
    fake_pass(&f, INTERVAL - 1);
    assert_int_equal(poll->out.n, 0);
    fake_pass(&f, 1);
    assert_string_equal(fake_body(poll, "200"), "2");
    fake_fini(&f);
}

static void upgrade_restarts_pong_deadline(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_pass(&f, INTERVAL);
    fake_conn *ws = fake_websocket(&f, sid);
    fake_text_frame(ws, "2probe");
    fake_pass(&f, 1000);
    fake_text_frame(ws, "5");
    assert_string_equal(fake_frames(ws), "3probe|2"); /* the ping moved along */
    fake_pass(&f, TIMEOUT - 1);
    assert_string_equal(fake_log(&f), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_log(&f), "close ping timeout");
    fake_fini(&f);
}

/* A pong that we have not looked at yet counts, unless the client takes no answers. */
static void pong_that_waits_here(void **state) {
    (void)state;
    for (int takes = 0; takes < 2; takes++) {
        fake f;
        char frames[(RT_EIO_SLICE_PACKETS_MAX + 1) * 7];
        fake_init(&f, NULL);
        fake_conn *ws = fake_websocket(&f, NULL);
        fake_pass(&f, INTERVAL);
        fake_frames(ws);
        fake_log(&f);
        for (size_t at = 0; at < sizeof frames; at += 7)
            memcpy(frames + at, (char[]){(char)0x81, (char)0x81, 0, 0, 0, 0, '6'}, 7);
        frames[sizeof frames - 1] = '3';
        size_t used = rt_eio_websocket_bytes(f.eio, &ws->port, frames, sizeof frames);
        assert_int_equal(used, sizeof frames - 7);
        if (!takes)
            fake_say(f.session, "4that it leaves unread");
        fake_pass(&f, 2 * TIMEOUT);
        assert_string_equal(fake_log(&f), takes ? "" : "close ping timeout");
        assert_int_equal(rt_eio_websocket_bytes(f.eio, &ws->port, frames + used, 7), 7);
        fake_pass(&f, INTERVAL - 1);
        assert_string_equal(fake_frames(ws), takes ? "" : "4that it leaves unread|close");
        fake_fini(&f);
    }
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ping_is_due_exactly, leaks),
        cmocka_unit_test_teardown(missing_pong_ends_session, leaks),
        cmocka_unit_test_teardown(late_ping_keeps_the_deadline, leaks),
        cmocka_unit_test_teardown(very_late_ping_leaves_time_to_answer, leaks),
        cmocka_unit_test_teardown(late_ping_after_an_extension, leaks),
        cmocka_unit_test_teardown(pong_starts_the_interval, leaks),
        cmocka_unit_test_teardown(packet_extends_once, leaks),
        cmocka_unit_test_teardown(packet_without_ping_changes_nothing, leaks),
        cmocka_unit_test_teardown(polling_ping_waits_in_queue, leaks),
        cmocka_unit_test_teardown(polling_pong, leaks),
        cmocka_unit_test_teardown(upgrade_restarts_pong_deadline, leaks),
        cmocka_unit_test_teardown(pong_that_waits_here, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
