/* The web client against a small server of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/fds.h"
#include "net/webclient.h"
#include "support/cert.h"
#include "support/faults.h"
#include "support/loop_until.h"
#include "support/web_stub.h"

#include <signal.h>
#include <sys/wait.h>

#define PATIENCE 20000 /* ms, for what should take a moment */

static rt_web_stub stub;
static rt_loop loop;
static rt_web *web;
static rt_web_opts opts;

static int start_all(void **state) {
    (void)state;
    stub.port = 0;
    rt_web_stub_start(&stub, NULL, NULL);
    rt_loop_begin(&loop);
    rt_web_opts_default(&opts);
    return 0;
}

static void end_web(void) {
    if (web)
        rt_web_close(web);
    web = NULL;
    rt_loop_end(&loop);
}

static int stop_all(void **state) {
    (void)state;
    end_web();
    rt_web_stub_stop(&stub);
    return 0;
}

static void new_web(void) {
    web = rt_web_new(&loop, &opts);
    assert_non_null(web);
}

static rt_web_figures figures(void) {
    rt_web_figures f;
    rt_web_get_figures(web, &f);
    return f;
}

static uint64_t counted(int which) {
    return figures().counters.v[which];
}

/* One request of the test. */
typedef struct ask {
    bool done;
    int times;
    int status;
    char *body;
    size_t body_len;
    char error[300];
    void (*then)(struct ask *a); /* called from inside `done` */
    struct ask *other;
    uint32_t retry_after_ms;
    rt_web_call *call;
} ask;

static void on_done(void *arg, const rt_web_answer *answer) {
    ask *a = arg;
    a->times++;
    a->status = answer->status;
    a->retry_after_ms = answer->retry_after_ms;
    free(a->body);
    a->body_len = answer->body.n;
    a->body = malloc(answer->body.n + 1);
    assert_non_null(a->body);
    if (answer->body.n > 0)
        memcpy(a->body, answer->body.p, answer->body.n);
    a->body[answer->body.n] = '\0';
    snprintf(a->error, sizeof a->error, "%s", answer->error ? answer->error : "");
    if (a->then)
        a->then(a);
    a->done = true;
}

static void get_url(ask *a, const char *url, const char *const *headers, unsigned n) {
    assert_int_equal(rt_web_get(web, url, headers, n, on_done, a, &a->call), RT_OK);
    assert_int_equal(a->times, 0); /* never from inside the call */
}

static void get(ask *a, const char *path) {
    char url[600];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", stub.port, path);
    get_url(a, url, NULL, 0);
}

static void finish(ask *a) {
    rt_loop_until(&loop, &a->done, PATIENCE);
    assert_int_equal(a->times, 1);
}

/* Asks and checks status and body (NULL: any), or for status 0 a part of the error. */
static void expect(const char *path, int status, const char *text) {
    ask a = {0};
    get(&a, path);
    finish(&a);
    if (a.status != status)
        fail_msg("%s: %d %s", path, a.status, a.error);
    if (status && text)
        assert_string_equal(a.body, text);
    if (status)
        assert_string_equal(a.error, "");
    else if (!strstr(a.error, text))
        fail_msg("%s: %s", path, a.error);
    free(a.body);
}

static void test_answers(void **state) {
    (void)state;
    new_web();
    expect("/ok", 200, "hello");
    expect("/status/401", 401, "");
    expect("/status/404", 404, "");
    expect("/status/500", 500, "");
    expect("/last", 200, "hello");
    expect("/size/0", 200, "");
    expect("/chunked/3", 200, "xxx");
    assert_int_equal(counted(RT_WEB_REQUESTS), 7);
    assert_int_equal(counted(RT_WEB_ANSWERED), 7);
    assert_int_equal(counted(RT_WEB_FAILED), 0);
    assert_int_equal(figures().in_flight, 0);
}

static void test_keep_alive(void **state) {
    (void)state;
    new_web();
    for (int i = 0; i < 20; i++)
        expect("/ok", 200, "hello");
    assert_int_equal(rt_web_stub_count(&stub, &stub.accepted), 1);
    expect("/last", 200, "hello"); /* the server closes: the next takes a new connection */
    expect("/ok", 200, "hello");
    assert_int_equal(rt_web_stub_count(&stub, &stub.accepted), 2);
    assert_int_equal(rt_web_stub_count(&stub, &stub.requests), 22);
}

