/* What clients say: every event, every kind of argument, and how much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/session.h"

/* Rooms that an event leads to, once everything is allowed; NULL: it is ignored. */
static const struct {
    const char *event, *room;
} rooms[] = {
    {"[\"doctype_subscribe\",\"ToDo\"]", "doctype:ToDo"},
    {"[\"doctype_subscribe\",\"Sales Order\",\"more\",{}]", "doctype:Sales Order"},
    {"[\"doc_subscribe\",\"ToDo\",\"a\"]", "doc:ToDo/a"},
    {"[\"doc_open\",\"ToDo\",\"a\"]", "open_doc:ToDo/a"},
    {"[\"task_subscribe\",\"id-1\"]", "task_progress:id-1"},
    {"[\"progress_subscribe\",\"id-1\"]", "task_progress:id-1"},
    {"[\"task_subscribe\",12]", "task_progress:12"},
    {"[\"\\u0064oc_open\",\"ToDo\",\"a\"]", "open_doc:ToDo/a"},
    {" [ \"doc_open\" , \"ToDo\" , \"a\" ] ", "open_doc:ToDo/a"},
    /* names */
    {"[\"doc_open\",\"T\",5]", "open_doc:T/5"},
    {"[\"doc_open\",\"T\",-5]", "open_doc:T/-5"},
    {"[\"doc_open\",\"T\",18446744073709551616]", "open_doc:T/18446744073709551616"},
    {"[\"doc_open\",\"T\",\"a/b'c\\\"d\\\\e f\"]", "open_doc:T/a/b'c\"d\\e f"},
    {"[\"doc_open\",\"T\",\"\\u00fc\\ud83d\\ude00\"]", "open_doc:T/\303\274\360\237\230\200"},
    {"[\"doc_open\",\"T\",\"\303\274\360\237\230\200\"]", "open_doc:T/\303\274\360\237\230\200"},
    {"[\"doc_open\",\"T\",\"%41&x=1\"]", "open_doc:T/%41&x=1"},
    {"[\"doc_open\",\"T\",\"a\\nb\"]", "open_doc:T/a\nb"},
    /* a name leads nowhere else */
    {"[\"task_subscribe\",\"x\\/..\\/user:y@a\"]", "task_progress:x/../user:y@a"},
    {"[\"doctype_subscribe\",\"user:y@a\"]", "doctype:user:y@a"},
    {"[\"doc_subscribe\",\"all\",\"website\"]", "doc:all/website"},
    /* missing and malformed */
    {"[\"doctype_subscribe\"]", NULL},
    {"[\"doctype_subscribe\",\"\"]", NULL},
    {"[\"doctype_subscribe\",5]", NULL},
    {"[\"doctype_subscribe\",null]", NULL},
    {"[\"doctype_subscribe\",[\"T\"]]", NULL},
    {"[\"doctype_subscribe\",{\"doctype\":\"T\"}]", NULL},
    {"[\"doctype_subscribe\",true]", NULL},
    {"[\"doctype_subscribe\",\"a\\u0000b\"]", NULL},
    {"[\"doctype_subscribe\",\"\\ud800\"]", NULL},
    {"[\"doctype_subscribe\",\"\\udc00x\"]", NULL},
    {"[\"doc_subscribe\",\"T\"]", NULL},
    {"[\"doc_subscribe\",\"T\",\"\"]", NULL},
    {"[\"doc_subscribe\",\"T\",null]", NULL},
    {"[\"doc_subscribe\",\"T\",{}]", NULL},
    {"[\"doc_subscribe\",\"T\",[1]]", NULL},
    {"[\"doc_subscribe\",\"T\",false]", NULL},
    {"[\"doc_subscribe\",5,\"a\"]", NULL},
    {"[\"doc_open\",\"T\",\"\\u0000\"]", NULL},
    {"[\"doc_open\",\"\",\"a\"]", NULL},
    {"[\"task_subscribe\"]", NULL},
    {"[\"task_subscribe\",null]", NULL},
    {"[\"task_subscribe\",\"\"]", NULL},
    {"[\"unknown\",\"T\"]", NULL},
    {"[\"doc_open \",\"T\",\"a\"]", NULL},
    {"[\"\",\"T\"]", NULL},
    {"[7,\"T\"]", NULL},
};

