/* Every allocation of net, engineio and socketio fails in turn, in each scenario of a client's life
 * over real sockets. Whatever fails, nothing crashes or leaks, the client concerned gets an answer
 * or a close and is never left waiting, and the server goes on serving new clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "stack/stack.h"

#define SILENCE_MS 2000 /* without a word in so long, the client counts as left waiting */
#define CLIENTS 3

typedef struct world {
    stack w;
    live_client c[CLIENTS];
    char sid[21];
    unsigned acked;
    int ack_status;
} world;

/* A scenario: true when all of it went as it should; false when it met an answer that refuses or a
 * connection that was closed, and gave up. */
typedef bool scenario(world *x);

static void assert_not_waiting(const live_client *c, const char *what) {
    if (c->end == LIVE_OPEN)
        fail_msg("the client is left waiting for %s", what);
}

/* --- steps; each is false when it was refused --- */

static bool opened(world *x, unsigned i) {
    live_open(&x->w.l, &x->c[i]);
    return true;
}

static bool answered(world *x, unsigned i, int status, const char *start) {
    live_client *c = &x->c[i];
    static char body[4096];
    if (!live_read(&x->w.l, c, live_has_answer, 0, SILENCE_MS)) {
        assert_not_waiting(c, "an answer");
        return false;
    }
    return live_answer(&x->w.l, c, body, sizeof body) == status &&
           strncmp(body, start, strlen(start)) == 0;
}

static bool framed(world *x, unsigned i, const char *start) {
    live_client *c = &x->c[i];
    if (!live_read(&x->w.l, c, live_has_frame, 0, SILENCE_MS)) {
        assert_not_waiting(c, "a frame");
        return false;
    }
    return strncmp(live_next(&x->w.l, c), start, strlen(start)) == 0;
}

static bool said(world *x, unsigned i, const char *packet) {
    live_text(&x->w.l, &x->c[i], packet);
    return true;
}

static bool asked(world *x, unsigned i, const char *target) {
    live_get(&x->w.l, &x->c[i], target);
    return true;
}

static bool polled(world *x, unsigned i) {
    live_poll(&x->w.l, &x->c[i], x->sid);
    return true;
}

static bool posted(world *x, unsigned i, const char *body) {
    live_post(&x->w.l, &x->c[i], x->sid, body, strlen(body));
    return answered(x, i, 200, "ok");
}

static bool handshaken(world *x, unsigned i) {
    char body[200];
    live_client *c = &x->c[i];
    live_get(&x->w.l, c, LIVE_POLLING);
    if (!live_read(&x->w.l, c, live_has_answer, 0, SILENCE_MS)) {
        assert_not_waiting(c, "a handshake");
        return false;
    }
    return live_answer(&x->w.l, c, body, sizeof body) == 200 &&
           sscanf(body, "0{\"sid\":\"%20s\"", x->sid) == 1;
}

static bool websocket(world *x, unsigned i, const char *sid) {
    char text[512];
    snprintf(text, sizeof text, "GET " LIVE_WEBSOCKET "%s%s HTTP/1.1\r\n" LIVE_UPGRADE,
             sid ? "&sid=" : "", sid ? sid : "");
    live_open(&x->w.l, &x->c[i]);
    live_say(&x->w.l, &x->c[i], text);
    return answered(x, i, 101, "") && (sid || framed(x, i, "0{"));
}

static bool inside(world *x, unsigned i) {
    return websocket(x, i, NULL) && said(x, i, "40") && framed(x, i, "40{");
}

/* --- scenarios --- */

static bool routes(world *x) {
    return opened(x, 0) && asked(x, 0, "/somewhere") && answered(x, 0, 404, "/somewhere") &&
           asked(x, 0, "/else") && answered(x, 0, 404, "/else");
}

static bool polling(world *x) {
    return opened(x, 0) && opened(x, 1) && handshaken(x, 0) && posted(x, 1, "40") && polled(x, 0) &&
           answered(x, 0, 200, "40{") && polled(x, 0) &&
           posted(x, 1,
                  "42[\"a\",1]\x1e"
                  "427[\"b\"]") &&
           answered(x, 0, 200,
                    "42[\"a\",1]\x1e"
                    "42[\"b\"]\x1e"
                    "437[]") &&
           polled(x, 0) && posted(x, 1, "1") && answered(x, 0, 200, "6");
}

/* A request is held back behind a poll, and goes on. */
static bool pipelining(world *x) {
    return opened(x, 0) && opened(x, 1) && handshaken(x, 0) && posted(x, 1, "40") && polled(x, 0) &&
           answered(x, 0, 200, "40{") && polled(x, 0) && asked(x, 0, "/held") &&
           posted(x, 1, "42[\"a\"]") && answered(x, 0, 200, "42") && answered(x, 0, 404, "/held");
}

