/* socketio/fanout.c and what else a program above needs that names its receivers itself: several
 * rooms at once, exceptions, volatile events, acknowledgements with a time of their own, and
 * hearing of joins and leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "socketio/fake_io.h"
#include "socketio/state.h"

#define EVENT RT_LIT("\"e\""), RT_LIT("1")
#define HEARD "42/a,[\"e\",1]"

typedef struct trio {
    fake_io w;
    fake_conn *c[3];
    rt_sio_socket *s[3];
    rt_sio_ns *ns;
} trio;

/* Three in /a: the first two in "r", the last two in "q". */
static void begin(trio *t) {
    fake_io_init(&t->w, NULL);
    for (int i = 0; i < 3; i++) {
        t->c[i] = fake_io_in(&t->w, "/a");
        t->s[i] = t->w.socket;
        if (i < 2)
            assert_int_equal(rt_sio_join(t->s[i], RT_LIT("r")), RT_OK);
        if (i > 0)
            assert_int_equal(rt_sio_join(t->s[i], RT_LIT("q")), RT_OK);
    }
    t->ns = rt_sio_socket_ns(t->s[0]);
}

static void expect(trio *t, const char *a, const char *b, const char *c) {
    fake_io_turn(&t->w);
    assert_string_equal(fake_frames(t->c[0]), a);
    assert_string_equal(fake_frames(t->c[1]), b);
    assert_string_equal(fake_frames(t->c[2]), c);
}

static uint32_t emit(trio *t, rt_sio_target to) {
    return rt_sio_emit_to(t->ns, &to, EVENT, NULL, 0);
}

static void each_gets_it_once(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_slice rooms[] = {RT_LIT("r"), RT_LIT("q"), RT_LIT("nobody")};
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms, .room_count = 3}), 3);
    expect(&t, HEARD, HEARD, HEARD);
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms, .room_count = 1}), 2);
    expect(&t, HEARD, HEARD, "");
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms,
                                              .room_count = 1,
                                              .sockets = t.s + 1,
                                              .socket_count = 2}),
                     3);
    expect(&t, HEARD, HEARD, HEARD);
    assert_int_equal(emit(&t, (rt_sio_target){.everybody = true, .rooms = rooms, .room_count = 2}),
                     3);
    expect(&t, HEARD, HEARD, HEARD);
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms + 2, .room_count = 1}), 0);
    assert_int_equal(emit(&t, (rt_sio_target){.everybody = false}), 0);
    expect(&t, "", "", "");
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_EVENTS_TO_NOBODY), 2);
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_DELIVERIES), 11);
    fake_io_fini(&t.w);
}

static void exceptions(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_slice rooms[] = {RT_LIT("r"), RT_LIT("q")};
    rt_sio_target to = {.rooms = rooms, .room_count = 2, .except = t.s, .except_count = 2};
    assert_int_equal(emit(&t, to), 1);
    expect(&t, "", "", HEARD);
    to = (rt_sio_target){.everybody = true, .except = t.s + 1, .except_count = 1};
    assert_int_equal(emit(&t, to), 2);
    expect(&t, HEARD, "", HEARD);
    to = (rt_sio_target){.sockets = t.s, .socket_count = 3, .except = t.s + 2, .except_count = 1};
    assert_int_equal(emit(&t, to), 2);
    expect(&t, HEARD, HEARD, "");
    fake_io_fini(&t.w);
}

/* One who asks is in its rooms already, and gets nothing yet. */
static void not_let_in(void **state) {
    (void)state;
    trio t;
    begin(&t);
    t.w.hold = true;
    fake_conn *c = fake_io_in(&t.w, "/a");
    rt_slice rooms[] = {RT_LIT("r"), RT_LIT("q")};
    assert_int_equal(rt_sio_join(t.w.socket, rooms[0]), RT_OK);
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms, .room_count = 2}), 3);
    assert_int_equal(emit(&t, (rt_sio_target){.sockets = &t.w.socket, .socket_count = 1}), 0);
    assert_string_equal(fake_frames(c), "");
    rt_sio_accept(t.w.socket);
    fake_frames(c);
    assert_int_equal(emit(&t, (rt_sio_target){.rooms = rooms, .room_count = 2}), 4);
    assert_string_equal(fake_frames(c), HEARD);
    fake_io_fini(&t.w);
}

/* What the test has not read, the kernel has not taken. */
static void volatile_events(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_sio_emit(t.s[1], RT_LIT("\"before\""), RT_EMPTY);
    rt_sio_target to = {.everybody = true, .only_ready = true};
    assert_int_equal(emit(&t, to), 2);
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_VOLATILE_SKIPPED), 1);
    expect(&t, HEARD, "42/a,[\"before\"]", HEARD);
    assert_int_equal(emit(&t, to), 3);
    expect(&t, HEARD, HEARD, HEARD);
    fake_io_fini(&t.w);
}