static void test_headers(void **state) {
    static const char *const headers[] = {"Host: site.example:8000", "Cookie: sid=abc",
                                          "X-Frappe-Site-Name: site.example"};
    char url[64];
    ask a = {0};
    (void)state;
    new_web();
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* must be ignored */
    snprintf(url, sizeof url, "http://127.0.0.1:%d/echo?a=%%20b", stub.port);
    get_url(&a, url, headers, 3);
    finish(&a);
    unsetenv("http_proxy");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "GET /echo?a=%20b HTTP/1.1\r\nHost: site.example:8000\r\n"
                                "Accept: */*\r\nCookie: sid=abc\r\n"
                                "X-Frappe-Site-Name: site.example\r\n\r\n");
    a.done = false;
    a.times = 0;
    get(&a, "/echo"); /* the Set-Cookie of the last answer is forgotten, as is all else */
    finish(&a);
    char expected[200];
    snprintf(expected, sizeof expected,
             "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n\r\n", stub.port);
    assert_string_equal(a.body, expected);
    free(a.body);
}

static void test_refused_arguments(void **state) {
    static const char *const bad_headers[] = {"X: a\r\nY: b", "X: a\n", "X: a\r", "no colon", ""};
    static const char *const bad_urls[] = {"",
                                           "/ok",
                                           "ftp://127.0.0.1/",
                                           "http://127.0.0.1/a b",
                                           "http://u:p@127.0.0.1/",
                                           "file:///etc/passwd"};
    ask a = {0};
    (void)state;
    new_web();
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
        const char *const headers[] = {"Good: yes", bad_headers[i]};
        assert_int_equal(rt_web_get(web, "http://127.0.0.1/", headers, 2, on_done, &a, &a.call),
                         RT_EINVAL);
    }
    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++)
        assert_int_equal(rt_web_get(web, bad_urls[i], NULL, 0, on_done, &a, &a.call), RT_EINVAL);
    rt_loop_for(&loop, 20);
    assert_int_equal(a.times, 0);
    assert_int_equal(counted(RT_WEB_REQUESTS), 0);
}

static void test_no_answer(void **state) {
    char url[64];
    ask a = {0};
    (void)state;
    new_web();
    expect("/hangup", 0, "");
    expect("/half", 0, "");
    expect("/garbage", 0, "");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", rt_free_port());
    get_url(&a, url, NULL, 0);
    finish(&a);
    assert_int_equal(a.status, 0);
    assert_int_equal(a.body_len, 0);
    assert_non_null(strstr(a.error, "connect"));
    free(a.body);
    memset(&a, 0, sizeof a);
    get_url(&a, "http://no-such-host.invalid/", NULL, 0);
    finish(&a);
    assert_non_null(strstr(a.error, "resolve"));
    free(a.body);
    assert_int_equal(counted(RT_WEB_FAILED), 5);
    assert_int_equal(counted(RT_WEB_ANSWERED), 0);
    expect("/ok", 200, "hello");
}

static void test_size_cap(void **state) {
    (void)state;
    opts.answer_max = 10000;
    new_web();
    expect("/size/10000", 200, NULL);
    expect("/chunked/10000", 200, NULL);
    expect("/size/10001", 0, "too large");
    expect("/chunked/10001", 0, "too large");
    expect("/chunked/100000", 0, "too large");
    assert_int_equal(counted(RT_WEB_TOO_BIG), 3);
    assert_int_equal(counted(RT_WEB_FAILED), 3);
    expect("/ok", 200, "hello");
}

static void test_timeouts(void **state) {
    (void)state;
    opts.timeout_ms = 200;
    new_web();
    uint64_t start = rt_test_ms();
    expect("/never", 0, "");
    assert_true(rt_test_ms() - start >= 200);
    assert_true(rt_test_ms() - start < 2000);
    assert_int_equal(counted(RT_WEB_TIMEOUTS), 1);
    assert_int_equal(counted(RT_WEB_FAILED), 1);
    expect("/ok", 200, "hello");
    /* Redirects share one deadline. */
    ask a = {0};
    get(&a, "/to//slow/1000");
    start = rt_test_ms();
    finish(&a);
    assert_int_equal(a.status, 0);
    assert_true(rt_test_ms() - start < 900);
    free(a.body);
}

