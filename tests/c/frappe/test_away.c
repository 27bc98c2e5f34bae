/* A web process that is away, slow, or has a crowd before it: what it is asked, and who gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/login.h"
#include "support/faults.h"

static const char *const guest =
    "{\"message\":{\"user\":\"Guest\",\"user_type\":\"Website User\"}}";

static world_client *login(world *w, const char *site, const char *sid) {
    char ns[80], headers[200];
    snprintf(ns, sizeof ns, "/%s", site);
    snprintf(headers, sizeof headers, "Host: %s\nCookie: sid=%s\n", site, sid);
    return world_connect(w, ns, headers);
}

static bool is_in(world_client *c) {
    return strncmp(world_heard(c), "0/", 2) == 0;
}

static void slots(world *w, uint32_t n) {
    rt_frappe_set_web_limits(w->frappe, n, RT_FRAPPE_WEB_TIMEOUT_MS);
}

/* --- a maintenance --- */

#define SESSIONS 1000
#define MAINTENANCE_MS 300000
#define ANSWER_MS 50 /* what the web process needs */

typedef struct tab {
    world_client *c;
    uint64_t comes_back; /* ms; while it is not connected */
    bool in;
} tab;

static void come(world *w, tab *t, int number) {
    char sid[20];
    snprintf(sid, sizeof sid, "s%d", number);
    t->c = login(w, "a.example", sid);
}

/* As socket.io-client: it waits for a moment, by lot, and comes back. */
static void look_after(world *w, tab *t, int number) {
    if (!t->c->open && !t->comes_back)
        t->comes_back = w->now + 500 + (uint64_t)rand() % 7000;
    if (t->comes_back && w->now >= t->comes_back) {
        t->comes_back = 0;
        come(w, t, number);
    }
}

static void answer_all(world *w, int status, const char *body) {
    unsigned n = 0;
    for (const world_call *c = w->calls; c; c = c->next)
        n++;
    while (n--)
        world_answer(w, status, body);
}

/* 1 000 sessions of 1 000 users wait for five minutes, dropped and back again and again. */
static void test_maintenance(void **state) {
    (void)state;
    static tab tabs[SESSIONS];
    world w;
    srand(7);
    world_init(&w, NULL);
    slots(&w, RT_FRAPPE_WEB_IN_FLIGHT);
    memset(tabs, 0, sizeof tabs);
    for (int i = 0; i < SESSIONS; i++)
        come(&w, &tabs[i], i);
    uint64_t until = w.now + MAINTENANCE_MS;
    while (w.now < until) {
        world_pass(&w, ANSWER_MS);
        answer_all(&w, 503, "");
        for (int i = 0; i < SESSIONS; i++)
            look_after(&w, &tabs[i], i);
    }
    assert_true(w.asked <= 100);
    assert_true(w.asked >= 50);
    int in = 0;
    for (until = w.now + 10000; w.now < until && in < SESSIONS;) {
        world_pass(&w, ANSWER_MS);
        answer_all(&w, 200, system_user);
        for (int i = 0; i < SESSIONS; i++) {
            look_after(&w, &tabs[i], i);
            if (!tabs[i].in && !tabs[i].comes_back && is_in(tabs[i].c))
                in += tabs[i].in = true;
        }
    }
    assert_int_equal(in, SESSIONS);
    assert_true(w.asked <= 100 + SESSIONS);
    world_fini(&w);
}

static void test_retry_after(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = login(&w, "a.example", "s1");
    w.retry_after_ms = 7000;
    world_answer(&w, 429, "");
    world_pass(&w, 6999);
    assert_int_equal(w.asked, 1);
    world_pass(&w, 1 + 7000 / 4);
    world_answer(&w, 200, system_user);
    assert_true(is_in(c));
    world_fini(&w);
}

