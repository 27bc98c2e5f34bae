/* The process's own publishers: many threads at once, and a fork that waits for none of them. */
#include "publish/remote.h"

#include "base/status.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/redis_server.h"

static rt_redis_server server;

static int start_redis(void **state) {
    (void)state;
    rt_redis_server_start(&server, 0, NULL);
    return 0;
}

static int stop_redis(void **state) {
    (void)state;
    rt_redis_server_stop(&server);
    return 0;
}

static void nothing(void *arg) {
    (void)arg;
}

static rt_event event(const char *message) {
    return (rt_event){RT_LIT("s"), RT_LIT("r"), RT_LIT("e"), rt_slice_of(message)};
}

/* ---- threads ---- */

#define THREADS 4
#define PER_THREAD 250

static void *send_many(void *arg) {
    char text[16];
    for (int i = 0; i < PER_THREAD; i++) {
        char why[200];
        snprintf(text, sizeof text, "%d", i);
        rt_event e = event(text);
        if (rt_remote_publish(arg, &e, nothing, NULL, why, sizeof why) != RT_OK)
            return arg;
    }
    return NULL;
}

static void test_threads_take_turns(void **state) {
    pthread_t threads[THREADS];
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, url), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = url;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    unsigned sum = 0;
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        unsigned number;
        redisReply *r = rt_redis_server_next(c);
        const char *at = strstr(r->element[2]->str, "\"message\":");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"message\":%u", &number), 1);
        sum += number;
        freeReplyObject(r);
    }
    assert_int_equal(sum, THREADS * (PER_THREAD * (PER_THREAD - 1) / 2));
    redisFree(c);
}

/* ---- forks ---- */

/* A publish that waits for a peer who never answers. */
typedef struct stuck {
    int listener;
    char where[108];
    bool by_redis;
    atomic_bool waits, ended;
    pthread_t thread;
} stuck;

static void note_wait(void *arg) {
    atomic_store(&((stuck *)arg)->waits, true);
}

static void *publish_stuck(void *arg) {
    stuck *s = arg;
    char why[200];
    static char big[4 << 20]; /* more than a Unix socket takes */
    memset(big, '1', sizeof big - 1);
    rt_event e = event(s->by_redis ? "1" : big);
    int status = s->by_redis ? rt_remote_publish(s->where, &e, note_wait, s, why, sizeof why)
                             : rt_remote_publish_local(s->where, &e, note_wait, s, why, sizeof why);
    atomic_store(&s->ended, true);
    return status == RT_OK ? s : NULL;
}

static int listen_on(const struct sockaddr *address, socklen_t len) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void begin_stuck(stuck *s, bool by_redis) {
    memset(s, 0, sizeof *s);
    s->by_redis = by_redis;
    if (by_redis) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof in;
        s->listener = listen_on((struct sockaddr *)&in, len);
        assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
        snprintf(s->where, sizeof s->where, "redis://127.0.0.1:%d", ntohs(in.sin_port));
    } else {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        snprintf(un.sun_path, sizeof un.sun_path, "/tmp/rt_remote_%d.sock", (int)getpid());
        unlink(un.sun_path);
        s->listener = listen_on((struct sockaddr *)&un, sizeof un);
        snprintf(s->where, sizeof s->where, "%s", un.sun_path);
    }
    assert_int_equal(pthread_create(&s->thread, NULL, publish_stuck, s), 0);
    while (!atomic_load(&s->waits))
        rt_test_sleep(1);
}

static void end_stuck(stuck *s) {
    void *result;
    assert_int_equal(pthread_join(s->thread, &result), 0);
    assert_null(result); /* it was never taken */
    close(s->listener);
    if (!s->by_redis)
        unlink(s->where);
}

/* The child has none of the parent's descriptors, and publishes by itself. */
static int child_publishes(const stuck *s) {
    char url[64], why[200];
    rt_event e = event("7");
    (void)s;
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    return rt_remote_publish(url, &e, nothing, NULL, why, sizeof why) == RT_OK ? 0 : 1;
}

static void fork_beside(bool by_redis) {
    stuck s;
    redisContext *c = rt_redis_server_subscribe(&server, "events");
    begin_stuck(&s, by_redis);
    rt_remote_before_fork();
    assert_false(atomic_load(&s.ended)); /* it has not waited for the publish */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rt_remote_in_child();
        _exit(child_publishes(&s));
    }
    rt_remote_after_fork();
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    freeReplyObject(rt_redis_server_next(c)); /* of the child */
    end_stuck(&s);
    redisFree(c);
}

static void test_a_fork_does_not_wait_for_a_silent_redis(void **state) {
    (void)state;
    fork_beside(true);
}

static void test_a_fork_does_not_wait_for_a_silent_server(void **state) {
    (void)state;
    fork_beside(false);
}

/* Who waits for its turn tells its caller, too, and gets the turn when the other has given up. */
static void test_the_next_one_waits_for_its_turn(void **state) {
    stuck first;
    (void)state;
    begin_stuck(&first, true);
    stuck second = {.by_redis = true};
    snprintf(second.where, sizeof second.where, "%s", first.where);
    assert_int_equal(pthread_create(&second.thread, NULL, publish_stuck, &second), 0);
    while (!atomic_load(&second.waits))
        rt_test_sleep(1);
    end_stuck(&first);
    void *result;
    assert_int_equal(pthread_join(second.thread, &result), 0);
    assert_null(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_take_turns),
        cmocka_unit_test(test_a_fork_does_not_wait_for_a_silent_redis),
        cmocka_unit_test(test_a_fork_does_not_wait_for_a_silent_server),
        cmocka_unit_test(test_the_next_one_waits_for_its_turn),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
