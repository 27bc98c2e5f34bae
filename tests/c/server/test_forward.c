/* Forwarding to the channel of a real Redis: when, what, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/status.h"
#include "json/scan.h"
#include "server/forward.h"
#include "support/faults.h"
#include "support/loop_until.h"
#include "support/redis_server.h"

static rt_redis_server server;
static rt_loop loop;
static rt_redis *redis;
static rt_forward forward;
static unsigned own, foreign; /* what came back on the channel */
static char last[2000];
static char why[300];

static int start_server(void **state) {
    (void)state;
    rt_redis_server_start(&server, 0, NULL);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    rt_redis_server_stop(&server);
    return 0;
}

static void on_message(void *arg, rt_slice payload) {
    (void)arg;
    if (rt_forward_is_own(&forward, payload))
        own++;
    else
        foreign++;
    snprintf(last, sizeof last, "%.*s", (int)payload.n, payload.p);
}

static int begin(void **state) {
    (void)state;
    own = foreign = 0;
    rt_loop_begin(&loop);
    return 0;
}

static bool is_up(void) {
    rt_redis_figures f;
    rt_redis_get_figures(redis, &f);
    return f.subscribed && f.connected;
}

static void connect_to_redis(const char *mode) {
    char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    assert_int_equal(rt_redis_new(&loop, url, "events", on_message, NULL, &redis, why, sizeof why),
                     RT_OK);
    assert_int_equal(rt_forward_init(&forward, &loop, redis, mode), RT_OK);
}

static void start(const char *mode) {
    uint64_t until = rt_test_ms() + 10000;
    connect_to_redis(mode);
    while (!is_up()) {
        assert_true(rt_test_ms() < until);
        rt_loop_for(&loop, 10);
    }
}

static int end(void **state) {
    (void)state;
    rt_forward_fini(&forward);
    if (redis)
        rt_redis_close(redis);
    redis = NULL;
    rt_loop_end(&loop);
    return 0;
}

static uint64_t counted(int which) {
    return forward.counters.v[which];
}

static void wait_counted(int which, uint64_t n) {
    uint64_t until = rt_test_ms() + 10000;
    while (counted(which) < n) {
        assert_true(rt_test_ms() < until);
        rt_loop_for(&loop, 5);
    }
    assert_int_equal(counted(which), n);
}

static void event(int n) {
    char text[20];
    int len = snprintf(text, sizeof text, "%d", n);
    rt_forward_event(&forward, &(rt_event){RT_LIT("s"), RT_LIT("r"), RT_LIT("e"),
                                           rt_slice_make(text, (size_t)len)});
}

static void expect_number(redisContext *c, int n) {
    redisReply *r = rt_redis_server_next(c);
    rt_slice json = rt_slice_make(r->element[2]->str, r->element[2]->len);
    char text[20];
    snprintf(text, sizeof text, "%d", n);
    assert_int_equal(rt_json_check(json, RT_JSON_STRICT, NULL, NULL), RT_OK);
    assert_true(rt_slice_eq(rt_json_get(json, RT_LIT("message")), rt_slice_of(text)));
    assert_int_equal(rt_json_get(json, RT_LIT("frappe_rt_from")).n, RT_ID_LEN + 2);
    freeReplyObject(r);
}

/* Nobody else listens: one event asks, the others are not sent; after a while it is asked anew. */
static void test_alone(void **state) {
    (void)state;
    start("auto");
    for (int n = 0; n < 100; n++)
        event(n);
    wait_counted(RT_FORWARD_NOT_NEEDED, 99);
    assert_int_equal(counted(RT_FORWARD_SENT), 1);
    event(100);
    assert_int_equal(counted(RT_FORWARD_NOT_NEEDED), 100);
    rt_loop_for(&loop, RT_FORWARD_ALONE_MS + 50);
    event(101);
    wait_counted(RT_FORWARD_SENT, 2);
    assert_int_equal(own, 2); /* its own came back, and is known as such */
    assert_int_equal(foreign, 0);
    assert_int_equal(counted(RT_FORWARD_OWN_IGNORED), 2);
}

/* Somebody else listens: he gets each event once and in order, also the first ones. */
static void test_shared(void **state) {
    (void)state;
    start("auto");
    redisContext *other = rt_redis_server_subscribe(&server, "events");
    for (int n = 0; n < 1000; n++)
        event(n);
    wait_counted(RT_FORWARD_SENT, 1000);
    for (int n = 0; n < 1000; n++)
        expect_number(other, n);
    assert_int_equal(own, 1000);
    redisFree(other);
    rt_loop_for(&loop, 50);
    event(1000); /* he has gone, which the answer to this says */
    wait_counted(RT_FORWARD_SENT, 1001);
    event(1001);
    assert_int_equal(counted(RT_FORWARD_NOT_NEEDED), 1);
}

