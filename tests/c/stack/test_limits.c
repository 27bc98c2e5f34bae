/* The named limits of engineio and socketio, each reached over a real socket and counted; what is
 * just within goes through. (Those of net are in net/test_conn.c, those that bad input reaches in
 * test_bad_input.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stack/stack.h"

#define SHORT_MS 80 /* a deadline under test, */
#define LONG_MS 500 /* and one that must not pass before the test is where it wants to be */

static void assert_closed(stack *w, live_client *c) {
    const char *text;
    do
        text = live_next(&w->l, c);
    while (text && strcmp(text, "close") != 0);
    live_until_end(&w->l, c);
    assert_non_null(text);
    live_close(c);
}

/* --- socketio --- */

static void namespaces_per_client(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client c;
    stack_opts_default(&opts);
    opts.sio.max_sockets_per_client = 1;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &c, ""));
    live_text(&w.l, &c, "40/nowhere,"); /* one more, though it would be refused */
    assert_closed(&w, &c);
    assert_int_equal(stack_count(&w, RT_SIO_NAMESPACES_OVER_MAX), 1);
    stack_end(&w);
}

static void namespace_name(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        stack w;
        live_client c;
        char packet[RT_SIO_NAMESPACE_MAX + 10];
        stack_init(&w, NULL);
        assert_true(stack_open(&w, &c, ""));
        memset(packet, 'n', sizeof packet);
        memcpy(packet, "40/", 3);
        size_t n = 2 + RT_SIO_NAMESPACE_MAX + over;
        packet[n] = ',';
        live_frame(&w.l, &c, 0x81, packet, n + 1);
        if (over)
            assert_closed(&w, &c);
        else
            assert_int_equal(strncmp(live_next(&w.l, &c), "44/nnn", 6), 0);
        assert_int_equal(stack_count(&w, RT_SIO_NAMESPACES_OVER_MAX), over);
        assert_int_equal(stack_figures(&w).namespaces, over ? 0 : 1);
        if (!over)
            live_close(&c);
        stack_end(&w);
    }
}

#define TEN "[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":9}]"

static void attachments_in_and_out(void **state) {
    (void)state;
    stack w;
    live_client c;
    rt_slice attachments[RT_SIO_ATTACHMENTS_MAX + 1];
    stack_init(&w, NULL);
    assert_true(stack_open(&w, &c, ""));
    live_text(&w.l, &c, "4510-" TEN);
    for (int i = 0; i < RT_SIO_ATTACHMENTS_MAX; i++)
        live_frame(&w.l, &c, 0x82, "abcdefghij", (size_t)i);
    assert_string_equal(live_next(&w.l, &c), "4510-" TEN);
    for (size_t i = 0; i < RT_SIO_ATTACHMENTS_MAX; i++) {
        char text[20];
        snprintf(text, sizeof text, "<%zu bytes>", i);
        assert_string_equal(live_next(&w.l, &c), text);
    }
    for (size_t i = 0; i < RT_SIO_ATTACHMENTS_MAX + 1; i++)
        attachments[i] = RT_LIT("a");
    unsigned over = RT_SIO_ATTACHMENTS_MAX + 1;
    assert_int_equal(rt_sio_emit_binary(w.socket, RT_LIT("\"x\""), RT_EMPTY, attachments, over),
                     RT_ELIMIT);
    assert_int_equal(rt_sio_ack_binary(w.socket, 1, RT_EMPTY, attachments, over), RT_ELIMIT);
    assert_int_equal(stack_count(&w, RT_SIO_ATTACHMENTS_OVER_MAX), 2);
    stack_assert_well(&w, &c);
    live_close(&c);
    stack_end(&w);
}

static void binary_bytes(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        stack w;
        stack_opts opts;
        live_client c;
        stack_opts_default(&opts);
        opts.sio.max_binary_bytes = 6;
        stack_init(&w, &opts);
        assert_true(stack_open(&w, &c, ""));
        live_text(&w.l, &c, "452-[\"x\"]");
        live_frame(&w.l, &c, 0x82, "abc", 3);
        live_frame(&w.l, &c, 0x82, "defg", 3 + over);
        if (over) {
            assert_closed(&w, &c);
        } else {
            assert_string_equal(live_next(&w.l, &c), "452-[\"x\"]");
            live_close(&c);
        }
        assert_int_equal(stack_count(&w, RT_SIO_BINARY_OVER_MAX), over);
        stack_end(&w);
    }
}

