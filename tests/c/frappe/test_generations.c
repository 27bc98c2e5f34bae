/* Each generation of Frappe, each way to say who one is: let in or not, as whom, into which rooms,
 * and what a permission costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/generation.h"
#include "frappe/session.h"

#define REFUSED(text) NULL, false, text
#define UNAUTHORIZED REFUSED("Unauthorized")
#define MISSING                                                                                    \
    REFUSED("Missing cookie and authorization header. Either one needed for authentication.")
#define NO_METHOD REFUSED("No authentication method used. Use cookie or authorization header.")

static const struct {
    const char *headers; /* besides Host */
    const char *user;    /* NULL: refused */
    bool system_user;
    const char *refusal;
} matrix[] = {
    /* a session */
    {"Cookie: sid=ada\n", "ada@a", true, NULL},
    {"Cookie: sid=customer\n", "customer@a", false, NULL},
    {"Cookie: sid=Guest\n", "Guest", false, NULL},
    {"Cookie: sid=expired\n", "Guest", false, NULL},
    {"Cookie: sid=disabled\n", UNAUTHORIZED},
    {"Cookie: full_name=Ada; sid=ada; sid=grace\n", "ada@a", true, NULL},
    /* a header */
    {"Authorization: token key:secret\n", "ada@a", true, NULL},
    {"Authorization: Basic a2V5OnNlY3JldA==\n", "ada@a", true, NULL},
    {"Authorization: Bearer good\n", "ada@a", true, NULL},
    {"Authorization: token customer:secret\n", "customer@a", false, NULL},
    {"Authorization: token key:wrong\n", UNAUTHORIZED},
    {"Authorization: token nonsense\n", UNAUTHORIZED},
    {"Authorization: Bearer expired\n", UNAUTHORIZED},
    {"Authorization: Basic ?\n", UNAUTHORIZED},
    {"Authorization: word\n", "Guest", false, NULL},
    /* both: the header counts, good or bad */
    {"Cookie: sid=ada\nAuthorization: token key:secret\n", "ada@a", true, NULL},
    {"Cookie: sid=Guest\nAuthorization: token key:secret\n", "ada@a", true, NULL},
    {"Cookie: sid=Guest\nAuthorization: Basic a2V5OnNlY3JldA==\n", "ada@a", true, NULL},
    {"Cookie: sid=Guest\nAuthorization: Bearer good\n", "ada@a", true, NULL},
    {"Cookie: sid=grace\nAuthorization: Bearer good\n", "ada@a", true, NULL},
    {"Cookie: sid=expired\nAuthorization: Bearer good\n", "ada@a", true, NULL},
    {"Cookie: sid=ada\nAuthorization: token key:wrong\n", UNAUTHORIZED},
    {"Cookie: theme=dark\nAuthorization: token key:secret\n", "ada@a", true, NULL},
    /* an empty one is none */
    {"Cookie: sid=ada\nAuthorization: \n", "ada@a", true, NULL},
    {"Cookie: sid=\nAuthorization: token key:secret\n", "ada@a", true, NULL},
    /* none */
    {"", MISSING},
    {"Cookie: \n", MISSING},
    {"Cookie: theme=dark\n", NO_METHOD},
    {"Cookie: sid=\n", NO_METHOD},
};

static world_client *knock(world *w, enum generation g, const char *headers) {
    char lines[300];
    snprintf(lines, sizeof lines, "Host: a.example\nOrigin: https://a.example\n%s", headers);
    world_client *c = world_connect(w, NS, lines);
    generation_answer(w, g);
    return c;
}

static void check(enum generation g, size_t row) {
    char want[200];
    world w;
    world_init(&w, NULL);
    world_client *c = knock(&w, g, matrix[row].headers);
    const char *heard = world_heard(c);
    if (matrix[row].user)
        snprintf(want, sizeof want, "0" NS ",{\"sid\":\"");
    else
        snprintf(want, sizeof want, "4" NS ",{\"message\":\"%s\"}", matrix[row].refusal);
    if (strncmp(heard, want, strlen(want)) != 0)
        fail_msg("%s, %s got %s", generations[g].name, matrix[row].headers, heard);
    bool cookie = strncmp(matrix[row].headers, "Cookie", 6) == 0 &&
                  (!strstr(matrix[row].headers, "Authorization: ") ||
                   strstr(matrix[row].headers, "Authorization: \n"));
    bool system_user = matrix[row].system_user && (cookie || generations[g].type_for_tokens);
    snprintf(want, sizeof want, "user:%s", matrix[row].user ? matrix[row].user : "");
    if (session_room(&w, "website") != (matrix[row].user != NULL) ||
        session_room(&w, "all") != system_user || (matrix[row].user && !session_room(&w, want)))
        fail_msg("%s, %s: wrong rooms", generations[g].name, matrix[row].headers);
    assert_true(c->open); /* for another CONNECT, when it was refused */
    world_fini(&w);
}

static void test_matrix(void **state) {
    (void)state;
    for (enum generation g = 0; g < GENERATIONS; g++) {
        for (size_t row = 0; row < sizeof matrix / sizeof *matrix; row++)
            check(g, row);
    }
}

/* --- the secret --- */

