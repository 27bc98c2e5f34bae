/* doc_viewers: its rules one by one, and then a long random life of tabs, users and documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/session.h"

#define VIEWERS(doctype, docname, users)                                                           \
    "2" NS ",[\"doc_viewers\",{\"doctype\":" doctype ",\"docname\":" docname ",\"users\":[" users  \
    "]}]"

static void emit_allowed(world_client *c, const char *event) {
    session_emit(c, event);
    session_allow(c->w);
}

static const char *told(world_client *c) {
    world_pass(c->w, RT_FRAPPE_VIEWERS_MS);
    return world_heard(c);
}

/* --- the rules --- */

static void test_two_users(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]");
    assert_string_equal(told(x), ""); /* alone, and he knows it */
    emit_allowed(y, "[\"doc_open\",\"T\",\"a\"]");
    const char *both = VIEWERS("\"T\"", "\"a\"", "\"x@a\",\"y@a\"");
    assert_string_equal(told(x), both);
    assert_string_equal(world_heard(y), both); /* who came is told too */
    session_emit(y, "[\"doc_close\",\"T\",\"a\"]");
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"a\"", "\"x@a\""));
    assert_string_equal(world_heard(y), ""); /* out before it is told */
    session_emit(x, "[\"doc_close\",\"T\",\"a\"]");
    assert_string_equal(told(x), "");
    world_fini(&w);
}

static void test_repeated_open(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]");
    emit_allowed(y, "[\"doc_open\",\"T\",\"a\"]");
    told(x);
    world_heard(y);
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]"); /* a form refresh wants to know again */
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"a\"", "\"x@a\",\"y@a\""));
    assert_string_equal(world_heard(y), VIEWERS("\"T\"", "\"a\"", "\"x@a\",\"y@a\""));
    world_fini(&w);
}

static void test_tabs_of_one_user(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *tab1 = session_start(&w, "x@a", V16), *tab2 = session_start(&w, "x@a", V16);
    world_client *y = session_start(&w, "y@a", V16);
    emit_allowed(tab1, "[\"doc_open\",\"T\",\"a\"]");
    told(tab1);
    emit_allowed(tab2, "[\"doc_open\",\"T\",\"a\"]");
    assert_string_equal(told(tab1),
                        VIEWERS("\"T\"", "\"a\"", "\"x@a\"")); /* two sockets, one user */
    world_heard(tab2);
    world_leave(tab2);
    assert_string_equal(told(tab1), ""); /* one left, and it was his own tab that went */
    emit_allowed(y, "[\"doc_open\",\"T\",\"a\"]");
    told(tab1);
    world_leave(y);
    assert_string_equal(told(tab1), VIEWERS("\"T\"", "\"a\"", "\"x@a\""));
    world_fini(&w);
}

/* Two sessions of one user are one viewer. */
static void test_two_sessions_of_one_user(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c[2];
    for (int i = 0; i < 2; i++) {
        char headers[80];
        snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=s%d\n", i);
        c[i] = world_connect(&w, NS, headers);
        world_answer(&w, 200, "{\"message\":{\"user\":\"x@a\"}}");
        world_heard(c[i]);
        emit_allowed(c[i], "[\"doc_open\",\"T\",\"a\"]");
    }
    assert_string_equal(told(c[0]), VIEWERS("\"T\"", "\"a\"", "\"x@a\""));
    world_leave(c[1]);
    assert_string_equal(told(c[0]), "");
    world_fini(&w);
}

static void test_refused(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]");
    session_emit(y, "[\"doc_open\",\"T\",\"a\"]");
    world_answer(&w, 403, "");
    assert_string_equal(told(x), "");
    /* nor can who is not in the room make others listen */
    session_emit(y, "[\"doc_close\",\"T\",\"a\"]");
    assert_string_equal(told(x), "");
    /* and to subscribe is not to open */
    emit_allowed(y, "[\"doctype_subscribe\",\"T\"]");
    world_leave(y);
    assert_string_equal(told(x), "");
    world_fini(&w);
}

