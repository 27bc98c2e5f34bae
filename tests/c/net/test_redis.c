/* The server's own connections to Redis: a real one that comes and goes, and peers that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/status.h"
#include "net/fds.h"
#include "net/redis.h"
#include "support/cert.h"
#include "support/faults.h"
#include "support/loop_until.h"
#include "support/redis_server.h"

#include <pthread.h>

#define PATIENCE 20000 /* ms, for what should take a moment */

static rt_redis_server server;
static rt_loop loop;
static rt_redis *redis;
static char why[400];

/* ---- what is logged ---- */

static int warnings, infos;
static char last_line[400];

static void on_line(enum rt_log_level level, const char *part, const char *text) {
    assert_string_equal(part, "redis");
    assert_null(strstr(text, "secret"));
    warnings += level == RT_LOG_WARN;
    infos += level == RT_LOG_INFO;
    snprintf(last_line, sizeof last_line, "%s", text);
}

/* ---- what arrives ---- */

static int messages;
static char last_message[64];
static size_t last_len;
static bool arrived; /* `wanted` messages */
static int wanted;
static void (*on_each)(void);

static void on_message(void *arg, rt_slice payload) {
    assert_ptr_equal(arg, &server);
    messages++;
    last_len = payload.n;
    size_t n = payload.n < sizeof last_message - 1 ? payload.n : sizeof last_message - 1;
    memcpy(last_message, payload.p, n);
    last_message[n] = '\0';
    arrived = messages >= wanted;
    if (on_each)
        on_each();
}

static void expect_messages(int n) {
    wanted = n;
    arrived = messages >= wanted;
    rt_loop_until(&loop, &arrived, PATIENCE);
    assert_int_equal(messages, n);
}

typedef struct answer {
    bool done;
    int times, status;
    bool found;
    char text[64];
    size_t len;
    void (*then)(void);
} answer;

static void on_answer(void *arg, int status, bool found, rt_slice value) {
    answer *a = arg;
    a->times++;
    a->status = status;
    a->found = found;
    a->len = value.n;
    snprintf(a->text, sizeof a->text, "%.*s", (int)(value.n < 60 ? value.n : 60),
             value.n ? value.p : "");
    if (a->then)
        a->then();
    a->done = true;
}

/* ---- setting up ---- */

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

static int begin(void **state) {
    (void)state;
    warnings = infos = messages = wanted = 0;
    on_each = NULL;
    rt_log_set_sink(on_line, RT_LOG_DEBUG);
    rt_loop_begin(&loop);
    return 0;
}

static int end(void **state) {
    (void)state;
    if (redis)
        rt_redis_close(redis);
    redis = NULL;
    rt_loop_end(&loop);
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    return 0;
}

static void connect_url(const char *url) {
    assert_int_equal(
        rt_redis_new(&loop, url, "events", on_message, &server, &redis, why, sizeof why), RT_OK);
}

static void connect_to(const char *format, int port) {
    char url[200];
    snprintf(url, sizeof url, format, port);
    connect_url(url);
}

static rt_redis_figures figures(void) {
    rt_redis_figures f;
    rt_redis_get_figures(redis, &f);
    return f;
}

static uint64_t counted(int which) {
    return figures().counters.v[which];
}

static bool is_up(void) {
    rt_redis_figures f = figures();
    return f.subscribed && f.connected;
}

static void wait_up(bool up) {
    uint64_t give_up = rt_test_ms() + PATIENCE;
    while (is_up() != up || (!up && figures().connected)) {
        rt_loop_for(&loop, 5);
        assert_true(rt_test_ms() < give_up);
    }
}

static void publish(const char *payload, size_t n) {
    redisContext *c = rt_redis_server_connect(&server);
    redisReply *r = redisCommand(c, "PUBLISH events %b", payload, n);
    assert_non_null(r);
    assert_int_equal(r->type, REDIS_REPLY_INTEGER);
    assert_true(r->integer >= 1);
    freeReplyObject(r);
    redisFree(c);
}

static void get(answer *a, const char *key) {
    memset(a, 0, sizeof *a);
    assert_int_equal(rt_redis_get(redis, rt_slice_of(key), on_answer, a), RT_OK);
    assert_int_equal(a->times, 0); /* never from inside the call */
}

