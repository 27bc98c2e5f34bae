/* What Frappe's rules tell others of clients, and what they answer them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/session.h"
#include "support/faults.h"

typedef struct scene {
    world w;
    rt_frappe_watcher watcher;
    rt_sio_socket *last; /* let in */
    char log[2000];      /* what the watcher has heard */
    bool takes;          /* on_event says so */
    bool closes;         /* on_let_in and on_event disconnect the socket */
    unsigned answers[3]; /* of each kind that came to on_allowed */
} scene;

static void note(scene *s, const char *fmt, ...) {
    size_t n = strlen(s->log);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->log + n, sizeof s->log - n, fmt, args);
    va_end(args);
}

static const char *heard(scene *s) {
    static char text[sizeof s->log];
    snprintf(text, sizeof text, "%s", s->log);
    s->log[0] = '\0';
    return text;
}

static void on_let_in(void *ctx, rt_sio_socket *s, rt_slice auth) {
    scene *x = ctx;
    rt_frappe_person p;
    world_must(rt_frappe_person_of(s, &p));
    x->last = s;
    note(x, "in %.*s%s %.*s%s|", (int)p.user.n, p.user.p,
         rt_slice_eq(p.type, RT_LIT("System User")) ? "!" : "", (int)auth.n, auth.n ? auth.p : "",
         rt_sio_socket_handshake(s) ? "" : " (late)");
    if (x->closes)
        rt_sio_disconnect(s);
}

static bool on_event(void *ctx, rt_sio_socket *s, const rt_sio_event *ev, bool own) {
    scene *x = ctx;
    note(x, "%s%.*s|", own ? "own " : "", (int)ev->name.n, ev->name.p);
    if (x->closes)
        rt_sio_disconnect(s);
    return x->takes;
}

static void on_gone(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    rt_frappe_person p;
    world_must(rt_frappe_person_of(s, &p));
    note(ctx, "gone %.*s %s|", (int)p.user.n, p.user.p, rt_eio_reason_text(reason));
}

static bool begin(scene *s) {
    memset(s, 0, sizeof *s);
    s->watcher = (rt_frappe_watcher){s, on_let_in, on_event, on_gone};
    if (!world_try_init(&s->w, NULL))
        return false;
    rt_frappe_watch(s->w.frappe, &s->watcher);
    return true;
}

#define HEADERS "Host: a.example\nCookie: sid=s1\n"
#define USER "{\"message\":{\"user\":\"x@a\",\"user_type\":\"System User\""

static void test_life(void **state) {
    (void)state;
    scene s;
    begin(&s);
    world_client *c = world_open(&s.w, HEADERS);
    world_say(c, "0" NS ",{\"token\":1}");
    world_turn(&s.w);
    assert_string_equal(heard(&s), "");
    world_answer(&s.w, 200, USER "}}");
    assert_string_equal(heard(&s), "in x@a! {\"token\":1}|");
    world_say(c, "1" NS ",");
    assert_string_equal(heard(&s), "gone x@a client namespace disconnect|");
    world_say(c, "0" NS ","); /* from the cache, and the handshake is over */
    assert_string_equal(heard(&s), "in x@a!  (late)|");
    world_leave(c);
    assert_string_equal(heard(&s), "gone x@a transport error|");
    world_fini(&s.w);
}

static void test_refused_is_not_told(void **state) {
    (void)state;
    scene s;
    begin(&s);
    world_client *c = world_connect(&s.w, NS, HEADERS);
    world_answer(&s.w, 403, "");
    world_leave(c);
    c = world_connect(&s.w, NS, "Host: a.example\nCookie: sid=s2\n");
    world_leave(c); /* while it is being asked */
    assert_string_equal(heard(&s), "");
    world_fini(&s.w);
}

/* Longer payloads are left out, and the client is let in all the same. */
static void test_long_auth(void **state) {
    (void)state;
    static char packet[RT_FRAPPE_AUTH_MAX + 40];
    for (int over = 0; over < 2; over++) {
        scene s;
        begin(&s);
        world_client *c = world_open(&s.w, HEADERS);
        int head = snprintf(packet, sizeof packet, "0" NS ",");
        int fill = RT_FRAPPE_AUTH_MAX - 8 + over;
        snprintf(packet + head, sizeof packet - (size_t)head, "{\"a\":\"%0*d\"}", fill, 0);
        world_say(c, packet);
        world_turn(&s.w);
        world_answer(&s.w, 200, USER "}}");
        assert_int_equal(strlen(s.log) > 100, !over);
        assert_int_equal(world_counter(&s.w, RT_FRAPPE_AUTH_OVER_MAX), over);
        assert_true(rt_sio_socket_connected(s.last));
        world_fini(&s.w);
    }
}

