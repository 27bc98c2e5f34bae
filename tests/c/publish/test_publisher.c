/* Publishing through a real Redis, through one that dies, and to peers that are not Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "publish/publisher.h"
#include "support/cert.h"
#include "support/faults.h"
#include "support/redis_server.h"

#include <pthread.h>

static rt_redis_server server;
static char why[400];

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

/* Publishers that are gone may have left much for Redis to read: the next test would hear it, and
 * count their connections. */
static int wait_until_all_is_read(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    bool alone = false;
    while (!alone) {
        rt_test_sleep(1);
        redisReply *r = redisCommand(c, "CLIENT LIST TYPE normal");
        assert_non_null(r);
        assert_int_not_equal(r->type, REDIS_REPLY_ERROR);
        const char *end = strchr(r->str, '\n');
        alone = end && !strchr(end + 1, '\n');
        freeReplyObject(r);
    }
    redisFree(c);
    return 0;
}

static rt_publisher *publisher_for(const char *url) {
    rt_publisher *p = NULL;
    assert_int_equal(rt_publisher_new(url, &p, why, sizeof why), RT_OK);
    return p;
}

static rt_publisher *publisher_at(int port) {
    char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    return publisher_for(url);
}

static int send_text(rt_publisher *p, const char *text) {
    snprintf(why, sizeof why, "untouched");
    return rt_publisher_send(p, RT_LIT("events"), rt_slice_of(text), NULL, why, sizeof why);
}

static void expect_message(redisContext *c, rt_slice payload) {
    redisReply *r = rt_redis_server_next(c);
    assert_int_equal(r->element[2]->len, payload.n);
    assert_memory_equal(r->element[2]->str, payload.p, payload.n);
    freeReplyObject(r);
}

static void test_bad_url(void **state) {
    rt_publisher *p = NULL;
    (void)state;
    assert_int_equal(rt_publisher_new("http://x", &p, why, sizeof why), RT_EINVAL);
    assert_string_equal(why, "expected redis://, rediss:// or unix://");
    assert_null(p);
    rt_publisher_free(NULL);
    rt_publisher_forget(NULL);
}

static void test_received(void **state) {
    static const char bytes[] = "a\0\r\n$5\r\n\xff";
    char url[200];
    (void)state;
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    snprintf(url, sizeof url, "unix://%s", server.socket);
    rt_publisher *ps[] = {publisher_at(server.port), publisher_for(url)};
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 4; n++) {
            assert_int_equal(rt_publisher_send(ps[i], RT_LIT("events"),
                                               rt_slice_make(bytes, sizeof bytes - 1), NULL, why,
                                               sizeof why),
                             RT_OK);
            expect_message(c, rt_slice_make(bytes, sizeof bytes - 1));
        }
        assert_int_equal(
            rt_publisher_send(ps[i], RT_LIT("events"), RT_EMPTY, NULL, why, sizeof why), RT_OK);
        expect_message(c, RT_LIT(""));
        rt_publisher_free(ps[i]);
    }
    redisFree(c);
}

typedef struct wait_counts {
    int begun, ended;
    pid_t stopped; /* goes on when the first wait has begun; 0: nobody */
} wait_counts;

static void wait_begins(void *arg) {
    wait_counts *counts = arg;
    if (counts->begun++ == 0 && counts->stopped)
        kill(counts->stopped, SIGCONT);
}

static void wait_ends(void *arg) {
    ((wait_counts *)arg)->ended++;
}

/* Connecting waits, and is bracketed; a publish on a connection that stands does not, unless it is
 * more than the socket takes while Redis stands still. */
static void test_brackets_its_waits(void **state) {
    wait_counts counts = {0};
    rt_waits waits = {wait_begins, wait_ends, &counts};
    (void)state;
    rt_publisher *p = publisher_at(server.port);
    assert_int_equal(rt_publisher_send(p, RT_LIT("events"), RT_LIT("x"), &waits, why, sizeof why),
                     RT_OK);
    assert_true(counts.begun > 0);
    assert_int_equal(counts.begun, counts.ended);
    counts = (wait_counts){0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            rt_publisher_send(p, RT_LIT("events"), RT_LIT("x"), &waits, why, sizeof why), RT_OK);
    assert_int_equal(counts.begun, 0);
    size_t n = 24 << 20; /* more than the socket takes */
    char *big = malloc(n);
    assert_non_null(big);
    memset(big, 'b', n);
    counts.stopped = server.pid;
    kill(server.pid, SIGSTOP);
    int rc = rt_publisher_send(p, RT_LIT("events"), rt_slice_make(big, n), &waits, why, sizeof why);
    assert_int_equal(rc, RT_OK);
    assert_true(counts.begun > 0);
    assert_int_equal(counts.begun, counts.ended);
    rt_publisher_free(p);
    free(big);
}

