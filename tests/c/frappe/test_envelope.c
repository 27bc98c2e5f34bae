/* The `events` envelope, from Redis and taken apart: what is sent to whom, byte for byte, and what
 * is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/session.h"
#include "support/guard.h"

/* x is in doc:T/a of a.example, y is not; b is in b.example. */
typedef struct fixture {
    world w;
    world_client *x, *y, *b;
} fixture;

static void setup(fixture *f) {
    world_init(&f->w, NULL);
    f->x = session_start(&f->w, "x@a", V16);
    f->y = session_start(&f->w, "y@a", V16);
    session_emit(f->x, "[\"doc_subscribe\",\"T\",\"a\"]");
    session_allow(&f->w);
    f->b = world_connect(&f->w, "/b.example", "Host: b.example\nCookie: sid=s\n");
    world_answer(&f->w, 200, "{\"message\":{\"user\":\"x@a\"}}");
    world_heard(f->b);
}

#define A(args) "2/a.example,[" args "]"
#define B(args) "2/b.example,[" args "]"

static const struct {
    const char *json;
    const char *x, *y, *b;
} good[] = {
    /* as Frappe writes it */
    {"{\n \"event\": \"msgprint\",\n \"message\": \"hi\",\n \"namespace\": \"a.example\",\n "
     "\"room\": "
     "\"user:x@a\"\n}",
     A("\"msgprint\",\"hi\""), "", ""},
    {"{\"room\":\"all\",\"namespace\":\"a.example\",\"message\":{ \"a\" : 1 },\"event\":\"e\"}",
     A("\"e\",{ \"a\" : 1 }"), A("\"e\",{ \"a\" : 1 }"), ""},
    {"{\"event\":\"e\",\"message\":{},\"room\":\"website\",\"namespace\":\"b.example\"}", "", "",
     B("\"e\",{}")},
    {"{\"event\":\"e\",\"message\":[1,2],\"room\":\"doc:T/a\",\"namespace\":\"a.example\"}",
     A("\"e\",[1,2]"), "", ""},
    /* decoded: room and namespace; not decoded: event and message */
    {"{\"event\":\"\\u0065\\n\",\"message\":\"\\u00fc\",\"room\":\"\\u0064oc:T\\/a\","
     "\"namespace\":\"a\\u002eexample\"}",
     A("\"\\u0065\\n\",\"\\u00fc\""), "", ""},
    {"{\"\\u0065vent\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
     A("\"e\",1"), A("\"e\",1"), ""},
    /* null is a message, and no message is null */
    {"{\"event\":\"e\",\"message\":null,\"room\":\"doc:T/a\",\"namespace\":\"a.example\"}",
     A("\"e\",null"), "", ""},
    {"{\"event\":\"e\",\"room\":\"doc:T/a\",\"namespace\":\"a.example\"}", A("\"e\",null"), "", ""},
    /* the last of two */
    {"{\"event\":\"d\",\"event\":\"e\",\"message\":1,\"message\":2,\"room\":\"x\",\"room\":\"doc:T/"
     "a\","
     "\"namespace\":\"a.example\"}",
     A("\"e\",2"), "", ""},
    /* without a room: everybody */
    {"{\"event\":\"build_event\",\"message\":{\"a\":1}}", A("\"build_event\",{\"a\":1}"),
     A("\"build_event\",{\"a\":1}"), B("\"build_event\",{\"a\":1}")},
    {"{\"event\":\"e\",\"message\":1,\"room\":null,\"namespace\":null}", A("\"e\",1"), A("\"e\",1"),
     B("\"e\",1")},
    /* ... of the site, when one is named: what it says is no other tenant's business */
    {"{\"event\":\"e\",\"message\":1,\"room\":\"\",\"namespace\":\"a.example\"}", A("\"e\",1"),
     A("\"e\",1"), ""},
    {"{\"event\":\"e\",\"message\":1,\"room\":null,\"namespace\":\"b.example\"}", "", "",
     B("\"e\",1")},
    {"{\"event\":\"build_event\",\"message\":1,\"namespace\":\"a.example\"}",
     A("\"build_event\",1"), A("\"build_event\",1"), ""},
    {"{\"event\":\"e\",\"message\":1,\"namespace\":\"c.example\"}", "", "", ""},
    /* Python's numbers, in the message and beside it */
    {"{\"event\":\"e\",\"message\":{\"a\":NaN,\"b\":[Infinity,-Infinity],\"c\":\"NaN\"},\"room\":"
     "\"doc:T/a\",\"namespace\":\"a.example\"}",
     A("\"e\",{\"a\":null,\"b\":[null,null],\"c\":\"NaN\"}"), "", ""},
    {"{\"event\":\"e\",\"message\":NaN,\"room\":\"doc:T/a\",\"namespace\":\"a.example\",\"x\":NaN}",
     A("\"e\",null"), "", ""},
    /* what does not concern us is left alone */
    {"{\"event\":\"e\",\"message\":{\"_placeholder\":true,\"num\":0},\"room\":\"doc:T/a\","
     "\"namespace\":\"a.example\",\"more\":[]}",
     A("\"e\",{\"_placeholder\":true,\"num\":0}"), "", ""},
    {"{\"event\":\"\",\"message\":\"\",\"room\":\"doc:T/a\",\"namespace\":\"a.example\"}",
     A("\"\",\"\""), "", ""},
    /* to nobody */
    {"{\"event\":\"e\",\"message\":1,\"room\":\"nobody\",\"namespace\":\"a.example\"}", "", "", ""},
    {"{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":\"c.example\"}", "", "", ""},
    {"{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":\"/a.example\"}", "", "", ""},
    {"{\"event\":\"e\",\"message\":1,\"room\":\"all\\u0000\",\"namespace\":\"a.example\"}", "", "",
     ""},
};