static void test_events(void **state) {
    (void)state;
    scene s;
    begin(&s);
    world_client *c = session_start(&s.w, "x@a", V16);
    heard(&s);
    session_emit(c, "[\"cursor\",1]");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), 1);
    s.takes = true;
    session_emit(c, "[\"cursor\",1]");
    session_emit(c, "[\"ping\"]");
    session_emit(c, "[\"task_subscribe\",\"t\"]");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), 1);
    assert_string_equal(heard(&s), "\"cursor\"|\"cursor\"|own \"ping\"|own \"task_subscribe\"|");
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    assert_int_equal(session_room(&s.w, "task_progress:t"), 1);
    rt_frappe_watch(s.w.frappe, NULL);
    session_emit(c, "[\"cursor\",1]");
    assert_string_equal(heard(&s), "");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), 2);
    world_fini(&s.w);
}

static void test_closed_in_a_callback(void **state) {
    (void)state;
    scene s;
    begin(&s);
    s.closes = true;
    world_client *c = world_connect(&s.w, NS, HEADERS);
    world_answer(&s.w, 200, USER "}}");
    assert_string_equal(heard(&s), "in x@a! |gone x@a server namespace disconnect|");
    s.closes = false;
    world_say(c, "0" NS ",");
    heard(&s);
    s.closes = true;
    world_say(c, "2" NS ",[\"cursor\"]");
    assert_string_equal(heard(&s), "\"cursor\"|gone x@a server namespace disconnect|");
    world_fini(&s.w);
}

/* One copy a site, of what was told last; a site that does not tell has none. */
static void test_apps(void **state) {
    (void)state;
    scene s;
    rt_frappe_person p;
    begin(&s);
    session_start(&s.w, "old@a", V15);
    assert_true(rt_frappe_person_of(s.last, &p));
    assert_int_equal(p.apps.n, 0);
    session_start(&s.w, "older@a", V15); /* rooms of two have a list of their members */
    long before = rt_alloc_live();
    session_start(&s.w, "x@a", V16);
    long first = rt_alloc_live() - before;
    assert_true(rt_frappe_person_of(s.last, &p));
    assert_int_equal(p.apps.n, strlen("[\"frappe\"]"));
    assert_memory_equal(p.apps.p, "[\"frappe\"]", p.apps.n);
    assert_int_equal(p.sid.n, 3);
    assert_int_equal(p.authorization.n, 0);
    const char *copy = p.apps.p;
    before = rt_alloc_live();
    session_start(&s.w, "y@a", V16);
    assert_true(rt_frappe_person_of(s.last, &p));
    assert_ptr_equal(p.apps.p, copy);
    assert_int_equal(rt_alloc_live() - before, first - 1);
    world_connect(&s.w, NS, "Host: a.example\nAuthorization: token k:s\n");
    world_answer(&s.w, 200, USER ",\"installed_apps\":[\"frappe\",\"chat\"]}}");
    assert_true(rt_frappe_person_of(s.last, &p));
    assert_memory_equal(p.apps.p, "[\"frappe\",\"chat\"]", p.apps.n);
    assert_memory_equal(p.authorization.p, "token k:s", p.authorization.n);
    assert_int_equal(p.sid.n, 0);
    world_connect(&s.w, NS, "Host: a.example\nCookie: sid=null\n");
    world_answer(&s.w, 200, USER ",\"installed_apps\":null}}");
    assert_true(rt_frappe_person_of(s.last, &p));
    assert_int_equal(p.apps.n, 0);
    world_fini(&s.w);
}

/* --- permission --- */

static void on_allowed(void *arg, enum rt_frappe_allowed allowed) {
    ((scene *)arg)->answers[allowed]++;
}

static int ask(scene *s, const char *doctype, const char *name, enum rt_frappe_allowed *allowed) {
    return rt_frappe_permission(s->w.frappe, s->last, rt_slice_of(doctype), rt_slice_of(name),
                                on_allowed, s, allowed);
}

static void expect_answers(scene *s, unsigned denied, unsigned allowed, unsigned unanswered) {
    assert_int_equal(s->answers[RT_FRAPPE_DENIED], denied);
    assert_int_equal(s->answers[RT_FRAPPE_ALLOWED], allowed);
    assert_int_equal(s->answers[RT_FRAPPE_UNANSWERED], unanswered);
}