static void test_names(void **state) {
    char url[64];
    (void)state;
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    snprintf(url, sizeof url, "redis://localhost:%d/1", server.port);
    rt_publisher *p = publisher_for(url);
    assert_int_equal(send_text(p, "x"), RT_OK);
    expect_message(c, RT_LIT("x"));
    rt_publisher_free(p);
    p = publisher_for("redis://no-such-host.invalid:1");
    assert_int_equal(send_text(p, "x"), RT_ECLOSED);
    assert_non_null(strstr(why, "redis://no-such-host.invalid:1: "));
    rt_publisher_free(p);
    redisFree(c);
}

/* One publish larger than the socket's buffers, among small ones, in order. */
static void test_large_in_order(void **state) {
    size_t n = 24 << 20;
    char *big = malloc(n);
    (void)state;
    assert_non_null(big);
    memset(big, 'b', n);
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    rt_publisher *p = publisher_at(server.port);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_text(p, "before"), RT_OK);
        int rc =
            rt_publisher_send(p, RT_LIT("events"), rt_slice_make(big, n), NULL, why, sizeof why);
        assert_int_equal(rc, RT_OK);
        assert_int_equal(send_text(p, "after"), RT_OK);
        expect_message(c, RT_LIT("before"));
        expect_message(c, rt_slice_make(big, n));
        expect_message(c, RT_LIT("after"));
    }
    rt_publisher_free(p);
    redisFree(c);
    free(big);
}

/* From its second publish on a connection says nothing and is told nothing. */
static void test_no_replies_left(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_publisher *p = publisher_at(server.port);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_text(p, "x"), RT_OK);
    rt_test_sleep(50);
    redisReply *r = redisCommand(c, "CLIENT LIST TYPE normal");
    assert_non_null(r);
    const char *line = strstr(r->str, "cmd=publish");
    assert_non_null(line);
    const char *sent = strstr(r->str, "tot-net-out="); /* Redis >= 7.4 tells the bytes */
    if (sent)
        assert_true(atoi(sent + strlen("tot-net-out=")) < 100);
    freeReplyObject(r);
    assert_int_equal(rt_redis_server_do(c, "CLIENT KILL TYPE normal SKIPME yes"), 1);
    assert_int_equal(send_text(p, "x"), RT_OK); /* on a connection of its own again */
    rt_publisher_free(p);
    redisFree(c);
}

static void test_restarted(void **state) {
    (void)state;
    rt_publisher *p = publisher_at(server.port);
    for (int sends = 0; sends < 4; sends++) {
        for (int i = 0; i < sends; i++)
            assert_int_equal(send_text(p, "x"), RT_OK);
        rt_redis_server_kill(&server);
        rt_redis_server_start(&server, server.port, NULL);
        redisContext *c = rt_redis_server_subscribe(&server, "events");
        assert_int_equal(send_text(p, "again"), RT_OK);
        expect_message(c, RT_LIT("again"));
        redisFree(c);
    }
    rt_publisher_free(p);
}

/* While Redis is away a publish fails at once, without a connection attempt each time. */
static void test_away(void **state) {
    (void)state;
    rt_publisher *p = publisher_at(server.port);
    assert_int_equal(send_text(p, "x"), RT_OK);
    rt_redis_server_kill(&server);
    assert_int_equal(send_text(p, "x"), RT_ECLOSED);
    assert_non_null(strstr(why, "Connection refused"));
    char first[sizeof why];
    memcpy(first, why, sizeof first);
    uint64_t failed_at = rt_test_ms();
    rt_redis_server_start(&server, server.port, NULL);
    if (rt_test_ms() < failed_at + RT_PUBLISHER_RETRY_MS - 200) {
        assert_int_equal(send_text(p, "x"), RT_ECLOSED);
        assert_string_equal(why, first);
    }
    rt_test_sleep(RT_PUBLISHER_RETRY_MS);
    assert_int_equal(send_text(p, "x"), RT_OK);
    assert_string_equal(why, "untouched");
    rt_publisher_free(p);
}