static void test_rooms(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        world w;
        rt_sio_figures before, after;
        world_init(&w, NULL);
        world_client *c = session_start(&w, "x@a", V16);
        rt_sio_get_figures(w.io, &before);
        session_emit(c, rooms[i].event);
        if (!rooms[i].room && w.calls)
            fail_msg("%s is asked about", rooms[i].event);
        session_allow(&w);
        rt_sio_get_figures(w.io, &after);
        if (after.rooms != before.rooms + (rooms[i].room ? 1 : 0))
            fail_msg("%s: %u rooms", rooms[i].event, after.rooms - before.rooms);
        if (rooms[i].room && session_room(&w, rooms[i].room) != 1)
            fail_msg("%s does not lead to %s", rooms[i].event, rooms[i].room);
        assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), rooms[i].room ? 0 : 1);
        assert_true(c->open);
        world_fini(&w);
    }
}

/* The opposites, also of what was never joined. */
static void test_leaving(void **state) {
    (void)state;
    static const struct {
        const char *in, *out, *room;
    } cases[] = {
        {"[\"doctype_subscribe\",\"T\"]", "[\"doctype_unsubscribe\",\"T\"]", "doctype:T"},
        {"[\"doc_subscribe\",\"T\",\"a\"]", "[\"doc_unsubscribe\",\"T\",\"a\"]", "doc:T/a"},
        {"[\"doc_subscribe\",\"T\",5]", "[\"doc_unsubscribe\",\"T\",\"5\"]", "doc:T/5"},
        {"[\"doc_open\",\"T\",\"a\"]", "[\"doc_close\",\"T\",\"a\"]", "open_doc:T/a"},
        {"[\"task_subscribe\",\"a\"]", "[\"task_unsubscribe\",\"a\"]", "task_progress:a"},
        {"[\"progress_subscribe\",\"a\"]", "[\"task_unsubscribe\",\"a\"]", "task_progress:a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_init(&w, NULL);
        world_client *c = session_start(&w, "x@a", V16);
        session_emit(c, cases[i].out);
        session_emit(c, cases[i].in);
        session_allow(&w);
        assert_int_equal(session_room(&w, cases[i].room), 1);
        session_emit(c, cases[i].out);
        assert_int_equal(session_room(&w, cases[i].room), 0);
        session_emit(c, cases[i].out);
        assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), 0);
        world_fini(&w);
    }
}

static void test_malformed_leaving(void **state) {
    (void)state;
    static const char *const events[] = {"[\"doctype_unsubscribe\"]", "[\"doc_unsubscribe\",\"T\"]",
                                         "[\"doc_close\",\"T\",null]", "[\"task_unsubscribe\"]",
                                         "[\"doc_close\",1,1]"};
    unsigned n = sizeof events / sizeof *events;
    world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    for (unsigned i = 0; i < n; i++)
        session_emit(c, events[i]);
    assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), n);
    world_fini(&w);
}

/* The last thing that the client has heard is that it has reached a limit. */
static void assert_told(world_client *c, const char *limit, unsigned max) {
    char want[200];
    const char *heard = world_heard(c);
    const char *last = strrchr(heard, '|');
    last = last ? last + 1 : heard;
    snprintf(want, sizeof want,
             "2" NS ",[\"frappe_rt_limit\",{\"limit\":\"%s\",\"max\":%u,\"message\":\"", limit,
             max);
    if (strncmp(last, want, strlen(want)) != 0)
        fail_msg("got %s, want %s", last, want);
}