static void finish(answer *a) {
    rt_loop_until(&loop, &a->done, PATIENCE);
    assert_int_equal(a->times, 1);
}

/* ---- with a real Redis ---- */

static void test_bad_url(void **state) {
    (void)state;
    int rc = rt_redis_new(&loop, "redis://:secret@", "events", on_message, NULL, &redis, why,
                          sizeof why);
    assert_int_equal(rc, RT_EINVAL);
    assert_null(redis);
    assert_null(strstr(why, "secret"));
}

static void test_messages(void **state) {
    static const char bytes[] = "a\0\r\n$5\r\n\xff";
    size_t n = 20 << 20;
    char *big = malloc(n);
    (void)state;
    assert_non_null(big);
    memset(big, 'b', n);
    connect_to("redis://127.0.0.1:%d", server.port);
    assert_false(figures().subscribed);
    wait_up(true);
    publish(bytes, sizeof bytes - 1);
    expect_messages(1);
    assert_int_equal(last_len, sizeof bytes - 1);
    assert_memory_equal(last_message, bytes, sizeof bytes - 1);
    publish("", 0);
    expect_messages(2);
    assert_int_equal(last_len, 0);
    publish(big, n);
    expect_messages(3);
    assert_int_equal(last_len, n);
    assert_int_equal(counted(RT_REDIS_MESSAGES), 3);
    assert_int_equal(counted(RT_REDIS_CONNECTS), 2);
    assert_int_equal(figures().away_ms, 0);
    assert_int_equal(infos, 1);
    assert_int_equal(warnings, 0);
    assert_non_null(strstr(last_line, "connected to redis://127.0.0.1:"));
    free(big);
}

static int next_expected;

static void check_order(void) {
    assert_int_equal(atoi(last_message), next_expected++);
}