/* What is away for one site is there for another. */
static void test_other_site(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    login(&w, "a.example", "s1");
    world_answer(&w, 503, "");
    world_client *b = login(&w, "b.example", "s1");
    world_answer(&w, 200, system_user);
    assert_true(is_in(b));
    world_fini(&w);
}

/* --- slow is not away --- */

static char said[1000];

static void remember(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s: %s\n", part, text);
}

/* An answer after any time lets in; one request was sent for it; the client was never dropped. The
 * log names the key. */
static void test_slow_login(void **state) {
    (void)state;
    static const unsigned needed[] = {12000, 30000, 110000};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        world w;
        said[0] = '\0';
        world_init(&w, NULL);
        rt_log_set_sink(remember, RT_LOG_WARN);
        world_client *c = login(&w, "a.example", "s1");
        world_client *late = NULL;
        for (unsigned ms = 0; ms < needed[i]; ms += 1000) {
            world_pass(&w, 1000);
            if (ms == 5000)
                late = login(&w, "a.example", "s1");
        }
        assert_true(c->open && late->open);
        assert_int_equal(w.asked, 1);
        assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_LATE), 1);
        world_answer(&w, 200, system_user);
        assert_true(is_in(c) && is_in(late));
        rt_log_set_sink(NULL, RT_LOG_DEBUG);
        assert_non_null(strstr(said, "site a.example does not answer get_user_info (no answer for "
                                     "10 s), retrying; see frappe_rt_web_timeout_ms"));
        /* the next one is late only after twice what this one needed */
        login(&w, "a.example", "s2");
        world_pass(&w, 2 * 12000 - 1);
        assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_LATE), 1);
        world_fini(&w);
    }
}

/* Those who wait behind a slow question are kept as well, and so is a permission. */
static void test_slow_for_all(void **state) {
    (void)state;
    world w;
    world_client *c[30];
    world_init(&w, NULL);
    slots(&w, 16);
    for (int i = 0; i < 30; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "s%d", i);
        c[i] = login(&w, "a.example", sid);
    }
    assert_int_equal(w.asked, 12);
    world_pass(&w, 60000);
    assert_int_equal(w.asked, 12 + 1);
    for (int round = 0; round < 4; round++) {
        answer_all(&w, 200, system_user);
        world_pass(&w, 30000);
    }
    for (int i = 0; i < 30; i++)
        assert_true(is_in(c[i]));
    assert_int_equal(w.asked, 30);
    world_say(c[0], "2/a.example,[\"doctype_subscribe\",\"T\"]");
    world_pass(&w, 100000);
    world_answer(&w, 200, "{\"message\":true}");
    assert_int_equal(
        rt_sio_room_size(rt_sio_ns_find(w.io, RT_LIT("/a.example")), RT_LIT("doctype:T")), 1);
    world_fini(&w);
}

/* What nobody waits for is given up when it is late. */
static void test_late_and_alone(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_leave(login(&w, "a.example", "s1"));
    world_pass(&w, RT_FRAPPE_WEB_TIMEOUT_MS - 1);
    assert_int_equal(w.cancelled, 0);
    world_pass(&w, 1);
    assert_int_equal(w.cancelled, 1);
    /* or when the last one leaves after that */
    world_pass(&w, 5000);
    world_client *c = login(&w, "a.example", "s1");
    world_pass(&w, RT_FRAPPE_WEB_TIMEOUT_MS + 1);
    assert_int_equal(w.cancelled, 1);
    world_leave(c);
    assert_int_equal(w.cancelled, 2);
    assert_int_equal(world_figures(&w).questions, 0);
    world_fini(&w);
}

/* --- a crowd --- */

