/* The whole of socketio on a real engineio, its connections made of memory (engineio/fake_port.h).
 *
 *     fake_io w;
 *     fake_io_init(&w, NULL);
 *     fake_conn *c = fake_io_open(&w);    a WebSocket, without a namespace
 *     fake_io_say(c, "0/a,");             a Socket.IO packet
 *     fake_frames(c)                      what came, the Engine.IO `4` included
 *     fake_io_log(&w)                     what the app heard
 *     fake_io_fini(&w);
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_SOCKETIO_FAKE_IO_H
#define RT_TESTS_SOCKETIO_FAKE_IO_H

#include "engineio/fake_port.h"
#include "socketio/socketio.h"

typedef struct fake_io {
    fake f; /* its app is socketio */
    rt_sio *io;
    rt_sio_socket *socket; /* the last that asked */
    bool hold;             /* on_connect leaves the answer to the test */
    bool ack;              /* events that want it are acknowledged with their own arguments */
} fake_io;

static inline void fake_io_connect(void *ctx, rt_sio_socket *s, rt_slice auth) {
    fake_io *w = ctx;
    w->socket = s;
    fake_note(&w->f, "connect ", rt_sio_socket_ns_name(s));
    rt_buf_puts(&w->f.log, auth);
    if (!w->hold)
        rt_sio_accept(s);
}

static inline void fake_io_event(void *ctx, rt_sio_socket *s, const rt_sio_event *ev) {
    fake_io *w = ctx;
    fake_note(&w->f, "event ", ev->name);
    rt_buf_printf(&w->f.log, "(%.*s)", (int)ev->args.n, ev->args.n ? ev->args.p : "");
    for (unsigned i = 0; i < ev->attachment_count; i++)
        rt_buf_printf(&w->f.log, "+%.*s", (int)ev->attachments[i].n, ev->attachments[i].p);
    if (ev->wants_ack && w->ack)
        assert_int_equal(
            rt_sio_ack_binary(s, ev->ack_id, ev->args, ev->attachments, ev->attachment_count),
            RT_OK);
}

static inline void fake_io_disconnect(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    (void)s;
    fake_note(&((fake_io *)ctx)->f, "disconnect ", rt_slice_of(rt_eio_reason_text(reason)));
}

static inline void fake_io_left(void *ctx, rt_sio_socket *s, rt_slice room) {
    (void)s;
    fake_note(&((fake_io *)ctx)->f, "left ", room);
}

static inline void fake_io_init(fake_io *w, const rt_sio_opts *opts) {
    rt_sio_opts so;
    rt_eio_opts eo;
    memset(w, 0, sizeof *w);
    rt_sio_opts_default(&so);
    rt_eio_opts_default(&eo);
    eo.ping_interval_ms = 1000000000; /* only socketio's clocks matter */
    w->f.now = FAKE_START;
    rt_timers_init(&w->f.timers);
    rt_sio_app app = {.ctx = w,
                      .on_connect = fake_io_connect,
                      .on_event = fake_io_event,
                      .on_disconnect = fake_io_disconnect,
                      .on_left = fake_io_left};
    w->io = rt_sio_new(opts ? opts : &so, &app, &w->f.timers, fake_now, &w->f);
    assert_non_null(w->io);
    rt_eio_app engine = rt_sio_engine_app(w->io);
    w->f.eio = rt_eio_new(&eo, &engine, &w->f.timers, fake_now, &w->f);
    assert_non_null(w->f.eio);
}

static inline void fake_io_fini(fake_io *w) {
    fake_fini(&w->f);
    rt_sio_free(w->io);
    rt_buf_fini(&w->f.log);
}

static inline void fake_io_turn(fake_io *w) {
    rt_eio_flush(w->f.eio);
    rt_sio_reap(w->io);
    rt_eio_reap(w->f.eio);
}

static inline const char *fake_io_log(fake_io *w) {
    return fake_log(&w->f);
}

static inline fake_conn *fake_io_open(fake_io *w) {
    fake_conn *c = fake_websocket(&w->f, NULL);
    fake_frames(c);
    return c;
}

static inline void fake_io_say(fake_conn *c, const char *packet) {
    char text[128];
    snprintf(text, sizeof text, "4%s", packet);
    fake_text_frame(c, text);
}

/* A WebSocket that is in the namespace; w->socket is its socket. */
static inline fake_conn *fake_io_in(fake_io *w, const char *ns) {
    char packet[64];
    fake_conn *c = fake_io_open(w);
    snprintf(packet, sizeof packet, "0%s,", ns);
    fake_io_say(c, packet);
    fake_frames(c);
    fake_io_log(w);
    return c;
}

static inline uint64_t fake_io_counter(const fake_io *w, int id) {
    rt_sio_figures figures;
    rt_sio_get_figures(w->io, &figures);
    return figures.counters.v[id];
}

#endif
