/* The server object: options, the table handed to engineio, reaping, figures. */
#include "socketio/socketio.h"

#include "base/alloc.h"
#include "socketio/state.h"

RT_COUNTERS_DEFINE(rt_sio, RT_SIO_COUNTERS)

void rt_sio_opts_default(rt_sio_opts *opts) {
    *opts = (rt_sio_opts){
        .connect_timeout_ms = RT_SIO_CONNECT_TIMEOUT_MS,
        .ack_timeout_ms = RT_SIO_ACK_TIMEOUT_MS,
        .max_attachments = RT_SIO_ATTACHMENTS_MAX,
        .max_binary_bytes = RT_SIO_BINARY_BYTES_MAX,
        .max_sockets_per_client = RT_SIO_SOCKETS_PER_CLIENT_MAX,
        .max_rooms_per_socket = RT_SIO_ROOMS_PER_SOCKET_MAX,
    };
}

/* Whether the app still decides about one of its sockets. */
static bool is_asking(const rt_sio_client *c) {
    for (const rt_list *node = c->sockets.next; node != &c->sockets; node = node->next)
        if (RT_OF(node, const rt_sio_socket, node)->state == RT_SIO_ASKING)
            return true;
    return false;
}

/* The client has joined no namespace in time: it speaks no Socket.IO, or was refused and stays. */
static void on_connect_due(rt_timerq *q, rt_timer *t) {
    rt_sio *io = q->arg;
    rt_sio_client *c = RT_OF(t, rt_sio_client, connect_timer);
    if (is_asking(c)) {
        rt_timer_arm(q, t, io->now(io->now_ctx));
        return;
    }
    rt_sio_tally(io, RT_SIO_CONNECT_TIMEOUTS);
    rt_eio_close(c->session, RT_EIO_FORCED_CLOSE);
}

rt_sio *rt_sio_new(const rt_sio_opts *opts, const rt_sio_app *app, rt_timers *timers,
                   uint64_t (*now)(void *ctx), void *now_ctx) {
    rt_sio *io = rt_alloc0(sizeof *io);
    if (!io)
        return NULL;
    io->opts = *opts;
    if (io->opts.max_attachments > RT_SIO_ATTACHMENTS_MAX)
        io->opts.max_attachments = RT_SIO_ATTACHMENTS_MAX;
    io->app = *app;
    io->now = now;
    io->now_ctx = now_ctx;
    rt_random_init(&io->random);
    rt_map_init(&io->namespaces);
    rt_list_init(&io->closed);
    rt_timerq_init(&io->connect_due, timers, opts->connect_timeout_ms, on_connect_due, io);
    io->alarms = &timers->alarms;
    return io;
}

void rt_sio_free(rt_sio *io) {
    rt_sio_reap(io);
    rt_timerq_fini(&io->connect_due);
    rt_map_fini(&io->namespaces);
    rt_free(io);
}

rt_eio_app rt_sio_engine_app(rt_sio *io) {
    return (rt_eio_app){
        .ctx = io,
        .user_size = sizeof(rt_sio_client),
        .on_open = rt_sio_client_on_open,
        .on_message = rt_sio_client_on_message,
        .on_close = rt_sio_client_on_close,
        .on_paced = rt_sio_client_on_paced,
        .flush = rt_sio_batch_flush,
        .has_pending = rt_sio_batch_pending,
    };
}

void rt_sio_reap(rt_sio *io) {
    while (!rt_list_empty(&io->closed)) {
        rt_sio_socket *s = RT_OF(rt_list_first(&io->closed), rt_sio_socket, node);
        rt_list_unlink(&s->node);
        rt_sio_socket_free(s);
    }
}

void rt_sio_get_figures(const rt_sio *io, rt_sio_figures *out) {
    *out = (rt_sio_figures){
        .clients = io->clients,
        .sockets = io->sockets,
        .namespaces = (uint32_t)io->namespaces.count,
        .rooms = io->rooms,
        .counters = io->counters,
    };
}

void rt_sio_show_figures(const rt_sio *io, const rt_figures *to) {
    rt_sio_figures f;
    rt_sio_get_figures(io, &f);
    rt_figures_gauge(to, "clients", f.clients, "Connected Socket.IO clients.");
    rt_figures_gauge(to, "sockets", f.sockets, "Sockets: a client has one for each namespace.");
    rt_figures_gauge(to, "namespaces", f.namespaces, "Namespaces that have sockets.");
    rt_figures_gauge(to, "rooms", f.rooms, "Rooms that have sockets.");
    rt_figures_counter(to, "deliveries", f.counters.v[RT_SIO_DELIVERIES],
                       "The same as socketio.deliveries.");
    RT_FIGURES_OF(to, "socketio", rt_sio, &f.counters);
}
