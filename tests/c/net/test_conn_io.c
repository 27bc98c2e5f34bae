/* net/conn.c over a table that takes little at a time, says "not now" or fails, at any point: what
 * the peer gets is the same, and how a connection ends is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/conn.h"
#include "support/live.h"

#include <string.h>

/* --- the table: sockets, but for what the plan says --- */

static struct {
    size_t most_out, most_in; /* bytes at a time; 0: as many as there are */
    unsigned fail_send;       /* the n-th call fails, from 1 on; 0: none */
    unsigned fail_recv;
    int error;
    unsigned sends, recvs, shutdowns;
    uint64_t sent, sent_at_shutdown;
} plan;

static int fails(unsigned *calls, unsigned which) {
    if (++*calls != which)
        return 0;
    errno = plan.error;
    return -1;
}

static ssize_t plan_recv(rt_conn *c, void *bytes, size_t n) {
    if (fails(&plan.recvs, plan.fail_recv))
        return -1;
    return rt_conn_sockets.recv(c, bytes, plan.most_in && plan.most_in < n ? plan.most_in : n);
}

/* Cuts the pieces to so many bytes; returns how many pieces are left. */
static int cut(struct iovec *iov, int n, size_t most) {
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len >= most) {
            iov[i].iov_len = most;
            return i + 1;
        }
        most -= iov[i].iov_len;
    }
    return n;
}

static ssize_t plan_send(rt_conn *c, struct iovec *iov, int n) {
    assert_true(n >= 1);
    assert_int_equal(plan.shutdowns, 0);
    if (fails(&plan.sends, plan.fail_send))
        return -1;
    ssize_t wrote = rt_conn_sockets.send(c, iov, plan.most_out ? cut(iov, n, plan.most_out) : n);
    plan.sent += wrote > 0 ? (uint64_t)wrote : 0;
    return wrote;
}

static void plan_shutdown(rt_conn *c) {
    plan.shutdowns++;
    plan.sent_at_shutdown = plan.sent;
    rt_conn_sockets.shutdown(c);
}

static const rt_conn_io planned = {plan_recv, plan_send, plan_shutdown};

/* --- the server --- */

static unsigned opened, closed[RT_EIO_REASONS];

static int on_open(void *ctx, rt_eio_session *s) {
    (void)ctx;
    (void)s;
    opened++;
    return RT_OK;
}

/* Messages come back, each in two pieces. */
static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    (void)binary;
    for (int i = 0; i < 2; i++) {
        rt_msg *m = rt_ws_frame(RT_WS_TEXT, bytes);
        assert_non_null(m);
        rt_eio_send(s, m);
        rt_msg_rele(m);
    }
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    closed[reason]++;
}

static void serve(live *l) {
    rt_eio_app app = {.on_open = on_open, .on_message = on_message, .on_close = on_close};
    opened = 0;
    memset(closed, 0, sizeof closed);
    plan.sends = plan.recvs = plan.shutdowns = 0;
    plan.sent = plan.sent_at_shutdown = 0;
    live_begin(l);
    live_serve(l, NULL, &app);
    l->front->io = &planned;
}

/* --- conversations --- */

/* Two requests in one piece; the connection closes after the second. False: it ended before. */
static bool two_requests(live *l) {
    live_client c;
    char body[100] = "";
    live_open(l, &c);
    live_say(l, &c,
             "GET /first HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    bool done = live_answer(l, &c, body, sizeof body) == 404 && strcmp(body, "/first") == 0 &&
                live_answer(l, &c, body, sizeof body) == 404 && strcmp(body, "/second") == 0;
    live_until_end(l, &c);
    assert_int_equal(c.n, 0);
    live_close(&c);
    return done;
}

static bool is_next(live *l, live_client *c, const char *text) {
    const char *came = live_next(l, c);
    return came && strcmp(came, text) == 0;
}

static bool websocket(live *l) {
    live_client c;
    bool done = live_websocket(l, &c, NULL) && live_next(l, &c);
    if (done) {
        live_text(l, &c, "4one");
        live_text(l, &c, "4two");
        done = is_next(l, &c, "one") && is_next(l, &c, "one") && is_next(l, &c, "two") &&
               is_next(l, &c, "two");
    }
    live_close(&c);
    live_until_connections(l, 0);
    return done;
}

static void expect_both(void) {
    live l;
    serve(&l);
    assert_true(websocket(&l));
    plan.shutdowns = 0;
    uint64_t before = plan.sent;
    assert_true(two_requests(&l));
    assert_int_equal(plan.shutdowns, 1);
    assert_int_equal(plan.sent_at_shutdown, plan.sent);
    assert_true(plan.sent > before);
    assert_int_equal(live_net(&l, RT_FRONT_BYTES_OUT), plan.sent);
    assert_int_equal(opened, 1);
    plan.shutdowns = 0;
    live_end(&l);
}

/* --- tests --- */

static void little_at_a_time(void **state) {
    static const size_t sizes[] = {1, 2, 3, 7, 64, 0};
    (void)state;
    for (size_t out = 0; out < sizeof sizes / sizeof *sizes; out++)
        for (size_t in = 0; in < sizeof sizes / sizeof *sizes; in++) {
            memset(&plan, 0, sizeof plan);
            plan.most_out = sizes[out];
            plan.most_in = sizes[in];
            expect_both();
        }
}

/* What passes by itself costs no connection, whichever call it meets. */
static void not_now(void **state) {
    static const int errors[] = {EAGAIN, EINTR};
    (void)state;
    memset(&plan, 0, sizeof plan);
    plan.most_out = plan.most_in = 40;
    expect_both();
    unsigned sends = plan.sends, recvs = plan.recvs;
    assert_in_range(sends, 10, 100);
    assert_in_range(recvs, 5, 100);
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        plan.error = errors[e];
        for (plan.fail_send = 1; plan.fail_send <= sends; plan.fail_send++)
            expect_both();
        plan.fail_send = 0;
        for (plan.fail_recv = 1; plan.fail_recv <= recvs; plan.fail_recv++)
            expect_both();
        plan.fail_recv = 0;
    }
}

/* The kernel has no memory for a write just now. */
static void no_buffers(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    plan.error = ENOBUFS;
    for (plan.fail_send = 1; plan.fail_send <= 4; plan.fail_send++)
        expect_both();
}

static void expect_broken(void) {
    live l;
    serve(&l);
    assert_false(websocket(&l));
    assert_int_equal(closed[RT_EIO_TRANSPORT_ERROR], opened);
    assert_int_equal(plan.shutdowns, 0);
    live_end(&l);
}

/* Any other error ends the connection at once, and the session that stood on it. */
static void broken(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    plan.error = EPIPE;
    for (plan.fail_send = 1; plan.fail_send <= 2; plan.fail_send++)
        expect_broken();
    plan.fail_send = 0;
    plan.error = ECONNRESET;
    for (plan.fail_recv = 1; plan.fail_recv <= 2; plan.fail_recv++)
        expect_broken();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_at_a_time),
        cmocka_unit_test(not_now),
        cmocka_unit_test(no_buffers),
        cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
