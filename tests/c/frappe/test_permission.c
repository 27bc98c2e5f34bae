/* Permissions: which method is asked, how often, and what follows from the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/session.h"
#include "support/faults.h"

#define API "/api/method/frappe.realtime."

static void start(world *w, world_client **c, enum session_generation g) {
    world_init(w, NULL);
    *c = session_start(w, "x@a", g);
}

/* --- the request --- */

static void test_paths(void **state) {
    (void)state;
    static const struct {
        enum session_generation generation;
        const char *event, *path;
    } cases[] = {
        {V15, "[\"doctype_subscribe\",\"Sales Order\"]",
         API "can_subscribe_doctype?doctype=Sales%20Order"},
        {V15, "[\"doc_subscribe\",\"ToDo\",\"a/b&c\"]",
         API "can_subscribe_doc?doctype=ToDo&docname=a%2Fb%26c"},
        {V15, "[\"doc_open\",\"ToDo\",7]", API "can_subscribe_doc?doctype=ToDo&docname=7"},
        {V16, "[\"doctype_subscribe\",\"Sales Order\"]",
         API "has_permission?doctype=Sales%20Order&name="},
        {V16, "[\"doc_subscribe\",\"ToDo\",\"\\u00fc \\ud83d\\ude00\"]",
         API "has_permission?doctype=ToDo&name=%C3%BC%20%F0%9F%98%80"},
        {V16, "[\"doc_open\",\"ToDo\",-7]", API "has_permission?doctype=ToDo&name=-7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_client *c;
        start(&w, &c, cases[i].generation);
        session_emit(c, cases[i].event);
        assert_non_null(w.calls);
        assert_string_equal(w.calls->path, cases[i].path);
        assert_string_equal(w.calls->site, "a.example");
        assert_string_equal(w.calls->sid, "x@a");
        assert_string_equal(w.calls->authorization, "");
        assert_string_equal(w.calls->secret, "s3cret");
        world_fini(&w);
    }
}

static void test_authorization(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c =
        world_connect(&w, NS, "Host: a.example\nCookie: sid=Guest\nAuthorization: token k:s\n");
    world_answer(&w, 200, "{\"message\":{\"user\":\"x@a\"}}");
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    assert_string_equal(w.calls->authorization, "token k:s");
    assert_string_equal(w.calls->sid, "");
    world_fini(&w);
}

/* --- the answer --- */

static void test_answers(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        bool allowed;
    } cases[] = {
        {200, "{\"message\":true}", true},
        {200, "{\"message\":1}", true},
        {200, "{\"message\":0.10}", true},
        {200, "{\"message\":\"yes\"}", true},
        {200, "{\"message\":[0]}", true},
        {200, "{\"message\":{\"a\":0}}", true},
        {200, "{\"message\":false}", false},
        {200, "{\"message\":null}", false},
        {200, "{\"message\":0}", false},
        {200, "{\"message\":-0.0e5}", false},
        {200, "{\"message\":\"\"}", false},
        {200, "{\"message\":[ ]}", false},
        {200, "{\"message\":{ }}", false},
        {200, "{}", false},
        {401, "", false},
        {403, "{\"exc_type\":\"PermissionError\"}", false},
        {404, "{\"exc_type\":\"DoesNotExistError\"}", false},
        {417, "{\"exc_type\":\"ValidationError\"}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_client *c;
        start(&w, &c, V16);
        session_emit(c, "[\"doctype_subscribe\",\"T\"]");
        while (w.calls)
            world_answer(&w, cases[i].status, cases[i].body);
        if (session_room(&w, "doctype:T") != (cases[i].allowed ? 1 : 0))
            fail_msg("%d %s", cases[i].status, cases[i].body);
        assert_int_equal(world_counter(&w, RT_FRAPPE_PERMISSION_DENIED), cases[i].allowed ? 0 : 1);
        assert_string_equal(world_heard(c), ""); /* nobody is told */
        world_fini(&w);
    }
}

static void test_web_away(void **state) {
    (void)state;
    world w;
    world_client *c;
    start(&w, &c, V16);
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    world_answer(&w, 502, "<html>");
    world_pass(&w, 250 + 63);
    world_answer_error(&w, 0, "", NULL);
    world_pass(&w, 500 + 125);
    session_allow(&w);
    assert_int_equal(session_room(&w, "doctype:T"), 1);
    /* not for ever: the socket stays, the question goes */
    session_emit(c, "[\"doctype_subscribe\",\"U\"]");
    for (int ms = 0; ms <= RT_FRAPPE_AUTH_PATIENCE_MS + 5000; ms++) {
        if (w.calls)
            world_answer(&w, 502, "");
        world_pass(&w, 1);
    }
    assert_int_equal(world_figures(&w).waiting, 0);
    assert_int_equal(world_counter(&w, RT_FRAPPE_PERMISSION_UNANSWERED), 1);
    assert_int_equal(world_figures(&w).questions, 0);
    assert_true(c->open);
    world_fini(&w);
}

/* --- finding the method --- */

static bool asks(const world *w, const char *method) {
    size_t n = strlen(method);
    return w->calls && strncmp(w->calls->path, API, sizeof API - 1) == 0 &&
           strncmp(w->calls->path + sizeof API - 1, method, n) == 0 &&
           w->calls->path[sizeof API - 1 + n] == '?';
}

/* A build of v15 that knows installed_apps, one of v16 that does not: found by asking. */
static void test_method_found(void **state) {
    (void)state;
    static const struct {
        enum session_generation guess;
        const char *first, *second;
        int status;
    } cases[] = {
        {V16, "has_permission", "can_subscribe_doctype", 417},
        {V16, "has_permission", "can_subscribe_doctype", 404},
        {V15, "can_subscribe_doctype", "has_permission", 417},
        {V15, "can_subscribe_doctype", "has_permission", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_client *c;
        start(&w, &c, cases[i].guess);
        session_emit(c, "[\"doctype_subscribe\",\"T\"]");
        assert_true(asks(&w, cases[i].first));
        world_answer(&w, cases[i].status, "{}");
        assert_true(asks(&w, cases[i].second));
        world_answer(&w, 503, ""); /* a pause changes nothing */
        world_pass(&w, 250 + 63);
        assert_true(asks(&w, cases[i].second));
        world_answer(&w, 200, "{\"message\":true}");
        assert_int_equal(session_room(&w, "doctype:T"), 1);
        /* remembered, for all users of the site */
        world_client *d = session_start(&w, "y@a", cases[i].guess);
        session_emit(d, "[\"doctype_subscribe\",\"U\"]");
        assert_true(asks(&w, cases[i].second));
        world_answer(&w, 403, "");
        session_emit(d, "[\"doctype_subscribe\",\"V\"]");
        assert_true(asks(&w, cases[i].second));
        /* forgotten when it is gone: the site was updated, or this document is missing */
        world_answer(&w, cases[i].status, "");
        assert_true(asks(&w, cases[i].first));
        world_answer(&w, 200, "{\"message\":true}");
        assert_int_equal(session_room(&w, "doctype:V"), 1);
        session_emit(d, "[\"doctype_subscribe\",\"W\"]");
        assert_true(asks(&w, cases[i].first));
        world_fini(&w);
    }
}

/* A document that does not exist: both say so, that is the answer. */
static void test_missing_document(void **state) {
    (void)state;
    world w;
    world_client *c;
    start(&w, &c, V16);
    session_emit(c, "[\"doc_subscribe\",\"T\",\"new-t-1\"]");
    world_answer(&w, 404, "");
    assert_true(asks(&w, "can_subscribe_doc"));
    world_answer(&w, 417, "");
    assert_null(w.calls);
    assert_int_equal(world_counter(&w, RT_FRAPPE_PERMISSION_DENIED), 1);
    session_emit(c, "[\"doc_subscribe\",\"T\",\"t-1\"]");
    assert_true(asks(&w, "has_permission"));
    world_fini(&w);
}

/* ... and afterwards it is open again which of the two the site has. */
static void test_method_forgotten(void **state) {
    (void)state;
    world w;
    world_client *c;
    start(&w, &c, V16);
    session_emit(c, "[\"doc_subscribe\",\"T\",\"1\"]");
    world_answer(&w, 417, "");
    world_answer(&w, 200, "{\"message\":true}");
    session_emit(c, "[\"doc_subscribe\",\"T\",\"missing\"]");
    assert_true(asks(&w, "can_subscribe_doc"));
    world_answer(&w, 404, "");
    world_answer(&w, 417, "");
    session_emit(c, "[\"doc_subscribe\",\"T\",\"2\"]");
    assert_true(asks(&w, "has_permission")); /* the first guess */
    world_fini(&w);
}

/* --- sharing --- */

static void test_shared(void **state) {
    (void)state;
    world w;
    world_client *tabs[10];
    world_init(&w, NULL);
    for (int i = 0; i < 10; i++)
        tabs[i] = session_start(&w, "x@a", V16);
    for (int i = 0; i < 10; i++) {
        session_emit(tabs[i], "[\"doc_subscribe\",\"T\",\"1\"]");
        session_emit(tabs[i], "[\"doc_open\",\"T\",1]"); /* the same question */
    }
    assert_int_equal(w.asked, 1 + 1);
    assert_int_equal(world_figures(&w).waiting, 20);
    session_allow(&w);
    assert_int_equal(session_room(&w, "doc:T/1"), 10);
    assert_int_equal(session_room(&w, "open_doc:T/1"), 10);
    assert_int_equal(world_figures(&w).waiting, 0);
    /* kept, for this user only */
    session_emit(tabs[0], "[\"doc_subscribe\",\"T\",\"1\"]");
    assert_int_equal(w.asked, 2);
    world_client *other = session_start(&w, "y@a", V16);
    session_emit(other, "[\"doc_subscribe\",\"T\",\"1\"]");
    assert_int_equal(w.asked, 4);
    session_allow(&w);
    world_pass(&w, RT_FRAPPE_CACHE_MS);
    session_emit(tabs[0], "[\"doc_subscribe\",\"T\",\"1\"]");
    assert_int_equal(w.asked, 5);
    world_fini(&w);
}

/* Names that would meet if parts were only put side by side. */
static void test_not_shared(void **state) {
    (void)state;
    static const char *const events[] = {
        "[\"doc_subscribe\",\"T\",\"1/2\"]", "[\"doc_subscribe\",\"T/1\",\"2\"]",
        "[\"doc_subscribe\",\"T1\",\"2\"]",  "[\"doc_subscribe\",\"T\",\"12\"]",
        "[\"doctype_subscribe\",\"T\"]",     "[\"doctype_subscribe\",\"T/1/2\"]",
        "[\"doc_subscribe\",\"t\",\"12\"]",
    };
    unsigned n = sizeof events / sizeof *events;
    world w;
    world_client *c;
    start(&w, &c, V16);
    for (unsigned i = 0; i < n; i++)
        session_emit(c, events[i]);
    assert_int_equal(w.asked, 1 + n);
    world_fini(&w);
}

static void test_refusals_kept_shorter(void **state) {
    (void)state;
    world w;
    world_client *c;
    start(&w, &c, V16);
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    world_answer(&w, 403, "");
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    assert_int_equal(w.asked, 2);
    world_pass(&w, RT_FRAPPE_CACHE_REFUSED_MS);
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    assert_int_equal(w.asked, 3);
    session_allow(&w);
    assert_int_equal(session_room(&w, "doctype:T"), 1);
    world_fini(&w);
}

static void test_forget_user(void **state) {
    (void)state;
    world w;
    world_client *x, *y;
    start(&w, &x, V16);
    y = session_start(&w, "y@a", V16);
    session_emit(x, "[\"doctype_subscribe\",\"T\"]");
    session_emit(y, "[\"doctype_subscribe\",\"T\"]");
    session_allow(&w);
    rt_frappe_forget(w.frappe, RT_LIT("a.example"), RT_LIT("x@a"));
    unsigned before = w.asked;
    session_emit(y, "[\"doctype_subscribe\",\"T\"]");
    assert_int_equal(w.asked, before);
    session_emit(x, "[\"doctype_subscribe\",\"T\"]");
    assert_int_equal(w.asked, before + 1);
    world_fini(&w);
}

/* --- what happens while the question is open --- */

static void test_closed_meanwhile(void **state) {
    (void)state;
    static const struct {
        const char *open, *close, *room;
    } cases[] = {
        {"[\"doctype_subscribe\",\"T\"]", "[\"doctype_unsubscribe\",\"T\"]", "doctype:T"},
        {"[\"doc_subscribe\",\"T\",\"1\"]", "[\"doc_unsubscribe\",\"T\",\"1\"]", "doc:T/1"},
        {"[\"doc_open\",\"T\",\"1\"]", "[\"doc_close\",\"T\",\"1\"]", "open_doc:T/1"},
        {"[\"doc_open\",\"T\",1]", "[\"doc_close\",\"T\",\"1\"]", "open_doc:T/1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_client *c, *d;
        start(&w, &c, V16);
        d = session_start(&w, "x@a", V16);
        session_emit(c, cases[i].open);
        session_emit(d, cases[i].open);
        session_emit(c, cases[i].close);
        session_allow(&w);
        assert_int_equal(session_room(&w, cases[i].room), 1); /* d's */
        session_emit(c, cases[i].open);
        session_emit(c, cases[i].close);
        assert_int_equal(session_room(&w, cases[i].room), 1);
        session_emit(c, cases[i].open);
        assert_int_equal(session_room(&w, cases[i].room), 2);
        world_fini(&w);
    }
}

static void test_gone_meanwhile(void **state) {
    (void)state;
    world w;
    world_client *c, *d;
    start(&w, &c, V16);
    d = session_start(&w, "x@a", V16);
    session_emit(c, "[\"doc_open\",\"T\",\"1\"]");
    session_emit(d, "[\"doc_open\",\"T\",\"1\"]");
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    world_leave(c);
    assert_int_equal(world_figures(&w).waiting, 1);
    session_allow(&w);
    assert_int_equal(session_room(&w, "open_doc:T/1"), 1);
    assert_int_equal(session_room(&w, "doctype:T"), 0);
    /* and with a namespace left by the client's own will */
    session_emit(d, "[\"doctype_subscribe\",\"U\"]");
    world_say(d, "1" NS ",");
    session_allow(&w);
    assert_int_equal(world_figures(&w).waiting, 0);
    world_fini(&w);
}

static void test_asked_twice(void **state) {
    (void)state;
    world w;
    world_client *c;
    start(&w, &c, V16);
    for (int i = 0; i < 5; i++)
        session_emit(c, "[\"doc_open\",\"T\",\"1\"]");
    assert_int_equal(world_figures(&w).waiting, 1);
    session_allow(&w);
    assert_int_equal(session_room(&w, "open_doc:T/1"), 1);
    world_fini(&w);
}

static void test_too_many_at_once(void **state) {
    (void)state;
    world w;
    world_client *c;
    char event[80];
    start(&w, &c, V16);
    for (int i = 0; i < RT_FRAPPE_TICKETS_MAX + 5; i++) {
        snprintf(event, sizeof event, "[\"doc_subscribe\",\"T\",\"%d\"]", i);
        session_emit(c, event);
    }
    assert_int_equal(world_figures(&w).waiting, RT_FRAPPE_TICKETS_MAX);
    assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_OVER_MAX), 5);
    assert_non_null(strstr(world_heard(c), "{\"limit\":\"permissions_waiting\",\"max\":100,"));
    session_allow(&w);
    session_emit(c, event);
    session_allow(&w);
    assert_int_equal(session_room(&w, "doc:T/104"), 1);
    world_fini(&w);
}

/* As many as may wait, all sites together: one more subscription is not made, and one more client
 * is dropped for now. */
static void test_too_many_waiting(void **state) {
    (void)state;
    static world_client *c[RT_FRAPPE_WAITING_MAX / RT_FRAPPE_TICKETS_MAX];
    unsigned clients = sizeof c / sizeof *c;
    char event[80];
    world w;
    world_init(&w, NULL);
    world_client *late = session_start(&w, "x@a", V16);
    for (unsigned i = 0; i < clients; i++)
        c[i] = session_start(&w, "x@a", V16);
    for (unsigned i = 0; i < clients; i++) {
        for (unsigned n = 0; n < RT_FRAPPE_TICKETS_MAX; n++) {
            snprintf(event, sizeof event, "2" NS ",[\"doc_subscribe\",\"T\",\"%u\"]", n);
            world_say(c[i], event);
        }
    }
    assert_int_equal(world_figures(&w).waiting, RT_FRAPPE_WAITING_MAX);
    assert_int_equal(w.asked, 1 + RT_FRAPPE_TICKETS_MAX);
    assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_OVER_MAX), 0);
    session_emit(late, "[\"doctype_subscribe\",\"U\"]");
    assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_OVER_MAX), 1);
    assert_non_null(strstr(world_heard(late), "permissions_waiting"));
    world_client *new = world_connect(&w, NS, "Host: a.example\nCookie: sid=y\n");
    assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_OVER_MAX), 2);
    assert_false(new->open);
    assert_string_equal(world_heard(new), ""); /* not refused */
    /* room again */
    world_leave(c[0]);
    session_emit(late, "[\"doctype_subscribe\",\"U\"]");
    session_allow(&w);
    assert_int_equal(session_room(&w, "doctype:U"), 1);
    assert_int_equal(session_room(&w, "doc:T/99"), clients - 1);
    world_fini(&w);
}