/* Random sids: another site waits for one answer, and so does a user who was in before. */
static void test_crowd(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    slots(&w, 1);
    world_client *before = login(&w, "a.example", "ada");
    world_answer(&w, 200, system_user);
    assert_true(is_in(before));
    world_leave(before);
    world_pass(&w, RT_FRAPPE_CACHE_MS);
    for (int i = 0; i < 500; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "random%d", i);
        login(&w, "a.example", sid);
    }
    assert_int_equal(world_figures(&w).in_line, 499);
    world_client *again = login(&w, "a.example", "ada");
    world_client *other = login(&w, "b.example", "bob");
    world_answer(&w, 200, guest);
    for (int i = 0; i < 2; i++) {
        bool crowd = strncmp(w.calls->sid, "random", 6) == 0;
        assert_false(crowd);
        world_answer(&w, 200, system_user);
    }
    assert_true(is_in(again));
    assert_true(is_in(other));
    /* a guest who is in is nobody in particular; a user's permission comes before the crowd */
    world_say(again, "2/a.example,[\"doctype_subscribe\",\"T\"]");
    world_answer(&w, 200, guest);
    assert_non_null(strstr(w.calls->path, "doctype=T"));
    world_fini(&w);
}

static const char *forwarded(char *text, size_t n, const char *sid, const char *address) {
    snprintf(text, n, "Host: a.example\nCookie: sid=%s\nX-Forwarded-For: 9.9.9.9, %s\n", sid,
             address);
    return text;
}

/* A new user of the same site, from another address than the crowd. */
static void test_crowd_from_one_address(void **state) {
    (void)state;
    world w;
    char headers[200];
    world_init(&w, NULL);
    slots(&w, 1);
    for (int i = 0; i < 500; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "random%d", i);
        world_connect(&w, NS, forwarded(headers, sizeof headers, sid, "192.0.2.1"));
    }
    unsigned new_ones = 0;
    for (unsigned i = 0; i < 40; i++) {
        char sid[20], address[20];
        snprintf(sid, sizeof sid, "new%u", i);
        snprintf(address, sizeof address, "198.51.100.%u", i);
        world_connect(&w, NS, forwarded(headers, sizeof headers, sid, address));
    }
    for (int i = 0; i < 200; i++) {
        new_ones += strncmp(w.calls->sid, "new", 3) == 0;
        world_answer(&w, 200, guest);
    }
    /* all but those few whom the lot has put into the same crowd */
    assert_true(new_ones >= 20);
    world_fini(&w);
}

/* One site that hangs, with a crowd before it, costs another nothing. */
static void test_hanging_site(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    slots(&w, 4);
    for (int i = 0; i < 50; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "s%d", i);
        login(&w, "hangs.example", sid);
    }
    assert_int_equal(w.asked, 3);
    for (int i = 0; i < 10; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "u%d", i);
        world_client *c = login(&w, "b.example", sid);
        world_call *last = w.calls;
        while (last->next)
            last = last->next;
        assert_string_equal(last->site, "b.example");
        world_answer_call(&w, last, 200, system_user, NULL);
        assert_true(is_in(c));
    }
    world_fini(&w);
}

/* --- memory --- */

static int outage(void *arg) {
    (void)arg;
    world w;
    if (!world_try_init(&w, NULL))
        return RT_ENOMEM;
    world_client *c[5];
    for (int i = 0; i < 5; i++) {
        char sid[20];
        snprintf(sid, sizeof sid, "s%d", i);
        c[i] = login(&w, "a.example", sid);
    }
    answer_all(&w, 503, "");
    for (int i = 0; i < 8 && (w.calls || world_figures(&w).waiting); i++) {
        answer_all(&w, 200, system_user);
        world_pass(&w, 5000);
    }
    assert_int_equal(world_figures(&w).waiting, 0);
    bool all = true;
    for (int i = 0; i < 5; i++) {
        all = all && c[i]->open;
        world_leave(c[i]);
    }
    world_fini(&w);
    return all ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(outage, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maintenance),  cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_other_site),   cmocka_unit_test(test_slow_login),
        cmocka_unit_test(test_slow_for_all), cmocka_unit_test(test_late_and_alone),
        cmocka_unit_test(test_crowd),        cmocka_unit_test(test_crowd_from_one_address),
        cmocka_unit_test(test_hanging_site), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
