/* engineio/polling.c: the queue, polls answered at the end of the turn, posts, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

#define RS "\x1e"

static void queue_waits_for_poll(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, "4one");
    fake_say(s, "4two");
    assert_true(rt_eio_has_pending(f.eio));
    fake_turn(&f);
    assert_false(rt_eio_has_pending(f.eio));
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    assert_string_equal(fake_sent(c), "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8"
                                      "\r\ncache-control: no-store\r\nContent-Length: 9\r\n"
                                      "Connection: keep-alive\r\n\r\n4one" RS "4two");
    assert_int_equal(c->finished, 1);
    assert_true(c->keep_alive);
    fake_fini(&f);
}

static void poll_answered_at_flush(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    assert_int_equal(fake_figures(&f).pending_polls, 1);
    fake_say(s, "4one");
    fake_say(s, "4two");
    assert_int_equal(c->out.n, 0);
    fake_turn(&f);
    assert_string_equal(fake_body(c, "200"), "4one" RS "4two");
    assert_int_equal(fake_figures(&f).pending_polls, 0);
    fake_poll(c, sid); /* the next one waits again, on the same connection */
    fake_turn(&f);
    assert_int_equal(c->out.n, 0);
    assert_int_equal(c->finished, 1);
    fake_fini(&f);
}

static void shared_message_has_one_payload(void **state) {
    (void)state;
    fake f;
    char a[RT_ID_LEN + 1], b[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *sa = fake_handshake(&f, a), *sb = fake_handshake(&f, b);
    fake_conn *ca = fake_open(&f), *cb = fake_open(&f);
    fake_poll(ca, a);
    fake_poll(cb, b);
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, RT_LIT("4all"));
    rt_eio_send(sa, m);
    rt_eio_send(sb, m);
    rt_msg_rele(m);
    fake_turn(&f);
    assert_string_equal(fake_body(ca, "200"), "4all");
    assert_string_equal(fake_body(cb, "200"), "4all");
    fake_fini(&f);
}

static void binary_is_base64(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, RT_LIT("\x01\x02\x03\x04"));
    rt_eio_send(s, m);
    rt_msg_rele(m);
    fake_say(s, "4x");
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    assert_string_equal(fake_body(c, "200"), "bAQIDBA==" RS "4x");
    fake_post(c, sid, "bAQIDBA==");
    assert_string_equal(fake_body(c, "200"), "ok");
    assert_string_equal(fake_log(&f), "binary \x01\x02\x03\x04");
    fake_post(c, sid, "b!!!!");
    assert_string_equal(fake_log(&f), "close parse error");
    fake_fini(&f);
}

static void post_is_split(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_post(c, sid, "4one" RS "4" RS "6" RS "4\xe2\x82\xac");
    assert_string_equal(fake_log(&f), "message one|message |message \xe2\x82\xac");
    assert_string_equal(fake_sent(c),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncache-control: no-store\r\n"
                        "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
    fake_fini(&f);
}

static void bad_packets_end_session(void **state) {
    (void)state;
    static const char *const bodies[] = {"x", "4a" RS, RS "4a", "7", "4\xff", ""};
    static const char *const logs[] = {"close parse error", "message a|close parse error",
                                       "close parse error", "close parse error",
                                       "close parse error", "close parse error"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        fake f;
        char sid[RT_ID_LEN + 1];
        fake_init(&f, NULL);
        fake_handshake(&f, sid);
        fake_conn *poll = fake_open(&f), *c = fake_open(&f);
        fake_poll(poll, sid);
        fake_post(c, sid, bodies[i]);
        assert_string_equal(fake_log(&f), logs[i]);
        assert_string_equal(fake_body(poll, "200"), "1");
        fake_fini(&f);
    }
}

static void client_ping_is_an_error(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_post(fake_open(&f), sid, "2" RS "4never");
    assert_string_equal(fake_log(&f), "close transport error");
    fake_fini(&f);
}

static void client_closes(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *poll = fake_open(&f), *c = fake_open(&f);
    fake_poll(poll, sid);
    fake_post(c, sid, "1" RS "4never");
    assert_string_equal(fake_log(&f), "close transport close");
    assert_string_equal(fake_body(poll, "200"), "6");
    assert_string_equal(fake_body(c, "200"), "ok");
    fake_fini(&f);
}

static void overlapping_gets(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *first = fake_open(&f), *second = fake_open(&f);
    fake_poll(first, sid);
    fake_poll(second, sid);
    assert_string_equal(fake_body(second, "400"), "");
    assert_string_equal(fake_body(first, "200"), "1");
    assert_string_equal(fake_log(&f), "close transport error");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_REFUSED_OVERLAP], 1);
    fake_fini(&f);
}