#define MANY 40

/* All that were asked for are sent at once, and only so many connections are kept. */
static void test_many(void **state) {
    static ask asks[MANY];
    (void)state;
    memset(asks, 0, sizeof asks);
    opts.connections = 3;
    new_web();
    for (int i = 0; i < MANY; i++)
        get(&asks[i], i == 7 ? "/never" : "/slow/200");
    assert_int_equal(figures().in_flight, MANY);
    rt_web_cancel(asks[7].call);
    assert_int_equal(figures().in_flight, MANY - 1);
    for (int i = 0; i < MANY; i++) {
        if (i == 7)
            continue;
        finish(&asks[i]);
        assert_int_equal(asks[i].status, 200);
        free(asks[i].body);
    }
    assert_int_equal(asks[7].times, 0);
    assert_int_equal(counted(RT_WEB_CANCELLED), 1);
    assert_int_equal(figures().in_flight, 0);
    int accepted = rt_web_stub_count(&stub, &stub.accepted);
    for (int i = 0; i < 3; i++)
        expect("/ok", 200, "hello");
    assert_int_equal(rt_web_stub_count(&stub, &stub.accepted), accepted);
}

static void test_retry_after(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint32_t ms;
    } cases[] = {{"/later/7", 7000},
                 {"/later/0", 0},
                 {"/later/soon", 0},
                 {"/later/99999999", 86400000},
                 {"/status/503", 0}};
    new_web();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask a = {0};
        get(&a, cases[i].path);
        finish(&a);
        assert_int_equal(a.status, 503);
        assert_int_equal(a.retry_after_ms, cases[i].ms);
        free(a.body);
    }
}

static bool one_done;

static void cancel_other(ask *a) {
    one_done = true;
    rt_web_cancel(a->other->call);
    rt_web_cancel(a->call); /* itself: harmless */
}

/* Two that end in one turn: the first takes the second out before its end is told. */
static void test_cancel_from_done(void **state) {
    (void)state;
    new_web();
    for (int round = 0; round < 20; round++) {
        ask a = {0}, b = {0}, c = {0};
        one_done = false;
        a.then = b.then = cancel_other;
        a.other = &b;
        b.other = &a;
        get(&a, "/ok");
        get(&b, "/ok");
        get(&c, "/ok");
        rt_test_sleep(round % 2 ? 10 : 0);
        finish(&c);
        rt_loop_until(&loop, &one_done, PATIENCE);
        rt_loop_for(&loop, 10);
        assert_int_equal(a.times + b.times, 1);
        free(a.body);
        free(b.body);
        free(c.body);
    }
    assert_int_equal(figures().in_flight, 0);
}

static void get_other(ask *a) {
    get(a->other, "/echo");
    assert_false(a->other->done);
}

static void test_get_from_done(void **state) {
    ask first = {0}, second = {0};
    (void)state;
    new_web();
    first.then = get_other;
    first.other = &second;
    get(&first, "/ok");
    finish(&second);
    assert_int_equal(first.status, 200);
    assert_string_equal(first.body, "hello");
    assert_int_equal(second.status, 200);
    free(first.body);
    free(second.body);
}

static void close_web(ask *a) {
    rt_web_close(web);
    rt_web_close(web);
    assert_int_equal(rt_web_get(web, "http://127.0.0.1/", NULL, 0, on_done, a, &a->call),
                     RT_EINVAL);
    web = NULL;
}

static void test_close_from_done(void **state) {
    ask a = {0}, b = {0}, c = {0};
    (void)state;
    new_web();
    a.then = close_web;
    get(&a, "/ok");
    get(&b, "/never");
    get(&c, "/ok");
    finish(&a);
    rt_loop_for(&loop, 50);
    assert_int_equal(b.times + c.times, 0);
    free(a.body);
}