/* The longest room name, and one byte more. */
static void test_long_names(void **state) {
    (void)state;
    char name[RT_SIO_ROOM_NAME_MAX + 1], event[RT_SIO_ROOM_NAME_MAX + 100];
    memset(name, 'x', sizeof name);
    for (int more = 0; more < 2; more++) {
        world w;
        world_init(&w, NULL);
        world_client *c = session_start(&w, "x@a", V16);
        size_t n = RT_SIO_ROOM_NAME_MAX - strlen("doc:T/") + (size_t)more;
        snprintf(event, sizeof event, "[\"doc_subscribe\",\"T\",\"%.*s\"]", (int)n, name);
        session_emit(c, event);
        assert_int_equal(w.calls != NULL, !more);
        session_allow(&w);
        snprintf(event, sizeof event, "doc:T/%.*s", (int)n, name);
        assert_int_equal(session_room(&w, event), more ? 0 : 1);
        assert_int_equal(world_counter(&w, RT_FRAPPE_NAMES_OVER_MAX), more);
        if (more)
            assert_told(c, "room_name_bytes", RT_SIO_ROOM_NAME_MAX);
        else
            assert_string_equal(world_heard(c), "");
        world_fini(&w);
    }
}

/* What is no text, or no JSON, is the protocol's to refuse: that connection ends, as at Frappe's
 * own server, and nothing else happens. */
static void test_raw_bytes(void **state) {
    (void)state;
    static const rt_slice packets[] = {
        RT_LIT("2" NS ",[\"doctype_subscribe\",\"a\377\"]"),
        RT_LIT("2" NS ",[\"doctype_subscribe\",\"a\303\"]"),
        RT_LIT("2" NS ",[\"doctype_subscribe\",\"\355\240\200\"]"), /* a surrogate */
        RT_LIT("2" NS ",[\"doctype_subscribe\",\"a\0b\"]"),
        RT_LIT("2" NS ",[\"doctype_subscribe\",\"a\nb\"]"),
        RT_LIT("2" NS ",[\"doctype_subscribe\""),
        RT_LIT("2" NS ",{\"doctype_subscribe\":\"T\"}"),
    };
    world w;
    world_init(&w, NULL);
    world_client *other = session_start(&w, "x@a", V16);
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        world_client *c = session_start(&w, "x@a", V16);
        world_say_n(c, packets[i].p, packets[i].n);
        world_turn(&w);
        if (c->open)
            fail_msg("packet %zu: still open", i);
        assert_null(w.calls);
        assert_int_equal(session_room(&w, "website"), 1); /* the other's */
    }
    session_emit(other, "[\"ping\"]");
    assert_string_equal(world_heard(other), "2" NS ",[\"pong\"]");
    world_fini(&w);
}

static void test_large_argument(void **state) {
    (void)state;
    size_t n = 900000;
    char *event = malloc(n + 100);
    assert_non_null(event);
    sprintf(event, "[\"task_subscribe\",\"");
    size_t head = strlen(event);
    memset(event + head, 'x', n);
    strcpy(event + head + n, "\"]");
    world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    session_emit(c, event);
    assert_int_equal(world_counter(&w, RT_FRAPPE_NAMES_OVER_MAX), 1);
    assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), 0);
    assert_true(c->open);
    world_fini(&w);
    free(event);
}

static void test_ping(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    session_emit(c, "[\"ping\"]");
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    session_emit(c, "[\"ping\",1,2]");
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    world_fini(&w);
}

static void test_open_in_editor(void **state) {
    (void)state;
    static const struct {
        const char *user, *event, *published;
        bool developer, redis_away;
    } cases[] = {
        {"x@a", "[\"open_in_editor\",{\"file\":\"a.py\",\"line\":1}]",
         "open_in_editor {\"file\":\"a.py\",\"line\":1}", true, false},
        {"x@a", "[\"open_in_editor\" , \"a\" , 2]", "open_in_editor \"a\"", true, false},
        {"x@a", "[\"open_in_editor\"]", "", true, false},
        {"x@a", "[\"open_in_editor\",{}]", "", false, false},
        {"x@a", "[\"open_in_editor\",{}]", "", true, true},
        {"Guest", "[\"open_in_editor\",{}]", "", true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_frappe_opts opts;
        rt_frappe_opts_default(&opts);
        opts.developer_mode = cases[i].developer;
        world w;
        world_init(&w, &opts);
        world_client *c = session_start(&w, cases[i].user, V16);
        w.redis_refuses = cases[i].redis_away ? RT_ECLOSED : RT_OK;
        session_emit(c, cases[i].event);
        assert_string_equal(w.published, cases[i].published);
        assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), !*cases[i].published);
        world_fini(&w);
    }
}