/* --- names --- */

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *open, *close, *opened, *closed, *left;
    } cases[] = {
        /* a number goes back as it came, also when a disconnect tells it */
        {"[\"doc_open\",\"T\",5]", "[\"doc_close\",\"T\",5]",
         VIEWERS("\"T\"", "5", "\"x@a\",\"y@a\""), VIEWERS("\"T\"", "5", "\"x@a\""),
         VIEWERS("\"T\"", "5", "\"x@a\"")},
        {"[\"doc_open\",\"T\",\"5\"]", "[\"doc_close\",\"T\",\"5\"]",
         VIEWERS("\"T\"", "\"5\"", "\"x@a\",\"y@a\""), VIEWERS("\"T\"", "\"5\"", "\"x@a\""),
         VIEWERS("\"T\"", "\"5\"", "\"x@a\"")},
        {"[\"doc_open\",\"T\",\"a/b \\\"c\\\"\"]", "[\"doc_close\",\"T\",\"a/b \\\"c\\\"\"]",
         VIEWERS("\"T\"", "\"a/b \\\"c\\\"\"", "\"x@a\",\"y@a\""),
         VIEWERS("\"T\"", "\"a/b \\\"c\\\"\"", "\"x@a\""),
         VIEWERS("\"T\"", "\"a/b \\\"c\\\"\"", "\"x@a\"")},
        {"[\"doc_open\",\"T/U\",\"a\"]", "[\"doc_close\",\"T/U\",\"a\"]",
         VIEWERS("\"T/U\"", "\"a\"", "\"x@a\",\"y@a\""), VIEWERS("\"T/U\"", "\"a\"", "\"x@a\""),
         VIEWERS("\"T/U\"", "\"a\"", "\"x@a\"")},
        {"[\"doc_open\",\"\303\234\",\"\\u00fc\"]", "[\"doc_close\",\"\303\234\",\"\303\274\"]",
         VIEWERS("\"\303\234\"", "\"\\u00fc\"", "\"x@a\",\"y@a\""),
         VIEWERS("\"\303\234\"", "\"\303\274\"", "\"x@a\""),
         VIEWERS("\"\303\234\"", "\"\303\274\"", "\"x@a\"")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_init(&w, NULL);
        world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
        emit_allowed(x, cases[i].open);
        told(x);
        emit_allowed(y, cases[i].open);
        assert_string_equal(told(x), cases[i].opened);
        session_emit(y, cases[i].close);
        assert_string_equal(told(x), cases[i].closed);
        emit_allowed(y, cases[i].open);
        assert_string_equal(told(x), cases[i].opened);
        world_leave(y);
        assert_string_equal(told(x), cases[i].left);
        world_fini(&w);
    }
}

/* Opened as a number, then as a string: the last word counts. */
static void test_number_then_string(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
    emit_allowed(x, "[\"doc_open\",\"T\",5]");
    emit_allowed(y, "[\"doc_open\",\"T\",5]");
    emit_allowed(y, "[\"doc_open\",\"T\",\"5\"]");
    told(x);
    world_leave(y);
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"5\"", "\"x@a\""));
    world_fini(&w);
}

/* --- together --- */

static void test_told_together(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *x = session_start(&w, "x@a", V16), *y = session_start(&w, "y@a", V16);
    world_client *z = session_start(&w, "z@a", V16);
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]");
    emit_allowed(y, "[\"doc_open\",\"T\",\"a\"]");
    emit_allowed(z, "[\"doc_open\",\"T\",\"a\"]");
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"a\"", "\"x@a\",\"y@a\",\"z@a\""));
    /* one socket is left, and it was not he alone who moved */
    session_emit(y, "[\"doc_close\",\"T\",\"a\"]");
    session_emit(z, "[\"doc_close\",\"T\",\"a\"]");
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"a\"", "\"x@a\""));
    emit_allowed(y, "[\"doc_open\",\"T\",\"a\"]");
    session_emit(y, "[\"doc_close\",\"T\",\"a\"]");
    emit_allowed(x, "[\"doc_open\",\"T\",\"a\"]");
    assert_string_equal(told(x), VIEWERS("\"T\"", "\"a\"", "\"x@a\""));
    /* everybody has gone when it would be told */
    world_leave(x);
    world_leave(y);
    world_heard(z);
    assert_string_equal(told(z), "");
    world_fini(&w);
}

/* --- a long random life --- */