/* A client that polls, in /a; its session id. */
static fake_conn *poller(fake_io *w, char sid[RT_ID_LEN + 1]) {
    fake_conn *c = fake_open(&w->f);
    fake_get(c, FAKE_POLLING);
    const char *text = strstr(fake_body(c, "200"), "\"sid\":\"");
    assert_non_null(text);
    memcpy(sid, text + 7, RT_ID_LEN);
    sid[RT_ID_LEN] = '\0';
    fake_post(c, sid, "40/a,");
    fake_body(c, "200");
    fake_poll(c, sid);
    fake_io_turn(w);
    fake_body(c, "200");
    return c;
}

/* A poll that waits takes all of the turn; without one a volatile event is not for it. */
static void volatile_events_to_a_poll(void **state) {
    (void)state;
    fake_io w;
    char sid[RT_ID_LEN + 1];
    fake_io_init(&w, NULL);
    fake_conn *c = poller(&w, sid);
    rt_sio_target to = {.everybody = true, .only_ready = true};
    rt_sio_ns *ns = rt_sio_socket_ns(w.socket);
    assert_int_equal(rt_sio_emit_to(ns, &to, EVENT, NULL, 0), 0);
    fake_poll(c, sid);
    assert_int_equal(rt_sio_emit_to(ns, &to, EVENT, NULL, 0), 1);
    assert_int_equal(rt_sio_emit_to(ns, &to, EVENT, NULL, 0), 1);
    fake_io_turn(&w);
    assert_string_equal(fake_body(c, "200"), "42/a,[\"e\",1]\x1e"
                                             "42/a,[\"e\",1]");
    fake_io_fini(&w);
}

static void attachments(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_slice room = RT_LIT("r"), parts[RT_SIO_ATTACHMENTS_MAX + 1];
    for (unsigned i = 0; i <= RT_SIO_ATTACHMENTS_MAX; i++)
        parts[i] = RT_LIT("one");
    rt_sio_target to = {.rooms = &room, .room_count = 1};
    rt_slice args = RT_LIT("{\"_placeholder\":true,\"num\":0}");
    const char *heard = "451-/a,[\"e\",{\"_placeholder\":true,\"num\":0}]|<6f6e65>";
    assert_int_equal(rt_sio_emit_to(t.ns, &to, RT_LIT("\"e\""), args, parts, 1), 2);
    expect(&t, heard, heard, "");
    assert_int_equal(rt_sio_emit_to(t.ns, &to, EVENT, parts, RT_SIO_ATTACHMENTS_MAX + 1), 0);
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_ATTACHMENTS_OVER_MAX), 1);
    expect(&t, "", "", "");
    fake_io_fini(&t.w);
}

static void soundness(void **state) {
    (void)state;
    rt_slice one = RT_LIT("[{\"_placeholder\":true,\"num\":1}]");
    assert_true(rt_sio_sound(RT_LIT("\"e\""), RT_LIT("[]"), 0));
    assert_true(rt_sio_sound(RT_EMPTY, RT_LIT("[]"), 0));
    assert_false(rt_sio_sound(RT_LIT("\"disconnect\""), RT_LIT("[]"), 0));
    assert_false(rt_sio_sound(RT_LIT("\"\\u0063onnect\""), RT_LIT("[]"), 0));
    assert_false(rt_sio_sound(RT_LIT("\"e\""), one, 1));
    assert_true(rt_sio_sound(RT_LIT("\"e\""), one, 2));
    assert_true(rt_sio_sound(RT_LIT("\"e\""), RT_EMPTY, 1));
    assert_true(rt_sio_sound(RT_LIT("\"e\""), one, 0)); /* a text packet: it is only an object */
}

/* Sending to one ends it, and its room with it, while the event goes round. */
static void ends_while_sent_to(void **state) {
    (void)state;
    trio t;
    char sid[RT_ID_LEN + 1];
    begin(&t);
    poller(&t.w, sid);
    rt_slice room = RT_LIT("alone");
    assert_int_equal(rt_sio_join(t.w.socket, room), RT_OK);
    rt_sio_target to = {.rooms = &room, .room_count = 1, .everybody = true};
    rt_sio_emit(t.w.socket, RT_LIT("\"first\""), RT_EMPTY);
    rt_alloc_fail_at(2); /* after the message: a second place in the queue of the one who polls */
    assert_int_equal(emit(&t, to), 4);
    rt_alloc_fail_at(0);
    assert_int_equal(rt_sio_room_size(t.ns, room), 0);
    assert_int_equal(rt_sio_ns_size(t.ns), 3);
    expect(&t, HEARD, HEARD, HEARD);
    fake_io_fini(&t.w);
}

static void no_memory(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_alloc_fail_at(1);
    assert_int_equal(emit(&t, (rt_sio_target){.everybody = true}), 0);
    rt_alloc_fail_at(0);
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_NO_MEMORY), 1);
    expect(&t, "", "", "");
    fake_io_fini(&t.w);
}

/* The number turns over: a stamp of long ago is none. */
static void stamps_turn_over(void **state) {
    (void)state;
    trio t;
    begin(&t);
    rt_sio_target to = {.everybody = true};
    t.s[0]->stamp = 1;
    t.w.io->stamp = UINT32_MAX;
    assert_int_equal(emit(&t, to), 3);
    assert_int_equal(t.w.io->stamp, 1);
    fake_io_fini(&t.w);
}