/* All that Redis has sent is taken in one go and in order. */
static void test_burst(void **state) {
    enum { BURST = 20000 };
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    redisContext *c = rt_redis_server_connect(&server);
    for (int i = 0; i < BURST; i++)
        assert_int_equal(redisAppendCommand(c, "PUBLISH events %d", i), REDIS_OK);
    for (int i = 0; i < BURST; i++) {
        void *reply = NULL;
        assert_int_equal(redisGetReply(c, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    redisFree(c);
    next_expected = 0;
    on_each = check_order;
    uint64_t turns = loop.turns;
    expect_messages(BURST);
    assert_true(loop.turns - turns < 50);
}

static void test_commands(void **state) {
    answer a;
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "SET key value");
    rt_redis_server_do(c, "SET empty \"\"");
    freeReplyObject(redisCommand(c, "SET %b %b", "k\0\r\n", (size_t)4, "v\0\r\n", (size_t)4));
    rt_redis_server_do(c, "RPUSH list x");
    connect_to("redis://127.0.0.1:%d", server.port);
    assert_int_equal(rt_redis_get(redis, RT_LIT("key"), on_answer, &a), RT_ECLOSED);
    wait_up(true);
    get(&a, "key");
    finish(&a);
    assert_int_equal(a.status, RT_OK);
    assert_true(a.found);
    assert_string_equal(a.text, "value");
    get(&a, "no such key");
    finish(&a);
    assert_int_equal(a.status, RT_OK);
    assert_false(a.found);
    get(&a, "list"); /* WRONGTYPE */
    finish(&a);
    assert_int_equal(a.status, RT_EIO);
    memset(&a, 0, sizeof a);
    rt_slice key = rt_slice_make("k\0\r\n", 4);
    assert_int_equal(rt_redis_get(redis, key, on_answer, &a), RT_OK);
    finish(&a);
    assert_true(a.found);
    assert_int_equal(a.len, 4);
    assert_int_equal(rt_redis_publish(redis, RT_LIT("events"), RT_LIT("mine"), NULL, NULL), RT_OK);
    expect_messages(1);
    assert_string_equal(last_message, "mine");
    assert_int_equal(counted(RT_REDIS_COMMANDS), 5);
    assert_int_equal(counted(RT_REDIS_COMMANDS_FAILED), 1);
    redisFree(c);
}

typedef struct published {
    bool came;
    int status;
    long long receivers;
} published;

static void on_published(void *arg, int status, long long receivers) {
    *(published *)arg = (published){true, status, receivers};
}

static void publish_and_wait(const char *channel, published *p) {
    *p = (published){0};
    assert_int_equal(rt_redis_publish(redis, rt_slice_of(channel), RT_LIT("x"), on_published, p),
                     RT_OK);
    assert_false(p->came);
    rt_loop_until(&loop, &p->came, 5000);
}

/* A PUBLISH says how many have heard it. */
static void test_receivers(void **state) {
    published p;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    publish_and_wait("nobody", &p);
    assert_int_equal(p.status, RT_OK);
    assert_int_equal(p.receivers, 0);
    redisContext *other = rt_redis_server_subscribe(&server, "events");
    publish_and_wait("events", &p);
    assert_int_equal(p.receivers, 2);
    redisFree(other);
    redisContext *c = rt_redis_server_connect(&server);
    assert_int_equal(rt_redis_server_do(c, "ACL SETUSER default -publish"), 0);
    publish_and_wait("events", &p);
    assert_int_equal(p.status, RT_EIO);
    assert_int_equal(rt_redis_server_do(c, "ACL SETUSER default +publish"), 0);
    redisFree(c);
}

static void test_command_limit(void **state) {
    static answer a[RT_REDIS_COMMANDS_MAX];
    answer last;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    for (int i = 0; i < RT_REDIS_COMMANDS_MAX; i++)
        get(&a[i], "key");
    assert_int_equal(rt_redis_get(redis, RT_LIT("key"), on_answer, &last), RT_ELIMIT);
    assert_int_equal(rt_redis_publish(redis, RT_LIT("events"), RT_LIT("x"), NULL, NULL), RT_ELIMIT);
    for (int i = 0; i < RT_REDIS_COMMANDS_MAX; i++) {
        finish(&a[i]);
        assert_int_equal(a[i].status, RT_OK);
    }
    get(&last, "key");
    finish(&last);
}

/* An answer past the limit costs the connection, not the memory. */
static void test_reply_limit(void **state) {
    answer a, b;
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "SETRANGE big 70000000 x");
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    get(&a, "big");
    get(&b, "key");
    finish(&a);
    finish(&b);
    assert_int_equal(a.status, RT_ECLOSED);
    assert_int_equal(b.status, RT_ECLOSED);
    assert_non_null(strstr(last_line, "larger than 64 MB"));
    assert_true(figures().subscribed); /* the other connection stands */
    assert_int_equal(figures().gaps, 0);
    wait_up(true);
    rt_redis_server_do(c, "DEL big");
    redisFree(c);
}

static void check_usable(const char *url, bool in_db_3, const char *password) {
    answer a;
    int before = messages;
    redis = NULL;
    connect_url(url);
    wait_up(true);
    redisContext *c = rt_redis_server_connect(&server);
    if (password)
        freeReplyObject(redisCommand(c, "AUTH %s", password));
    freeReplyObject(redisCommand(c, "PUBLISH events hello"));
    expect_messages(before + 1);
    get(&a, "in-db-3");
    finish(&a);
    assert_int_equal(a.status, RT_OK);
    assert_int_equal(a.found, in_db_3);
    rt_redis_close(redis);
    rt_redis_close(redis); /* twice is harmless */
    redis = NULL;
    rt_loop_for(&loop, 20);
    redisFree(c);
}

static void test_addresses(void **state) {
    char url[200];
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "SELECT 3");
    rt_redis_server_do(c, "SET in-db-3 x");
    snprintf(url, sizeof url, "redis://localhost:%d", server.port);
    check_usable(url, false, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/3", server.port);
    check_usable(url, true, NULL);
    snprintf(url, sizeof url, "unix://%s?db=3", server.socket);
    check_usable(url, true, NULL);
    redisFree(c);
}

static void check_refused(const char *url, const char *says) {
    int before = warnings;
    connect_url(url);
    uint64_t give_up = rt_test_ms() + PATIENCE;
    while (counted(RT_REDIS_CONNECT_FAILURES) < 4 && rt_test_ms() < give_up)
        rt_loop_for(&loop, 10);
    assert_false(figures().subscribed);
    assert_false(figures().connected);
    assert_int_equal(warnings, before + 1); /* once, not each time */
    if (!strstr(last_line, says))
        fail_msg("%s", last_line);
    rt_redis_close(redis);
    redis = NULL;
}

static void test_auth(void **state) {
    char url[200];
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "CONFIG SET requirepass right-secret");
    rt_redis_server_do(c, "ACL SETUSER joe on >joes-secret ~* &* +@all");
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    check_refused(url, "NOAUTH");
    snprintf(url, sizeof url, "redis://:wrong-secret@127.0.0.1:%d", server.port);
    check_refused(url, "WRONGPASS");
    snprintf(url, sizeof url, "redis://:right-secret@127.0.0.1:%d/99", server.port);
    check_refused(url, "DB index is out of range");
    snprintf(url, sizeof url, "redis://:right-secret@127.0.0.1:%d/3", server.port);
    check_usable(url, true, "right-secret");
    snprintf(url, sizeof url, "redis://joe:joes-secret@127.0.0.1:%d/3", server.port);
    check_usable(url, true, "right-secret");
    rt_redis_server_drop_password(c);
    redisFree(c);
}

