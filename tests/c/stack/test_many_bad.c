/* Very many bad requests of mixed kinds: every error path answers or closes, and gives back what it
 * took. Afterwards the process has as many descriptors, the server as many connections, sessions
 * and blocks of memory as before, and a client that was connected all the while is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "stack/stack.h"

#include <dirent.h>

#if defined(__SANITIZE_ADDRESS__)
#define REQUESTS 20000 /* the sanitizers make each several times as slow */
#else
#define REQUESTS 100000
#endif
#define KEPT 50 /* requests on a connection that is kept */

typedef struct world {
    stack w;
    live_client witness;
    live_client kept; /* for requests that are refused without closing */
    unsigned on_kept;
} world;

typedef struct kind {
    const char *name;
    void (*run)(world *x, const struct kind *k);
    const char *text;
    int status; /* of the answer; 0: none */
} kind;

/* The server answers, closes, and that is all. */
static void answered_and_closed(world *x, const kind *k) {
    live_client c;
    live_open(&x->w.l, &c);
    live_say(&x->w.l, &c, k->text);
    int status = live_answer(&x->w.l, &c, NULL, 0);
    if (status != k->status)
        fail_msg("%s: answered %d", k->name, status);
    live_until_end(&x->w.l, &c);
    assert_int_equal(c.n, 0);
    live_close(&c);
}

static void answered_and_kept(world *x, const kind *k) {
    if (x->on_kept++ % KEPT == 0) {
        live_close(&x->kept);
        live_open(&x->w.l, &x->kept);
    }
    live_say(&x->w.l, &x->kept, k->text);
    int status = live_answer(&x->w.l, &x->kept, NULL, 0);
    if (status != k->status)
        fail_msg("%s: answered %d", k->name, status);
}

/* The client is gone before the server has looked, or right after. */
static void left_alone(world *x, const kind *k) {
    live_client c;
    live_open(&x->w.l, &c);
    live_say(&x->w.l, &c, k->text);
    for (unsigned turns = x->on_kept % 4; turns > 0; turns--)
        live_turn(&x->w.l);
    live_close(&c);
}

/* The upgrade and the first frame come in one segment. */
static void bad_websocket(world *x, const kind *k) {
    live_client c;
    live_open(&x->w.l, &c);
    live_say(&x->w.l, &c, k->text);
    assert_int_equal(live_answer(&x->w.l, &c, NULL, 0), 101);
    live_until_end(&x->w.l, &c);
    const char *text = live_next(&x->w.l, &c); /* the open packet */
    assert_true(text && *text == '0');
    text = live_next(&x->w.l, &c);
    if (!text || strncmp(text, "close", 5) != 0 || c.n > 0)
        fail_msg("%s: not closed in order", k->name);
    live_close(&c);
}

/* A polling session that is spoilt by its first POST. */
static void bad_post(world *x, const kind *k) {
    live_client c;
    char sid[21];
    live_open(&x->w.l, &c);
    assert_true(live_handshake(&x->w.l, &c, sid));
    live_post(&x->w.l, &c, sid, k->text, strlen(k->text));
    assert_int_equal(live_answer(&x->w.l, &c, NULL, 0), k->status);
    for (int polls = 0;; polls++) { /* a session that Socket.IO has closed tells so once */
        live_poll(&x->w.l, &c, sid);
        int status = live_answer(&x->w.l, &c, NULL, 0);
        if (status == 400)
            break;
        assert_true(status == 200 && polls == 0);
    }
    live_close(&c);
}

static char many_lines[4096], long_target[10000];

static const kind kinds[] = {
    {"no HTTP", answered_and_closed, "\x16\x03\x01\x01\x02\x03", 400},
    {"unknown transport", answered_and_kept, "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n",
     400},
    {"frame that is not masked", bad_websocket,
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\n" LIVE_UPGRADE "\x81\x05", 101},
    {"unknown session", answered_and_kept,
     "GET " LIVE_POLLING "&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"too many lines", answered_and_closed, many_lines, 431},
    {"left in the middle of a head", left_alone, "GET /socket.io/?EI", 0},
    {"too long a target", answered_and_closed, long_target, 414},
    {"handshake by DELETE", answered_and_kept,
     "DELETE " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"unknown packet", bad_post, "x", 200},
    {"reserved bit", bad_websocket,
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\n" LIVE_UPGRADE "\xc1\x85\1\1\1\1hello", 101},
    {"old version", answered_and_kept,
     "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"left as a WebSocket", left_alone, "GET " LIVE_WEBSOCKET " HTTP/1.1\r\n" LIVE_UPGRADE, 0},
    {"not a WebSocket", answered_and_closed,
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tea\r\n\r\n",
     400},
    {"posted elsewhere", answered_and_kept,
     "PUT /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404},
    {"two hosts", answered_and_closed, "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
    {"not JSON", bad_post, "42[\"x\"", 200},
    {"left in the middle of a body", left_alone,
     "POST " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n4", 0},
    {"text that is no packet", bad_websocket,
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\n" LIVE_UPGRADE "\x81\x81\1\1\1\1y", 101},
    {"left with a session", left_alone, "GET " LIVE_POLLING "&sid=x HTTP/1.1\r\nHost: x\r\n\r\n",
     0},
};

static unsigned descriptors(void) {
    unsigned n = 0;
    DIR *all = opendir("/proc/self/fd");
    assert_non_null(all);
    while (readdir(all))
        n++;
    closedir(all);
    return n;
}

static void make_long_ones(void) {
    size_t n = (size_t)snprintf(many_lines, sizeof many_lines, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < RT_HTTP_HEADERS_MAX; i++)
        n += (size_t)snprintf(many_lines + n, sizeof many_lines - n, "A: b\r\n");
    snprintf(many_lines + n, sizeof many_lines - n, "\r\n");
    snprintf(long_target, sizeof long_target, "GET /%0*d HTTP/1.1\r\nHost: x\r\n\r\n",
             RT_HTTP_TARGET_MAX, 0);
}

static void some(world *x, unsigned requests) {
    for (unsigned i = 0; i < requests; i++) {
        const kind *k = &kinds[i % (sizeof kinds / sizeof *kinds)];
        k->run(x, k);
        if (i % 1000 == 0)
            stack_assert_well(&x->w, &x->witness);
    }
    live_close(&x->kept);
    x->on_kept = 0;
    live_until_connections(&x->w.l, 1);
    stack_assert_well(&x->w, &x->witness);
}

static void nothing_is_left_behind(void **state) {
    (void)state;
    world x = {.kept.fd = -1};
    stack_opts opts;
    stack_opts_default(&opts);
    make_long_ones();
    stack_init(&x.w, &opts);
    assert_true(stack_open(&x.w, &x.witness, ""));
    some(&x, 200); /* tables reach their size */
    unsigned before = descriptors();
    long live_blocks = rt_alloc_live();
    uint64_t start = rt_test_ms();
    some(&x, REQUESTS);
    print_message("%u bad requests in %llu ms\n", REQUESTS,
                  (unsigned long long)(rt_test_ms() - start));
    assert_int_equal(descriptors(), before);
    assert_int_equal(rt_alloc_live(), live_blocks);
    assert_int_equal(live_eio(&x.w.l).sessions, 1);
    assert_int_equal(stack_figures(&x.w).clients, 1);
    live_close(&x.witness);
    stack_end(&x.w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
