/* How long one connection to Redis waits before it is made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/redis.h"
#include "net/redis_link.h"
#include "support/loop_until.h"
#include "support/redis_server.h"

#define PATIENCE 20000 /* ms, for what should take a moment */

static rt_redis_server server;
static rt_loop loop;
static rt_redis_link the_link;
static struct ssl_ctx_st *tls;
static rt_redis_url url;
static bool stands, lost, gone;
static uint64_t stood_ms; /* until it was lost */

static int say_ping(void *arg, rt_redis_io *io) {
    static const rt_slice words[] = {RT_LIT("PING")};
    (void)arg;
    return rt_redis_io_command(io, words, 1);
}

static void on_reply(void *arg, const redisReply *reply) {
    (void)arg;
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    rt_redis_link_stands(&the_link);
    stands = true;
    lost = false;
}

static void on_lost(void *arg, bool stood, const char *why) {
    (void)arg;
    (void)why;
    if (stood)
        stood_ms = uv_now(&loop.uv) - the_link.stood_at;
    stands = false;
    lost = true;
}

static void on_gone(void *arg) {
    (void)arg;
    gone = true;
}

static const rt_redis_link_ops ops = {say_ping, on_reply, on_lost, on_gone};

static int begin(void **state) {
    char text[64], why[200];
    (void)state;
    rt_redis_server_start(&server, 0, NULL);
    snprintf(text, sizeof text, "redis://127.0.0.1:%d", server.port);
    assert_int_equal(rt_redis_url_parse(text, &url, why, sizeof why), RT_OK);
    stands = lost = gone = false;
    rt_loop_begin(&loop);
    rt_redis_link_start(&the_link, &loop, &url, &tls, &ops, NULL);
    rt_loop_until(&loop, &stands, PATIENCE);
    return 0;
}

static int end(void **state) {
    (void)state;
    rt_redis_link_close(&the_link);
    rt_loop_until(&loop, &gone, PATIENCE);
    rt_loop_end(&loop);
    rt_redis_server_stop(&server);
    return 0;
}

static void wait_failures(unsigned n) {
    uint64_t give_up = rt_test_ms() + PATIENCE;
    while (the_link.failures < n) {
        rt_loop_for(&loop, 10);
        assert_true(rt_test_ms() < give_up);
    }
}

/* Redis restarts again and again. The waiting times of one absence do not lengthen the next. */
static void test_restarts(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        rt_redis_server_kill(&server);
        rt_loop_until(&loop, &lost, PATIENCE);
        assert_int_equal(the_link.failures, 1); /* it had stood */
        wait_failures(3);
        rt_redis_server_start(&server, server.port, NULL);
        rt_loop_until(&loop, &stands, PATIENCE);
        rt_loop_for(&loop, RT_REDIS_STOOD_MS + 50);
    }
}

/* A connection that is thrown out as soon as it stands is made more and more rarely. */
static void test_thrown_out(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    for (unsigned round = 1; round <= 4; round++) {
        unsigned before = the_link.failures;
        rt_redis_server_do(c, "CLIENT KILL TYPE normal SKIPME yes");
        rt_loop_until(&loop, &lost, PATIENCE);
        if (stood_ms < RT_REDIS_STOOD_MS) /* else this machine stood still */
            assert_int_equal(the_link.failures, before + 1);
        rt_loop_until(&loop, &stands, PATIENCE);
    }
    redisFree(c);
}

#define with_link(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_link(test_restarts),
        with_link(test_thrown_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