static void test_good(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    uint64_t nobody = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_slice_of(good[i].json)), RT_OK);
        assert_string_equal(world_heard(f.x), good[i].x);
        assert_string_equal(world_heard(f.y), good[i].y);
        assert_string_equal(world_heard(f.b), good[i].b);
        assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES), i + 1);
        nobody += !*good[i].x && !*good[i].y && !*good[i].b;
        assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES_TO_NOBODY), nobody);
    }
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_PYTHON_NUMBERS), 5);
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES_MALFORMED), 0);
    world_fini(&f.w);
}

static const char *const bad[] = {
    "",
    "{",
    "[]",
    "\"x\"",
    "null",
    "{}",
    "{\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":null,\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":5,\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":1,\"room\":5,\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":1,\"room\":[\"all\"],\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":true}",
    "{\"event\":\"e\",\"message\":1,\"room\":\"\\ud800\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"} x",
    "{\"event\":\"e\",\"message\":\"a\nb\",\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":\"\036\",\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":\"\377\",\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":nan,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"e\",\"message\":01,\"room\":\"all\",\"namespace\":\"a.example\"}",
    /* these would close every client's connection */
    "{\"event\":\"connect\",\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"disconnec\\u0074\",\"message\":1,\"room\":\"all\",\"namespace\":\"a.example\"}",
    "{\"event\":\"connect_error\",\"message\":1}",
    "{\"event\":\"disconnecting\",\"message\":1}",
    "{\"event\":\"newListener\",\"message\":1}",
    "{\"event\":\"removeListener\",\"message\":1}",
};

static void test_bad(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (rt_frappe_envelope(f.w.frappe, rt_slice_of(bad[i])) != RT_EFRAPPE_ENVELOPE)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES_MALFORMED), i + 1);
    }
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES), 0);
    assert_string_equal(world_heard(f.x), "");
    assert_string_equal(world_heard(f.y), "");
    assert_string_equal(world_heard(f.b), "");
    assert_true(f.x->open && f.y->open && f.b->open);
    world_fini(&f.w);
}

static char said[500];

static void remember(enum rt_log_level level, const char *part, const char *text) {
    size_t n = strlen(said);
    assert_int_equal(level, RT_LOG_WARN);
    assert_string_equal(part, "frappe");
    snprintf(said + n, sizeof said - n, "%s\n", text);
}

/* A publisher that goes wrong again and again hides no other. */
static void test_logged_by_cause(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    said[0] = '\0';
    rt_log_set_sink(remember, RT_LOG_DEBUG);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rt_frappe_envelope(f.w.frappe, RT_LIT("{")), RT_EFRAPPE_ENVELOPE);
    assert_int_equal(rt_frappe_envelope(f.w.frappe, RT_LIT("[]")), RT_EFRAPPE_ENVELOPE);
    assert_string_equal(said, "an event was skipped: not JSON\n"
                              "an event was skipped: not an object\n");
    said[0] = '\0';
    world_pass(&f.w, 1000);
    assert_int_equal(rt_frappe_envelope(f.w.frappe, RT_LIT("{")), RT_EFRAPPE_ENVELOPE);
    assert_string_equal(said,
                        "an event was skipped: not JSON (99 more since the last such line)\n");
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    world_fini(&f.w);
}

static void test_room_without_namespace(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    static const char *const cases[] = {
        "{\"event\":\"e\",\"message\":1,\"room\":\"all\"}",
        "{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":null}",
        "{\"event\":\"e\",\"message\":1,\"room\":\"all\",\"namespace\":\"\"}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_slice_of(cases[i])),
                         RT_EFRAPPE_ENVELOPE);
    assert_int_equal(
        rt_frappe_publish(f.w.frappe, RT_EMPTY, RT_LIT("all"), RT_LIT("e"), RT_LIT("1")),
        RT_EFRAPPE_ENVELOPE);
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES_NO_NAMESPACE), 4);
    assert_string_equal(world_heard(f.x), "");
    world_fini(&f.w);
}