static bool upgrading(world *x) {
    return opened(x, 0) && opened(x, 1) && handshaken(x, 0) && posted(x, 1, "40") && polled(x, 0) &&
           answered(x, 0, 200, "40{") && polled(x, 0) && websocket(x, 2, x->sid) &&
           said(x, 2, "2probe") && framed(x, 2, "3probe") && answered(x, 0, 200, "6") &&
           posted(x, 1, "42[\"queued\"]") && said(x, 2, "5") && framed(x, 2, "42[\"queued\"]") &&
           said(x, 2, "42[\"a\"]") && framed(x, 2, "42[\"a\"]");
}

static bool namespaces(world *x) {
    return inside(x, 0) && said(x, 0, "40/custom,{\"token\":1}") && framed(x, 0, "40/custom,{") &&
           said(x, 0, "40/nowhere,") && framed(x, 0, "44/nowhere,{") &&
           said(x, 0, "42/custom,[\"a\"]") && framed(x, 0, "42/custom,[\"a\"]") &&
           said(x, 0, "41/custom,") && said(x, 0, "42[\"a\"]") && framed(x, 0, "42[\"a\"]");
}

static bool fanning_out(world *x) {
    if (!inside(x, 0) || !inside(x, 1) || !said(x, 0, "421[\"join\",\"r\"]") ||
        !framed(x, 0, "431[\"r\"]") || !said(x, 1, "421[\"join\",\"r\"]") ||
        !framed(x, 1, "431[\"r\"]"))
        return false;
    rt_sio_ns *ns = rt_sio_ns_find(x->w.io, RT_LIT("/"));
    uint64_t before = stack_count(&x->w, RT_SIO_NO_MEMORY);
    for (int i = 0; i < 3; i++) /* the second opens a batch, the third goes into it */
        rt_sio_emit_room(ns, RT_LIT("\"r\""), RT_LIT("\"e\""), RT_LIT("1"), NULL);
    rt_sio_emit_ns(ns, RT_LIT("\"f\""), RT_EMPTY, NULL);
    if (stack_count(&x->w, RT_SIO_NO_MEMORY) > before)
        return false; /* an event that could not be made is lost to all, and counted */
    for (unsigned c = 0; c < 2; c++)
        for (int i = 0; i < 4; i++)
            if (!framed(x, c, i < 3 ? "42[\"e\",1]" : "42[\"f\"]"))
                return false;
    return true;
}

static bool binary(world *x) {
    return inside(x, 0) &&
           said(x, 0,
                "452-3[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,"
                "\"num\":1}]") &&
           (live_frame(&x->w.l, &x->c[0], 0x82, "abc", 3),
            live_frame(&x->w.l, &x->c[0], 0x02, "de", 2),
            live_frame(&x->w.l, &x->c[0], 0x89, "p", 1),
            live_frame(&x->w.l, &x->c[0], 0x80, "f", 1), true) &&
           framed(x, 0, "pong 1") && framed(x, 0, "452-[\"a\"") && framed(x, 0, "<3 bytes>") &&
           framed(x, 0, "<3 bytes>") && framed(x, 0, "462-3[") && framed(x, 0, "<3 bytes>") &&
           framed(x, 0, "<3 bytes>");
}

static void on_ack(void *arg, int status, const rt_sio_event *answer) {
    world *x = arg;
    (void)answer;
    x->acked++;
    x->ack_status = status;
}

static bool asking_for_an_ack(world *x) {
    if (!inside(x, 0))
        return false;
    int status = rt_sio_emit_ack(x->w.socket, RT_LIT("\"q\""), RT_LIT("1"), on_ack, x);
    if (status != RT_OK) {
        assert_int_equal(status, RT_ENOMEM);
        assert_int_equal(x->acked, 0);
        return false;
    }
    bool all = framed(x, 0, "420[\"q\",1]") && said(x, 0, "430[\"yes\"]") &&
               said(x, 0, "42[\"a\"]") && framed(x, 0, "42[\"a\"]");
    return all && x->acked == 1 && x->ack_status == RT_OK;
}

static bool being_refused(world *x) {
    return opened(x, 0) && asked(x, 0, "/socket.io/?EIO=4") && answered(x, 0, 400, "{\"code\":0") &&
           (live_say(&x->w.l, &x->c[0], "nonsense\r\n\r\n"), true) && answered(x, 0, 400, "") &&
           inside(x, 1) && said(x, 1, "42[\"connect\"]") && framed(x, 1, "close") &&
           websocket(x, 2, NULL) && (live_send(&x->w.l, &x->c[2], "\x81\x01x", 3), true) &&
           framed(x, 2, "close 1002");
}

