/* Connections and handshakes of one address, on real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "net/charges.h"
#include "support/live.h"

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

/* `trusted`: loopback is that of a proxy. */
static void begin(live *l, bool trusted) {
    static const rt_eio_app app = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    live_opts opts;
    live_opts_default(&opts);
    if (!trusted)
        opts.front.proxies.count = 0;
    opts.eio.max_connections_per_peer = 3;
    opts.eio.handshakes_per_second = 1;
    live_begin(l);
    live_serve(l, &opts, &app);
}

/* Status of the answer to a handshake. */
static int shake(live *l, live_client *c, const char *line) {
    char text[300];
    snprintf(text, sizeof text, "GET " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\n%s\r\n", line);
    live_say(l, c, text);
    return live_answer(l, c, NULL, 0);
}

static void connections(void **state) {
    (void)state;
    live l;
    live_client c[3], more;
    begin(&l, false);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            live_open(&l, &c[i]);
            live_say(&l, &c[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_int_equal(live_answer(&l, &c[i], NULL, 0), 404);
        }
        live_open(&l, &more);
        live_until_end(&l, &more);
        live_close(&more);
        assert_int_equal(live_engine(&l, RT_EIO_REFUSED_CONNECTIONS), round + 1);
        for (int i = 0; i < 3; i++)
            live_close(&c[i]);
        live_until_connections(&l, 0);
    }
    live_end(&l);
}

static void connections_of_a_proxy(void **state) {
    (void)state;
    live l;
    live_client c[6];
    begin(&l, true);
    for (int i = 0; i < 6; i++) {
        live_open(&l, &c[i]);
        live_say(&l, &c[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(live_answer(&l, &c[i], NULL, 0), 404);
    }
    assert_int_equal(live_eio(&l).peers, 0);
    for (int i = 0; i < 6; i++)
        live_close(&c[i]);
    live_end(&l);
}

static void handshakes_of_an_address(void **state) {
    (void)state;
    live l;
    live_client c;
    begin(&l, false);
    live_open(&l, &c);
    /* nobody is trusted: what it says of itself is not heard */
    for (int i = 0; i < 10; i++)
        assert_int_equal(shake(&l, &c, "X-Forwarded-For: 203.0.113.1\r\n"), 200);
    assert_int_equal(shake(&l, &c, "X-Forwarded-For: 203.0.113.2\r\n"), 429);
    live_close(&c);
    live_end(&l);
}

static void handshakes_through_a_proxy(void **state) {
    (void)state;
    live l;
    live_client c;
    begin(&l, true);
    live_open(&l, &c);
    for (int i = 0; i < 10; i++)
        assert_int_equal(shake(&l, &c, "X-Forwarded-For: 203.0.113.1\r\n"), 200);
    assert_int_equal(shake(&l, &c, "X-Forwarded-For: 203.0.113.1\r\n"), 429);
    assert_int_equal(shake(&l, &c, "X-Forwarded-For: 203.0.113.2\r\n"), 200);
    assert_int_equal(shake(&l, &c, "X-Forwarded-For: 2001:db8:1:2::3\r\n"), 200);
    assert_int_equal(shake(&l, &c, "X-Forwarded-For: 2001:db8:1:2:ffff::4\r\n"), 200);
    assert_int_equal(live_eio(&l).peers, 3);
    live_close(&c);
    live_end(&l);
}

/* Without memory nobody is charged, and nothing is lost. */
static void no_memory(void **state) {
    (void)state;
    static const char address[RT_EIO_ADDRESS_LEN] = "a";
    live l;
    begin(&l, true);
    for (unsigned n = 1; n < 10; n++) {
        rt_charges charges = {0};
        rt_alloc_fail_at(n);
        assert_int_equal(rt_charges_add(&charges, l.eio, 1000, address), RT_OK);
        rt_alloc_fail_at(0);
        rt_charges_drop(&charges, l.eio, 1000);
        rt_charges_drop(&charges, l.eio, 5000);
        rt_charges_fini(&charges);
    }
    live_end(&l);
}

static long kept; /* blocks that the process keeps after its first server: the table of fds.c */

static int first_server(void **state) {
    live l;
    (void)state;
    begin(&l, true);
    live_end(&l);
    kept = rt_alloc_live();
    return 0;
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != kept;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(connections, leaks),
        cmocka_unit_test_teardown(connections_of_a_proxy, leaks),
        cmocka_unit_test_teardown(handshakes_of_an_address, leaks),
        cmocka_unit_test_teardown(handshakes_through_a_proxy, leaks),
        cmocka_unit_test_teardown(no_memory, leaks),
    };
    return cmocka_run_group_tests(tests, first_server, NULL);
}