static void test_close_while_flying(void **state) {
    ask asks[5];
    (void)state;
    memset(asks, 0, sizeof asks);
    new_web();
    get(&asks[0], "/never");
    get(&asks[1], "/ok");
    get_url(&asks[2], "http://localhost:1/", NULL, 0);
    get(&asks[3], "/ok");
    rt_loop_for(&loop, 1);
    int before = asks[1].times + asks[2].times + asks[3].times;
    rt_web_close(web);
    web = NULL;
    rt_loop_for(&loop, 20);
    assert_int_equal(asks[0].times, 0);
    assert_int_equal(asks[1].times + asks[2].times + asks[3].times, before);
    for (int i = 0; i < 5; i++)
        free(asks[i].body);
}

/* The server goes and comes back on the same port while connections are kept. */
static void test_server_restarts(void **state) {
    (void)state;
    new_web();
    expect("/ok", 200, "hello");
    int port = stub.port;
    rt_web_stub_stop(&stub);
    expect("/ok", 0, "connect");
    stub.port = port;
    rt_web_stub_start(&stub, NULL, NULL);
    expect("/ok", 200, "hello");
}

/* A worker of the web process that ends resets its connections, kept ones among them. */
static void test_reset(void **state) {
    (void)state;
    new_web();
    expect("/reset-kept", 200, "hello");
    expect("/reset-kept", 200, "hello"); /* reset, then asked on a new connection */
    assert_int_equal(rt_web_stub_count(&stub, &stub.accepted), 2);
    assert_int_equal(rt_web_stub_count(&stub, &stub.requests), 3);
    assert_int_equal(counted(RT_WEB_FAILED), 0);
    rt_web_close(web);
    new_web();
    expect("/reset", 0, "reset by peer"); /* a new connection: nothing to be asked twice */
    assert_int_equal(counted(RT_WEB_FAILED), 1);
}

static void check_redirect(const char *location, const char *host, int status, int requests) {
    const char *const headers[] = {"Cookie: sid=abc", host};
    char url[600];
    ask a = {0};
    int before = rt_web_stub_count(&stub, &stub.requests);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/to/%s", stub.port, location);
    get_url(&a, url, headers, host ? 2 : 1);
    finish(&a);
    if (a.status != status)
        fail_msg("%s: %d %s", location, a.status, a.error);
    assert_int_equal(rt_web_stub_count(&stub, &stub.requests) - before, requests);
    if (status == 200) {
        assert_non_null(strstr(a.body, "Cookie: sid=abc\r\n"));
        assert_null(strstr(a.body, "stolen"));
        assert_true(!host || strstr(a.body, host));
    }
    free(a.body);
}

/* A second server stands for "another host": nothing may ever reach it. */
static void test_redirects(void **state) {
    static rt_web_stub other;
    char text[200];
    (void)state;
    rt_web_stub_start(&other, NULL, NULL);
    new_web();
    check_redirect("/echo", NULL, 200, 2);
    snprintf(text, sizeof text, "http://127.0.0.1:%d/echo", stub.port);
    check_redirect(text, NULL, 200, 2);
    check_redirect("/to//to//echo", NULL, 200, 4);
    check_redirect("/to//to//to//echo", NULL, 302, 4); /* one too many */
    check_redirect("http://site.example/echo", "Host: site.example", 200, 2);
    check_redirect("https://site.example/echo", "Host: site.example:8000", 200, 2);
    check_redirect("http://other.example/echo", "Host: site.example", 302, 1);
    snprintf(text, sizeof text, "http://127.0.0.1:%d/echo", other.port);
    check_redirect(text, NULL, 302, 1);
    snprintf(text, sizeof text, "http://localhost:%d/echo", other.port);
    check_redirect(text, NULL, 302, 1);
    snprintf(text, sizeof text, "http://127.0.0.1:%d\\@127.0.0.1:%d/echo", stub.port, other.port);
    check_redirect(text, NULL, 302, 1);
    snprintf(text, sizeof text, "http://127.0.0.1:%d@127.0.0.1:%d/echo", stub.port, other.port);
    check_redirect(text, NULL, 302, 1);
    check_redirect("file:///etc/passwd", NULL, 302, 1);
    assert_int_equal(rt_web_stub_count(&other, &other.accepted), 0);
    rt_web_stub_stop(&other);
}

static void get_tls(ask *a, int port, const char *path) {
    char url[200];
    memset(a, 0, sizeof *a);
    snprintf(url, sizeof url, "https://localhost:%d%s", port, path);
    get_url(a, url, NULL, 0);
    finish(a);
}

