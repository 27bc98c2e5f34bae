/* The connect flow: every check, every kind of answer, the secret, patience, sharing, forgetting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/login.h"
#include "frappe/identity.h"
#include "frappe/member.h"
#include "support/faults.h"

static bool in_room(world *w, const char *room) {
    rt_sio_ns *ns = rt_sio_ns_find(w->io, RT_LIT(NS));
    return ns && rt_sio_room_size(ns, rt_slice_of(room)) > 0;
}

/* --- the checks in front of the question --- */

static const struct {
    const char *ns, *headers, *answer;
} refusals[] = {
    {"/b.example", "Host: a.example\n",
     "Invalid namespace: asked for /b.example, this host serves site a.example (named by Host)"},
    {"/a.example", "Host: a.example\nX-Frappe-Site-Name: s1\n",
     "Invalid namespace: asked for /a.example, this host serves site s1 "
     "(named by X-Frappe-Site-Name)"},
    {"/a.example", "Host: a.example\nX-Frappe-Site-Name: a b\n",
     "Invalid namespace: asked for /a.example, no site name in X-Frappe-Site-Name"},
    {"/a.example", "Host: a.example\nOrigin: https://b.example\n",
     "Invalid namespace: asked for /a.example, this host serves site b.example (named by Origin, "
     "which is not the server a.example: see socketio_allowed_origins)"},
    {"/a.example", "Host: a.example\nX-Frappe-Site-Name: a.example\nOrigin: https://b.example\n",
     "Invalid origin: page https://b.example, server a.example (see socketio_allowed_origins)"},
    {"/a.example", "X-Frappe-Site-Name: a.example\nOrigin: https://b.example\n",
     "Invalid origin: page https://b.example, server without Host (see socketio_allowed_origins)"},
    {"/a.example", "X-Frappe-Site-Name: a.example\n",
     "Invalid origin: page without Origin, server without Host (see socketio_allowed_origins)"},
    {"/a.example", "Host: a.example\nOrigin: null\n",
     "Invalid origin: page null, server a.example (see socketio_allowed_origins)"},
    {"/a.example", "Host: a.example\n",
     "Missing cookie and authorization header. Either one needed for authentication."},
    {"/a.example", "Host: a.example\nCookie: a=b\n",
     "No authentication method used. Use cookie or authorization header."},
    /* the order: namespace, origin, credential */
    {"/x", "Host: a.example\nX-Frappe-Site-Name: a.example\nOrigin: https://b\n",
     "Invalid namespace: asked for /x, this host serves site a.example "
     "(named by X-Frappe-Site-Name)"},
    /* a name that would travel in a header */
    {"/..", "Host: ..\nCookie: sid=1\n",
     "Invalid namespace: asked for /.., this host serves site . (named by Host)"},
};

static void test_refusals(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char want[400];
        world_client *c = world_connect(&w, refusals[i].ns, refusals[i].headers);
        snprintf(want, sizeof want, "4%s,{\"message\":\"%s\"}", refusals[i].ns, refusals[i].answer);
        assert_string_equal(world_heard(c), want);
        assert_true(c->open);
    }
    assert_int_equal(w.asked, 0);
    assert_int_equal(world_counter(&w, RT_FRAPPE_REFUSED_NAMESPACE), 6);
    assert_int_equal(world_counter(&w, RT_FRAPPE_REFUSED_ORIGIN), 4);
    assert_int_equal(world_counter(&w, RT_FRAPPE_REFUSED_NO_CREDENTIAL), 2);
    world_fini(&w);
}

/* `/` itself is no site's. */
static void test_main_namespace(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_open(&w, SID);
    world_say(c, "0");
    assert_starts(world_heard(c), "4{\"message\":\"Invalid namespace: asked for /, ");
    assert_true(c->open);
    world_fini(&w);
}

/* --- the request --- */

