/* socketio/client.c, socket.c, emit.c and ack.c: one client and its namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/session.h"
#include "socketio/fake_io.h"
#include "socketio/state.h"

static void assert_greeting(const char *frames, const char *start, const char *ns_sid) {
    char expected[128];
    snprintf(expected, sizeof expected, "40%s{\"sid\":\"%.20s\"}", start, ns_sid);
    assert_string_equal(frames, expected);
}

static void connect_and_again(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_open(&w);
    fake_io_say(c, "0/a,{\"t\":1}");
    assert_string_equal(fake_io_log(&w), "connect /a{\"t\":1}");
    const char *sid = rt_sio_socket_id(w.socket).p;
    assert_greeting(fake_frames(c), "/a,", sid);
    fake_io_say(c, "0/a,"); /* the same sid again, and the app does not hear of it */
    assert_greeting(fake_frames(c), "/a,", sid);
    assert_string_equal(fake_io_log(&w), "");
    assert_int_equal(fake_io_counter(&w, RT_SIO_CONNECTS_AGAIN), 1);
    fake_io_fini(&w);
}

static void repeated_while_pending(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.hold = true;
    fake_conn *c = fake_io_open(&w);
    fake_io_say(c, "0");
    fake_io_say(c, "0");
    assert_string_equal(fake_io_log(&w), "connect /");
    assert_string_equal(fake_frames(c), "");
    rt_sio_accept(w.socket);
    assert_greeting(fake_frames(c), "", rt_sio_socket_id(w.socket).p);
    fake_io_fini(&w);
}

static void two_namespaces(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_in(&w, "/a");
    rt_sio_socket *a = w.socket;
    fake_io_say(c, "0/b,");
    assert_ptr_not_equal(a, w.socket);
    assert_memory_not_equal(rt_sio_socket_id(a).p, rt_sio_socket_id(w.socket).p, RT_ID_LEN);
    fake_frames(c);
    fake_io_log(&w);
    fake_io_say(c, "1/a,");
    assert_string_equal(fake_io_log(&w), "disconnect client namespace disconnect");
    fake_io_say(c, "2/b,[\"e\"]"); /* the other goes on */
    assert_string_equal(fake_io_log(&w), "event \"e\"()");
    fake_io_turn(&w);
    assert_null(rt_sio_ns_find(w.io, RT_LIT("/a")));
    fake_io_fini(&w);
}

static void refuse(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.hold = true;
    fake_conn *c = fake_io_open(&w);
    fake_io_say(c, "0/a,");
    rt_sio_refuse(w.socket, RT_LIT("no \"entry\""));
    assert_string_equal(fake_frames(c), "44/a,{\"message\":\"no \\\"entry\\\"\"}");
    assert_int_equal(c->closed, 0);
    fake_io_turn(&w);
    assert_string_equal(fake_io_log(&w), "connect /a"); /* no disconnect after a refusal */
    fake_io_fini(&w);
}

static void connect_timeout(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_open(&w), *in = fake_io_in(&w, "/a");
    w.f.now += RT_SIO_CONNECT_TIMEOUT_MS - 1;
    rt_timers_run(&w.f.timers, w.f.now);
    assert_int_equal(c->closed, 0);
    w.f.now++;
    rt_timers_run(&w.f.timers, w.f.now);
    assert_int_equal(c->closed, 1);
    assert_int_equal(in->closed, 0);
    assert_int_equal(fake_io_counter(&w, RT_SIO_CONNECT_TIMEOUTS), 1);
    fake_io_fini(&w);
}

/* Nobody is sent away while the app decides, however long that takes. */
static void no_connect_timeout_while_asking(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.hold = true;
    fake_conn *c = fake_io_open(&w);
    fake_io_say(c, "0/a,");
    for (int i = 0; i < 3; i++) {
        w.f.now += RT_SIO_CONNECT_TIMEOUT_MS;
        rt_timers_run(&w.f.timers, w.f.now);
        assert_int_equal(c->closed, 0);
    }
    rt_sio_refuse(w.socket, RT_LIT("no"));
    w.f.now += RT_SIO_CONNECT_TIMEOUT_MS;
    rt_timers_run(&w.f.timers, w.f.now);
    assert_int_equal(c->closed, 1);
    fake_io_fini(&w);
}

