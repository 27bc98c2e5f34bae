/* What one address may have: handshakes a second, sessions that are not let in, connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

#define PER_SECOND 5
#define BURST (10 * PER_SECOND)
#define BUT_ONE_CONNECTION "\xff\x01"

static void begin(fake *f, uint32_t max_newcomers, uint32_t max_peers) {
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.handshakes_per_second = PER_SECOND;
    opts.max_newcomers = max_newcomers;
    opts.max_peers = max_peers;
    opts.max_connections_per_peer = 2;
    fake_init(f, &opts);
}

static bool gets_in(fake *f, const char *from) {
    fake_conn *c = fake_open_from(f, from);
    fake_get(c, FAKE_POLLING);
    const char *answer = fake_sent(c);
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0)
        return true;
    assert_int_equal(strncmp(answer, "HTTP/1.1 429 Too Many Requests\r\n", 32), 0);
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    return false;
}

static unsigned how_many(fake *f, const char *from) {
    unsigned n = 0;
    while (gets_in(f, from))
        n++;
    return n;
}

static uint64_t counted(const fake *f, int counter) {
    return fake_figures(f).counters.v[counter];
}

static void a_burst_then_so_many_a_second(void **state) {
    (void)state;
    fake f;
    begin(&f, RT_EIO_NEWCOMERS_MAX, RT_EIO_PEERS_MAX);
    assert_int_equal(how_many(&f, "a1"), BURST);
    assert_int_equal(counted(&f, RT_EIO_REFUSED_OFTEN), 1);
    assert_true(gets_in(&f, "a2")); /* somebody else */
    fake_pass(&f, 1000);
    assert_int_equal(how_many(&f, "a1"), PER_SECOND);
    fake_pass(&f, 20000); /* no more than a burst is saved up */
    assert_int_equal(how_many(&f, "a1"), BURST);
    assert_int_equal(fake_figures(&f).peers, 2);
    fake_fini(&f);
}

static void websockets_pay_too(void **state) {
    (void)state;
    fake f;
    begin(&f, RT_EIO_NEWCOMERS_MAX, RT_EIO_PEERS_MAX);
    assert_int_equal(how_many(&f, "a1"), BURST);
    fake_conn *c = fake_open_from(&f, "a1");
    fake_request(c, "GET " FAKE_WEBSOCKET " HTTP/1.1\r\n" FAKE_UPGRADE);
    assert_int_equal(c->closed, 1);
    assert_true(c->flushed);
    assert_int_equal(counted(&f, RT_EIO_REFUSED_OFTEN), 2);
    fake_fini(&f);
}

/* Behind a proxy that tells no addresses: a tenth for each connection, after a first one. */
static void a_connection_as_such(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.handshakes_per_second = 10 * PER_SECOND;
    fake_init(&f, &opts);
    fake_conn *c = fake_open_from(&f, BUT_ONE_CONNECTION), *other = fake_open_from(&f, "\xff\x02");
    for (int i = 0; i <= BURST; i++) {
        fake_get(c, FAKE_POLLING);
        assert_non_null(fake_body(c, "200"));
    }
    assert_int_equal(fake_figures(&f).peers, 1);
    fake_get(c, FAKE_POLLING);
    assert_non_null(fake_body(c, "429"));
    fake_get(other, FAKE_POLLING);
    assert_non_null(fake_body(other, "200"));
    assert_int_equal(fake_figures(&f).peers, 1);
    fake_fini(&f);
}

/* One address takes a fifth of what all may have: its own silent ones make room, those that wait
 * for their login do not. */
static void a_part_of_the_newcomers(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    begin(&f, 20, RT_EIO_PEERS_MAX);
    assert_true(gets_in(&f, "b1"));
    for (int i = 0; i < 10; i++)
        assert_true(gets_in(&f, "a1"));
    assert_int_equal(fake_figures(&f).newcomers, 1 + 20 / RT_EIO_NEWCOMERS_PART);
    assert_int_equal(fake_figures(&f).closed[RT_EIO_CROWDED_OUT], 6);
    for (int i = 0; i < 4; i++) {
        assert_true(gets_in(&f, "a1"));
        memcpy(sid, rt_eio_sid(f.session).p, RT_ID_LEN);
        sid[RT_ID_LEN] = '\0';
        fake_post(fake_open(&f), sid, "4hello");
    }
    assert_false(gets_in(&f, "a1"));
    assert_int_equal(counted(&f, RT_EIO_REFUSED_NEWCOMERS), 1);
    rt_eio_drop_handshake(f.session); /* one is let in */
    assert_true(gets_in(&f, "a1"));
    fake_fini(&f);
}