/* The server that runs moves to the port that is asked. */
static void test_not_there_yet(void **state) {
    (void)state;
    int port = rt_free_port();
    connect_to("redis://127.0.0.1:%d", port);
    rt_loop_for(&loop, 1500);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_line, "cannot use redis://127.0.0.1:"));
    assert_non_null(strstr(last_line, "refused"));
    uint64_t failures = counted(RT_REDIS_CONNECT_FAILURES);
    assert_in_range(failures, 4, 20); /* of two connections, each waiting longer and longer */
    assert_true(figures().away_ms >= 1400);
    assert_int_equal(figures().gaps, 0);
    redisContext *c = rt_redis_server_connect(&server);
    char command[64];
    snprintf(command, sizeof command, "CONFIG SET port %d", port);
    rt_redis_server_do(c, command);
    wait_up(true);
    assert_int_equal(warnings, 2); /* as loud as the loss */
    assert_non_null(strstr(last_line, "back at"));
    snprintf(command, sizeof command, "CONFIG SET port %d", server.port);
    rt_redis_server_do(c, command);
    redisFree(c);
}

static void test_restarts(void **state) {
    answer a;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    for (int round = 1; round <= 4; round++) {
        get(&a, "key");
        rt_redis_server_kill(&server);
        finish(&a);
        assert_int_equal(a.status, RT_ECLOSED);
        wait_up(false);
        assert_int_equal(rt_redis_get(redis, RT_LIT("key"), on_answer, &a), RT_ECLOSED);
        assert_int_equal(rt_redis_publish(redis, RT_LIT("x"), RT_LIT("y"), NULL, NULL), RT_ECLOSED);
        rt_loop_for(&loop, 100);
        assert_int_equal(warnings, 2 * round - 1);
        assert_int_equal(figures().gaps, round);
        assert_true(figures().away_ms >= 90);
        rt_redis_server_start(&server, server.port, NULL);
        wait_up(true);
        assert_int_equal(warnings, 2 * round);
        assert_int_equal(figures().away_ms, 0);
        publish("again", 5);
        expect_messages(round);
        assert_string_equal(last_message, "again");
    }
    assert_int_equal(counted(RT_REDIS_DISCONNECTS), 8);
    assert_int_equal(counted(RT_REDIS_CONNECTS), 10);
}

/* Redis hangs, as it does in a long script: what waits is failed, and it is asked anew later. */
static void test_hangs(void **state) {
    answer a, b;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    get(&a, "key");
    get(&b, "key");
    uint64_t start = rt_test_ms();
    rt_loop_turn(&loop, &b.done, PATIENCE);
    uint64_t took = rt_test_ms() - start;
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(a.status, RT_ECLOSED);
    assert_int_equal(b.status, RT_ECLOSED);
    assert_int_equal(a.times + b.times, 2);
    assert_in_range(took, RT_REDIS_COMMAND_MS - 10, RT_REDIS_COMMAND_MS + 3000);
    assert_non_null(strstr(last_line, "in time"));
    wait_up(true);
    get(&a, "key");
    finish(&a);
    assert_int_equal(a.status, RT_OK);
}

