/* Questions to the web process: the secret they carry, how they are shared, kept and forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/login.h"

/* A question that nobody waits for is not asked again. */
static void test_nobody_waits(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, NS, SID);
    world_answer(&w, 503, "");
    world_leave(c);
    assert_int_equal(world_figures(&w).questions, 0);
    world_pass(&w, 60000);
    assert_int_equal(w.asked, 1);
    /* in flight, its answer is kept for whoever comes back */
    c = world_connect(&w, NS, SID);
    world_leave(c);
    assert_int_equal(world_figures(&w).questions, 1);
    world_answer(&w, 200, system_user);
    c = world_connect(&w, NS, SID);
    assert_accepted(c);
    assert_int_equal(w.asked, 2);
    /* unless it is none */
    c = world_connect(&w, NS, "Host: a.example\nCookie: sid=s2\n");
    world_leave(c);
    world_answer(&w, 503, "");
    assert_int_equal(world_figures(&w).questions, 0);
    /* what waits for its turn still has bothered nobody, and will not */
    rt_frappe_set_web_limits(w.frappe, 0, RT_FRAPPE_WEB_TIMEOUT_MS);
    world_client *d = world_connect(&w, NS, "Host: a.example\nCookie: sid=s3\n");
    world_client *e = world_connect(&w, NS, "Host: a.example\nCookie: sid=s3\n");
    world_leave(d);
    assert_int_equal(world_figures(&w).questions, 1);
    world_leave(e);
    assert_int_equal(world_figures(&w).questions, 0);
    assert_int_equal(w.asked, 3);
    world_fini(&w);
}

/* --- the secret --- */

static void test_secret_read_once(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    for (int i = 0; i < 5; i++) {
        char headers[80];
        snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=s%d\n", i);
        world_connect(&w, NS, headers);
    }
    assert_int_equal(w.asked, 5);
    assert_int_equal(w.secret_read, 1);
    while (w.calls)
        world_answer(&w, 200, system_user);
    world_fini(&w);
}

/* The web process makes the key at its first get_user_info: `{}`, read again, ask again. */
static void test_secret_made_by_web(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    w.secret = NULL;
    world_client *c = world_connect(&w, NS, SID);
    assert_string_equal(w.calls->secret, "");
    w.secret = "new";
    world_answer(&w, 200, "{\"message\":{}}");
    assert_string_equal(w.calls->secret, "new");
    world_answer(&w, 200, system_user);
    assert_accepted(c);
    assert_int_equal(w.secret_read, 2);
    world_fini(&w);
}

/* Redis was emptied, the web process has made another key. */
static void test_secret_changed(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, NS, SID);
    world_client *d = world_connect(&w, NS, "Host: a.example\nCookie: sid=s2\n");
    w.secret = "other";
    world_answer(&w, 200, "{\"message\":{}}");
    world_answer(&w, 200, "{\"message\":{}}"); /* of d; the new one has been read meanwhile */
    assert_int_equal(w.secret_read, 2);
    assert_string_equal(w.calls->secret, "other");
    assert_string_equal(w.calls->next->secret, "other");
    world_answer(&w, 200, system_user);
    world_answer(&w, 200, website_user);
    assert_accepted(c);
    assert_accepted(d);
    world_fini(&w);
}

/* While Redis is away old sites work without the header; `{}` is then no refusal. */
static void test_secret_without_redis(void **state) {
    (void)state;
    for (int async = 0; async < 2; async++) {
        world w;
        world_init(&w, NULL);
        if (async)
            w.redis_fails = RT_ECLOSED;
        else
            w.redis_refuses = RT_ECLOSED;
        world_client *c = world_connect(&w, NS, SID);
        assert_string_equal(w.calls->secret, "");
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        c = world_connect(&w, NS, "Host: a.example\nCookie: sid=s2\n");
        world_answer(&w, 200, "{\"message\":{}}");
        world_pass(&w, 5000);
        assert_string_equal(world_heard(c), "");
        assert_null(w.calls);
        w.redis_refuses = w.redis_fails = 0;
        world_pass(&w, 4000);
        assert_non_null(w.calls);
        assert_string_equal(w.calls->secret, "s3cret");
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        world_fini(&w);
    }
}