static void addresses_are_forgotten(void **state) {
    (void)state;
    fake f;
    begin(&f, RT_EIO_NEWCOMERS_MAX, RT_EIO_PEERS_MAX);
    assert_true(gets_in(&f, "a1"));
    assert_true(gets_in(&f, "a2"));
    rt_eio_drop_handshake(f.session);
    fake_pass(&f, 9999);
    assert_int_equal(fake_figures(&f).peers, 2);
    fake_pass(&f, 1);
    assert_int_equal(fake_figures(&f).peers, 1); /* a1 has a newcomer */
    fake_pass(&f, 200000);                       /* which times out */
    fake_pass(&f, 200000);
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_pass(&f, 10000);
    assert_int_equal(fake_figures(&f).peers, 0);
    fake_fini(&f);
}

static void too_many_addresses(void **state) {
    (void)state;
    fake f;
    begin(&f, RT_EIO_NEWCOMERS_MAX, 2);
    assert_true(gets_in(&f, "a1"));
    rt_eio_drop_handshake(f.session);
    assert_true(gets_in(&f, "a2"));
    assert_true(gets_in(&f, "a3")); /* a1, which is idle, makes room */
    assert_int_equal(counted(&f, RT_EIO_PEERS_OVER_MAX), 0);
    assert_true(gets_in(&f, "a4")); /* nobody does */
    assert_int_equal(counted(&f, RT_EIO_PEERS_OVER_MAX), 1);
    assert_int_equal(fake_figures(&f).peers, 2);
    assert_int_equal(fake_figures(&f).newcomers, 3);
    fake_fini(&f);
}

static void connections_of_one_address(void **state) {
    (void)state;
    static const char a[RT_EIO_ADDRESS_LEN] = "a", b[RT_EIO_ADDRESS_LEN] = "b";
    fake f;
    rt_eio_peer *peer[2], *other, *none;
    begin(&f, RT_EIO_NEWCOMERS_MAX, 2);
    assert_int_equal(rt_eio_connected(f.eio, a, &peer[0]), RT_OK);
    assert_int_equal(rt_eio_connected(f.eio, a, &peer[1]), RT_OK);
    assert_ptr_equal(peer[0], peer[1]);
    assert_int_equal(rt_eio_connected(f.eio, a, &none), RT_ELIMIT);
    assert_int_equal(counted(&f, RT_EIO_REFUSED_CONNECTIONS), 1);
    assert_int_equal(rt_eio_connected(f.eio, b, &other), RT_OK);
    rt_eio_disconnected(f.eio, peer[0]);
    assert_int_equal(rt_eio_connected(f.eio, a, &peer[0]), RT_OK);
    assert_int_equal(rt_eio_connected(f.eio, "c23456789012345", &none), RT_OK);
    assert_null(none); /* the table is full: nobody is charged */
    rt_eio_disconnected(f.eio, none);
    rt_eio_set_peers(f.eio, PER_SECOND, 3);
    assert_int_equal(rt_eio_connected(f.eio, a, &none), RT_OK);
    for (int i = 0; i < 2; i++)
        rt_eio_disconnected(f.eio, peer[i]);
    rt_eio_disconnected(f.eio, none);
    rt_eio_disconnected(f.eio, other);
    fake_pass(&f, 10000);
    assert_int_equal(fake_figures(&f).peers, 0);
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_burst_then_so_many_a_second, leaks),
        cmocka_unit_test_teardown(websockets_pay_too, leaks),
        cmocka_unit_test_teardown(a_connection_as_such, leaks),
        cmocka_unit_test_teardown(a_part_of_the_newcomers, leaks),
        cmocka_unit_test_teardown(addresses_are_forgotten, leaks),
        cmocka_unit_test_teardown(too_many_addresses, leaks),
        cmocka_unit_test_teardown(connections_of_one_address, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