/* Before the connection stands: they wait for it. */
static void test_from_the_first_moment(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    connect_to_redis("on");
    for (int n = 0; n < 10; n++)
        event(n);
    wait_counted(RT_FORWARD_SENT, 10);
    for (int n = 0; n < 10; n++)
        expect_number(c, n);
    assert_int_equal(counted(RT_FORWARD_LOST_REDIS_AWAY), 0);
    redisFree(c);
}

static void test_on(void **state) {
    (void)state;
    start("on");
    for (int n = 0; n < 10; n++)
        event(n);
    wait_counted(RT_FORWARD_SENT, 10);
    assert_int_equal(counted(RT_FORWARD_NOT_NEEDED), 0);
}

static void test_off(void **state) {
    (void)state;
    start("off");
    redisContext *other = rt_redis_server_subscribe(&server, "events");
    event(1);
    rt_forward_envelope(&forward, RT_LIT("{\"event\":\"e\"}"));
    rt_loop_for(&loop, 50);
    for (int i = 0; i < rt_forward_counters_n; i++)
        assert_int_equal(counted(i), 0);
    assert_int_equal(own + foreign, 0);
    redisFree(other);
}

static void test_without_redis(void **state) {
    (void)state;
    assert_int_equal(rt_forward_init(&forward, &loop, NULL, "on"), RT_OK);
    event(1);
    assert_int_equal(forward.bytes, 0);
}

/* The mark is set into the text; what Python alone reads as a number becomes null. */
static void test_envelope_is_marked(void **state) {
    char expected[200];
    (void)state;
    start("on");
    rt_forward_envelope(&forward, RT_LIT(" {\"event\":\"NaN\",\"message\":[NaN,-Infinity]} \r"));
    wait_counted(RT_FORWARD_SENT, 1);
    rt_loop_for(&loop, 20);
    snprintf(expected, sizeof expected, "{%.*s\"event\":\"NaN\",\"message\":[null,null]}",
             (int)forward.mark_len, forward.mark);
    assert_string_equal(last, expected);
    rt_forward_event(&forward,
                     &(rt_event){RT_LIT("s"), RT_EMPTY, RT_LIT("e"), RT_LIT("{\"a\":NaN}")});
    wait_counted(RT_FORWARD_SENT, 2);
    rt_loop_for(&loop, 20);
    snprintf(expected, sizeof expected,
             "{%.*s\"event\":\"e\",\"message\":{\"a\":null},\"namespace\":\"s\",\"room\":null}",
             (int)forward.mark_len, forward.mark);
    assert_string_equal(last, expected);
}

/* Another server's mark, a cut-off one, and envelopes without. */
static void test_is_own(void **state) {
    char text[200];
    rt_forward second;
    (void)state;
    assert_int_equal(rt_forward_init(&forward, &loop, NULL, "auto"), RT_OK);
    assert_int_equal(rt_forward_init(&second, &loop, NULL, "auto"), RT_OK);
    int n = snprintf(text, sizeof text, "{%.*s\"event\":1}", (int)second.mark_len, second.mark);
    assert_false(rt_forward_is_own(&forward, rt_slice_make(text, (size_t)n)));
    assert_true(rt_forward_is_own(&second, rt_slice_make(text, (size_t)n)));
    for (size_t cut = 0; cut <= second.mark_len; cut++)
        assert_false(rt_forward_is_own(&second, rt_slice_make(text, cut)));
    assert_false(rt_forward_is_own(&forward, RT_LIT("{\"event\":\"e\"}")));
    rt_forward_fini(&second);
}

static void test_redis_away(void **state) {
    (void)state;
    start("auto");
    rt_redis_server_kill(&server);
    rt_loop_for(&loop, 50);
    for (int n = 0; n < 10; n++)
        event(n);
    wait_counted(RT_FORWARD_LOST_REDIS_AWAY, 10);
    assert_int_equal(forward.bytes, 0);
    rt_redis_server_start(&server, server.port, NULL);
    uint64_t until = rt_test_ms() + 10000;
    while (!is_up()) {
        assert_true(rt_test_ms() < until);
        rt_loop_for(&loop, 20);
    }
    event(10);
    wait_counted(RT_FORWARD_SENT, 1);
}