/* ... until patience is over: dropped, and the client comes back. */
static void test_redis_away_too_long(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    w.redis_refuses = RT_ECLOSED;
    world_client *c = world_connect(&w, NS, SID);
    world_answer(&w, 200, "{\"message\":{}}");
    world_pass(&w, RT_FRAPPE_AUTH_PATIENCE_MS);
    assert_false(c->open);
    assert_string_equal(world_heard(c), "");
    world_fini(&w);
}

static void test_redis_never_answers(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    w.redis_silent = true;
    world_client *c = world_connect(&w, NS, SID);
    assert_int_equal(w.asked, 0);
    world_pass(&w, RT_FRAPPE_AUTH_PATIENCE_MS);
    assert_false(c->open);
    world_client *late = world_connect(&w, NS, SID);
    assert_int_equal(w.secret_read, 1);
    world_leave(late);
    world_fini(&w); /* the answer comes when nobody is left to hear it */
}

static void test_secret_unfit_for_a_header(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    w.secret = "a\r\nX-Evil: 1";
    world_connect(&w, NS, SID);
    assert_string_equal(w.calls->secret, "");
    world_fini(&w);
}

/* --- sharing, keeping, forgetting --- */

#define HERD 1000
#define HERD_USERS 10

typedef struct herd {
    world w;
    world_client *tab[HERD];
} herd;

static void herd_connect(herd *h) {
    char headers[80];
    for (int i = 0; i < HERD; i++) {
        snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=user%d\n", i % HERD_USERS);
        h->tab[i] = world_connect(&h->w, NS, headers);
    }
}

static void herd_emit(herd *h, const char *event) {
    char packet[200];
    snprintf(packet, sizeof packet, "2" NS ",%s", event);
    for (int i = 0; i < HERD; i++)
        world_say(h->tab[i], packet);
    world_turn(&h->w);
}

static void herd_leave(herd *h) {
    for (int i = 0; i < HERD; i++)
        world_leave(h->tab[i]);
}

/* Answers as many requests as are open now, whose answers may bring new ones. */
static unsigned herd_answer(herd *h, int status, const char *body) {
    unsigned n = 0;
    for (const world_call *c = h->w.calls; c; c = c->next)
        n++;
    for (unsigned i = 0; i < n; i++)
        world_answer(&h->w, status, body);
    return n;
}

static void herd_accepted(herd *h) {
    for (int i = 0; i < HERD; i++)
        assert_accepted(h->tab[i]);
}

static uint32_t herd_room(const herd *h, const char *room) {
    return rt_sio_room_size(rt_sio_ns_find(h->w.io, RT_LIT(NS)), rt_slice_of(room));
}

/* 1 000 tabs of 10 users: 10 requests to say who they are, and 10 for each thing they want to see.
 */