#define TABS 12
#define USERS 5
#define DOCS 4

typedef struct model {
    world w;
    world_client *tab[TABS];
    bool in[TABS]; /* in the namespace */
    int user[TABS];
    bool open[TABS][DOCS];
    uint32_t causes[DOCS]; /* users who changed it in this round, as bits */
    uint32_t seed;
} model;

static uint32_t draw(model *m, uint32_t below) {
    m->seed = m->seed * 1664525 + 1013904223;
    return (m->seed >> 8) % below;
}

static void model_cause(model *m, int tab, int doc) {
    m->causes[doc] |= 1u << m->user[tab];
}

static void model_gone(model *m, int tab) {
    for (int d = 0; d < DOCS; d++) {
        if (m->open[tab][d])
            model_cause(m, tab, d);
        m->open[tab][d] = false;
    }
    m->in[tab] = false;
}

static void model_come(model *m, int tab) {
    char user[8];
    m->user[tab] = (int)draw(m, USERS);
    snprintf(user, sizeof user, "u%d", m->user[tab]);
    m->tab[tab] = session_start(&m->w, user, V16);
    m->in[tab] = true;
}

static void model_document(model *m, int tab, int doc, bool open) {
    char event[80];
    snprintf(event, sizeof event, "[\"%s\",\"D%d\",%s]", open ? "doc_open" : "doc_close", doc,
             draw(m, 2) ? "7" : "\"7\"");
    emit_allowed(m->tab[tab], event);
    if (open || m->open[tab][doc])
        model_cause(m, tab, doc);
    m->open[tab][doc] = open;
}

/* The same connection, let in again. */
static void model_return(model *m, int tab) {
    char body[100];
    world_say(m->tab[tab], "0" NS ",");
    world_turn(&m->w);
    snprintf(body, sizeof body, "{\"message\":{\"user\":\"u%d\",\"user_type\":\"System User\"}}",
             m->user[tab]);
    if (m->w.calls)
        world_answer(&m->w, 200, body);
    world_must(strncmp(world_heard(m->tab[tab]), "0", 1) == 0);
    m->in[tab] = true;
}

/* Opens a document, and thinks better of it before the answer is there. */
static void model_hurry(model *m, int tab, int doc) {
    char event[80];
    bool crash = draw(m, 2);
    rt_frappe_forget(m->w.frappe, RT_EMPTY, RT_EMPTY);
    snprintf(event, sizeof event, "[\"doc_open\",\"D%d\",7]", doc);
    session_emit(m->tab[tab], event);
    world_must(m->w.calls);
    if (crash) {
        model_gone(m, tab);
        world_leave(m->tab[tab]);
    } else {
        model_document(m, tab, doc, false);
    }
    session_allow(&m->w);
}

static void model_step(model *m) {
    int tab = (int)draw(m, TABS), doc = (int)draw(m, DOCS);
    uint32_t what = draw(m, 100);
    if (!m->tab[tab] || !m->tab[tab]->open) {
        model_come(m, tab);
    } else if (!m->in[tab]) {
        model_return(m, tab);
    } else if (what < 5) {
        model_hurry(m, tab, doc);
    } else if (what < 55) {
        model_document(m, tab, doc, true);
    } else if (what < 85) {
        model_document(m, tab, doc, false);
    } else if (what < 92) {
        world_say(m->tab[tab], "1" NS ",");
        world_turn(&m->w);
        model_gone(m, tab);
    } else {
        model_gone(m, tab);
        world_leave(m->tab[tab]);
    }
}

/* The users, as bits, that a list of messages names for a document; *n counts the messages. */
static uint32_t users_told(const char *heard, int doc, unsigned *n) {
    char doctype[80];
    uint32_t users = 0;
    snprintf(doctype, sizeof doctype, "[\"doc_viewers\",{\"doctype\":\"D%d\",", doc);
    *n = 0;
    for (const char *at = heard; (at = strstr(at, doctype)); (*n)++) {
        at = strstr(at, "\"users\":[");
        assert_non_null(at);
        users = 0;
        for (; *at && *at != ']'; at++) {
            if (at[0] == '"' && at[1] == 'u' && at[2] >= '0' && at[2] < '0' + USERS &&
                at[3] == '"') {
                uint32_t bit = 1u << (at[2] - '0');
                assert_false(users & bit); /* each user once */
                users |= bit;
            }
        }
    }
    return users;
}