#define CHILDREN 200
#define PER_CHILD 3

/* A child of a fork has only what it made itself, and leaves as an RQ work-horse does. */
static void child(rt_publisher *parents, int number) {
    rt_publisher *p;
    char text[32];
    if (number % 2) { /* as a fork handler does; what is opened then may get the same number */
        rt_publisher_close_copy(parents);
        p = publisher_at(server.port);
        if (send_text(p, "-1.0") != RT_OK)
            _exit(2);
        rt_publisher_forget(parents);
        if (send_text(p, "-1.0") != RT_OK)
            _exit(3);
        rt_publisher_free(p);
    } else {
        rt_publisher_forget(parents);
    }
    p = publisher_at(server.port);
    for (int i = 0; i < 1 + number % PER_CHILD; i++) {
        snprintf(text, sizeof text, "%d.%d", number, i);
        if (send_text(p, text) != RT_OK)
            _exit(1);
    }
    _exit(0);
}

static void test_exit_right_after(void **state) {
    static int got[CHILDREN][PER_CHILD];
    int expected = 0;
    (void)state;
    memset(got, 0, sizeof got);
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    rt_publisher *p = publisher_at(server.port);
    assert_int_equal(send_text(p, "0.0"), RT_OK);
    expect_message(c, RT_LIT("0.0"));
    for (int batch = 0; batch < CHILDREN; batch += 8) {
        pid_t pids[8];
        for (int i = 0; i < 8; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0)
                child(p, batch + i);
            expected += 1 + (batch + i) % PER_CHILD;
        }
        for (int i = 0; i < 8; i++) {
            int status = -1;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
    }
    expected += CHILDREN; /* of the "-1.0", two from each second child */
    for (int i = 0; i < expected; i++) {
        int number = -1, part = -1;
        redisReply *r = rt_redis_server_next(c);
        assert_int_equal(sscanf(r->element[2]->str, "%d.%d", &number, &part), 2);
        if (number >= 0)
            assert_int_equal(got[number][part]++, 0);
        freeReplyObject(r);
    }
    assert_int_equal(send_text(p, "mine"), RT_OK); /* the children did not harm the connection */
    expect_message(c, RT_LIT("mine"));
    rt_publisher_free(p);
    redisFree(c);
}

static void check_refused(const char *userinfo, const char *says) {
    char url[100];
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", userinfo, server.port);
    rt_publisher *p = publisher_for(url);
    for (int i = 0; i < 2; i++) { /* the second time from memory */
        assert_int_equal(send_text(p, "x"), says ? RT_EIO : RT_OK);
        if (says && !strstr(why, says))
            fail_msg("%s", why);
        assert_null(strstr(why, "secret"));
    }
    rt_publisher_free(p);
}

static void test_auth(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "ACL SETUSER default >right-secret");
    rt_redis_server_do(c, "ACL SETUSER joe on >joes-secret resetchannels &events +publish +client");
    rt_redis_server_do(c, "ACL SETUSER ann on >anns-secret resetchannels &other +publish +client");
    check_refused("", "NOAUTH");
    check_refused(":wrong-secret@", "WRONGPASS");
    check_refused(":right-secret@", NULL);
    check_refused("joe:joes-secret@", NULL);
    check_refused("joe:right-secret@", "WRONGPASS");
    check_refused("ann:anns-secret@", "NOPERM");
    rt_redis_server_do(c, "ACL SETUSER default nopass");
    rt_redis_server_do(c, "ACL DELUSER joe ann");
    redisFree(c);
}

/* A user who may publish but not ask for silence: its answers are never left to pile up. */
static void test_not_silent(void **state) {
    char url[100];
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    redisContext *subscriber = rt_redis_server_subscribe(&server, "events");
    rt_redis_server_do(c, "ACL SETUSER joe on >secret resetchannels &events -@all +publish");
    snprintf(url, sizeof url, "redis://joe:secret@127.0.0.1:%d", server.port);
    rt_publisher *p = publisher_for(url);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(send_text(p, "x"), RT_OK);
        expect_message(subscriber, RT_LIT("x"));
        rt_test_sleep(20);
    }
    rt_publisher_free(p);
    rt_redis_server_do(c, "ACL DELUSER joe");
    redisFree(subscriber);
    redisFree(c);
}