static void events_and_acks_to_client(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.ack = true;
    fake_conn *c = fake_io_in(&w, "/a");
    fake_io_say(c, "2/a,[\"e\",1,\"x\"]");
    assert_string_equal(fake_frames(c), "");
    fake_io_say(c, "2/a,7[\"f\",1,\"x\"]");
    assert_string_equal(fake_frames(c), "43/a,7[1,\"x\"]");
    assert_string_equal(fake_io_log(&w), "event \"e\"(1,\"x\")|event \"f\"(1,\"x\")");
    rt_sio_emit(w.socket, RT_LIT("\"g\""), RT_LIT("2"));
    assert_string_equal(fake_frames(c), "42/a,[\"g\",2]");
    fake_io_fini(&w);
}

static void on_answer(void *arg, int status, const rt_sio_event *answer) {
    fake_io *w = arg;
    rt_buf_printf(&w->f.log, "%sanswer %d (%.*s)", w->f.log.n ? "|" : "", status,
                  (int)answer->args.n, answer->args.n ? answer->args.p : "");
    for (unsigned i = 0; i < answer->attachment_count; i++)
        fake_note(&w->f, "+", answer->attachments[i]);
}

static void acks_from_client(void **state) {
    (void)state;
    fake_io w;
    char expected[64];
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_emit_ack(w.socket, RT_LIT("\"q\""), RT_EMPTY, on_answer, &w), RT_OK);
    assert_int_equal(rt_sio_emit_ack(w.socket, RT_LIT("\"q\""), RT_EMPTY, on_answer, &w), RT_OK);
    assert_string_equal(fake_frames(c), "42/a,0[\"q\"]|42/a,1[\"q\"]");
    fake_io_say(c, "3/a,1[\"yes\"]");
    fake_io_say(c, "3/a,1[\"again\"]");
    assert_string_equal(fake_io_log(&w), "answer 0 (\"yes\")");
    assert_int_equal(fake_io_counter(&w, RT_SIO_ACKS_UNKNOWN), 1);
    w.f.now += RT_SIO_ACK_TIMEOUT_MS;
    rt_timers_run(&w.f.timers, w.f.now);
    snprintf(expected, sizeof expected, "answer %d ()", RT_AGAIN);
    assert_string_equal(fake_io_log(&w), expected);
    assert_int_equal(rt_sio_emit_ack(w.socket, RT_LIT("\"q\""), RT_EMPTY, on_answer, &w), RT_OK);
    rt_sio_disconnect(w.socket);
    snprintf(expected, sizeof expected, "answer %d ()|disconnect server namespace disconnect",
             RT_ECLOSED);
    assert_string_equal(fake_io_log(&w), expected);
    assert_string_equal(fake_frames(c), "42/a,2[\"q\"]|41/a,");
    fake_io_fini(&w);
}

#define BINARY "[\"b\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"

static void binary_to_be_acknowledged(void **state) {
    (void)state;
    fake_io w;
    rt_slice parts[RT_SIO_ATTACHMENTS_MAX + 1] = {RT_LIT("one"), RT_LIT("two")};
    rt_slice args = RT_LIT("{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}");
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_in(&w, "/a");
    assert_int_equal(
        rt_sio_emit_ack_binary(w.socket, RT_LIT("\"b\""), args, parts, 2, on_answer, &w), RT_OK);
    assert_string_equal(fake_frames(c), "452-/a,0" BINARY "|<6f6e65>|<74776f>");
    fake_io_say(c, "61-/a,0[{\"_placeholder\":true,\"num\":0}]");
    fake_frame(c, 0x82, "yes", 3);
    assert_string_equal(fake_io_log(&w), "answer 0 ({\"_placeholder\":true,\"num\":0})|+yes");
    assert_int_equal(rt_sio_emit_ack_binary(w.socket, RT_LIT("\"b\""), RT_EMPTY, parts,
                                            RT_SIO_ATTACHMENTS_MAX + 1, on_answer, &w),
                     RT_ELIMIT);
    assert_string_equal(fake_frames(c), "");
    assert_string_equal(fake_io_log(&w), "");
    fake_io_fini(&w);
}

static void binary_both_ways(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.ack = true;
    fake_conn *c = fake_io_in(&w, "/");
    fake_io_say(c, "52-3" BINARY);
    fake_frame(c, 0x82, "one", 3);
    assert_string_equal(fake_io_log(&w), "");
    fake_frame(c, 0x82, "two", 3);
    assert_string_equal(fake_io_log(&w), "event \"b\"({\"_placeholder\":true,\"num\":0},"
                                         "{\"_placeholder\":true,\"num\":1})+one+two");
    assert_string_equal(fake_frames(c), "462-3[{\"_placeholder\":true,\"num\":0},"
                                        "{\"_placeholder\":true,\"num\":1}]|<6f6e65>|<74776f>");
    fake_io_fini(&w);
}