/* Every prefix is refused, and none is read past its end. */
static void test_prefixes(void **state) {
    (void)state;
    fixture f;
    rt_guard g;
    setup(&f);
    rt_guard_init(&g, 4096);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n = strlen(good[i].json);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_guard_tail(&g, good[i].json, cut)),
                             RT_EFRAPPE_ENVELOPE);
        assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_guard_tail(&g, good[i].json, n)), RT_OK);
    }
    rt_guard_fini(&g);
    world_fini(&f.w);
}

static void test_too_large(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    size_t n = RT_FRAPPE_ENVELOPE_MAX + 1;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, ' ', n);
    memcpy(text, "{\"event\":\"e\",\"message\":1}", 25);
    assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_slice_make(text, n)), RT_EFRAPPE_ENVELOPE);
    assert_int_equal(rt_frappe_envelope(f.w.frappe, rt_slice_make(text, n - 1)), RT_OK);
    assert_int_equal(
        rt_frappe_publish(f.w.frappe, RT_EMPTY, RT_EMPTY, RT_LIT("e"), rt_slice_make(text, n)),
        RT_EFRAPPE_ENVELOPE);
    free(text);
    world_fini(&f.w);
}

/* --- taken apart --- */

static const struct {
    const char *site, *room, *event, *message;
    int status;
    const char *x, *y, *b;
} published[] = {
    {"a.example", "doc:T/a", "e", "{\"a\":1}", RT_OK, A("\"e\",{\"a\":1}"), "", ""},
    {"a.example", "", "e", "1", RT_OK, A("\"e\",1"), A("\"e\",1"), ""},
    {"", "", "e", "1", RT_OK, A("\"e\",1"), A("\"e\",1"), B("\"e\",1")},
    {"a.example", "all", "q\"\\\n\303\274", " null ", RT_OK, A("\"q\\\"\\\\\\n\303\274\",null"),
     A("\"q\\\"\\\\\\n\303\274\",null"), ""},
    {"a.example", "doc:T/a", "e", "[NaN,-Infinity]", RT_OK, A("\"e\",[null,null]"), "", ""},
    {"c.example", "all", "e", "1", RT_OK, "", "", ""},
    {"a.example", "all", "e", "", RT_EFRAPPE_ENVELOPE, "", "", ""},
    {"a.example", "all", "e", "{", RT_EFRAPPE_ENVELOPE, "", "", ""},
    {"a.example", "all", "e", "1,2", RT_EFRAPPE_ENVELOPE, "", "", ""},
    {"a.example", "all", "e", "\"\036\"", RT_EFRAPPE_ENVELOPE, "", "", ""},
    {"a.example", "all", "\377", "1", RT_EFRAPPE_ENVELOPE, "", "", ""},
    {"a.example", "all", "connect", "1", RT_EFRAPPE_ENVELOPE, "", "", ""},
};

static void test_publish(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        assert_int_equal(rt_frappe_publish(f.w.frappe, rt_slice_of(published[i].site),
                                           rt_slice_of(published[i].room),
                                           rt_slice_of(published[i].event),
                                           rt_slice_of(published[i].message)),
                         published[i].status);
        assert_string_equal(world_heard(f.x), published[i].x);
        assert_string_equal(world_heard(f.y), published[i].y);
        assert_string_equal(world_heard(f.b), published[i].b);
    }
    world_fini(&f.w);
}

/* --- memory --- */

static int send_envelope(rt_frappe *f) {
    return rt_frappe_envelope(f, RT_LIT("{\"event\":\"e\",\"message\":[NaN],"
                                        "\"room\":\"doc:T/\\u0061\","
                                        "\"namespace\":\"a.example\"}"));
}

static int send_taken_apart(rt_frappe *f) {
    return rt_frappe_publish(f, RT_LIT("a.example"), RT_LIT("doc:T/a"), RT_LIT("e"),
                             RT_LIT("[NaN]"));
}

/* The at-th allocation of one event fails. *asked is how many there were. What is lost for want of
 * memory is counted: nobody else learns of it. */
static int send_with_fault(int (*send)(rt_frappe *f), long at, long *asked) {
    fixture f;
    setup(&f);
    rt_alloc_fail_at(at);
    int status = send(f.w.frappe);
    world_turn(&f.w);
    *asked = rt_alloc_count();
    rt_alloc_fail_at(0);
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES_NO_MEMORY), status == RT_ENOMEM);
    assert_int_equal(world_counter(&f.w, RT_FRAPPE_ENVELOPES), status == RT_OK);
    world_fini(&f.w);
    return status;
}

static void expect_no_leak(int (*send)(rt_frappe *f)) {
    long at = 0, asked, lost = 0;
    do {
        int status = send_with_fault(send, ++at, &asked);
        assert_int_equal(rt_alloc_live(), 0);
        assert_true(status == RT_OK || (status == RT_ENOMEM && asked >= at));
        lost += status == RT_ENOMEM;
    } while (asked >= at);
    assert_true(lost >= 3);
}

static void test_memory(void **state) {
    (void)state;
    expect_no_leak(send_envelope);
    expect_no_leak(send_taken_apart);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_logged_by_cause),
        cmocka_unit_test(test_room_without_namespace),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_publish),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