static void test_tls(void **state) {
    static rt_web_stub tls;
    rt_test_cert cert;
    ask a;
    (void)state;
    rt_test_cert_make(&cert, "DNS:localhost");
    rt_web_stub_start(&tls, cert.cert, cert.key);
    new_web();
    get_tls(&a, tls.port, "/ok"); /* nobody vouches for it */
    assert_int_equal(a.status, 0);
    assert_non_null(strstr(a.error, "certificate"));
    free(a.body);
    setenv("SSL_CERT_FILE", cert.cert, 1);
    for (int i = 0; i < 3; i++) {
        get_tls(&a, tls.port, "/size/100000");
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body_len, 100000);
        free(a.body);
    }
    assert_int_equal(rt_web_stub_count(&tls, &tls.accepted), 2);
    get_tls(&a, tls.port, "/to//echo");
    assert_int_equal(a.status, 200);
    free(a.body);
    memset(&a, 0, sizeof a); /* the certificate names localhost, not the address */
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", tls.port);
    get_url(&a, url, NULL, 0);
    finish(&a);
    assert_int_equal(a.status, 0);
    free(a.body);
    unsetenv("SSL_CERT_FILE");
    rt_web_stub_stop(&tls);
    rt_test_cert_remove(&cert);
}

/* What a forked child must not keep is recorded as long as it is open, and no longer. */
static void test_descriptors_are_recorded(void **state) {
    (void)state;
    new_web();
    expect("/ok", 200, "hello");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rt_fds_lock();
        rt_fds_close_in_child();
        int open_sockets = 0;
        for (int fd = 3; fd < 256; fd++) {
            struct sockaddr_in peer;
            socklen_t n = sizeof peer;
            if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && peer.sin_family == AF_INET &&
                ntohs(peer.sin_port) == stub.port)
                open_sockets++;
        }
        _exit(open_sockets);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect("/ok", 200, "hello"); /* the parent's is as it was */
    assert_int_equal(rt_web_stub_count(&stub, &stub.accepted), 1);
}

static int ask_thrice(void *arg) {
    static const char *const headers[] = {"Host: a", "X: b"};
    ask asks[3];
    int rc = RT_OK;
    (void)arg;
    memset(asks, 0, sizeof asks);
    web = rt_web_new(&loop, &opts);
    for (int i = 0; i < 3 && web && rc == RT_OK; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%d%s", stub.port, i ? "/to//ok" : "/size/3000");
        rc = rt_web_get(web, url, headers, 2, on_done, &asks[i], &asks[i].call);
        if (rc != RT_OK)
            break;
    }
    for (int i = 0; i < 3 && rc == RT_OK && web; i++) {
        rt_loop_turn(&loop, &asks[i].done, opts.timeout_ms + 2000);
        assert_int_equal(asks[i].times, 1);
    }
    if (web)
        rt_web_close(web);
    else
        rc = RT_ENOMEM;
    web = NULL;
    rt_loop_for(&loop, 30); /* until its handles are closed */
    for (int i = 0; i < 3; i++)
        free(asks[i].body);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    opts.timeout_ms = 300;
    assert_int_equal(rt_fds_add(255), RT_OK); /* its table is the process's and stays */
    rt_fds_forget(255);
    assert_true(rt_faults_each(ask_thrice, NULL) > 10);
}

#define with_stub(test) cmocka_unit_test_setup_teardown(test, start_all, stop_all)

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* the server's thread has all signals blocked */
    const struct CMUnitTest tests[] = {
        with_stub(test_answers),
        with_stub(test_keep_alive),
        with_stub(test_headers),
        with_stub(test_refused_arguments),
        with_stub(test_no_answer),
        with_stub(test_size_cap),
        with_stub(test_timeouts),
        with_stub(test_many),
        with_stub(test_retry_after),
        with_stub(test_cancel_from_done),
        with_stub(test_get_from_done),
        with_stub(test_close_from_done),
        with_stub(test_close_while_flying),
        with_stub(test_server_restarts),
        with_stub(test_reset),
        with_stub(test_redirects),
        with_stub(test_tls),
        with_stub(test_descriptors_are_recorded),
        with_stub(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