static void test_request(void **state) {
    (void)state;
    static const struct {
        const char *headers, *sid, *authorization;
    } cases[] = {
        {SID, "s1", ""},
        {"Host: a.example\nAuthorization: token k:s\n", "", "token k:s"},
        {"Host: a.example\nAuthorization: Basic eDp5\n", "", "Basic eDp5"},
        {"Host: a.example\nCookie: sid=Guest\nAuthorization: Bearer t\n", "", "Bearer t"},
        {"Host: A.Example:8000\nOrigin: https://a.example\nCookie: sid=s2\n", "s2", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_init(&w, NULL);
        world_client *c = world_connect(&w, NS, cases[i].headers);
        assert_non_null(w.calls);
        assert_string_equal(w.calls->site, "a.example");
        assert_string_equal(w.calls->path, USER_INFO);
        assert_string_equal(w.calls->sid, cases[i].sid);
        assert_string_equal(w.calls->authorization, cases[i].authorization);
        assert_string_equal(w.calls->secret, "s3cret");
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        world_fini(&w);
    }
}

static const struct {
    const char *body, *user_room;
    bool system, has_apps;
} kinds[] = {
    {"{\"message\":{\"user\":\"x@a\",\"user_type\":\"System User\"}}", "user:x@a", true, false},
    {"{\"message\":{\"user\":\"x@a\",\"user_type\":\"System User\",\"installed_apps\":[]}}",
     "user:x@a", true, true},
    {"{\"message\":{\"user\":\"x@a\",\"user_type\":\"Website User\",\"installed_apps\":[\"f\"]}}",
     "user:x@a", false, true},
    {"{\"message\":{\"user\":\"x@a\",\"user_type\":null,\"installed_apps\":null}}", "user:x@a",
     false, false},
    {"{\"message\":{\"user\":\"Guest\",\"user_type\":\"Website User\"}}", "user:Guest", false,
     false},
    {" {\n \"message\" : {\"user\":\"\\u00fc@a\"} } ", "user:\303\274@a", false, false},
};

static void test_kinds_of_users(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        world w;
        rt_sio_socket *s;
        world_init(&w, NULL);
        world_client *c = world_connect(&w, NS, SID);
        assert_string_equal(world_heard(c), ""); /* nothing before the answer */
        world_answer(&w, 200, kinds[i].body);
        assert_accepted(c);
        assert_true(in_room(&w, "website"));
        assert_true(in_room(&w, kinds[i].user_room));
        assert_int_equal(in_room(&w, "all"), kinds[i].system);
        assert_true(rt_sio_room_member(rt_sio_ns_find(w.io, RT_LIT(NS)), RT_LIT("website"), 0, &s));
        assert_int_equal(rt_member_of(s)->identity->has_apps, kinds[i].has_apps);
        assert_null(rt_sio_socket_handshake(s)); /* nothing kept that is not needed */
        assert_int_equal(world_figures(&w).identities, 1);
        world_fini(&w);
    }
}

/* --- answers that refuse --- */

static void test_refusing_answers(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        unsigned requests;
    } cases[] = {
        {400, "{\"exc_type\":\"InvalidAuthorizationToken\"}", 1},
        {401, "", 1},
        {403, "<html>", 1},
        {404, "", 1},
        {417, "{\"exc_type\":\"ValidationError\"}", 1},
        {200, "{\"message\":{}}", 2},
        {200, "{}", 2},
        {200, "{\"message\":null}", 2},
        {200, "{\"message\":{\"user\":\"\"}}", 2},
        {200, "{\"message\":{\"user\":5}}", 2},
        {200, "{\"message\":\"x@a\"}", 2},
        {200, "{\"message\":{\"user\":\"a\\u0000b\"}}", 1},
        {200, "{\"message\":{\"user\":\"a\\nb\"}}", 1},
        {200, "{\"message\":{\"user\":\"\\ud800\"}}", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        world_init(&w, NULL);
        world_client *c = world_connect(&w, NS, SID);
        while (w.calls)
            world_answer(&w, cases[i].status, cases[i].body);
        assert_refused(c, "Unauthorized");
        assert_int_equal(w.asked, cases[i].requests);
        assert_int_equal(world_counter(&w, RT_FRAPPE_REFUSED_UNAUTHORIZED), 1);
        /* kept for a short while, then asked again */
        world_say(c, "0" NS ",");
        assert_refused(c, "Unauthorized");
        assert_int_equal(w.asked, cases[i].requests);
        world_pass(&w, RT_FRAPPE_CACHE_REFUSED_MS);
        world_say(c, "0" NS ",");
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        world_fini(&w);
    }
}