/* Redis goes while answers are due: what was on its way is counted as lost, once. */
static void test_redis_goes_meanwhile(void **state) {
    (void)state;
    start("on");
    redisContext *c = rt_redis_server_connect(&server);
    assert_int_equal(rt_redis_server_do(c, "CLIENT PAUSE 10000 WRITE"), 0);
    for (int n = 0; n < 500; n++)
        event(n);
    rt_loop_for(&loop, 50);
    assert_int_equal(forward.in_flight, RT_FORWARD_IN_FLIGHT);
    assert_true(forward.bytes > 0);
    redisFree(c);
    rt_redis_server_kill(&server);
    wait_counted(RT_FORWARD_LOST_REDIS_AWAY, 500);
    assert_int_equal(forward.in_flight, 0);
    assert_int_equal(forward.bytes, 0);
    rt_redis_server_start(&server, server.port, NULL);
}

static void test_refused(void **state) {
    (void)state;
    start("on");
    redisContext *c = rt_redis_server_connect(&server);
    assert_int_equal(rt_redis_server_do(c, "ACL SETUSER default -publish"), 0);
    event(1);
    wait_counted(RT_FORWARD_LOST_REFUSED, 1);
    assert_int_equal(rt_redis_server_do(c, "ACL SETUSER default +publish"), 0);
    event(2);
    wait_counted(RT_FORWARD_SENT, 1);
    redisFree(c);
}

static void test_queue_is_full(void **state) {
    size_t n = 1 << 20;
    char *message = malloc(n);
    (void)state;
    assert_non_null(message);
    memset(message, '1', n);
    start("on");
    for (int i = 0; i < 20; i++)
        rt_forward_event(
            &forward, &(rt_event){RT_LIT("s"), RT_EMPTY, RT_LIT("e"), rt_slice_make(message, n)});
    assert_int_equal(counted(RT_FORWARD_LOST_QUEUE_FULL), 20 - (RT_FORWARD_QUEUE_MAX >> 20) + 1);
    assert_true(forward.bytes <= RT_FORWARD_QUEUE_MAX);
    wait_counted(RT_FORWARD_SENT, (RT_FORWARD_QUEUE_MAX >> 20) - 1);
    assert_int_equal(forward.bytes, 0);
    free(message);
}

static void keep_line(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    assert_string_equal(part, "forward");
    snprintf(last, sizeof last, "%s", text);
}

static void lose_at_the_stop(int events) {
    rt_forward leaving;
    assert_int_equal(rt_forward_init(&leaving, &loop, redis, "on"), RT_OK);
    for (int n = 0; n < events; n++)
        rt_forward_event(&leaving, &(rt_event){RT_LIT("s"), RT_LIT("r"), RT_LIT("e"), RT_LIT("1")});
    *last = '\0';
    rt_log_set_sink(keep_line, RT_LOG_WARN);
    rt_forward_fini(&leaving);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
}

/* What still waits at the stop is lost, and the log says how much. */
static void test_lost_at_the_stop(void **state) {
    (void)state;
    start("on");
    lose_at_the_stop(0);
    assert_string_equal(last, "");
    lose_at_the_stop(1);
    assert_string_equal(last, "1 event did not reach the other servers: Redis did not accept it "
                              "before the stop");
    lose_at_the_stop(2);
    assert_string_equal(last, "2 events did not reach the other servers: Redis did not accept "
                              "them before the stop");
}

static int put_some(void *arg) {
    (void)arg;
    uint64_t lost = counted(RT_FORWARD_LOST_NO_MEMORY);
    event(1);
    rt_forward_envelope(&forward, RT_LIT("{\"event\":\"e\"}"));
    bool short_of = counted(RT_FORWARD_LOST_NO_MEMORY) > lost;
    forward.alone_until = 0;
    while (!rt_list_empty(&forward.queue) || forward.in_flight > 0)
        rt_loop_for(&loop, 5);
    return short_of ? RT_ENOMEM : RT_OK;
}

static void test_out_of_memory(void **state) {
    (void)state;
    start("on");
    assert_int_equal(put_some(NULL), RT_OK); /* the io's buffers have their size now */
    assert_true(rt_faults_each(put_some, NULL) >= 4);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* the server's thread has all signals blocked */
    const struct CMUnitTest tests[] = {
        with_loop(test_alone),
        with_loop(test_shared),
        with_loop(test_from_the_first_moment),
        with_loop(test_on),
        with_loop(test_off),
        with_loop(test_without_redis),
        with_loop(test_envelope_is_marked),
        with_loop(test_is_own),
        with_loop(test_redis_away),
        with_loop(test_redis_goes_meanwhile),
        with_loop(test_refused),
        with_loop(test_queue_is_full),
        with_loop(test_lost_at_the_stop),
        with_loop(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