/* What guests may do is Frappe's unless the switch is off; nobody else notices it. */
static void test_guests_see_others(void **state) {
    (void)state;
    static const struct {
        const char *event, *room;
        bool of_others;
    } cases[] = {
        {"[\"task_subscribe\",\"t\"]", "task_progress:t", true},
        {"[\"progress_subscribe\",\"p\"]", "task_progress:p", true},
        {"[\"doc_open\",\"T\",\"a\"]", "open_doc:T/a", true},
        {"[\"doc_subscribe\",\"T\",\"a\"]", "doc:T/a", false},
        {"[\"doctype_subscribe\",\"T\"]", "doctype:T", false},
    };
    world w;
    world_init(&w, NULL);
    for (int allowed = 0; allowed < 2; allowed++) {
        rt_frappe_set_guests_see_others(w.frappe, allowed);
        world_client *guest = session_start(&w, "Guest", V16), *x = session_start(&w, "x@a", V16);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            session_emit(guest, cases[i].event);
            session_allow(&w);
            assert_int_equal(session_room(&w, cases[i].room), allowed || !cases[i].of_others);
            session_emit(x, cases[i].event);
            session_allow(&w);
            assert_int_equal(session_room(&w, cases[i].room), 1 + (allowed || !cases[i].of_others));
        }
        session_emit(guest, "[\"task_unsubscribe\",\"t\"]");
        assert_int_equal(session_room(&w, "task_progress:t"), 1);
        world_leave(guest);
        world_leave(x);
    }
    assert_int_equal(world_counter(&w, RT_FRAPPE_GUEST_EVENTS_REFUSED), 3);
    assert_int_equal(world_counter(&w, RT_FRAPPE_EVENTS_IGNORED), 0);
    world_fini(&w);
}

/* --- how much --- */

static unsigned pongs(world_client *c) {
    unsigned n = 0;
    const char *at = world_heard(c);
    while ((at = strstr(at, "\"pong\""))) {
        n++;
        at++;
    }
    return n;
}

static void ping(world_client *c, unsigned times) {
    for (unsigned i = 0; i < times; i++)
        session_emit(c, "[\"ping\"]");
}

static void test_rooms_per_socket(void **state) {
    (void)state;
    char event[80];
    world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    for (int i = 0; i < RT_SIO_ROOMS_PER_SOCKET_MAX + 10; i++) {
        snprintf(event, sizeof event, "[\"doc_subscribe\",\"T\",\"%d\"]", i);
        session_emit(c, event);
        session_allow(&w);
        world_pass(&w, 10);
    }
    rt_sio_figures f;
    rt_sio_get_figures(w.io, &f);
    assert_int_equal(f.rooms, RT_SIO_ROOMS_PER_SOCKET_MAX);
    assert_true(f.counters.v[RT_SIO_ROOMS_OVER_MAX] > 0);
    assert_told(c, "rooms_per_socket", RT_SIO_ROOMS_PER_SOCKET_MAX);
    world_pass(&w, 1000);
    uint64_t refused = f.counters.v[RT_SIO_ROOMS_OVER_MAX];
    session_emit(c, "[\"task_subscribe\",\"t\"]");
    assert_int_equal(session_room(&w, "task_progress:t"), 0);
    rt_sio_get_figures(w.io, &f);
    assert_int_equal(f.counters.v[RT_SIO_ROOMS_OVER_MAX], refused + 1);
    assert_told(c, "rooms_per_socket", RT_SIO_ROOMS_PER_SOCKET_MAX);
    /* one room left, one room free */
    session_emit(c, "[\"doc_unsubscribe\",\"T\",\"0\"]");
    session_emit(c, "[\"task_subscribe\",\"t\"]");
    assert_int_equal(session_room(&w, "task_progress:t"), 1);
    assert_true(c->open);
    world_fini(&w);
}