static void test_user_too_long(void **state) {
    (void)state;
    char body[1200];
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, NS, SID);
    snprintf(body, sizeof body, "{\"message\":{\"user\":\"%01001d\"}}", 1);
    world_answer(&w, 200, body);
    assert_refused(c, "Unauthorized");
    world_fini(&w);
}

/* --- no answer --- */

static void assert_waiting(const world *w, const char *want) {
    rt_buf sites = RT_BUF_INIT;
    assert_int_equal(rt_frappe_put_waiting_sites(w->frappe, &sites), RT_OK);
    assert_int_equal(rt_buf_putc(&sites, '\0'), RT_OK);
    assert_string_equal(sites.p, want);
    rt_buf_fini(&sites);
}

static void test_asks_again(void **state) {
    (void)state;
#define NOT_JSON "HTTP 200, but the body is not Frappe's JSON"
    static const struct {
        int status;
        const char *body, *why;
        bool away;
    } cases[] = {
        {0, "", "refused", true},
        {500, "{\"message\":{\"user\":\"x@a\"}}", "HTTP 500", false},
        {502, "<html>", "HTTP 502", true},
        {503, "", "HTTP 503", true},
        {504, "", "HTTP 504", true},
        {302, "", "HTTP 302", false},
        {400, "<html>The plain HTTP request was sent to HTTPS port</html>", "HTTP 400", false},
        {400, "{}", "HTTP 400", false},
        {429, "", "HTTP 429", true},
        {200, "<!DOCTYPE html>", NOT_JSON, false},
        {200, "", NOT_JSON, false},
        {200, "[]", NOT_JSON, false},
        {200, "\"x\"", NOT_JSON, false},
        {200, "{\"message\":{\"user\":\"x@a\"}", NOT_JSON, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const unsigned waits[] = {250, 500, 1000, 2000, 4000, 4000};
        world w;
        world_init(&w, NULL);
        world_client *c = world_connect(&w, NS, SID);
        for (unsigned n = 0; n < sizeof waits / sizeof *waits; n++) {
            assert_int_equal(w.asked, n + 1);
            world_answer(&w, cases[i].status, cases[i].body);
            world_pass(&w, waits[n] - 1);
            assert_int_equal(w.asked, n + 1);
            world_pass(&w, 1 + (cases[i].away ? waits[n] / 4 : 0)); /* by lot, if it is the site */
        }
        assert_string_equal(world_heard(c), "");
        char waiting[200];
        snprintf(waiting, sizeof waiting,
                 "{\"a.example\":{\"seconds\":%d,\"for\":\"get_user_info\",\"why\":\"%s\"}}",
                 cases[i].away ? 14 : 11, cases[i].why);
        assert_waiting(&w, waiting);
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        assert_waiting(&w, "{}");
        assert_int_equal(world_counter(&w, RT_FRAPPE_QUESTIONS_FAILED), 6);
        world_fini(&w);
    }
}

static void answer_503_until(world *w, uint64_t until) {
    while (w->now < until) {
        while (w->calls)
            world_answer(w, 503, "");
        world_pass(w, 1);
    }
}

static void test_patience(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *first = world_connect(&w, NS, SID);
    world_pass(&w, 5000);
    world_client *second = world_connect(&w, NS, SID);
    world_answer(&w, 503, "");
    answer_503_until(&w, 1000 + RT_FRAPPE_AUTH_PATIENCE_MS);
    assert_true(first->open);
    while (!w.calls)
        world_pass(&w, 1);
    assert_true(first->open); /* an answer may come */
    world_answer(&w, 503, "");
    assert_false(first->open); /* dropped, not refused */
    assert_true(w.now <= 1000 + RT_FRAPPE_AUTH_PATIENCE_MS + 5000);
    assert_string_equal(world_heard(first), "");
    assert_true(second->open); /* who came later has his own patience */
    assert_int_equal(world_figures(&w).waiting, 1);
    assert_int_equal(world_counter(&w, RT_FRAPPE_AUTH_WAITING_DROPPED), 1);
    answer_503_until(&w, 1000 + 5000 + RT_FRAPPE_AUTH_PATIENCE_MS);
    assert_true(second->open);
    answer_503_until(&w, w.now + 5001);
    assert_false(second->open);
    assert_int_equal(world_figures(&w).waiting, 0);
    world_fini(&w);
}

/* A request that cannot be sent is sent later. */
static void test_web_client_refuses(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *why;
    } cases[] = {{RT_ENOMEM, "out of memory"}, {RT_EIO, "system error"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char waiting[200];
        world w;
        world_init(&w, NULL);
        w.web_refuses = cases[i].status;
        world_client *c = world_connect(&w, NS, SID);
        world_pass(&w, 249);
        snprintf(waiting, sizeof waiting,
                 "{\"a.example\":{\"seconds\":0,\"for\":\"get_user_info\",\"why\":\"%s\"}}",
                 cases[i].why);
        assert_waiting(&w, waiting);
        assert_int_equal(w.asked, 0);
        w.web_refuses = 0;
        world_pass(&w, 1);
        world_answer(&w, 200, system_user);
        assert_accepted(c);
        assert_waiting(&w, "{}");
        /* ... until patience is over */
        w.web_refuses = cases[i].status;
        c = world_connect(&w, NS, "Host: a.example\nCookie: sid=s2\n");
        world_pass(&w, RT_FRAPPE_AUTH_PATIENCE_MS - 1);
        assert_true(c->open);
        world_pass(&w, 1);
        assert_false(c->open);
        assert_string_equal(world_heard(c), "");
        assert_waiting(&w, "{}"); /* nobody waits any more */
        world_fini(&w);
    }
}

/* What is said about an outage: once when it begins, and when a client is dropped. */
static char said[2000];

static void remember(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s: %s\n", part, text);
}

static int count_said(const char *part) {
    int n = 0;
    for (const char *at = said; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void test_outage_is_logged(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    said[0] = '\0';
    rt_log_set_sink(remember, RT_LOG_DEBUG);
    world_client *c = world_connect(&w, NS, SID);
    for (int i = 0; i < 100 && c->open; i++) {
        if (w.calls)
            world_answer_error(&w, 0, "", "Could not\nconnect to \303\274.");
        world_pass(&w, 250);
    }
#define WHY "Could not?connect to \303\274."
    assert_string_equal(said,
                        "frappe: site a.example does not answer get_user_info (" WHY "), retrying; "
                        "see webserver_host, webserver_port\n"
                        "frappe: site a.example does not answer get_user_info (" WHY
                        "): dropped a client after 20 s (frappe_rt_auth_patience_ms), which "
                        "reconnects by itself\n");
    said[0] = '\0';
    c = world_connect(&w, NS, SID);
    world_pass(&w, 5000);
    world_answer(&w, 200, system_user);
    assert_accepted(c);
    assert_starts(said, "frappe: site a.example answers again, after 2");
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    world_fini(&w);
}

/* What curl says of a host of another name is told to its end. */
static void test_long_reason(void **state) {
    (void)state;
#define CURL_SAYS                                                                                  \
    "Failed to connect to erp-web.internal.example port 8000 after 12 ms: Couldn't connect to "    \
    "server"
    world w;
    world_init(&w, NULL);
    world_connect(&w, NS, SID);
    world_answer_error(&w, 0, "", CURL_SAYS);
    assert_waiting(
        &w, "{\"a.example\":{\"seconds\":0,\"for\":\"get_user_info\",\"why\":\"" CURL_SAYS "\"}}");
    world_fini(&w);
}

/* Its end, too, to those who see warnings alone, and for the sites whose beginning they saw. */
static void test_end_of_outage_is_logged(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    said[0] = '\0';
    rt_log_set_sink(remember, RT_LOG_WARN);
    world_connect(&w, NS, SID);
    world_connect(&w, "/b.example", "Host: b.example\nCookie: sid=s1\n");
    for (int i = 0; i < 2; i++)
        world_answer(&w, 503, "");
    world_pass(&w, 3000);
    while (w.calls)
        world_answer(&w, 200, system_user);
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    assert_string_equal(said, "frappe: site a.example does not answer get_user_info (HTTP 503), "
                              "retrying; see the log of the web process\nfrappe: site a.example "
                              "answers again, after 3 s\n");
    world_fini(&w);
}

/* Each of many made-up sites waited long enough to be logged. Their end is one line, and a count in
 * the next. */
static void test_many_sites_come_back(void **state) {
    enum { SITES = 12 };
    (void)state;
    world w;
    world_init(&w, NULL);
    rt_log_set_sink(remember, RT_LOG_DEBUG);
    said[0] = '\0';
    for (int i = 0; i < SITES; i++) {
        char ns[40], headers[80];
        snprintf(ns, sizeof ns, "/s%d.example", i);
        snprintf(headers, sizeof headers, "Host: s%d.example\nCookie: sid=s\n", i);
        world_connect(&w, ns, headers);
        while (w.calls)
            world_answer(&w, 503, "");
        world_pass(&w, 1000);
    }
    assert_int_equal(count_said("retrying; see the log of the web process\n"), SITES);
    said[0] = '\0';
    for (int ms = 0; ms < RT_FRAPPE_RETRY_MAX_MS; ms += 1000) {
        world_pass(&w, 1000);
        while (w.calls)
            world_answer(&w, 200, system_user);
    }
    int lines = count_said("answers again"), counted = 0;
    for (const char *at = said; (at = strstr(at, " s (")); at++)
        counted += atoi(at + 4);
    assert_in_range(lines, 1, RT_FRAPPE_RETRY_MAX_MS / 1000);
    assert_in_range(lines + counted, lines, SITES);
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    world_fini(&w);
}

/* A flood of one cause is one line a second, with a count, and hides no other cause. */
static void test_refusals_are_logged_by_cause(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    rt_log_set_sink(remember, RT_LOG_DEBUG);
    said[0] = '\0';
    for (int i = 0; i < 50; i++) {
        char headers[80];
        snprintf(headers, sizeof headers, "Host: \302\233%d.example\n", i);
        world_connect(&w, NS, headers);
    }
    world_connect(&w, NS, "Host: a.example\n");
    world_connect(&w, NS, "Host: a.example\nX-Frappe-Site-Name: a.example\nOrigin: null\n");
    world_connect(&w, NS, SID);
    world_answer(&w, 401, "");
    assert_string_equal(
        said,
        "frappe: refused: Invalid namespace: asked for /a.example, this host serves site "
        "?0.example (named by Host)\n"
        "frappe: refused: Missing cookie and authorization header. Either one needed for "
        "authentication.\n"
        "frappe: refused: Invalid origin: page null, server a.example (see "
        "socketio_allowed_origins)\n"
        "frappe: refused: Unauthorized: site a.example answered get_user_info with HTTP 401\n");
    said[0] = '\0';
    world_pass(&w, 1000);
    world_connect(&w, "/b.example", "Host: a.example\n");
    assert_string_equal(
        said, "frappe: refused: Invalid namespace: asked for /b.example, this host "
              "serves site a.example (named by Host) (49 more since the last such line)\n");
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    world_fini(&w);
}

/* Whoever reads the log is told whose answer it was, also when none is kept. */
static void test_refusal_is_logged(void **state) {
    (void)state;
    rt_frappe_opts opts;
    rt_frappe_opts_default(&opts);
    for (int kept = 0; kept < 2; kept++) {
        world w;
        opts.cache_refused_ms = kept ? RT_FRAPPE_CACHE_REFUSED_MS : 0;
        world_init(&w, &opts);
        said[0] = '\0';
        rt_log_set_sink(remember, RT_LOG_DEBUG);
        world_client *c = world_connect(&w, NS, SID);
        world_answer(&w, 404, "");
        assert_refused(c, "Unauthorized");
        rt_log_set_sink(NULL, RT_LOG_DEBUG);
        assert_string_equal(said, "frappe: refused: Unauthorized: site a.example answered "
                                  "get_user_info with HTTP 404\n");
        world_fini(&w);
    }
}

/* --- the same client again --- */

static void test_connect_again(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, NS, SID);
    world_answer(&w, 200, system_user);
    assert_accepted(c);
    world_say(c, "1" NS ",");
    assert_false(in_room(&w, "website"));
    assert_int_equal(world_figures(&w).identities, 1); /* the client keeps who it is */
    world_say(c, "0" NS ",");
    assert_accepted(c); /* although the handshake has been dropped */
    world_say(c, "1" NS ",");
    world_pass(&w, RT_FRAPPE_CACHE_MS);
    world_say(c, "0" NS ",");
    assert_string_equal(w.calls->sid, "s1");
    world_answer(&w, 200, website_user); /* somebody else by now */
    assert_accepted(c);
    assert_true(in_room(&w, "user:w@a"));
    assert_false(in_room(&w, "user:x@a"));
    world_say(c, "0/b.example,");
    assert_string_equal(world_heard(c),
                        "4/b.example,{\"message\":\"Invalid namespace: asked for /b.example, this "
                        "host serves site a.example (named by this connection's first "
                        "namespace)\"}");
    world_leave(c);
    assert_int_equal(world_figures(&w).identities, 0);
    world_fini(&w);
}

/* A site's name is what the client calls it, as DNS sees it. */
static void test_case_of_site(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    world_client *c = world_connect(&w, "/A.example", SID);
    assert_string_equal(w.calls->site, "A.example");
    world_answer(&w, 200, system_user);
    assert_starts(world_heard(c), "0/A.example,{\"sid\"");
    world_fini(&w);
}

static void test_allowed_origin(void **state) {
    (void)state;
    world w;
    world_init(&w, NULL);
    const char *headers = "Host: a.example\nOrigin: https://app.example\nCookie: sid=s1\n";
    w.allowed_site = "a.example";
    w.allowed = "https://app.example";
    world_client *c = world_connect(&w, NS, headers);
    world_answer(&w, 200, system_user);
    assert_accepted(c);
    rt_http_header list[WORLD_HEADERS_MAX];
    rt_http_request req = world_request(headers, list);
    assert_true(rt_frappe_allow_origin(w.frappe, &req, RT_LIT("https://app.example")));
    assert_true(rt_frappe_allow_origin(w.frappe, &req, RT_LIT("https://a.example")));
    assert_false(rt_frappe_allow_origin(w.frappe, &req, RT_LIT("https://b.example")));
    /* configuration has changed: from now on, at the next decision */
    w.allowed = "https://b.example";
    assert_false(rt_frappe_allow_origin(w.frappe, &req, RT_LIT("https://app.example")));
    assert_true(rt_frappe_allow_origin(w.frappe, &req, RT_LIT("https://b.example")));
    c = world_connect(&w, NS, headers);
    assert_starts(world_heard(c), "4" NS ",{\"message\":\"Invalid ");
    world_fini(&w);
}

/* --- memory --- */

static int whole_life(void *arg) {
    (void)arg;
    world w;
    if (!world_try_init(&w, NULL))
        return RT_ENOMEM;
    world_client *c = world_connect(&w, NS, SID);
    world_client *d = world_connect(&w, NS, SID);
    for (int i = 0; i < 8 && (w.calls || world_figures(&w).waiting); i++) {
        if (w.calls)
            world_answer(&w, 200, i == 0 ? "{}" : system_user);
        world_pass(&w, 4000);
    }
    world_client *refused = world_connect(&w, "/b", SID);
    const char *heard = world_heard(c);
    bool ok = heard[0] == '0' || !c->open || !d->open || !refused->open;
    assert_true(ok);
    assert_int_equal(world_figures(&w).waiting, 0);
    bool all = c->open && d->open && refused->open;
    world_leave(c);
    world_leave(d);
    world_fini(&w);
    return all ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(whole_life, NULL) > 20);
}

/* What a user with one tab costs here, besides his share of two hash tables. */
static void test_small(void **state) {
    (void)state;
    assert_true(sizeof(rt_member) <= 24);
    assert_true(sizeof(rt_identity) <= 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_main_namespace),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_kinds_of_users),
        cmocka_unit_test(test_refusing_answers),
        cmocka_unit_test(test_user_too_long),
        cmocka_unit_test(test_asks_again),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_web_client_refuses),
        cmocka_unit_test(test_outage_is_logged),
        cmocka_unit_test(test_long_reason),
        cmocka_unit_test(test_end_of_outage_is_logged),
        cmocka_unit_test(test_many_sites_come_back),
        cmocka_unit_test(test_refusals_are_logged_by_cause),
        cmocka_unit_test(test_refusal_is_logged),
        cmocka_unit_test(test_connect_again),
        cmocka_unit_test(test_case_of_site),
        cmocka_unit_test(test_allowed_origin),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
