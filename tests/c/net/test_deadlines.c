/* net: what comes in after a session's deadline finds it gone, also when the loop slept over both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/status.h"
#include "net/front.h"
#include "net/listen.h"
#include "support/loop_until.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PING_MS 60
#define POLLING "/socket.io/?EIO=4&transport=polling"

typedef struct server {
    rt_loop loop;
    rt_eio *eio;
    rt_front *front;
    rt_loop_hook hook;
    int port;
    int sleep_ms; /* what the next end of a turn takes, as if the process got no CPU */
    bool pinged;
} server;

static int on_open(void *ctx, rt_eio_session *s) {
    (void)ctx;
    (void)s;
    return RT_OK;
}

static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    (void)s;
    (void)binary;
    (void)bytes;
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    (void)reason;
}

static void no_route(void *ctx, const rt_http_request *req, rt_answer *answer) {
    (void)ctx;
    (void)req;
    answer->status = 404;
}

static void at_turn_end(void *arg) {
    server *v = arg;
    rt_eio_figures figures;
    rt_eio_get_figures(v->eio, &figures);
    v->pinged = figures.counters.v[RT_EIO_PACKETS_OUT] > 0;
    rt_eio_reap(v->eio);
    if (v->sleep_ms)
        usleep((useconds_t)v->sleep_ms * 1000);
    v->sleep_ms = 0;
}

static void start(server *v) {
    int fd, count;
    char why[256];
    rt_eio_opts eo;
    rt_front_opts fo;
    memset(v, 0, sizeof *v);
    rt_loop_begin(&v->loop);
    rt_eio_opts_default(&eo);
    eo.ping_interval_ms = eo.ping_timeout_ms = PING_MS;
    rt_eio_app app = {.ctx = v, .on_open = on_open, .on_message = on_message, .on_close = on_close};
    v->eio = rt_eio_new(&eo, &app, &v->loop.timers, rt_loop_now, &v->loop);
    assert_non_null(v->eio);
    rt_front_opts_default(&fo);
    v->front = rt_front_new(&v->loop, v->eio, &fo, no_route, NULL);
    assert_non_null(v->front);
    v->hook.at_turn_end = at_turn_end;
    v->hook.arg = v;
    rt_loop_add_hook(&v->loop, &v->hook);
    assert_int_equal(rt_listen_tcp("127.0.0.1", &v->port, &fd, 1, &count, why, sizeof why), RT_OK);
    assert_int_equal(rt_front_listen(v->front, fd), RT_OK);
}

static void stop(server *v) {
    rt_eio_close_all(v->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_front_close(v->front);
    rt_loop_remove_hook(&v->loop, &v->hook);
    rt_loop_end(&v->loop);
    rt_eio_free(v->eio);
    rt_front_free(v->front);
}

static int dial(const server *v) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)v->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void ask(int fd, const char *query) {
    char text[256];
    int n = snprintf(text, sizeof text, "GET " POLLING "%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
    assert_int_equal(send(fd, text, (size_t)n, 0), n);
}

/* The answer so far, once there is one. */
static void hear(server *v, int fd, char *text, size_t size) {
    ssize_t n = -1;
    for (int turns = 0; n < 0 && turns < 1000; turns++) {
        rt_loop_for(&v->loop, 5);
        n = recv(fd, text, size - 1, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    text[n] = '\0';
}

/* The loop's turn ends before the deadline, then the process stands still for so long that both the
 * deadline has passed and a poll has come when it wakes. */
static void poll_after_the_deadline_finds_no_session(void **state) {
    (void)state;
    server v;
    char text[1024], query[64];
    start(&v);
    int fd = dial(&v), late = dial(&v);
    ask(fd, "");
    hear(&v, fd, text, sizeof text);
    const char *sid = strstr(text, "\"sid\":\"");
    assert_non_null(sid);
    snprintf(query, sizeof query, "&sid=%.*s", RT_ID_LEN, sid + 7);
    rt_loop_until(&v.loop, &v.pinged, 5000);
    ask(late, query);
    v.sleep_ms = 2 * PING_MS;
    uv_run(&v.loop.uv, UV_RUN_NOWAIT);
    hear(&v, late, text, sizeof text);
    assert_non_null(strstr(text, "{\"code\":1,\"message\":\"Session ID unknown\"}"));
    close(fd);
    close(late);
    stop(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_after_the_deadline_finds_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
