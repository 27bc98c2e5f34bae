/* net, engineio and socketio in one, on a loopback port (support/live.h), with a small app:
 *
 *   namespaces  `/` and `/custom` are let in, others refused with "Invalid namespace"
 *   "join"      joins the room that is the argument
 *   any other   comes back as it is; acknowledged with its own arguments when that is wanted
 *
 *     stack w;
 *     stack_init(&w, NULL);
 *     live_client c;
 *     stack_open(&w, &c, "");             a WebSocket that is in `/`
 *     live_text(&w.l, &c, "42[\"a\"]");
 *     live_next(&w.l, &c)                 "42[\"a\"]"
 *     live_close(&c);
 *     stack_end(&w);
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_STACK_H
#define RT_TESTS_STACK_H

#include "socketio/socketio.h"
#include "support/live.h"

typedef struct stack_opts {
    live_opts live;
    rt_sio_opts sio;
} stack_opts;

typedef struct stack {
    live l;
    rt_sio *io;
    rt_sio_socket *socket; /* the last one that asked, while it is there */
    bool hold;             /* on_connect leaves the answer to the test */
    unsigned connects, disconnects, events;
    enum rt_eio_reason reason; /* of the last disconnect */
} stack;

static inline void stack_on_connect(void *ctx, rt_sio_socket *s, rt_slice auth) {
    stack *w = ctx;
    (void)auth;
    rt_slice ns = rt_sio_socket_ns_name(s);
    if (!rt_slice_eq(ns, RT_LIT("/")) && !rt_slice_eq(ns, RT_LIT("/custom"))) {
        rt_sio_refuse(s, RT_LIT("Invalid namespace"));
        return;
    }
    w->connects++;
    w->socket = s;
    if (!w->hold)
        rt_sio_accept(s);
}

static inline void stack_on_event(void *ctx, rt_sio_socket *s, const rt_sio_event *ev) {
    stack *w = ctx;
    w->events++;
    if (rt_slice_eq(ev->name, RT_LIT("\"join\"")))
        rt_status_ignore(rt_sio_join(s, ev->args)); /* tests come here with too much of all */
    else
        rt_status_ignore(
            rt_sio_emit_binary(s, ev->name, ev->args, ev->attachments, ev->attachment_count));
    if (ev->wants_ack)
        rt_status_ignore(
            rt_sio_ack_binary(s, ev->ack_id, ev->args, ev->attachments, ev->attachment_count));
}

static inline void stack_on_disconnect(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    stack *w = ctx;
    w->disconnects++;
    w->reason = reason;
    if (w->socket == s)
        w->socket = NULL;
}

static inline void stack_reap(void *io) {
    rt_sio_reap(io);
}

/* Heartbeats are off: a test that wants them sets their times. One address may shake hands as often
 * as may be configured: all clients are of one. */
static inline void stack_opts_default(stack_opts *o) {
    live_opts_default(&o->live);
    rt_sio_opts_default(&o->sio);
    o->live.eio.ping_interval_ms = 1000000000;
    o->live.eio.handshakes_per_second = 10000;
}

static inline void stack_init(stack *w, const stack_opts *opts) {
    stack_opts defaults;
    stack_opts_default(&defaults);
    if (!opts)
        opts = &defaults;
    memset(w, 0, sizeof *w);
    live_begin(&w->l);
    rt_sio_app app = {.ctx = w,
                      .on_connect = stack_on_connect,
                      .on_event = stack_on_event,
                      .on_disconnect = stack_on_disconnect};
    w->io = rt_sio_new(&opts->sio, &app, &w->l.loop.timers, rt_loop_now, &w->l.loop);
    assert_non_null(w->io);
    w->l.reap_app = stack_reap;
    w->l.reap_arg = w->io;
    rt_eio_app engine = rt_sio_engine_app(w->io);
    live_serve(&w->l, &opts->live, &engine);
}

static inline void stack_end(stack *w) {
    live_end(&w->l);
    rt_sio_free(w->io);
}

static inline rt_sio_figures stack_figures(const stack *w) {
    rt_sio_figures f;
    rt_sio_get_figures(w->io, &f);
    return f;
}

static inline uint64_t stack_count(const stack *w, int counter) {
    return stack_figures(w).counters.v[counter];
}

/* A WebSocket that is in the namespace ("" for `/`). False: a step was refused. */
static inline bool stack_open(stack *w, live_client *c, const char *ns) {
    char packet[64];
    if (!live_websocket(&w->l, c, NULL) || !live_next(&w->l, c))
        return false;
    snprintf(packet, sizeof packet, "40%s%s", ns, *ns ? "," : "");
    live_text(&w->l, c, packet);
    const char *answer = live_next(&w->l, c);
    return answer && strncmp(answer, "40", 2) == 0;
}

/* A polling session that is in `/`; `get` and `post` are open connections. */
static inline bool stack_open_polling(stack *w, live_client *get, live_client *post, char *sid) {
    char body[200];
    if (!live_handshake(&w->l, get, sid))
        return false;
    live_post(&w->l, post, sid, "40", 2);
    if (live_answer(&w->l, post, body, sizeof body) != 200)
        return false;
    live_poll(&w->l, get, sid);
    return live_answer(&w->l, get, body, sizeof body) == 200 && strncmp(body, "40{", 3) == 0;
}

/* A client that nothing bad may reach: it says something and hears it back, and nothing else. */
static inline void stack_assert_well(stack *w, live_client *c) {
    static unsigned number;
    char packet[64];
    snprintf(packet, sizeof packet, "42[\"well\",%u]", ++number);
    live_text(&w->l, c, packet);
    const char *answer = live_next(&w->l, c);
    assert_non_null(answer);
    assert_string_equal(answer, packet);
    assert_int_equal(c->n, 0);
}

#endif
