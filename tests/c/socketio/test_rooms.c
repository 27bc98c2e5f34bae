/* socketio/room.c, membership.c, batch.c and fanout.c: who is in, who hears what, and which events
 * share their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "socketio/fake_io.h"

#define R RT_LIT("r")

static rt_sio_ns *ns_of(const fake_io *w) {
    return rt_sio_socket_ns(w->socket);
}

static uint32_t emit(rt_sio_ns *ns, const char *room, const char *event,
                     const rt_sio_socket *except) {
    return rt_sio_emit_room(ns, rt_slice_of(room), rt_slice_of(event), RT_LIT("1"), except);
}

static void join_and_leave(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_io_in(&w, "/a");
    rt_sio_socket *a = w.socket;
    fake_io_in(&w, "/a");
    rt_sio_socket *b = w.socket, *member = NULL;
    rt_sio_ns *ns = ns_of(&w);
    assert_int_equal(rt_sio_join(a, R), RT_OK);
    assert_int_equal(rt_sio_join(a, R), RT_OK);
    assert_int_equal(rt_sio_room_size(ns, R), 1);
    assert_int_equal(rt_sio_join(b, R), RT_OK);
    assert_int_equal(rt_sio_room_size(ns, R), 2);
    assert_true(rt_sio_leave(a, R));
    assert_false(rt_sio_leave(a, R));
    assert_false(rt_sio_in_room(a, R));
    assert_true(rt_sio_in_room(b, R));
    assert_true(rt_sio_room_member(ns, R, 0, &member));
    assert_ptr_equal(member, b);
    assert_false(rt_sio_room_member(ns, R, 1, &member));
    assert_true(rt_sio_leave(b, R));
    assert_int_equal(rt_sio_room_size(ns, R), 0);
    rt_sio_figures figures;
    rt_sio_get_figures(w.io, &figures);
    assert_int_equal(figures.rooms, 0);
    fake_io_fini(&w);
}

static void rooms_have_limits(void **state) {
    (void)state;
    fake_io w;
    rt_sio_opts opts;
    char name[RT_SIO_ROOM_NAME_MAX + 1];
    rt_sio_opts_default(&opts);
    opts.max_rooms_per_socket = 2;
    fake_io_init(&w, &opts);
    fake_io_in(&w, "/a");
    memset(name, 'n', sizeof name);
    assert_int_equal(rt_sio_join(w.socket, rt_slice_make(name, sizeof name)), RT_ELIMIT);
    assert_int_equal(rt_sio_join(w.socket, rt_slice_make(name, sizeof name - 1)), RT_OK);
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    assert_int_equal(rt_sio_join(w.socket, RT_LIT("third")), RT_ELIMIT);
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK); /* in already */
    assert_int_equal(fake_io_counter(&w, RT_SIO_ROOMS_OVER_MAX), 2);
    fake_io_fini(&w);
}

static void disconnect_leaves_all(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *c = fake_io_in(&w, "/a");
    rt_sio_socket *a = w.socket;
    fake_io_in(&w, "/a");
    rt_sio_ns *ns = ns_of(&w);
    assert_int_equal(rt_sio_join(a, RT_LIT("one")), RT_OK);
    assert_int_equal(rt_sio_join(a, RT_LIT("two")), RT_OK);
    assert_int_equal(rt_sio_join(w.socket, RT_LIT("two")), RT_OK);
    fake_io_say(c, "1/a,");
    assert_string_equal(fake_io_log(&w),
                        "left one|left two|disconnect client namespace disconnect");
    assert_int_equal(rt_sio_room_size(ns, RT_LIT("one")), 0);
    assert_int_equal(rt_sio_room_size(ns, RT_LIT("two")), 1);
    assert_true(rt_sio_in_room(w.socket, RT_LIT("two")));
    fake_io_fini(&w);
}