static void test_no_herd(void **state) {
    (void)state;
    static herd h;
    world *w = &h.w;
    world_init(w, NULL);
    herd_connect(&h);
    assert_int_equal(w->asked, HERD_USERS);
    assert_int_equal(world_figures(w).waiting, HERD);
    assert_int_equal(world_counter(w, RT_FRAPPE_QUESTIONS_SHARED), HERD - HERD_USERS);
    assert_int_equal(herd_answer(&h, 200, system_user), HERD_USERS);
    herd_accepted(&h);
    assert_int_equal(world_figures(w).identities, HERD_USERS);
    assert_int_equal(world_figures(w).waiting, 0);
    assert_int_equal(world_figures(w).cached, HERD_USERS);

    herd_emit(&h, "[\"doctype_subscribe\",\"T\"]");
    herd_emit(&h, "[\"doc_subscribe\",\"T\",\"1\"]");
    herd_emit(&h, "[\"doc_open\",\"T\",1]"); /* the same question */
    assert_int_equal(w->asked, 3 * HERD_USERS);
    assert_int_equal(world_figures(w).waiting, 3 * HERD);
    assert_int_equal(herd_answer(&h, 200, "{\"message\":true}"), 2 * HERD_USERS);
    assert_int_equal(herd_room(&h, "doctype:T"), HERD);
    assert_int_equal(herd_room(&h, "doc:T/1"), HERD);
    assert_int_equal(herd_room(&h, "open_doc:T/1"), HERD);
    herd_emit(&h, "[\"doctype_subscribe\",\"Secret\"]");
    assert_int_equal(herd_answer(&h, 403, ""), HERD_USERS);
    herd_emit(&h, "[\"doctype_subscribe\",\"Secret\"]");
    assert_int_equal(w->asked, 4 * HERD_USERS);
    assert_int_equal(world_counter(w, RT_FRAPPE_PERMISSION_DENIED), 2 * HERD);

    /* all reconnect at once while the answers are kept: nothing is asked */
    herd_leave(&h);
    herd_connect(&h);
    herd_accepted(&h);
    herd_emit(&h, "[\"doctype_subscribe\",\"T\"]");
    assert_int_equal(herd_room(&h, "doctype:T"), HERD);
    assert_int_equal(w->asked, 4 * HERD_USERS);
    world_fini(w);
}

/* ... after they are kept no more, and while the web process is out of order: one question of all
 * at a time, whoever waits for it. */
static void test_no_herd_in_disorder(void **state) {
    (void)state;
    static herd h;
    world *w = &h.w;
    world_init(w, NULL);
    herd_connect(&h);
    herd_answer(&h, 200, system_user);
    herd_leave(&h);
    world_pass(w, RT_FRAPPE_CACHE_MS);
    assert_int_equal(world_figures(w).cached, 0);
    w->asked = 0;
    herd_connect(&h);
    assert_int_equal(herd_answer(&h, 503, ""), HERD_USERS);
    assert_int_equal(w->asked, HERD_USERS);
    world_pass(w, 250 + 63);
    assert_int_equal(herd_answer(&h, 0, ""), 1);
    /* half of them give up and come back: they wait with the others */
    for (int i = 0; i < HERD / 2; i++) {
        char headers[80];
        world_leave(h.tab[i]);
        snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=user%d\n", i % HERD_USERS);
        h.tab[i] = world_connect(w, NS, headers);
    }
    assert_int_equal(w->asked, HERD_USERS + 1);
    world_pass(w, 500 + 125);
    for (int i = 0; i < HERD_USERS; i++) /* the first lets all the others go */
        world_answer(w, 200, "{\"message\":{}}");
    assert_int_equal(w->secret_read, 2); /* the secret is read once for all */
    assert_int_equal(herd_answer(&h, 200, system_user), HERD_USERS);
    herd_accepted(&h);
    assert_int_equal(w->asked, 3 * HERD_USERS + 1);
    world_fini(w);
}

static void test_kept_for_a_while(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, NS, SID);
    world_answer(&w, 200, system_user);
    world_pass(&w, RT_FRAPPE_CACHE_MS - 1);
    world_leave(c);
    assert_accepted(world_connect(&w, NS, SID));
    world_pass(&w, 1);
    assert_int_equal(world_figures(&w).cached, 0);
    world_client *late = world_connect(&w, NS, SID);
    assert_int_equal(w.asked, 2);
    world_answer(&w, 200, system_user);
    assert_accepted(late);
    assert_int_equal(world_figures(&w).identities, 1); /* shared with the one who has stayed */
    world_fini(&w);
}