/* A client that sends too much is told so, once a second and each for itself; nothing is lost. */
static void test_told_of_limits(void **state) {
    (void)state;
    world w;
    const unsigned rate = 50, burst = RT_EIO_BURST_S * rate;
    world_init(&w, NULL);
    rt_frappe_set_events_per_second(w.frappe, rate);
    world_client *c = session_start(&w, "x@a", V16), *d = session_start(&w, "x@a", V16);
    rt_eio_set_packets_per_second(w.eio, rate);
    world_pass(&w, 60000);
    ping(c, burst);
    assert_int_equal(pongs(c), burst);
    ping(c, 1);
    assert_told(c, "events_per_second", rate);
    world_pass(&w, 5);
    ping(c, 1);
    assert_int_equal(pongs(c), 1);
    ping(d, burst + 1);
    assert_told(d, "events_per_second", rate);
    for (int seconds = 0; seconds < 5; seconds++) {
        world_pass(&w, RT_FRAPPE_TELL_MS);
        ping(c, rate);
        world_heard(c);
        ping(c, 3);
        assert_int_equal(pongs(c), 3);
    }
    assert_int_equal(world_counter(&w, RT_FRAPPE_LIMITS_TOLD), 7);
    assert_true(c->open);
    world_fini(&w);
}

/* --- memory --- */

/* So that no further room is free. */
static void fill_rooms(const world *w) {
    char room[20];
    rt_sio_socket *s = rt_sio_ns_socket(rt_sio_ns_find(w->io, RT_LIT(NS)), 0);
    int status = RT_OK;
    for (int i = 0; status == RT_OK; i++) {
        snprintf(room, sizeof room, "%d", i);
        status = rt_sio_join(s, rt_slice_of(room));
    }
    assert_int_equal(status, RT_ELIMIT);
}

/* The at-th allocation fails; returns how many there were. A subscription may be lost, but not
 * without a trace: it is counted, or the client is dropped and asks again. */
static long subscribe_with_fault(const char *event, const char *room, bool full, long at) {
    world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    if (full)
        fill_rooms(&w);
    rt_alloc_fail_at(at);
    session_emit(c, event);
    session_allow(&w);
    long asked = rt_alloc_count();
    rt_alloc_fail_at(0);
    for (int i = 0; i < 4; i++) { /* a question without memory is asked again */
        world_pass(&w, 4000);
        session_allow(&w);
    }
    bool traced = world_counter(&w, RT_FRAPPE_EVENTS_IGNORED) > 0 ||
                  world_counter(&w, RT_FRAPPE_PERMISSION_UNANSWERED) > 0 ||
                  world_counter(&w, RT_FRAPPE_LIMITS_TOLD) > 0;
    assert_true(session_room(&w, room) == 1 || !c->open || traced);
    if (asked < at)
        assert_int_equal(session_room(&w, room), !full);
    world_fini(&w);
    assert_int_equal(rt_alloc_live(), 0);
    return asked;
}

static void test_memory(void **state) {
    static const struct {
        const char *event, *room;
    } cases[] = {
        {"[\"task_subscribe\",\"t\"]", "task_progress:t"},
        {"[\"doc_subscribe\",\"T\",\"t\"]", "doc:T/t"},
        {"[\"doc_open\",\"T\",\"t\"]", "open_doc:T/t"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        long at = 1;
        while (subscribe_with_fault(cases[i / 2].event, cases[i / 2].room, i % 2, at) >= at)
            at++;
        assert_true(at > 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_malformed_leaving),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_raw_bytes),
        cmocka_unit_test(test_large_argument),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_open_in_editor),
        cmocka_unit_test(test_guests_see_others),
        cmocka_unit_test(test_rooms_per_socket),
        cmocka_unit_test(test_told_of_limits),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