static void overlapping_posts(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], head[256];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *first = fake_open(&f), *second = fake_open(&f);
    snprintf(head, sizeof head,
             "POST " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n4", sid);
    fake_request(first, head);
    fake_post(second, sid, "4b");
    assert_string_equal(fake_body(second, "400"), "");
    assert_false(second->keep_alive); /* answered before it was read whole */
    assert_int_equal(first->closed, 1);
    assert_false(first->flushed);
    assert_string_equal(fake_log(&f), "close transport error");
    fake_fini(&f);
}

static void too_big(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    char sid[RT_ID_LEN + 1];
    rt_eio_opts_default(&opts);
    opts.max_payload = 8;
    fake_init(&f, &opts);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_post(c, sid, "41234567");
    assert_string_equal(fake_body(c, "200"), "ok");
    fake_post(c, sid, "412345678");
    assert_string_equal(fake_body(c, "413"), "");
    assert_false(c->keep_alive);
    assert_string_equal(fake_log(&f), "message 1234567");
    fake_conn *again = fake_open(&f);
    fake_post(again, sid, "4still"); /* the session lives on */
    assert_string_equal(fake_log(&f), "message still");
    fake_fini(&f);
}

static void octet_stream_is_refused(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], text[512];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    snprintf(text, sizeof text,
             "POST " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
             "Content-Type: application/octet-stream\r\n\r\n4a",
             sid);
    fake_request(c, text);
    assert_string_equal(fake_body(c, "400"), "");
    assert_string_equal(fake_log(&f), "");
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void close_with_waiting_poll(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    rt_eio_close(s, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_log(&f), "close forced close");
    assert_string_equal(fake_body(c, "200"), "1");
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_fini(&f);
}

/* The events have left the queue with an answer that did not go out: nobody will hear of them. */
static void lost_answer_ends_session(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    fake_say(s, "4lost");
    c->refuses = true;
    fake_turn(&f);
    assert_string_equal(fake_log(&f), "close out of memory");
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_fini(&f);
}

static void shutdown_breaks_polls_off(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    rt_eio_close_all(f.eio, RT_EIO_SERVER_SHUTDOWN);
    assert_string_equal(fake_sent(c), "");
    assert_int_equal(c->closed, 1);
    assert_int_equal(fake_figures(&f).pending_polls, 0);
    assert_string_equal(fake_log(&f), "close server shutting down");
    fake_fini(&f);
}

static void close_drains(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, "4last");
    rt_eio_close(s, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_log(&f), "close forced close");
    fake_say(s, "4dropped");
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    assert_string_equal(fake_body(c, "200"), "4last");
    fake_post(c, sid, "4late");
    assert_string_equal(fake_body(c, "200"), "ok");
    fake_poll(c, sid);
    assert_string_equal(fake_body(c, "200"), "6" RS "1");
    fake_poll(c, sid);
    assert_string_equal(fake_body(c, "400"), "{\"code\":1,\"message\":\"Session ID unknown\"}");
    assert_string_equal(fake_log(&f), "");
    fake_fini(&f);
}

static void drain_has_a_deadline(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_close(fake_handshake(&f, sid), RT_EIO_FORCED_CLOSE);
    fake_pass(&f, RT_EIO_DRAIN_MS - 1);
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_pass(&f, 1);
    assert_int_equal(fake_figures(&f).sessions, 0);
    assert_string_equal(fake_log(&f), "close forced close");
    fake_fini(&f);
}