static void model_check(model *m) {
    world_pass(&m->w, RT_FRAPPE_VIEWERS_MS);
    for (int d = 0; d < DOCS; d++) {
        char room[40];
        uint32_t users = 0, sockets = 0;
        for (int t = 0; t < TABS; t++) {
            users |= m->open[t][d] ? 1u << m->user[t] : 0;
            sockets += m->open[t][d];
        }
        snprintf(room, sizeof room, "open_doc:D%d/7", d);
        assert_int_equal(session_room(&m->w, room), sockets);
        bool news = m->causes[d] && !(sockets == 1 && m->causes[d] == users);
        for (int t = 0; t < TABS; t++) {
            unsigned n = 0;
            if (!m->tab[t] || !m->tab[t]->open)
                continue;
            /* what a tab has heard is looked at for all documents before it is thrown away */
            size_t keep = m->tab[t]->heard_n;
            uint32_t heard = users_told(world_heard(m->tab[t]), d, &n);
            m->tab[t]->heard_n = d + 1 < DOCS ? keep : 0;
            assert_int_equal(n, m->open[t][d] && news ? 1 : 0);
            if (n)
                assert_int_equal(heard, users);
        }
        m->causes[d] = 0;
    }
}

static void test_random_life(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        model m = {.seed = seed * 7919};
        world_init(&m.w, NULL);
        for (int round = 0; round < 400; round++) {
            uint32_t steps = draw(&m, 4) ? 1 : 1 + draw(&m, 8);
            while (steps-- > 0)
                model_step(&m);
            model_check(&m);
        }
        world_fini(&m.w);
    }
    assert_int_equal(rt_alloc_live(), 0);
}

/* --- many --- */

#define MANY 5000

/* 5 000 users look at one document, and all but one leave at once: he is told once. What that costs
 * is counted in test_leaving.c. */
static void test_all_leave_at_once(void **state) {
    (void)state;
    static world_client *c[MANY];
    char text[80];
    world w;
    rt_sio_figures before, after;
    world_init(&w, NULL);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "u%d@a", i);
        c[i] = session_start(&w, text, V16);
        emit_allowed(c[i], "[\"doc_open\",\"T\",\"a\"]");
    }
    world_pass(&w, RT_FRAPPE_VIEWERS_MS);
    for (int i = 0; i < MANY; i++)
        c[i]->heard_n = 0;
    rt_sio_get_figures(w.io, &before);
    for (int i = 0; i < MANY - 1; i++)
        rt_eio_port_closed(w.eio, &c[i]->port, true);
    world_pass(&w, RT_FRAPPE_VIEWERS_PAUSE_MAX_MS);
    rt_sio_get_figures(w.io, &after);
    assert_int_equal(after.counters.v[RT_SIO_DELIVERIES] - before.counters.v[RT_SIO_DELIVERIES], 1);
    assert_string_equal(world_heard(c[MANY - 1]), VIEWERS("\"T\"", "\"a\"", "\"u4999@a\""));
    assert_int_equal(world_figures(&w).identities, 1);
    world_fini(&w);
}

/* --- a list for many costs much --- */

#define VIEWERS_COUNT 400

static void start_viewers(world *w, world_client **c, int n) {
    char user[40];
    for (int i = 0; i < n; i++) {
        snprintf(user, sizeof user, "user-%03d@company.example", i);
        c[i] = session_start(w, user, V16);
        emit_allowed(c[i], "[\"doc_open\",\"T\",\"a\"]");
    }
    world_pass(w, RT_FRAPPE_VIEWERS_MS);
}