static void fan_out(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a");
    rt_sio_socket *sa = w.socket;
    fake_conn *b = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(sa, R), RT_OK);
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    fake_conn *out = fake_io_in(&w, "/a"), *other = fake_io_in(&w, "/b");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK); /* the same name in another namespace */
    rt_sio_ns *ns = rt_sio_socket_ns(sa);
    assert_int_equal(emit(ns, "r", "\"e\"", NULL), 2);
    assert_int_equal(emit(ns, "r", "\"f\"", sa), 1);
    assert_int_equal(emit(ns, "nobody", "\"g\"", NULL), 0);
    assert_int_equal(rt_sio_emit_ns(ns, RT_LIT("\"h\""), RT_EMPTY, sa), 2);
    assert_string_equal(fake_frames(a), "42/a,[\"e\",1]");
    assert_string_equal(fake_frames(b), "42/a,[\"e\",1]|42/a,[\"f\",1]|42/a,[\"h\"]");
    assert_string_equal(fake_frames(out), "42/a,[\"h\"]");
    assert_string_equal(fake_frames(other), "");
    assert_int_equal(fake_io_counter(&w, RT_SIO_DELIVERIES), 5);
    assert_int_equal(fake_io_counter(&w, RT_SIO_EVENTS_TO_NOBODY), 1);
    fake_io_fini(&w);
}

/* Two polling clients in room r of "/", so that what is queued is only looked at by a poll. */
static void polling_pair(fake_io *w, char sids[2][RT_ID_LEN + 1], rt_sio_socket *sockets[2],
                         fake_conn **c) {
    for (int i = 0; i < 2; i++) {
        *c = fake_open(&w->f);
        fake_get(*c, FAKE_POLLING);
        const char *sid = strstr(fake_body(*c, "200"), "\"sid\":\"");
        assert_non_null(sid);
        memcpy(sids[i], sid + 7, RT_ID_LEN);
        sids[i][RT_ID_LEN] = '\0';
        fake_post(*c, sids[i], "40");
        fake_sent(*c);
        fake_poll(*c, sids[i]);
        fake_sent(*c);
        sockets[i] = w->socket;
        assert_int_equal(rt_sio_join(w->socket, R), RT_OK);
    }
}

/* What a poll brings at the end of the turn. */
static const char *polled(fake_io *w, fake_conn *c, const char *sid) {
    fake_poll(c, sid);
    fake_io_turn(w);
    return fake_body(c, "200");
}

static void consecutive_events_share(void **state) {
    (void)state;
    fake_io w;
    char sids[2][RT_ID_LEN + 1];
    rt_sio_socket *s[2];
    fake_conn *c;
    fake_io_init(&w, NULL);
    polling_pair(&w, sids, s, &c);
    rt_sio_ns *ns = ns_of(&w);
    for (int i = 0; i < 4; i++) {
        char event[] = "\"0\"";
        event[1] = (char)('0' + i);
        assert_int_equal(emit(ns, "r", event, NULL), 2);
    }
    /* the first is held, three were written behind it */
    assert_int_equal(fake_io_counter(&w, RT_SIO_BATCHED), 3);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(polled(&w, c, sids[i]), "42[\"0\",1]\x1e"
                                                    "42[\"1\",1]\x1e"
                                                    "42[\"2\",1]\x1e"
                                                    "42[\"3\",1]");
    }
    fake_io_fini(&w);
}

static void order_between_rooms(void **state) {
    (void)state;
    fake_io w;
    char sids[2][RT_ID_LEN + 1];
    rt_sio_socket *s[2];
    fake_conn *c;
    fake_io_init(&w, NULL);
    polling_pair(&w, sids, s, &c);
    assert_int_equal(rt_sio_join(s[0], RT_LIT("q")), RT_OK);
    rt_sio_ns *ns = ns_of(&w);
    emit(ns, "r", "\"a\"", NULL);
    emit(ns, "r", "\"b\"", NULL);
    emit(ns, "q", "\"c\"", NULL);
    emit(ns, "r", "\"d\"", NULL);
    rt_sio_emit(s[0], RT_LIT("\"e\""), RT_LIT("1"));
    emit(ns, "r", "\"f\"", NULL);
    assert_int_equal(fake_io_counter(&w, RT_SIO_BATCHED), 1); /* b */
    assert_string_equal(polled(&w, c, sids[0]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]\x1e"
                                                "42[\"c\",1]\x1e"
                                                "42[\"d\",1]\x1e"
                                                "42[\"e\",1]\x1e"
                                                "42[\"f\",1]");
    assert_string_equal(polled(&w, c, sids[1]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]\x1e"
                                                "42[\"d\",1]\x1e"
                                                "42[\"f\",1]");
    fake_io_fini(&w);
}