/* --- memory --- */

static int whole_life(void *arg) {
    (void)arg;
    world w;
    if (!world_try_init(&w, NULL))
        return RT_ENOMEM;
    world_client *c = world_connect(&w, NS, "Host: a.example\nCookie: sid=s\n");
    if (w.calls)
        world_answer(&w, 200, "{\"message\":{\"user\":\"x@a\"}}");
    session_emit(c, "[\"doc_open\",\"T\",7]");
    session_emit(c, "[\"doctype_subscribe\",\"T\"]");
    for (int i = 0; i < 6; i++) {
        if (w.calls)
            world_answer(&w, i == 0 ? 404 : 200, "{\"message\":true}");
        world_pass(&w, 300);
    }
    bool all = session_room(&w, "open_doc:T/7") == 1 && session_room(&w, "doctype:T") == 1;
    world_fini(&w);
    return all ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(whole_life, NULL) > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_web_away),
        cmocka_unit_test(test_method_found),
        cmocka_unit_test(test_missing_document),
        cmocka_unit_test(test_method_forgotten),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_not_shared),
        cmocka_unit_test(test_refusals_kept_shorter),
        cmocka_unit_test(test_forget_user),
        cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_gone_meanwhile),
        cmocka_unit_test(test_asked_twice),
        cmocka_unit_test(test_too_many_at_once),
        cmocka_unit_test(test_too_many_waiting),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