static void gone_poll_ends_session(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_poll(c, sid);
    rt_eio_port_closed(f.eio, &c->port, false);
    assert_string_equal(fake_log(&f), "close transport error");
    assert_int_equal(fake_figures(&f).pending_polls, 0);
    fake_fini(&f);
}

static void slow_client_is_closed(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    char sid[RT_ID_LEN + 1];
    rt_eio_opts_default(&opts);
    opts.max_owed = 60;
    fake_init(&f, &opts);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, "4123"); /* six bytes with the frame's head, and RT_OUTQ_ENTRY */
    fake_turn(&f);
    assert_string_equal(fake_log(&f), "");
    fake_say(s, "4123");
    fake_turn(&f);
    assert_string_equal(fake_log(&f), "close slow client");
    fake_fini(&f);
}

static void new_limit_counts_for_open_sessions(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, "4123");
    fake_turn(&f);
    rt_eio_set_max_owed(f.eio, 60);
    fake_say(s, "4123");
    fake_turn(&f);
    assert_string_equal(fake_log(&f), "close slow client");
    fake_fini(&f);
}

static void close_inside_message(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    f.close_on_message = true;
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_post(c, sid, "4a" RS "4b");
    assert_string_equal(fake_log(&f), "message a|close forced close");
    assert_string_equal(fake_body(c, "200"), "ok");
    fake_fini(&f);
}

/* Packets of a POST that are over the rate wait, and so does its answer; the session lives on. */
static void a_post_is_paced(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    char sid[RT_ID_LEN + 1];
    rt_eio_opts_default(&opts);
    opts.packets_per_second = 1;
    fake_init(&f, &opts);
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    fake_post(c, sid, "4a" RS "4b" RS "4c" RS "4d" RS "4e" RS "4f");
    assert_string_equal(fake_log(&f), "message a|message b|message c|message d|message e");
    fake_pass(&f, 999);
    assert_string_equal(fake_log(&f), "");
    fake_pass(&f, 1);
    assert_string_equal(fake_log(&f), "message f");
    assert_string_equal(fake_sent(c), "");
    fake_pass(&f, 1000);
    assert_string_equal(fake_body(c, "200"), "ok");
    assert_int_equal(f.paced, 2);
    fake_post(c, sid, "4g" RS "4h");
    assert_string_equal(fake_log(&f), "message g");
    rt_eio_close(f.session, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_log(&f), "close forced close");
    fake_pass(&f, 1000);
    assert_string_equal(fake_log(&f), "");
    assert_string_equal(fake_body(c, "200"), "ok");
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(queue_waits_for_poll, leaks),
        cmocka_unit_test_teardown(poll_answered_at_flush, leaks),
        cmocka_unit_test_teardown(shared_message_has_one_payload, leaks),
        cmocka_unit_test_teardown(binary_is_base64, leaks),
        cmocka_unit_test_teardown(post_is_split, leaks),
        cmocka_unit_test_teardown(bad_packets_end_session, leaks),
        cmocka_unit_test_teardown(client_ping_is_an_error, leaks),
        cmocka_unit_test_teardown(client_closes, leaks),
        cmocka_unit_test_teardown(overlapping_gets, leaks),
        cmocka_unit_test_teardown(overlapping_posts, leaks),
        cmocka_unit_test_teardown(too_big, leaks),
        cmocka_unit_test_teardown(octet_stream_is_refused, leaks),
        cmocka_unit_test_teardown(close_with_waiting_poll, leaks),
        cmocka_unit_test_teardown(lost_answer_ends_session, leaks),
        cmocka_unit_test_teardown(shutdown_breaks_polls_off, leaks),
        cmocka_unit_test_teardown(close_drains, leaks),
        cmocka_unit_test_teardown(drain_has_a_deadline, leaks),
        cmocka_unit_test_teardown(gone_poll_ends_session, leaks),
        cmocka_unit_test_teardown(slow_client_is_closed, leaks),
        cmocka_unit_test_teardown(new_limit_counts_for_open_sessions, leaks),
        cmocka_unit_test_teardown(close_inside_message, leaks),
        cmocka_unit_test_teardown(a_post_is_paced, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