/* --- joins and leaves --- */

static void on_moved(void *arg, rt_sio_socket *s, rt_slice room, bool joined) {
    trio *t = arg;
    assert_ptr_equal(s, t->s[0]);
    fake_note(&t->w.f, joined ? "joined " : "left ", room);
}

static void hears_of_rooms(void **state) {
    (void)state;
    trio t;
    rt_slice room;
    begin(&t);
    rt_sio_watch_rooms(t.w.io, on_moved, &t);
    assert_int_equal(rt_sio_join(t.s[0], RT_LIT("x")), RT_OK);
    assert_int_equal(rt_sio_join(t.s[0], RT_LIT("x")), RT_OK);
    rt_sio_leave(t.s[0], RT_LIT("r"));
    rt_sio_leave(t.s[0], RT_LIT("r"));
    assert_string_equal(fake_io_log(&t.w), "joined x|left r");
    assert_true(rt_sio_socket_room(t.s[0], 0, &room));
    rt_sio_leave(t.s[0], room); /* the room's own name, which goes with it */
    assert_false(rt_sio_socket_room(t.s[0], 0, &room));
    assert_string_equal(fake_io_log(&t.w), "left x");
    t.w.hold = true;
    fake_io_in(&t.w, "/a");
    assert_int_equal(rt_sio_join(t.w.socket, RT_LIT("x")), RT_OK); /* not let in yet */
    assert_int_equal(rt_sio_join(t.s[0], RT_LIT("y")), RT_OK);
    assert_string_equal(fake_io_log(&t.w), "joined y");
    rt_sio_disconnect(t.s[0]);
    assert_string_equal(fake_io_log(&t.w), "left y|disconnect server namespace disconnect");
    rt_sio_watch_rooms(t.w.io, NULL, NULL);
    assert_int_equal(rt_sio_join(t.s[1], RT_LIT("x")), RT_OK);
    assert_string_equal(fake_io_log(&t.w), "");
    fake_io_fini(&t.w);
}

static void bits(void **state) {
    (void)state;
    trio t;
    begin(&t);
    assert_int_equal(rt_sio_socket_bits(t.s[0]), 0);
    rt_sio_socket_set_bits(t.s[0], 0x81);
    assert_int_equal(rt_sio_socket_bits(t.s[0]), 0x81);
    assert_int_equal(rt_sio_socket_bits(t.s[1]), 0);
    assert_ptr_equal(rt_sio_ns_socket(t.ns, 2), t.s[2]);
    assert_null(rt_sio_ns_socket(t.ns, 3));
    fake_io_fini(&t.w);
}

/* --- acknowledgements --- */

static void on_answer(void *arg, int status, const rt_sio_event *answer) {
    (void)answer;
    rt_buf_printf(&((trio *)arg)->w.f.log, "answer %d", status);
}

/* Any time is kept to the millisecond, and none above the usual one. */
static void acks_in_their_own_time(void **state) {
    static const uint32_t times[][2] = {{0, 1},         {1, 1},        {3, 3},       {5, 5},
                                        {1000, 1000},   {4095, 4095},  {5000, 5000}, {29999, 29999},
                                        {30000, 30000}, {99999, 30000}};
    (void)state;
    trio t;
    begin(&t);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_int_equal(rt_sio_emit_ack_within(t.s[0], times[i][0], EVENT, NULL, 0, on_answer, &t),
                         RT_OK);
        for (uint32_t ms = 1; ms < times[i][1]; ms++) {
            t.w.f.now++;
            rt_timers_run(&t.w.f.timers, t.w.f.now);
        }
        assert_string_equal(fake_io_log(&t.w), "");
        t.w.f.now++;
        rt_timers_run(&t.w.f.timers, t.w.f.now);
        assert_string_equal(fake_io_log(&t.w), "answer 1");
    }
    assert_int_equal(fake_io_counter(&t.w, RT_SIO_ACKS_TIMED_OUT), sizeof times / sizeof times[0]);
    fake_io_fini(&t.w);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_gets_it_once, leaks),
        cmocka_unit_test_teardown(exceptions, leaks),
        cmocka_unit_test_teardown(not_let_in, leaks),
        cmocka_unit_test_teardown(volatile_events, leaks),
        cmocka_unit_test_teardown(volatile_events_to_a_poll, leaks),
        cmocka_unit_test_teardown(attachments, leaks),
        cmocka_unit_test_teardown(soundness, leaks),
        cmocka_unit_test_teardown(ends_while_sent_to, leaks),
        cmocka_unit_test_teardown(no_memory, leaks),
        cmocka_unit_test_teardown(stamps_turn_over, leaks),
        cmocka_unit_test_teardown(hears_of_rooms, leaks),
        cmocka_unit_test_teardown(bits, leaks),
        cmocka_unit_test_teardown(acks_in_their_own_time, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