static bool closing(world *x) {
    if (!inside(x, 0) || !said(x, 0, "40/custom,") || !framed(x, 0, "40/custom,{"))
        return false;
    rt_sio_disconnect(x->w.socket);
    if (!framed(x, 0, "41/custom,"))
        return false;
    live_frame(&x->w.l, &x->c[0], 0x88, "\x03\xe8", 2);
    return framed(x, 0, "close 1000");
}

/* Such an answer has each CORS line, whole: half a line would run into the next header. */
static bool answered_across(world *x, unsigned i, int status) {
    live_client *c = &x->c[i];
    if (!live_read(&x->w.l, c, live_has_answer, 0, SILENCE_MS)) {
        assert_not_waiting(c, "an answer");
        return false;
    }
    if (atoi(c->in + 9) != status)
        return false;
    assert_non_null(strstr(c->in, "\r\nAccess-Control-Allow-Origin: http://else.where\r\n"));
    assert_non_null(strstr(c->in, "\r\nVary: Origin"));
    assert_non_null(strstr(c->in, "\r\nAccess-Control-Allow-Credentials: true\r\n"));
    live_drop(c, live_answer_len(c));
    return true;
}

static bool across_origins(world *x) {
    return opened(x, 0) &&
           (live_say(&x->w.l, &x->c[0],
                     "OPTIONS " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\n"
                     "Origin: http://else.where\r\nAccess-Control-Request-Headers: X-A\r\n\r\n"),
            true) &&
           answered_across(x, 0, 204) &&
           (live_say(&x->w.l, &x->c[0],
                     "GET " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\n"
                     "Origin: http://else.where\r\n\r\n"),
            true) &&
           answered_across(x, 0, 200) && opened(x, 1) &&
           (live_say(&x->w.l, &x->c[1],
                     "GET " LIVE_WEBSOCKET
                     " HTTP/1.1\r\nOrigin: http://else.where\r\n" LIVE_UPGRADE),
            true) &&
           answered_across(x, 1, 101) && framed(x, 1, "0{");
}

/* --- the loop --- */

static void assert_serves(world *x) {
    live_client c;
    assert_true(stack_open(&x->w, &c, ""));
    stack_assert_well(&x->w, &c);
    live_close(&c);
}

/* One run with the n-th allocation failing; how many were asked for. */
static long run_once(scenario *run, long n, bool *whole) {
    world x = {.acked = 0};
    stack_opts opts;
    long live_blocks = rt_alloc_live();
    for (int i = 0; i < CLIENTS; i++)
        x.c[i].fd = -1;
    stack_opts_default(&opts);
    opts.live.eio.cors = RT_EIO_CORS_REFLECT;
    stack_init(&x.w, &opts);
    assert_serves(&x); /* tables reach their size */
    rt_alloc_fail_at(n);
    *whole = run(&x);
    long count = rt_alloc_count();
    rt_alloc_fail_at(0);
    assert_serves(&x);
    for (int i = 0; i < CLIENTS; i++)
        live_close(&x.c[i]);
    live_until_connections(&x.w.l, 0);
    stack_end(&x.w);
    assert_int_equal(x.w.connects, x.w.disconnects);
    assert_int_equal(rt_alloc_live(), live_blocks);
    return count;
}

static void each(scenario *run) {
    bool whole;
    stack first; /* makes the table of descriptors, which stays */
    stack_init(&first, NULL);
    stack_end(&first);
    long most = run_once(run, 1000000, &whole);
    assert_true(whole);
    unsigned given_up = 0;
    for (long n = 1; n <= most; n++) {
        run_once(run, n, &whole);
        given_up += !whole;
    }
    print_message("%ld allocations, given up in %u\n", most, given_up);
    assert_true(given_up > 0);
}

#define SCENARIO(name)                                                                             \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        each(name);                                                                                \
    }
SCENARIO(routes)
SCENARIO(polling)
SCENARIO(pipelining)
SCENARIO(upgrading)
SCENARIO(namespaces)
SCENARIO(fanning_out)
SCENARIO(binary)
SCENARIO(asking_for_an_ack)
SCENARIO(being_refused)
SCENARIO(closing)
SCENARIO(across_origins)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),         cmocka_unit_test(test_polling),
        cmocka_unit_test(test_pipelining),     cmocka_unit_test(test_upgrading),
        cmocka_unit_test(test_namespaces),     cmocka_unit_test(test_fanning_out),
        cmocka_unit_test(test_binary),         cmocka_unit_test(test_asking_for_an_ack),
        cmocka_unit_test(test_being_refused),  cmocka_unit_test(test_closing),
        cmocka_unit_test(test_across_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