static void test_kept_at_most(void **state) {
    (void)state;
    rt_frappe_opts opts;
    rt_frappe_opts_default(&opts);
    static const struct {
        uint32_t max, ms, asked, cached, over;
    } cases[] = {{2, 10000, 4, 2, 2}, {0, 10000, 4, 0, 0}, {100, 0, 4, 0, 0}, {3, 10000, 3, 3, 0}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        world w;
        opts.cache_max = cases[n].max;
        opts.cache_ms = cases[n].ms;
        world_init(&w, &opts);
        for (int i = 0; i < 4; i++) { /* the fourth is the first again */
            char headers[80];
            snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=s%d\n", i % 3);
            world_client *c = world_connect(&w, NS, headers);
            if (w.calls)
                world_answer(&w, 200, system_user);
            assert_accepted(c);
        }
        assert_int_equal(w.asked, cases[n].asked);
        assert_int_equal(world_figures(&w).cached, cases[n].cached);
        assert_int_equal(world_counter(&w, RT_FRAPPE_ANSWERS_OVER_MAX), cases[n].over);
        world_fini(&w);
    }
}

static void test_forget(void **state) {
    (void)state;
    static const struct {
        const char *site, *user;
        bool forgotten;
    } cases[] = {
        {"a.example", "x@a", true}, {"A.example", "x@a", true},
        {"a.example", "", true},    {"", "", true},
        {"", "x@a", true},          {"a.example", "y@a", false},
        {"b.example", "", false},   {"b.example", "x@a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_init(&w, NULL);
        world_connect(&w, NS, SID);
        world_answer(&w, 200, system_user);
        rt_frappe_forget(w.frappe, rt_slice_of(cases[i].site), rt_slice_of(cases[i].user));
        world_connect(&w, NS, SID);
        assert_int_equal(w.asked, cases[i].forgotten ? 2 : 1);
        world_fini(&w);
    }
}

/* What is on its way when something is forgotten may be out of date: it is not kept, and who comes
 * after it asks anew. */
static void test_forget_in_flight(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *before = world_connect(&w, NS, SID);
    rt_frappe_forget(w.frappe, RT_LIT("a.example"), RT_LIT("x@a"));
    world_client *after = world_connect(&w, NS, SID);
    assert_int_equal(w.asked, 2);
    world_answer(&w, 200, system_user);
    assert_accepted(before);
    assert_string_equal(world_heard(after), "");
    assert_int_equal(world_figures(&w).cached, 0);
    world_answer(&w, 403, "");
    assert_refused(after, "Unauthorized");
    /* forgotten twice, with nobody waiting: cancelled */
    world_pass(&w, RT_FRAPPE_CACHE_REFUSED_MS);
    world_leave(world_connect(&w, NS, SID));
    assert_int_equal(w.asked, 3);
    rt_frappe_forget(w.frappe, RT_EMPTY, RT_EMPTY);
    assert_int_equal(w.cancelled, 1);
    assert_int_equal(world_figures(&w).questions, 0);
    /* the last who waits for a forgotten one leaves: cancelled as well */
    world_client *last = world_connect(&w, NS, SID);
    rt_frappe_forget(w.frappe, RT_EMPTY, RT_EMPTY);
    assert_int_equal(w.cancelled, 1);
    world_leave(last);
    assert_int_equal(w.cancelled, 2);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_secret_read_once),
        cmocka_unit_test(test_secret_made_by_web),
        cmocka_unit_test(test_secret_changed),
        cmocka_unit_test(test_secret_without_redis),
        cmocka_unit_test(test_redis_away_too_long),
        cmocka_unit_test(test_redis_never_answers),
        cmocka_unit_test(test_secret_unfit_for_a_header),
        cmocka_unit_test(test_no_herd),
        cmocka_unit_test(test_no_herd_in_disorder),
        cmocka_unit_test(test_kept_for_a_while),
        cmocka_unit_test(test_kept_at_most),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_forget_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