/* ---- closing at awkward moments ---- */

static void close_redis(void) {
    if (redis)
        rt_redis_close(redis);
    redis = NULL;
}

static void test_close_from_message(void **state) {
    answer a;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    on_each = close_redis;
    redisContext *c = rt_redis_server_connect(&server);
    for (int i = 0; i < 10; i++)
        redisAppendCommand(c, "PUBLISH events x");
    for (int i = 0; i < 10; i++) {
        void *reply = NULL;
        assert_int_equal(redisGetReply(c, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    redisFree(c);
    memset(&a, 0, sizeof a);
    assert_int_equal(rt_redis_get(redis, RT_LIT("key"), on_answer, &a), RT_OK);
    rt_loop_for(&loop, 100);
    assert_int_equal(messages, 1); /* none after the close */
    assert_int_equal(a.times, 1);
}

static void ask_again(void) {
    answer a = {0};
    if (redis)
        assert_int_not_equal(rt_redis_get(redis, RT_LIT("key"), on_answer, &a), RT_OK);
}

static void test_close_with_answers_due(void **state) {
    answer a, b;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    get(&a, "key");
    get(&b, "key");
    a.then = ask_again; /* a closing one takes nothing more */
    b.then = close_redis;
    rt_redis *closed = redis;
    rt_redis_close(closed);
    assert_int_equal(a.status, RT_ECLOSED);
    assert_int_equal(a.times, 1);
    assert_int_equal(b.status, RT_ECLOSED);
    assert_int_equal(b.times, 1);
    redis = NULL;
}

static void test_close_from_answer(void **state) {
    answer a, b;
    (void)state;
    connect_to("redis://127.0.0.1:%d", server.port);
    wait_up(true);
    get(&a, "key");
    get(&b, "key");
    a.then = close_redis;
    rt_loop_until(&loop, &b.done, PATIENCE);
    assert_int_equal(a.status, RT_OK);
    assert_int_equal(b.status, RT_ECLOSED);
    rt_loop_for(&loop, 20);
    assert_int_equal(a.times + b.times, 2);
}

static void test_close_early(void **state) {
    static const char *const urls[] = {"redis://localhost:%d", "redis://127.0.0.1:%d",
                                       "redis://no-such-host.invalid:%d"};
    (void)state;
    for (unsigned ms = 0; ms < 4; ms++) {
        for (int i = 0; i < 3; i++) {
            connect_to(urls[i], server.port);
            rt_loop_for(&loop, ms);
            close_redis();
        }
    }
    rt_loop_for(&loop, 50);
}

/* ---- what is not Redis ---- */

/* Says the same to everybody who connects, before or after reading from him. */
typedef struct peer {
    int listener, port;
    const char *says;
    bool speaks_first;
    pthread_t thread;
    int accepted;
    int fds[200];
} peer;

static void *play(void *arg) {
    peer *me = arg;
    char buf[4096];
    int fd;
    while (me->accepted < 200 && (fd = accept(me->listener, NULL, NULL)) >= 0) {
        struct timeval patience = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        me->fds[me->accepted++] = fd;
        if (me->speaks_first || recv(fd, buf, sizeof buf, 0) > 0)
            send(fd, me->says, strlen(me->says), MSG_NOSIGNAL);
    }
    return NULL;
}

static void check_peer(const char *says, bool speaks_first, const char *logged) {
    static peer me;
    memset(&me, 0, sizeof me);
    me.says = says;
    me.speaks_first = speaks_first;
    me.listener = rt_listen_local(&me.port);
    assert_int_equal(pthread_create(&me.thread, NULL, play, &me), 0);
    char url[64];
    snprintf(url, sizeof url, "redis://:x@127.0.0.1:%d", me.port);
    check_refused(url, logged);
    assert_int_equal(messages, 0);
    shutdown(me.listener, SHUT_RDWR);
    assert_int_equal(pthread_join(me.thread, NULL), 0);
    close(me.listener);
    for (int i = 0; i < me.accepted; i++)
        close(me.fds[i]);
}

static void test_not_redis(void **state) {
    (void)state;
    check_peer("HTTP/1.1 400 Bad Request\r\n\r\n", false, "Protocol error");
    check_peer("-ERR max number of clients reached\r\n", true, "max number of clients");
    check_peer("220 mail\r\n", true, "Protocol error");
    check_peer("+OK\r\n:1\r\n", false, "unexpected answer");
    check_peer("+OK\r\n*0\r\n", false, "unexpected answer");
    check_peer("+OK\r\n*3\r\n:1\r\n:2\r\n:3\r\n", false, "unexpected answer");
    check_peer("+OK\r\n*1\r\n*1\r\n*1\r\n:1\r\n", false, "memory");
    check_peer("+OK\r\n*4294967295\r\n", false, "out of range");
    check_peer("*3\r\n$7\r\nmessage\r\n$6\r\nevents\r\n$1\r\nx\r\n", true, "unexpected answer");
}

/* ---- TLS, memory ---- */

static void test_tls(void **state) {
    rt_redis_server plain = server;
    rt_test_cert cert;
    char port[8];
    char url[100];
    (void)state;
    rt_test_cert_make(&cert, "DNS:localhost");
    snprintf(port, sizeof port, "%d", rt_free_port());
    rt_redis_server_start(&server, 0, "--tls-port", port, "--tls-cert-file", cert.cert,
                          "--tls-key-file", cert.key, "--tls-ca-cert-file", cert.cert,
                          "--tls-auth-clients", "no", NULL);
    snprintf(url, sizeof url, "rediss://localhost:%s", port);
    check_refused(url, "self-signed certificate");
    setenv("SSL_CERT_FILE", cert.cert, 1);
    snprintf(url, sizeof url, "rediss://127.0.0.1:%s", port);
    check_refused(url, "IP address mismatch");
    snprintf(url, sizeof url, "rediss://localhost:%s", port);
    check_usable(url, false, NULL);
    connect_url(url);
    wait_up(true);
    size_t n = 5 << 20;
    char *big = malloc(n);
    assert_non_null(big);
    memset(big, 'b', n);
    int before = messages;
    assert_int_equal(rt_redis_publish(redis, RT_LIT("events"), rt_slice_make(big, n), NULL, NULL),
                     RT_OK);
    expect_messages(before + 1);
    assert_int_equal(last_len, n);
    free(big);
    close_redis();
    rt_loop_for(&loop, 20);
    unsetenv("SSL_CERT_FILE");
    rt_redis_server_stop(&server);
    server = plain;
    rt_test_cert_remove(&cert);
}

static int connect_and_get(void *arg) {
    answer a = {0};
    (void)arg;
    char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/3", server.port);
    int rc = rt_redis_new(&loop, url, "events", on_message, &server, &redis, why, sizeof why);
    if (rc != RT_OK) {
        redis = NULL;
        return rc;
    }
    wait_up(true); /* in the end it always comes up */
    rc = rt_redis_get(redis, RT_LIT("key"), on_answer, &a);
    if (rc == RT_OK)
        finish(&a);
    close_redis();
    rt_loop_for(&loop, 20); /* until its handles are closed */
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_int_equal(rt_fds_add(255), RT_OK); /* its table is the process's and stays */
    rt_fds_forget(255);
    assert_true(rt_faults_each(connect_and_get, NULL) > 5);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* the server's thread has all signals blocked */
    const struct CMUnitTest tests[] = {
        with_loop(test_bad_url),
        with_loop(test_messages),
        with_loop(test_burst),
        with_loop(test_commands),
        with_loop(test_receivers),
        with_loop(test_command_limit),
        with_loop(test_reply_limit),
        with_loop(test_addresses),
        with_loop(test_auth),
        with_loop(test_not_there_yet),
        with_loop(test_restarts),
        with_loop(test_hangs),
        with_loop(test_close_from_message),
        with_loop(test_close_with_answers_due),
        with_loop(test_close_from_answer),
        with_loop(test_close_early),
        with_loop(test_not_redis),
        with_loop(test_tls),
        with_loop(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