static unsigned acked[3]; /* answered, timed out, gone */

static void on_ack(void *arg, int status, const rt_sio_event *answer) {
    (void)arg;
    (void)answer;
    acked[status == RT_OK ? 0 : status == RT_AGAIN ? 1 : 2]++;
}

static int ask(stack *w) {
    return rt_sio_emit_ack(w->socket, RT_LIT("\"q\""), RT_EMPTY, on_ack, NULL);
}

static void pending_acks(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client c;
    memset(acked, 0, sizeof acked);
    stack_opts_default(&opts);
    opts.sio.ack_timeout_ms = LONG_MS;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &c, ""));
    for (int i = 0; i < RT_SIO_ACKS_PER_SOCKET_MAX; i++)
        assert_int_equal(ask(&w), RT_OK);
    assert_int_equal(ask(&w), RT_ELIMIT);
    assert_int_equal(stack_count(&w, RT_SIO_ACKS_OVER_MAX), 1);
    for (int i = 0; i < RT_SIO_ACKS_PER_SOCKET_MAX; i++)
        live_next(&w.l, &c);
    live_text(&w.l, &c, "430[]");
    stack_assert_well(&w, &c);
    assert_int_equal(acked[0], 1);
    assert_int_equal(ask(&w), RT_OK); /* there is room for one */
    assert_string_equal(live_next(&w.l, &c), "42100[\"q\"]");
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; acked[1] < RT_SIO_ACKS_PER_SOCKET_MAX;) {
        live_rest(&w.l, -1, 10);
        assert_true(rt_test_ms() < end);
    }
    assert_int_equal(stack_count(&w, RT_SIO_ACKS_TIMED_OUT), RT_SIO_ACKS_PER_SOCKET_MAX);
    stack_assert_well(&w, &c);
    live_close(&c);
    stack_end(&w);
    assert_int_equal(acked[2], 0);
}

static void rooms_per_socket(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client c;
    stack_opts_default(&opts);
    opts.sio.max_rooms_per_socket = 2;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &c, ""));
    for (int i = 0; i < 3; i++) {
        char packet[40];
        snprintf(packet, sizeof packet, "42[\"join\",\"room %d\"]", i);
        live_text(&w.l, &c, packet);
    }
    stack_assert_well(&w, &c);
    assert_int_equal(stack_count(&w, RT_SIO_ROOMS_OVER_MAX), 1);
    assert_int_equal(stack_figures(&w).rooms, 2);
    live_close(&c);
    stack_end(&w);
}

/* Neither a client that asks for nothing nor one that is refused may stay. */
static void connect_timeout(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client in, silent, refused;
    stack_opts_default(&opts);
    opts.sio.connect_timeout_ms = LONG_MS;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &in, ""));
    assert_true(live_websocket(&w.l, &silent, NULL));
    assert_true(live_websocket(&w.l, &refused, NULL));
    live_text(&w.l, &refused, "40/nowhere,");
    assert_closed(&w, &silent);
    assert_closed(&w, &refused);
    assert_int_equal(stack_count(&w, RT_SIO_CONNECT_TIMEOUTS), 2);
    stack_assert_well(&w, &in);
    live_close(&in);
    stack_end(&w);
}

/* --- engineio --- */

static void sessions_max(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client in, poll, out;
    stack_opts_default(&opts);
    opts.live.eio.max_sessions = 1;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &in, ""));
    live_open(&w.l, &poll);
    live_get(&w.l, &poll, LIVE_POLLING);
    assert_int_equal(live_answer(&w.l, &poll, NULL, 0), 503);
    assert_true(live_websocket(&w.l, &out, NULL));
    assert_string_equal(live_next(&w.l, &out), "close 1013");
    live_until_end(&w.l, &out);
    assert_int_equal(live_engine(&w.l, RT_EIO_REFUSED_FULL), 2);
    stack_assert_well(&w, &in);
    live_close(&in);
    live_close(&out);
    live_until_connections(&w.l, 1);
    live_get(&w.l, &poll, LIVE_POLLING);
    assert_int_equal(live_answer(&w.l, &poll, NULL, 0), 200);
    live_close(&poll);
    stack_end(&w);
}

