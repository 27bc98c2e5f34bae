/* A real redis-server of the test's own, on a free port and a Unix socket; it dies with the test.
 *
 *     rt_redis_server s;
 *     rt_redis_server_start(&s, 0, "--requirepass", "secret", NULL);
 *     ... s.port, s.socket ...
 *     rt_redis_server_stop(&s);       and again _start(&s, s.port, NULL) to restart
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_REDIS_SERVER_H
#define RT_TESTS_REDIS_SERVER_H

#include "support/ports.h"

#include <fcntl.h>
#include <hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define RT_REDIS_ARGS_MAX 40

typedef struct rt_redis_server {
    pid_t pid;
    int port;
    char dir[64];
    char socket[96];
} rt_redis_server;

static inline void rt_redis_server_exec(const rt_redis_server *s, const char **more) {
    char port[8];
    const char *args[RT_REDIS_ARGS_MAX] = {
        "redis-server", "--port",  port,     "--bind",     "127.0.0.1",
        "--unixsocket", s->socket, "--save", "",           "--appendonly",
        "no",           "--dir",   s->dir,   "--loglevel", "warning"};
    unsigned n = 0;
    snprintf(port, sizeof port, "%d", s->port);
    while (args[n])
        n++;
    while (*more && n < RT_REDIS_ARGS_MAX - 1)
        args[n++] = *more++;
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) {
        dup2(null, 1);
        dup2(null, 2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp("redis-server", (char *const *)(uintptr_t)args);
    _exit(127);
}

static inline void rt_redis_server_wait(const rt_redis_server *s) {
    uint64_t end = rt_test_ms() + 15000;
    for (;;) {
        redisContext *c = redisConnectUnix(s->socket);
        redisReply *r = c && !c->err ? redisCommand(c, "PING") : NULL;
        bool up = r != NULL; /* any answer will do: it may want a password first */
        if (r)
            freeReplyObject(r);
        if (c)
            redisFree(c);
        if (up)
            return;
        assert_true(rt_test_ms() < end);
        assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
        rt_test_sleep(10);
    }
}

/* More arguments are texts of redis-server's command line, then NULL. */
static inline void rt_redis_server_start(rt_redis_server *s, int port, ...) {
    const char *more[RT_REDIS_ARGS_MAX] = {NULL};
    unsigned n = 0;
    va_list args;
    va_start(args, port);
    while (n < RT_REDIS_ARGS_MAX - 1 && (more[n] = va_arg(args, const char *)))
        n++;
    va_end(args);
    if (port == 0) {
        s->port = rt_free_port();
        snprintf(s->dir, sizeof s->dir, "/tmp/rt-redis-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        snprintf(s->socket, sizeof s->socket, "%s/redis.sock", s->dir);
    }
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        rt_redis_server_exec(s, more);
    rt_redis_server_wait(s);
}

/* Killed, as a crash would: no goodbye to its clients. */
static inline void rt_redis_server_kill(rt_redis_server *s) {
    assert_int_equal(kill(s->pid, SIGKILL), 0);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    s->pid = 0;
    unlink(s->socket);
}

static inline void rt_redis_server_stop(rt_redis_server *s) {
    if (s->pid)
        rt_redis_server_kill(s);
    assert_int_equal(rmdir(s->dir), 0);
}

/* A connection for the test itself, with a deadline for its reads. */
static inline redisContext *rt_redis_server_connect(const rt_redis_server *s) {
    struct timeval patience = {10, 0};
    redisContext *c = redisConnectUnix(s->socket);
    assert_non_null(c);
    assert_int_equal(c->err, 0);
    assert_int_equal(redisSetTimeout(c, patience), REDIS_OK);
    return c;
}

static inline long long rt_redis_server_do(redisContext *c, const char *command) {
    redisReply *r = redisCommand(c, command);
    assert_non_null(r);
    assert_int_not_equal(r->type, REDIS_REPLY_ERROR);
    long long n = r->integer;
    freeReplyObject(r);
    return n;
}

/* In a command's text hiredis knows no quotes, so that an empty word must be an argument. */
static inline void rt_redis_server_drop_password(redisContext *c) {
    redisReply *r = redisCommand(c, "CONFIG SET requirepass %s", "");
    assert_non_null(r);
    assert_int_equal(r->type, REDIS_REPLY_STATUS);
    freeReplyObject(r);
}

/* A connection subscribed to the channel. */
static inline redisContext *rt_redis_server_subscribe(const rt_redis_server *s,
                                                      const char *channel) {
    redisContext *c = rt_redis_server_connect(s);
    redisReply *r = redisCommand(c, "SUBSCRIBE %s", channel);
    assert_non_null(r);
    assert_int_equal(r->type, REDIS_REPLY_ARRAY);
    freeReplyObject(r);
    return c;
}

/* The next message, which the caller frees; its payload is element[2]. */
static inline redisReply *rt_redis_server_next(redisContext *c) {
    void *r = NULL;
    assert_int_equal(redisGetReply(c, &r), REDIS_OK);
    assert_int_equal(((redisReply *)r)->elements, 3);
    return r;
}

#endif