/* A peer that reads once, says its part, and closes when told to. */
typedef struct peer {
    int listener, port;
    const char *says; /* NULL: nothing */
    bool closes;
    int accepted;
    int fds[8];
    pthread_t thread;
} peer;

static void *play(void *arg) {
    peer *me = arg;
    char buf[4096];
    int fd;
    while ((fd = accept(me->listener, NULL, NULL)) >= 0) {
        assert_true(me->accepted < 8);
        me->fds[me->accepted++] = fd;
        if (recv(fd, buf, sizeof buf, 0) > 0 && me->says)
            send(fd, me->says, strlen(me->says), MSG_NOSIGNAL);
        if (me->closes)
            shutdown(fd, SHUT_RDWR);
    }
    return NULL;
}

static rt_publisher *start_peer(peer *me, const char *says, bool closes) {
    memset(me, 0, sizeof *me);
    me->says = says;
    me->closes = closes;
    me->listener = rt_listen_local(&me->port);
    assert_int_equal(pthread_create(&me->thread, NULL, play, me), 0);
    return publisher_at(me->port);
}

static void stop_peer(peer *me, rt_publisher *p) {
    rt_publisher_free(p);
    shutdown(me->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(me->thread, NULL), 0);
    close(me->listener);
    for (int i = 0; i < me->accepted; i++)
        close(me->fds[i]);
}

static void check_peer(const char *says, bool closes, int status, const char *text) {
    peer me;
    rt_publisher *p = start_peer(&me, says, closes);
    uint64_t start = rt_test_ms();
    assert_int_equal(send_text(p, "x"), status);
    assert_true(rt_test_ms() - start < 2 * RT_PUBLISHER_WRITE_MS);
    if (!strstr(why, text))
        fail_msg("%s", why);
    stop_peer(&me, p);
    assert_int_equal(me.accepted, 1);
}

static void test_not_redis(void **state) {
    (void)state;
    check_peer("HTTP/1.1 400 Bad Request\r\n\r\n", false, RT_EIO, "Protocol error");
    check_peer("*1\r\n*1\r\n*1\r\n:1\r\n", false, RT_EIO, "memory");
    check_peer("*4294967295\r\n", false, RT_EIO, "out of range");
    check_peer("-ERR go away\r\n", true, RT_EIO, "Redis refuses: ERR go away");
    check_peer("-ERR \033[2J\302\2332J\r\n", true, RT_EIO, "Redis refuses: ERR ?[2J?2J");
    check_peer(NULL, true, RT_ECLOSED, "closed");
    check_peer(":1", true, RT_ECLOSED, "closed");
    check_peer(NULL, false, RT_ECLOSED, "in time");
}

/* Redis hangs: it takes the first message and no more. A publish may take its time, not for ever,
 * and what is half written is never continued on another connection. */
static void test_peer_does_not_read(void **state) {
    peer me;
    size_t n = 32 << 20;
    char *big = malloc(n);
    (void)state;
    assert_non_null(big);
    memset(big, 'b', n);
    rt_publisher *p = start_peer(&me, ":1\r\n", false);
    assert_int_equal(send_text(p, "x"), RT_OK);
    uint64_t start = rt_test_ms();
    int rc = rt_publisher_send(p, RT_LIT("events"), rt_slice_make(big, n), NULL, why, sizeof why);
    uint64_t took = rt_test_ms() - start;
    assert_int_equal(rc, RT_ECLOSED);
    assert_non_null(strstr(why, "in time"));
    assert_true(took >= RT_PUBLISHER_WRITE_MS && took < 2 * RT_PUBLISHER_WRITE_MS);
    start = rt_test_ms();
    assert_int_equal(send_text(p, "x"), RT_ECLOSED);
    assert_true(rt_test_ms() - start < 100);
    stop_peer(&me, p);
    assert_int_equal(me.accepted, 1);
    free(big);
}

/* An answer nobody asked for is not left unread: the connection is replaced, the message sent. */
static void test_unasked_answer(void **state) {
    peer me;
    (void)state;
    rt_publisher *p = start_peer(&me, ":1\r\n-NOPERM this user may not be silent\r\n", false);
    assert_int_equal(send_text(p, "x"), RT_OK);
    assert_int_equal(send_text(p, "y"), RT_OK);
    stop_peer(&me, p);
    assert_int_equal(me.accepted, 2);
}

