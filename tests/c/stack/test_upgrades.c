/* Upgrades from polling to WebSocket, one after the other, while events flow to the session: each
 * completes, and no event is lost, doubled or out of order, whichever transport carries it.
 *
 * The events go to a room that a steady client is in as well, so that they are batched. They are
 * emitted, from none to four at a time, on both sides of the loop's waiting, so that one batch may
 * be open while requests are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stack/stack.h"

#if defined(__SANITIZE_ADDRESS__)
#define UPGRADES 2000 /* the sanitizers make each several times as slow */
#else
#define UPGRADES 10000
#endif
#define EVENTS 40       /* per upgrade at least, before it counts as done */
#define STEADY 97       /* every so many upgrades the steady client reads what it got */
#define LONELY 1000     /* in one of so many, no event comes while the client waits for its poll */
#define ROOM "\"room\"" /* as the app takes it from a "join" */

typedef struct world {
    stack w;
    live_client get, post, steady;
    rt_loop_hook before; /* the loop waits */
    uv_check_t after;
    bool flows;
    uint32_t random;
    unsigned emitted;     /* events since the start */
    unsigned steady_next; /* the next event the steady client must see */
} world;

typedef struct client {
    live_client ws;
    char sid[21];
    unsigned next; /* the next event it must see */
    bool polling;  /* a GET is under way */
    bool probed;   /* `3probe` has come */
    unsigned by_polling, by_websocket;
} client;

static unsigned dice(world *x, unsigned sides) {
    x->random = x->random * 1664525u + 1013904223u;
    return (x->random >> 16) % sides;
}

static void emit(world *x, unsigned n) {
    rt_sio_ns *ns = rt_sio_ns_find(x->w.io, RT_LIT("/"));
    while (n--) {
        char args[16];
        int len = snprintf(args, sizeof args, "%u", x->emitted++);
        rt_sio_emit_room(ns, RT_LIT(ROOM), RT_LIT("\"e\""), rt_slice_make(args, (size_t)len), NULL);
    }
}

static void flow(void *arg) {
    world *x = arg;
    if (x->flows && dice(x, 3) == 0)
        emit(x, dice(x, 5));
}

static void flow_after(uv_check_t *check) {
    flow(check->data);
}

static void flow_begin(world *x) {
    x->before.at_turn_end = flow;
    x->before.arg = x->after.data = x;
    rt_loop_add_hook(&x->w.l.loop, &x->before); /* the last one: what it emits waits for requests */
    uv_check_init(&x->w.l.loop.uv, &x->after);
    uv_check_start(&x->after, flow_after);
}

static void flow_end(world *x) {
    rt_loop_remove_hook(&x->w.l.loop, &x->before);
    uv_close((uv_handle_t *)&x->after, NULL);
}

/* A packet that is an event must be the next one. */
static bool take(unsigned *next, const char *packet) {
    unsigned number;
    if (sscanf(packet, "42[\"e\",%u]", &number) != 1)
        return false;
    if (number != *next)
        fail_msg("event %u came when %u was due", number, *next);
    ++*next;
    return true;
}

static void take_payload(client *c, char *payload) {
    for (char *packet = payload, *end; packet; packet = end) {
        end = strchr(packet, '\x1e');
        if (end)
            *end++ = '\0';
        if (take(&c->next, packet))
            c->by_polling++;
        else
            assert_string_equal(packet, "6");
    }
}

/* Looks once whether the poll has come back. */
static void look_at_poll(world *x, client *c) {
    static char body[65536];
    live_pump(&x->get);
    assert_int_equal(x->get.end, LIVE_OPEN);
    if (!c->polling || !live_answer_len(&x->get))
        return;
    assert_int_equal(live_answer(&x->w.l, &x->get, body, sizeof body), 200);
    c->polling = false;
    take_payload(c, body);
}

static void look_at_websocket(world *x, client *c) {
    live_pump(&c->ws);
    assert_int_equal(c->ws.end, LIVE_OPEN);
    while (live_has_frame(&c->ws, 0)) {
        const char *packet = live_next(&x->w.l, &c->ws);
        if (take(&c->next, packet)) {
            c->by_websocket++;
        } else {
            assert_string_equal(packet, "3probe");
            assert_false(c->probed);
            c->probed = true;
        }
    }
}

static void poll_again(world *x, client *c) {
    if (c->polling)
        return;
    live_poll(&x->w.l, &x->get, c->sid);
    c->polling = true;
}