static void bad_packets_close(void **state) {
    (void)state;
    static const char *const packets[] = {"x", "2[\"connect\"]", "2/b,[\"e\"]", "4{}",
                                          "51-[\"b\",{\"_placeholder\":true,\"num\":1}]"};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        fake_io w;
        fake_io_init(&w, NULL);
        fake_conn *c = fake_io_in(&w, "/");
        fake_conn *other = fake_io_in(&w, "/");
        fake_io_say(c, packets[i]);
        assert_int_equal(c->closed, 1);
        assert_int_equal(other->closed, 0);
        assert_string_equal(fake_io_log(&w), "disconnect forced close");
        assert_int_equal(fake_io_counter(&w, RT_SIO_BAD_PACKETS), 1);
        fake_io_fini(&w);
    }
}

/* An attachment that never comes: its client goes after a minute, or when it is too many. */
static void binary_that_never_ends(void **state) {
    (void)state;
    fake_io w;
    fake_conn *c[30];
    fake_io_init(&w, NULL);
    rt_eio_set_max_unfinished(w.f.eio, 5000);
    for (int i = 0; i < 30; i++) {
        c[i] = fake_io_in(&w, "/a");
        fake_io_say(c[i], "52-/a,[\"x\",{\"_placeholder\":true,\"num\":0},"
                          "{\"_placeholder\":true,\"num\":1}]");
        fake_frame(c[i], 0x82, "0123456789", 10);
        fake_io_turn(&w);
        assert_in_range(fake_figures(&w.f).unfinished_bytes, 100, 5000);
    }
    assert_string_equal(fake_frames(c[0]), "close");
    assert_in_range(fake_figures(&w.f).counters.v[RT_EIO_UNFINISHED_OVER_MAX], 1, 29);
    assert_string_equal(fake_frames(c[29]), "");
    fake_io_log(&w);
    fake_frame(c[29], 0x82, "end", 3);
    assert_non_null(strstr(fake_io_log(&w), "+0123456789+end"));
    fake_pass(&w.f, RT_EIO_UNFINISHED_TIMEOUT_MS);
    fake_io_turn(&w);
    assert_int_equal(fake_figures(&w.f).sessions, 1);
    assert_int_equal(fake_figures(&w.f).unfinished_bytes, 0);
    fake_io_fini(&w);
}

static void binary_out_of_turn(void **state) {
    (void)state;
    for (int text_between = 0; text_between < 2; text_between++) {
        fake_io w;
        fake_io_init(&w, NULL);
        fake_conn *c = fake_io_in(&w, "/");
        if (text_between) {
            fake_io_say(c, "51-[\"b\"]");
            fake_io_say(c, "2[\"e\"]");
        } else
            fake_frame(c, 0x82, "one", 3);
        assert_int_equal(c->closed, 1);
        assert_string_equal(fake_io_log(&w), "disconnect forced close");
        fake_io_fini(&w);
    }
}

static void event_before_answer_closes(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    w.hold = true;
    fake_conn *c = fake_io_open(&w);
    fake_io_say(c, "0");
    fake_io_say(c, "2[\"e\"]");
    assert_int_equal(c->closed, 1);
    assert_string_equal(fake_io_log(&w), "connect /|disconnect forced close");
    fake_io_fini(&w);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

/* What a client that waits costs here (docs/performance.md): blocks of malloc, their 8 bytes of
 * its own included. */
static void small_when_idle(void **state) {
    (void)state;
    assert_true(sizeof(rt_eio_session) + sizeof(rt_sio_client) <= 176 - 8);
    assert_true(sizeof(rt_sio_socket) <= 112 - 8);
    assert_true(offsetof(rt_sio_room, name) + strlen("user:somebody@example.com") <= 80 - 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(connect_and_again, leaks),
        cmocka_unit_test_teardown(repeated_while_pending, leaks),
        cmocka_unit_test_teardown(two_namespaces, leaks),
        cmocka_unit_test_teardown(refuse, leaks),
        cmocka_unit_test_teardown(connect_timeout, leaks),
        cmocka_unit_test_teardown(no_connect_timeout_while_asking, leaks),
        cmocka_unit_test_teardown(events_and_acks_to_client, leaks),
        cmocka_unit_test_teardown(acks_from_client, leaks),
        cmocka_unit_test_teardown(binary_to_be_acknowledged, leaks),
        cmocka_unit_test_teardown(binary_both_ways, leaks),
        cmocka_unit_test_teardown(bad_packets_close, leaks),
        cmocka_unit_test_teardown(binary_that_never_ends, leaks),
        cmocka_unit_test_teardown(binary_out_of_turn, leaks),
        cmocka_unit_test_teardown(event_before_answer_closes, leaks),
        cmocka_unit_test(small_when_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