static void check_tls(const char *host, const char *says) {
    char url[100];
    snprintf(url, sizeof url, "rediss://%s:%d", host, server.port);
    rt_publisher *p = publisher_for(url);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_text(p, "over TLS"), says ? RT_EIO : RT_OK);
        if (says && !strstr(why, says))
            fail_msg("%s", why);
    }
    rt_publisher_free(p);
}

static void test_tls(void **state) {
    rt_redis_server plain = server;
    rt_test_cert cert;
    char port[8];
    (void)state;
    rt_test_cert_make(&cert, "DNS:localhost,IP:127.0.0.2");
    snprintf(port, sizeof port, "%d", rt_free_port());
    rt_redis_server_start(&server, 0, "--tls-port", port, "--tls-cert-file", cert.cert,
                          "--tls-key-file", cert.key, "--tls-ca-cert-file", cert.cert,
                          "--tls-auth-clients", "no", "--bind", "127.0.0.1", "127.0.0.2", NULL);
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    int plain_port = server.port;
    server.port = atoi(port);
    check_tls("localhost", "self-signed");
    setenv("SSL_CERT_FILE", cert.cert, 1);
    check_tls("127.0.0.1", "IP address mismatch");
    check_tls("localhost", NULL);
    check_tls("127.0.0.2", NULL);
    for (int i = 0; i < 6; i++)
        expect_message(c, RT_LIT("over TLS"));
    size_t n = 4 << 20;
    char *big = malloc(n);
    assert_non_null(big);
    memset(big, 'b', n);
    char url[64];
    snprintf(url, sizeof url, "rediss://localhost:%d", server.port);
    rt_publisher *p = publisher_for(url);
    for (int i = 0; i < 3; i++) {
        int rc =
            rt_publisher_send(p, RT_LIT("events"), rt_slice_make(big, n), NULL, why, sizeof why);
        assert_int_equal(rc, RT_OK);
        expect_message(c, rt_slice_make(big, n));
    }
    redisFree(c);
    /* The far end goes while SIGPIPE has its deadly default: nothing reaches this process. */
    rt_redis_server_kill(&server);
    assert_int_equal(send_text(p, "x"), RT_ECLOSED);
    rt_publisher_free(p);
    server.port = plain_port;
    snprintf(url, sizeof url, "rediss://localhost:%d", plain_port);
    rt_redis_server_start(&server, plain_port, NULL);
    p = publisher_for(url);
    assert_int_not_equal(send_text(p, "x"), RT_OK); /* no TLS there */
    rt_publisher_free(p);
    rt_redis_server_stop(&server);
    server = plain;
    unsetenv("SSL_CERT_FILE");
    free(big);
    rt_test_cert_remove(&cert);
}

static int publish_twice(void *arg) {
    rt_publisher *p = NULL;
    (void)arg;
    char url[64];
    snprintf(url, sizeof url, "redis://:x@127.0.0.1:%d/1", server.port);
    int rc = rt_publisher_new(url, &p, why, sizeof why);
    for (int i = 0; rc == RT_OK && i < 2; i++)
        rc = send_text(p, "x");
    rt_publisher_free(p);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    redisContext *c = rt_redis_server_connect(&server);
    rt_redis_server_do(c, "CONFIG SET requirepass x");
    assert_true(rt_faults_each(publish_twice, NULL) >= 2);
    rt_redis_server_drop_password(c);
    redisFree(c);
}

#define AND_WAIT(test) cmocka_unit_test_teardown(test, wait_until_all_is_read)

int main(void) {
    const struct CMUnitTest tests[] = {
        AND_WAIT(test_bad_url),
        AND_WAIT(test_received),
        AND_WAIT(test_brackets_its_waits),
        AND_WAIT(test_names),
        AND_WAIT(test_large_in_order),
        AND_WAIT(test_no_replies_left),
        AND_WAIT(test_restarted),
        AND_WAIT(test_away),
        AND_WAIT(test_exit_right_after),
        AND_WAIT(test_auth),
        AND_WAIT(test_not_silent),
        AND_WAIT(test_not_redis),
        AND_WAIT(test_peer_does_not_read),
        AND_WAIT(test_unasked_answer),
        AND_WAIT(test_tls),
        AND_WAIT(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