/* Asked once together with what the client subscribes to, and from the same cache. */
static void test_permission(void **state) {
    (void)state;
    scene s;
    enum rt_frappe_allowed allowed = RT_FRAPPE_UNANSWERED;
    begin(&s);
    world_client *c = session_start(&s.w, "x@a", V16);
    unsigned asked = s.w.asked;
    assert_int_equal(ask(&s, "ToDo", "7", &allowed), RT_AGAIN);
    assert_int_equal(ask(&s, "ToDo", "7", &allowed), RT_AGAIN);
    session_emit(c, "[\"doc_subscribe\",\"ToDo\",\"7\"]");
    assert_int_equal(s.w.asked, asked + 1);
    expect_answers(&s, 0, 0, 0);
    world_answer(&s.w, 200, "{\"message\":true}");
    expect_answers(&s, 0, 2, 0);
    assert_int_equal(session_room(&s.w, "doc:ToDo/7"), 1);
    assert_int_equal(session_room(&s.w, "ToDo/7"), 0);
    assert_int_equal(ask(&s, "ToDo", "7", &allowed), RT_OK);
    assert_int_equal(allowed, RT_FRAPPE_ALLOWED);
    assert_int_equal(ask(&s, "Secret", "", &allowed), RT_AGAIN);
    assert_non_null(strstr(s.w.calls->path, "doctype=Secret&name="));
    world_answer(&s.w, 403, "");
    expect_answers(&s, 1, 2, 0);
    assert_int_equal(ask(&s, "Secret", "", &allowed), RT_OK);
    assert_int_equal(allowed, RT_FRAPPE_DENIED);
    world_fini(&s.w);
}

static void test_permission_unanswered(void **state) {
    (void)state;
    scene s;
    enum rt_frappe_allowed allowed;
    begin(&s);
    world_client *c = session_start(&s.w, "x@a", V16);
    s.w.web_refuses = RT_ENOMEM;
    ask(&s, "ToDo", "1", &allowed);
    world_pass(&s.w, RT_FRAPPE_AUTH_PATIENCE_MS + 1000);
    expect_answers(&s, 0, 0, 1);
    s.w.web_refuses = 0;
    ask(&s, "ToDo", "2", &allowed);
    ask(&s, "ToDo", "3", &allowed);
    c->open = false;
    rt_eio_port_closed(s.w.eio, &c->port, true);
    expect_answers(&s, 0, 0, 3);
    assert_int_equal(ask(&s, "ToDo", "2", &allowed),
                     RT_ECLOSED); /* its memory waits for the turn */
    world_turn(&s.w);
    world_fini(&s.w);
    expect_answers(&s, 0, 0, 3);
}

static void test_permission_limits(void **state) {
    (void)state;
    scene s;
    enum rt_frappe_allowed allowed;
    char name[RT_SIO_ROOM_NAME_MAX + 2];
    begin(&s);
    world_client *c = session_start(&s.w, "x@a", V16);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(ask(&s, "ToDo", name, &allowed), RT_EINVAL);
    assert_int_equal(ask(&s, "", "x", &allowed), RT_EINVAL);
    assert_int_equal(rt_frappe_permission(s.w.frappe, s.last, RT_LIT("a\0b"), RT_EMPTY, on_allowed,
                                          &s, &allowed),
                     RT_EINVAL);
    for (int i = 0; i < RT_FRAPPE_TICKETS_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(ask(&s, "ToDo", name, &allowed), RT_AGAIN);
    }
    assert_int_equal(ask(&s, "ToDo", "more", &allowed), RT_ELIMIT);
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_QUESTIONS_OVER_MAX), 1);
    assert_string_equal(world_heard(c), ""); /* it is not the client that asks too much */
    session_allow(&s.w);
    expect_answers(&s, 0, RT_FRAPPE_TICKETS_MAX, 0);
    world_fini(&s.w);
}

static int whole_life(void *arg) {
    (void)arg;
    scene s;
    enum rt_frappe_allowed allowed;
    if (!begin(&s))
        return RT_ENOMEM;
    world_client *c = world_open(&s.w, HEADERS);
    world_say(c, "0" NS ",{\"token\":1}");
    world_turn(&s.w);
    if (s.w.calls)
        world_answer(&s.w, 200, USER ",\"installed_apps\":[\"frappe\"]}}");
    int status = RT_ENOMEM;
    if (s.last && rt_sio_socket_connected(s.last)) {
        world_must(strncmp(s.log, "in x@a! {\"token\":1}|", 20) == 0); /* never without it */
        status = ask(&s, "ToDo", "7", &allowed);
        world_must(status == RT_AGAIN || status == RT_ENOMEM);
        for (int i = 0; i < 6; i++) {
            if (s.w.calls)
                world_answer(&s.w, 200, "{\"message\":true}");
            world_pass(&s.w, 300);
        }
        world_must(status == RT_ENOMEM || s.answers[RT_FRAPPE_ALLOWED] == 1);
    }
    world_fini(&s.w);
    return status == RT_AGAIN ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(whole_life, NULL) > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_refused_is_not_told),
        cmocka_unit_test(test_long_auth),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_closed_in_a_callback),
        cmocka_unit_test(test_apps),
        cmocka_unit_test(test_permission),
        cmocka_unit_test(test_permission_unanswered),
        cmocka_unit_test(test_permission_limits),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