/* Asks for the WebSocket and probes, all the time polling as before. */
static void probe(world *x, client *c) {
    char request[256];
    live_open(&x->w.l, &c->ws);
    snprintf(request, sizeof request, "GET " LIVE_WEBSOCKET "&sid=%s HTTP/1.1\r\n" LIVE_UPGRADE,
             c->sid);
    live_say(&x->w.l, &c->ws, request);
    while (!live_answer_len(&c->ws)) {
        live_turn(&x->w.l);
        look_at_poll(x, c);
        poll_again(x, c);
        live_pump(&c->ws);
        assert_int_equal(c->ws.end, LIVE_OPEN);
    }
    assert_int_equal(live_answer(&x->w.l, &c->ws, NULL, 0), 101);
    live_text(&x->w.l, &c->ws, "2probe");
    while (!c->probed) {
        live_turn(&x->w.l);
        look_at_poll(x, c);
        look_at_websocket(x, c);
        if (!c->probed && dice(x, 2))
            poll_again(x, c);
    }
}

/* As the official clients: the poll under way is waited for, then comes the switch. */
static void switch_over(world *x, client *c, bool lonely) {
    x->flows = !lonely;
    if (lonely)
        poll_again(x, c);
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; c->polling;) {
        if (lonely)
            live_rest(&x->w.l, x->get.fd, 10); /* nothing is sent: a NOOP must come */
        else
            live_turn(&x->w.l);
        look_at_poll(x, c);
        assert_true(rt_test_ms() < end);
    }
    emit(x, dice(x, 3)); /* wait in the queue, for the WebSocket to take */
    live_text(&x->w.l, &c->ws, "5");
    unsigned enough = x->emitted + EVENTS;
    x->flows = true;
    while (c->next < enough) {
        live_turn(&x->w.l);
        look_at_websocket(x, c);
    }
    x->flows = false;
    while (c->next < x->emitted) {
        live_turn(&x->w.l);
        look_at_websocket(x, c);
    }
}

static void join(world *x, client *c) {
    static const char packet[] = "42[\"join\"," ROOM "]";
    live_post(&x->w.l, &x->post, c->sid, packet, sizeof packet - 1);
    assert_int_equal(live_answer(&x->w.l, &x->post, NULL, 0), 200);
}

/* Takes the milliseconds from the probe until the events come by WebSocket. */
static uint64_t upgrade(world *x, unsigned number) {
    client c = {0};
    assert_true(stack_open_polling(&x->w, &x->get, &x->post, c.sid));
    join(x, &c);
    c.next = x->emitted;
    x->flows = true;
    for (unsigned polls = dice(x, 3); polls > 0; polls--) {
        poll_again(x, &c);
        emit(x, 1 + dice(x, 4));
        while (c.polling) {
            live_turn(&x->w.l);
            look_at_poll(x, &c);
        }
    }
    if (dice(x, 4))
        poll_again(x, &c);
    uint64_t start = rt_test_ms();
    probe(x, &c);
    switch_over(x, &c, number % LONELY == LONELY - 1);
    uint64_t took = rt_test_ms() - start;
    assert_true(c.by_websocket >= EVENTS);
    live_frame(&x->w.l, &c.ws, 0x88, "", 0);
    assert_string_equal(live_next(&x->w.l, &c.ws), "close");
    live_until_end(&x->w.l, &c.ws);
    live_close(&c.ws);
    return took;
}

static void read_steady(world *x) {
    while (x->steady_next < x->emitted) {
        const char *packet = live_next(&x->w.l, &x->steady);
        assert_non_null(packet);
        assert_true(take(&x->steady_next, packet));
    }
}

static void upgrades_lose_nothing(void **state) {
    (void)state;
    world x = {.random = 1};
    uint64_t slowest = 0;
    stack_init(&x.w, NULL);
    live_open(&x.w.l, &x.get);
    live_open(&x.w.l, &x.post);
    assert_true(stack_open(&x.w, &x.steady, ""));
    live_text(&x.w.l, &x.steady, "42[\"join\"," ROOM "]");
    stack_assert_well(&x.w, &x.steady);
    flow_begin(&x);
    for (unsigned i = 0; i < UPGRADES; i++) {
        uint64_t took = upgrade(&x, i);
        slowest = took > slowest ? took : slowest;
        if (i % STEADY == 0)
            read_steady(&x);
    }
    read_steady(&x);
    assert_int_equal(live_engine(&x.w.l, RT_EIO_UPGRADES), UPGRADES);
    assert_int_equal(live_engine(&x.w.l, RT_EIO_UPGRADES_FAILED), 0);
    assert_int_equal(live_eio(&x.w.l).sessions, 1);
    assert_true(stack_count(&x.w, RT_SIO_BATCHED) > UPGRADES);
    print_message("%u upgrades, %u events; the slowest took %llu ms\n", UPGRADES, x.emitted,
                  (unsigned long long)slowest);
    flow_end(&x);
    live_close(&x.get);
    live_close(&x.post);
    live_close(&x.steady);
    stack_end(&x.w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upgrades_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