static void test_secret(void **state) {
    (void)state;
    static const struct {
        const char *first, *later; /* in Redis when it is first read, and afterwards */
        unsigned requests, reads;
    } cases[] = {
        {"right", "right", 1, 1},
        {NULL, NULL, 2, 2},     /* the web process makes the key when it is first asked */
        {"old", "right", 2, 2}, /* it has been replaced since */
    };
    for (enum generation g = 0; g < GENERATIONS; g++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            bool wanted = generations[g].wants_secret;
            world w;
            world_init(&w, NULL);
            w.secret = cases[i].first;
            world_client *c = world_connect(&w, NS, "Host: a.example\nCookie: sid=ada\n");
            assert_string_equal(w.calls->secret, cases[i].first ? cases[i].first : "");
            w.secret = cases[i].later;
            generation_answer(&w, g);
            const char *heard = world_heard(c);
            if (*heard != '0')
                fail_msg("%s, case %zu: %s", generations[g].name, i, heard);
            assert_int_equal(w.asked, wanted ? cases[i].requests : 1);
            assert_int_equal(w.secret_read, wanted ? cases[i].reads : 1);
            /* the next one knows it from the start */
            knock(&w, g, "Cookie: sid=grace\n");
            assert_int_equal(w.asked, (wanted ? cases[i].requests : 1) + 1);
            world_fini(&w);
        }
    }
}

/* --- permissions --- */

static const struct {
    const char *event, *room;
    bool guest, user; /* allowed */
} permissions[] = {
    {"[\"doctype_subscribe\",\"Open\"]", "doctype:Open", true, true},
    {"[\"doctype_subscribe\",\"Desk\"]", "doctype:Desk", false, true},
    {"[\"doctype_subscribe\",\"Secret\"]", "doctype:Secret", false, false},
    {"[\"doc_subscribe\",\"Open\",\"o/1\"]", "doc:Open/o/1", true, true},
    {"[\"doc_subscribe\",\"Desk\",17]", "doc:Desk/17", false, true},
    {"[\"doc_subscribe\",\"Secret\",\"1\"]", "doc:Secret/1", false, false},
    {"[\"doc_subscribe\",\"Open\",\"missing-1\"]", "doc:Open/missing-1", false, false},
    {"[\"doc_open\",\"Open\",\"1\"]", "open_doc:Open/1", true, true},
    {"[\"doc_open\",\"Desk\",\"1\"]", "open_doc:Desk/1", false, true},
    {"[\"doc_open\",\"Secret\",\"1\"]", "open_doc:Secret/1", false, false},
    {"[\"doc_open\",\"Open\",\"missing-2\"]", "open_doc:Open/missing-2", false, false},
    {"[\"task_subscribe\",\"t\"]", "task_progress:t", true, true},
    {"[\"progress_subscribe\",\"t\"]", "task_progress:t", true, true},
};

static void test_permissions(void **state) {
    (void)state;
    for (enum generation g = 0; g < GENERATIONS; g++) {
        for (int guest = 0; guest < 2; guest++) {
            world w;
            world_init(&w, NULL);
            world_client *c = knock(&w, g, guest ? "Cookie: sid=Guest\n" : "Cookie: sid=ada\n");
            world_heard(c);
            for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
                session_emit(c, permissions[i].event);
                generation_answer(&w, g);
                bool may = guest ? permissions[i].guest : permissions[i].user;
                if (session_room(&w, permissions[i].room) != may)
                    fail_msg("%s, %s, %s", generations[g].name, guest ? "guest" : "user",
                             permissions[i].event);
            }
            assert_string_equal(world_heard(c), ""); /* a refusal is not told, as in Frappe */
            assert_true(c->open);
            world_fini(&w);
        }
    }
}

/* The right method is asked from the start, because get_user_info shows the generation, and the
 * other one only about a document that is missing. */
static void test_requests(void **state) {
    (void)state;
    for (enum generation g = 0; g < GENERATIONS; g++) {
        world w;
        world_init(&w, NULL);
        world_client *c = knock(&w, g, "Cookie: sid=ada\n");
        unsigned before = w.asked;
        session_emit(c, "[\"doctype_subscribe\",\"Open\"]");
        generation_answer(&w, g);
        assert_int_equal(w.asked - before, 1);
        session_emit(c, "[\"doctype_subscribe\",\"Secret\"]");
        generation_answer(&w, g);
        assert_int_equal(w.asked - before, 2);
        session_emit(c, "[\"doc_open\",\"Open\",\"missing\"]");
        generation_answer(&w, g);
        assert_int_equal(w.asked - before, 4);
        world_fini(&w);
    }
}

/* --- an update of the site while it is in use --- */

static void test_site_updated(void **state) {
    (void)state;
    for (enum generation from = 0; from < GENERATIONS; from++) {
        for (enum generation to = 0; to < GENERATIONS; to++) {
            world w;
            world_init(&w, NULL);
            world_client *c = knock(&w, from, "Cookie: sid=ada\n");
            session_emit(c, "[\"doctype_subscribe\",\"Open\"]");
            generation_answer(&w, from);
            session_emit(c, "[\"doctype_subscribe\",\"Desk\"]");
            generation_answer(&w, to);
            assert_int_equal(session_room(&w, "doctype:Desk"), 1);
            unsigned before = w.asked;
            session_emit(c, "[\"doc_open\",\"Desk\",\"1\"]");
            generation_answer(&w, to);
            assert_int_equal(w.asked - before, 1); /* found, and remembered for the site */
            assert_int_equal(session_room(&w, "open_doc:Desk/1"), 1);
            world_fini(&w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),       cmocka_unit_test(test_secret),
        cmocka_unit_test(test_permissions),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_site_updated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