/* A polling client that does not come for what waits. */
static void owed_to_a_polling_client(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client get, post;
    char sid[21];
    stack_opts_default(&opts);
    opts.live.eio.max_owed = 1000;
    stack_init(&w, &opts);
    live_open(&w.l, &get);
    live_open(&w.l, &post);
    assert_true(stack_open_polling(&w, &get, &post, sid));
    for (int i = 0; i < 1000 && w.socket; i++) {
        rt_sio_emit(w.socket, RT_LIT("\"e\""), RT_LIT("\"0123456789\""));
        live_turn(&w.l);
        assert_true(i < 100);
    }
    assert_int_equal(live_eio(&w.l).closed[RT_EIO_SLOW_CLIENT], 1);
    live_poll(&w.l, &get, sid);
    assert_int_equal(live_answer(&w.l, &get, NULL, 0), 400);
    live_close(&get);
    live_close(&post);
    stack_end(&w);
}

static void upgrade_timeout(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client get, post, silent, probe;
    char sid[21], body[100];
    stack_opts_default(&opts);
    opts.live.eio.upgrade_timeout_ms = SHORT_MS;
    stack_init(&w, &opts);
    live_open(&w.l, &get);
    live_open(&w.l, &post);
    assert_true(stack_open_polling(&w, &get, &post, sid));
    assert_true(live_websocket(&w.l, &silent, sid));
    assert_closed(&w, &silent);
    assert_true(live_websocket(&w.l, &probe, sid));
    live_text(&w.l, &probe, "2probe");
    assert_closed(&w, &probe);
    assert_int_equal(live_engine(&w.l, RT_EIO_UPGRADES_FAILED), 2);
    live_post(&w.l, &post, sid, "42[\"on\"]", 8);
    assert_int_equal(live_answer(&w.l, &post, body, sizeof body), 200);
    live_poll(&w.l, &get, sid);
    assert_int_equal(live_answer(&w.l, &get, body, sizeof body), 200);
    assert_string_equal(body, "42[\"on\"]");
    live_close(&get);
    live_close(&post);
    stack_end(&w);
}

static void drain_timeout(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client get, post;
    char sid[21];
    stack_opts_default(&opts);
    opts.live.eio.drain_ms = SHORT_MS;
    stack_init(&w, &opts);
    live_open(&w.l, &get);
    live_open(&w.l, &post);
    assert_true(stack_open_polling(&w, &get, &post, sid));
    rt_sio_drop_client(w.socket, RT_EIO_FORCED_CLOSE);
    assert_int_equal(live_eio(&w.l).sessions, 1);
    while (live_eio(&w.l).sessions > 0)
        live_rest(&w.l, -1, 10);
    assert_int_equal(live_engine(&w.l, RT_EIO_DRAINS_TIMED_OUT), 1);
    live_close(&get);
    live_close(&post);
    stack_end(&w);
}

static void ping_timeout(void **state) {
    (void)state;
    stack w;
    stack_opts opts;
    live_client c, get, post;
    char sid[21], body[20];
    stack_opts_default(&opts);
    opts.live.eio.ping_interval_ms = LONG_MS;
    opts.live.eio.ping_timeout_ms = LONG_MS;
    stack_init(&w, &opts);
    live_open(&w.l, &get);
    live_open(&w.l, &post);
    assert_true(stack_open_polling(&w, &get, &post, sid));
    assert_true(stack_open(&w, &c, ""));
    live_poll(&w.l, &get, sid);
    assert_int_equal(live_answer(&w.l, &get, body, sizeof body), 200);
    assert_string_equal(body, "2");
    assert_string_equal(live_next(&w.l, &c), "2");
    live_text(&w.l, &c, "3"); /* answers once, the polling client never */
    live_poll(&w.l, &get, sid);
    assert_int_equal(live_answer(&w.l, &get, body, sizeof body), 200);
    assert_string_equal(body, "1");
    assert_int_equal(live_eio(&w.l).closed[RT_EIO_PING_TIMEOUT], 1);
    assert_string_equal(live_next(&w.l, &c), "2");
    assert_closed(&w, &c);
    assert_int_equal(live_eio(&w.l).closed[RT_EIO_PING_TIMEOUT], 2);
    live_close(&get);
    live_close(&post);
    stack_end(&w);
}