static void leaving_releases(void **state) {
    (void)state;
    fake_io w;
    char sids[2][RT_ID_LEN + 1];
    rt_sio_socket *s[2];
    fake_conn *c;
    fake_io_init(&w, NULL);
    polling_pair(&w, sids, s, &c);
    rt_sio_ns *ns = ns_of(&w);
    emit(ns, "r", "\"a\"", NULL);
    emit(ns, "r", "\"b\"", NULL);
    rt_sio_leave(s[1], R);
    assert_int_equal(emit(ns, "r", "\"c\"", NULL), 1);
    assert_int_equal(rt_sio_join(s[1], R), RT_OK);
    assert_int_equal(emit(ns, "r", "\"d\"", NULL), 2);
    assert_string_equal(polled(&w, c, sids[0]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]\x1e"
                                                "42[\"c\",1]\x1e"
                                                "42[\"d\",1]");
    assert_string_equal(polled(&w, c, sids[1]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]\x1e"
                                                "42[\"d\",1]");
    fake_io_fini(&w);
}

/* What comes in the next turn is not written into bytes that are on their way. */
static void a_turn_ends_the_batch(void **state) {
    (void)state;
    fake_io w;
    char sids[2][RT_ID_LEN + 1];
    rt_sio_socket *s[2];
    fake_conn *c;
    fake_io_init(&w, NULL);
    polling_pair(&w, sids, s, &c);
    rt_sio_ns *ns = ns_of(&w);
    emit(ns, "r", "\"a\"", NULL);
    emit(ns, "r", "\"b\"", NULL);
    assert_string_equal(polled(&w, c, sids[0]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]");
    assert_false(rt_eio_has_pending(w.f.eio));
    emit(ns, "r", "\"c\"", NULL);
    assert_true(rt_eio_has_pending(w.f.eio)); /* or the turn would end without it */
    assert_string_equal(polled(&w, c, sids[0]), "42[\"c\",1]");
    assert_string_equal(polled(&w, c, sids[1]), "42[\"a\",1]\x1e"
                                                "42[\"b\",1]\x1e"
                                                "42[\"c\",1]");
    fake_io_fini(&w);
}

/* Who asks is in rooms already, but events are for those who were let in before them. */
static void asking_sockets_get_nothing(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a"), *b = fake_io_open(&w);
    rt_sio_ns *ns = ns_of(&w);
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    assert_int_equal(rt_sio_join(w.socket, RT_LIT("left")), RT_OK);
    w.hold = true;
    fake_io_say(b, "0/a,");
    rt_sio_socket *asking = w.socket;
    assert_int_equal(rt_sio_join(asking, R), RT_OK);
    assert_int_equal(rt_sio_join(asking, RT_LIT("left")), RT_OK);
    rt_sio_leave(asking, RT_LIT("left"));
    assert_int_equal(emit(ns, "left", "\"d\"", NULL), 1);
    assert_int_equal(emit(ns, "r", "\"e\"", NULL), 1);
    rt_sio_accept(asking);
    assert_int_equal(emit(ns, "r", "\"f\"", NULL), 2);
    assert_string_equal(fake_frames(a), "42/a,[\"d\",1]|42/a,[\"e\",1]|42/a,[\"f\",1]");
    const char *heard = fake_frames(b);
    assert_int_equal(strncmp(heard, "40/a,{", 6), 0);
    assert_non_null(strstr(heard, "}|42/a,[\"f\",1]"));
    fake_io_say(fake_io_open(&w), "0/a,");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    assert_int_equal(emit(ns, "r", "\"g\"", NULL), 2);
    rt_sio_refuse(w.socket, RT_LIT("no"));
    assert_int_equal(emit(ns, "r", "\"h\"", NULL), 2);
    assert_string_equal(fake_frames(a), "42/a,[\"g\",1]|42/a,[\"h\",1]");
    fake_io_fini(&w);
}

/* What was emitted before a client leaves, is dropped or let go, it has got. */
static void a_leaver_gets_what_is_held(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    emit(ns_of(&w), "r", "\"e\"", NULL);
    rt_sio_drop_client(w.socket, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_frames(a), "42/a,[\"e\",1]|close");
    fake_io_turn(&w);
    a = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    emit(ns_of(&w), "r", "\"f\"", NULL);
    rt_sio_disconnect(w.socket);
    assert_string_equal(fake_frames(a), "42/a,[\"f\",1]|41/a,");
    a = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    emit(ns_of(&w), "r", "\"g\"", NULL);
    fake_io_say(a, "1/a,");
    assert_string_equal(fake_frames(a), "42/a,[\"g\",1]");
    fake_io_fini(&w);
}

/* Its session is gone by then: what is held is for the others. */
static void an_end_releases(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    fake_conn *b = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    rt_sio_ns *ns = ns_of(&w);
    assert_int_equal(emit(ns, "r", "\"e\"", NULL), 2);
    rt_eio_port_closed(w.f.eio, &b->port, false);
    assert_int_equal(rt_sio_room_size(ns, R), 1);
    assert_string_equal(fake_frames(a), "42/a,[\"e\",1]");
    fake_io_fini(&w);
}

static void order_between_a_room_and_everybody(void **state) {
    (void)state;
    fake_io w;
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a");
    rt_sio_ns *ns = ns_of(&w);
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    rt_slice rooms[] = {R, RT_LIT("q")};
    rt_sio_target both = {.rooms = rooms, .room_count = 2};
    emit(ns, "r", "\"a\"", NULL);
    assert_int_equal(rt_sio_emit_ns(ns, RT_LIT("\"b\""), RT_EMPTY, NULL), 1);
    emit(ns, "r", "\"c\"", NULL);
    assert_int_equal(rt_sio_emit_to(ns, &both, RT_LIT("\"d\""), RT_EMPTY, NULL, 0), 1);
    emit(ns, "r", "\"e\"", NULL);
    assert_string_equal(fake_frames(a), "42/a,[\"a\",1]|42/a,[\"b\"]|42/a,[\"c\",1]|"
                                        "42/a,[\"d\"]|42/a,[\"e\",1]");
    fake_io_fini(&w);
}

/* A run longer than a block goes on in another; without memory to grow the block, too. */
static void a_batch_is_bounded(void **state) {
    (void)state;
    fake_io w;
    static char text[40000];
    memset(text, '1', sizeof text);
    rt_slice number = rt_slice_make(text, sizeof text);
    fake_io_init(&w, NULL);
    fake_conn *a = fake_io_in(&w, "/a");
    assert_int_equal(rt_sio_join(w.socket, R), RT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rt_sio_emit_room(ns_of(&w), R, RT_LIT("\"e\""), number, NULL), 1);
    assert_int_equal(fake_io_counter(&w, RT_SIO_BATCHED), 0);
    assert_int_equal(strlen(fake_frames(a)), 3 * (sizeof text + strlen("42/a,[\"e\",]")) + 2);
    for (int i = 0; i < 10; i++)
        emit(ns_of(&w), "r", "\"e\"", NULL);
    assert_int_equal(fake_io_counter(&w, RT_SIO_BATCHED), 9);
    fake_frames(a);
    assert_int_equal(a->spare, 0); /* what is sent is not larger than it has to be */
    emit(ns_of(&w), "r", "\"f\"", NULL);
    rt_alloc_fail_at(1);
    assert_int_equal(emit(ns_of(&w), "r", "\"g\"", NULL), 1);
    rt_alloc_fail_at(0);
    assert_int_equal(fake_io_counter(&w, RT_SIO_BATCHED), 9);
    assert_string_equal(fake_frames(a), "42/a,[\"f\",1]|42/a,[\"g\",1]");
    fake_io_fini(&w);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(join_and_leave, leaks),
        cmocka_unit_test_teardown(rooms_have_limits, leaks),
        cmocka_unit_test_teardown(disconnect_leaves_all, leaks),
        cmocka_unit_test_teardown(fan_out, leaks),
        cmocka_unit_test_teardown(consecutive_events_share, leaks),
        cmocka_unit_test_teardown(order_between_rooms, leaks),
        cmocka_unit_test_teardown(leaving_releases, leaks),
        cmocka_unit_test_teardown(a_turn_ends_the_batch, leaks),
        cmocka_unit_test_teardown(asking_sockets_get_nothing, leaks),
        cmocka_unit_test_teardown(a_leaver_gets_what_is_held, leaks),
        cmocka_unit_test_teardown(an_end_releases, leaks),
        cmocka_unit_test_teardown(order_between_a_room_and_everybody, leaks),
        cmocka_unit_test_teardown(a_batch_is_bounded, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