/* As many as are named look like any list; one more, and there is a count. */
static void test_names_and_a_count(void **state) {
    (void)state;
    static world_client *c[RT_FRAPPE_VIEWERS_NAMED + 1];
    world w;
    world_init(&w, NULL);
    start_viewers(&w, c, RT_FRAPPE_VIEWERS_NAMED);
    const char *heard = world_heard(c[0]);
    assert_non_null(strstr(heard, "\"user-000@company.example\",\"user-001@"));
    assert_non_null(strstr(heard, ",\"user-099@company.example\"]}]"));
    c[RT_FRAPPE_VIEWERS_NAMED] = session_start(&w, "late@a", V16);
    emit_allowed(c[RT_FRAPPE_VIEWERS_NAMED], "[\"doc_open\",\"T\",\"a\"]");
    world_pass(&w, RT_FRAPPE_VIEWERS_PAUSE_MAX_MS);
    heard = world_heard(c[0]);
    assert_non_null(strstr(heard, ",\"user-099@company.example\"],\"count\":101}]"));
    assert_null(strstr(heard, "late@a"));
    assert_int_equal(world_counter(&w, RT_FRAPPE_VIEWERS_OVER_MAX), 1);
    world_fini(&w);
}

static size_t bytes_heard(world_client **c, int n) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++) {
        bytes += c[i]->heard_n;
        c[i]->heard_n = 0;
    }
    return bytes;
}

/* One of 400 opens and closes the document all the time: 506 MB in 8 s, once. */
static void test_one_of_many_toggles(void **state) {
    (void)state;
    static world_client *c[VIEWERS_COUNT];
    world w;
    world_init(&w, NULL);
    start_viewers(&w, c, VIEWERS_COUNT);
    size_t once = bytes_heard(c, VIEWERS_COUNT), all = 0;
    assert_true(once / RT_FRAPPE_VIEWERS_BYTES_PER_MS > RT_FRAPPE_VIEWERS_MS);
    for (int ms = 0; ms < 8000; ms += 10) {
        emit_allowed(c[0], ms % 20 ? "[\"doc_open\",\"T\",\"a\"]" : "[\"doc_close\",\"T\",\"a\"]");
        world_pass(&w, 10);
        all += bytes_heard(c, VIEWERS_COUNT);
    }
    print_message("%d viewers, one toggles for 8 s: %zu bytes, %zu once\n", VIEWERS_COUNT, all,
                  once);
    assert_in_range(all, 2 * once, 8000 * RT_FRAPPE_VIEWERS_BYTES_PER_MS + 2 * once);
    assert_true(world_counter(&w, RT_FRAPPE_VIEWERS_PAUSED) >= 2);
    /* the last state is told in the end, and nothing is left of the rest */
    world_leave(c[1]);
    world_pass(&w, RT_FRAPPE_VIEWERS_PAUSE_MAX_MS);
    assert_non_null(strstr(world_heard(c[2]), "\"count\":399}]"));
    bytes_heard(c, VIEWERS_COUNT);
    world_pass(&w, RT_FRAPPE_VIEWERS_PAUSE_MAX_MS);
    assert_int_equal(bytes_heard(c, VIEWERS_COUNT), 0);
    emit_allowed(c[2], "[\"doc_open\",\"T\",\"a\"]");
    world_pass(&w, RT_FRAPPE_VIEWERS_MS); /* at once again */
    assert_non_null(strstr(world_heard(c[2]), "\"count\":399}]"));
    world_fini(&w);
    assert_int_equal(rt_alloc_live(), 0);
}

/* While one large document rests, another is told as ever. */
static void test_a_rest_is_one_documents(void **state) {
    (void)state;
    static world_client *c[VIEWERS_COUNT];
    world w;
    world_init(&w, NULL);
    start_viewers(&w, c, VIEWERS_COUNT);
    for (int i = 0; i < 2; i++) {
        world_heard(c[i]);
        emit_allowed(c[i], "[\"doc_open\",\"T\",\"b\"]");
    }
    assert_string_equal(
        told(c[0]),
        VIEWERS("\"T\"", "\"b\"", "\"user-000@company.example\",\"user-001@company.example\""));
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_users),
        cmocka_unit_test(test_repeated_open),
        cmocka_unit_test(test_tabs_of_one_user),
        cmocka_unit_test(test_two_sessions_of_one_user),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_number_then_string),
        cmocka_unit_test(test_told_together),
        cmocka_unit_test(test_random_life),
        cmocka_unit_test(test_all_leave_at_once),
        cmocka_unit_test(test_names_and_a_count),
        cmocka_unit_test(test_one_of_many_toggles),
        cmocka_unit_test(test_a_rest_is_one_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