/* Refusals are answers, too: the packets of a POST wait until those to others are fetched. */
static void answers_to_a_post(void **state) {
    (void)state;
    enum { PACKETS = 3000 };
    stack w;
    live_client get, post, witness;
    char sid[21];
    static char packets[PACKETS * 12], answer[4 * RT_EIO_ANSWERS_MAX];
    size_t n = 0, refusals = 0;
    stack_init(&w, NULL);
    assert_true(stack_open(&w, &witness, ""));
    live_open(&w.l, &get);
    live_open(&w.l, &post);
    assert_true(stack_open_polling(&w, &get, &post, sid));
    for (int i = 0; i < PACKETS; i++)
        n += (size_t)snprintf(packets + n, sizeof packets - n, "%s40/no%d,", i ? "\x1e" : "",
                              i % 10);
    live_post(&w.l, &post, sid, packets, n);
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; refusals < PACKETS;) {
        while (live_engine(&w.l, RT_EIO_POSTS_PAUSED) == 0 && rt_test_ms() < end)
            live_rest(&w.l, -1, 10);
        stack_assert_well(&w, &witness);
        live_poll(&w.l, &get, sid);
        assert_int_equal(live_answer(&w.l, &get, answer, sizeof answer), 200);
        assert_true(strlen(answer) < 2 * RT_EIO_ANSWERS_MAX);
        for (const char *at = answer; (at = strstr(at, "44/no")); at++)
            refusals++;
    }
    assert_int_equal(refusals, PACKETS);
    assert_int_equal(live_answer(&w.l, &post, NULL, 0), 200);
    assert_true(live_engine(&w.l, RT_EIO_POSTS_PAUSED) > 0);
    live_close(&get);
    live_close(&post);
    live_close(&witness);
    stack_end(&w);
}

/* Packets over the rate wait at the server, then in the kernel; all are done in the end. */
static void packets_per_second(void **state) {
    (void)state;
    enum { RATE = 500, PACKETS = 2 * RATE * RT_EIO_BURST_S };
    stack w;
    stack_opts opts;
    live_client c, witness;
    stack_opts_default(&opts);
    opts.live.eio.packets_per_second = RATE;
    stack_init(&w, &opts);
    assert_true(stack_open(&w, &witness, ""));
    assert_true(stack_open(&w, &c, ""));
    for (int i = 0; i < PACKETS; i++) {
        live_text(&w.l, &c, "42[\"on\"]");
        if (i % 50 == 0) {
            live_turn(&w.l);
            live_pump(&c);
        }
    }
    stack_assert_well(&w, &witness);
    assert_true(w.events < PACKETS);
    assert_true(live_engine(&w.l, RT_EIO_PACED) > 0);
    for (int i = 0; i < PACKETS; i++)
        assert_string_equal(live_next(&w.l, &c), "42[\"on\"]");
    live_close(&c);
    live_close(&witness);
    stack_end(&w);
}

/* What a client has sent before it closes is done, however many turns it takes; others have theirs
 * between. */
static void packets_of_one_websocket(void **state) {
    (void)state;
    enum { PACKETS = 2000 };
    stack w;
    live_client c, witness;
    unsigned char *frames = malloc((size_t)PACKETS * 32), *at = frames;
    assert_non_null(frames);
    stack_init(&w, NULL);
    assert_true(stack_open(&w, &witness, ""));
    assert_true(stack_open(&w, &c, ""));
    for (int i = 0; i < PACKETS; i++)
        at += live_put_frame(at, 0x81, "42[\"on\"]", 8);
    live_send(&w.l, &c, frames, (size_t)(at - frames));
    shutdown(c.fd, SHUT_WR);
    stack_assert_well(&w, &witness);
    assert_true(w.events < PACKETS);
    live_until_end(&w.l, &c);
    assert_int_equal(w.events, PACKETS + 1);
    assert_true(live_engine(&w.l, RT_EIO_SLICED) >= PACKETS / RT_EIO_SLICE_PACKETS_MAX - 1);
    free(frames);
    live_close(&c);
    live_close(&witness);
    stack_end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces_per_client),
        cmocka_unit_test(namespace_name),
        cmocka_unit_test(attachments_in_and_out),
        cmocka_unit_test(binary_bytes),
        cmocka_unit_test(pending_acks),
        cmocka_unit_test(rooms_per_socket),
        cmocka_unit_test(connect_timeout),
        cmocka_unit_test(sessions_max),
        cmocka_unit_test(owed_to_a_polling_client),
        cmocka_unit_test(upgrade_timeout),
        cmocka_unit_test(drain_timeout),
        cmocka_unit_test(ping_timeout),
        cmocka_unit_test(packets_per_second),
        cmocka_unit_test(answers_to_a_post),
        cmocka_unit_test(packets_of_one_websocket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
