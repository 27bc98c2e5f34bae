/* The server object: options, timers, the end of a turn, figures. */
#include "engineio/engineio.h"

#include "base/alloc.h"
#include "engineio/session.h"

RT_COUNTERS_DEFINE(rt_eio, RT_EIO_COUNTERS)

static const rt_counter_row reasons[RT_EIO_REASONS] = {RT_EIO_REASON_LIST(RT_COUNTER_ROW)};

const char *rt_eio_reason_text(enum rt_eio_reason reason) {
    return reason < RT_EIO_REASONS ? reasons[reason].name : "unknown";
}

void rt_eio_opts_default(rt_eio_opts *opts) {
    *opts = (rt_eio_opts){
        .ping_interval_ms = RT_EIO_PING_INTERVAL_MS,
        .ping_timeout_ms = RT_EIO_PING_TIMEOUT_MS,
        .upgrade_timeout_ms = RT_EIO_UPGRADE_TIMEOUT_MS,
        .drain_ms = RT_EIO_DRAIN_MS,
        .max_payload = RT_EIO_MAX_PAYLOAD,
        .max_owed = RT_EIO_OWED_MAX,
        .max_sessions = RT_EIO_SESSIONS_MAX,
        .max_newcomers = RT_EIO_NEWCOMERS_MAX,
        .max_newcomer_bytes = RT_EIO_NEWCOMER_BYTES_MAX,
        .unfinished_timeout_ms = RT_EIO_UNFINISHED_TIMEOUT_MS,
        .max_unfinished = RT_EIO_UNFINISHED_MAX,
        .handshakes_per_second = RT_EIO_HANDSHAKES_PER_SECOND,
        .max_connections_per_peer = RT_EIO_CONNECTIONS_PER_PEER_MAX,
        .max_peers = RT_EIO_PEERS_MAX,
        .compress_min = RT_EIO_COMPRESS_MIN,
        .cors = RT_EIO_CORS_OFF,
        .allow_upgrades = true,
        .allow_polling = true,
        .allow_websocket = true,
        .allow_jsonp = false,
        .cookie = NULL,
    };
}

/* The time from which the timeout of a ping counts: the ping's own deadline, not the time at which
 * it was sent. Otherwise the lateness of two timers would add up. If the loop was very late, the
 * client is not to blame: at most a tenth of the timeout is lost to it. */
static uint64_t ping_time(const rt_eio *e, const rt_timer *t) {
    uint64_t earliest = rt_eio_now(e) - e->opts.ping_timeout_ms / RT_EIO_PING_LATE_PART;
    return t->deadline > earliest ? t->deadline : earliest;
}

static void on_ping_due(rt_timerq *q, rt_timer *t) {
    rt_eio_session *s = RT_OF(t, rt_eio_session, heartbeat);
    rt_eio *e = q->arg;
    s->awaiting_pong = true;
    s->pong_extended = false;
    rt_timer_arm(&e->pong_due, t, ping_time(e, t));
    rt_eio_session_send_text(s, RT_LIT("2"));
}

/* The pong may be among packets that we have not looked at. But who takes no answers is not waited
 * for. */
static bool pong_may_wait_here(const rt_eio_session *s) {
    return s->held_back && !(s->port && s->port->ops->owed(s->port));
}

static void on_pong_due(rt_timerq *q, rt_timer *t) {
    rt_eio *e = q->arg;
    rt_eio_session *s = RT_OF(t, rt_eio_session, heartbeat);
    if (pong_may_wait_here(s))
        rt_timer_arm(&e->pong_again_due, t, rt_eio_now(e));
    else
        rt_eio_session_end(s, RT_EIO_PING_TIMEOUT);
}

/* A closing session whose client did not come back for the last packets. */
static void on_drain_due(rt_timerq *q, rt_timer *t) {
    rt_eio_count(q->arg, RT_EIO_DRAINS_TIMED_OUT);
    rt_eio_session_end(RT_OF(t, rt_eio_session, heartbeat), RT_EIO_FORCED_CLOSE);
}

static void on_probe_due(rt_timerq *q, rt_timer *t) {
    rt_eio_count(q->arg, RT_EIO_UPGRADES_FAILED);
    rt_eio_ws_close(RT_OF(t, rt_eio_probe, due)->port, 0);
}

/* While a WebSocket probes, no poll may wait long: the client pauses polling first, and for that
 * its poll must return (Engine.IO protocol, "Upgrade"). */
static void on_noop_due(rt_timerq *q, rt_timer *t) {
    rt_eio *e = q->arg;
    rt_timer_arm(&e->noop_due, t, rt_eio_now(e));
    rt_eio_poll_answer(RT_OF(t, rt_eio_probe, noop)->session, RT_LIT("6"));
}

rt_eio *rt_eio_new(const rt_eio_opts *opts, const rt_eio_app *app, rt_timers *timers,
                   uint64_t (*now)(void *ctx), void *now_ctx) {
    rt_eio *e = rt_alloc0(sizeof *e);
    if (!e)
        return NULL;
    e->opts = *opts;
    e->app = *app;
    e->now = now;
    e->now_ctx = now_ctx;
    e->timers = timers;
    rt_random_init(&e->random);
    rt_map_init(&e->by_sid);
    rt_list_init(&e->open);
    rt_list_init(&e->pending);
    rt_list_init(&e->ended);
    rt_eio_newcomers_init(&e->newcomers, opts->max_newcomers, opts->max_newcomer_bytes);
    rt_eio_peers_init(&e->peers, timers, opts->handshakes_per_second, opts->max_peers);
    rt_unfinished_init(&e->unfinished, timers, opts->unfinished_timeout_ms, opts->max_unfinished,
                       &e->counters.v[RT_EIO_UNFINISHED_LATE],
                       &e->counters.v[RT_EIO_UNFINISHED_OVER_MAX]);
    rt_timerq_init(&e->ping_due, timers, opts->ping_interval_ms, on_ping_due, e);
    rt_timerq_init(&e->pong_due, timers, opts->ping_timeout_ms, on_pong_due, e);
    rt_timerq_init(&e->pong_again_due, timers, opts->ping_timeout_ms, on_pong_due, e);
    rt_timerq_init(&e->drain_due, timers, opts->drain_ms, on_drain_due, e);
    rt_timerq_init(&e->probe_due, timers, opts->upgrade_timeout_ms, on_probe_due, e);
    rt_timerq_init(&e->noop_due, timers, RT_EIO_NOOP_MS, on_noop_due, e);
    return e;
}

void rt_eio_set_max_owed(rt_eio *e, uint32_t max_owed) {
    e->opts.max_owed = max_owed;
}

void rt_eio_set_newcomers(rt_eio *e, uint32_t max, uint32_t max_bytes) {
    e->newcomers.max = max;
    e->newcomers.max_bytes = max_bytes;
}

void rt_eio_set_peers(rt_eio *e, uint32_t handshakes_per_second, uint32_t max_connections) {
    e->peers.per_second = handshakes_per_second;
    e->opts.max_connections_per_peer = max_connections;
}

void rt_eio_set_max_unfinished(rt_eio *e, uint32_t max_bytes) {
    e->unfinished.max = max_bytes;
}

rt_unfinished_all *rt_eio_unfinished(const rt_eio_session *s) {
    return &s->eio->unfinished;
}

int rt_eio_connected(rt_eio *e, const char *address, rt_eio_peer **peer) {
    *peer = rt_eio_peers_get(&e->peers, address, rt_eio_now(e));
    if (!*peer) {
        rt_eio_count(e, RT_EIO_PEERS_OVER_MAX);
        return RT_OK;
    }
    if ((*peer)->connections >= e->opts.max_connections_per_peer) {
        rt_eio_count(e, RT_EIO_REFUSED_CONNECTIONS);
        return RT_ELIMIT;
    }
    rt_eio_peers_connected(*peer);
    return RT_OK;
}

void rt_eio_disconnected(rt_eio *e, rt_eio_peer *peer) {
    if (peer)
        rt_eio_peers_disconnected(&e->peers, peer, rt_eio_now(e));
}

void rt_eio_set_packets_per_second(rt_eio *e, uint32_t packets) {
    e->opts.packets_per_second = packets;
}

void rt_eio_close_all(rt_eio *e, enum rt_eio_reason reason) {
    rt_eio_flush(e); /* send what is queued in this turn */
    while (!rt_list_empty(&e->open)) {
        rt_eio_session_end(RT_OF(rt_list_first(&e->open), rt_eio_session, node), reason);
    }
}

void rt_eio_free(rt_eio *e) {
    rt_eio_reap(e);
    rt_timerq_fini(&e->ping_due);
    rt_timerq_fini(&e->pong_due);
    rt_timerq_fini(&e->pong_again_due);
    rt_timerq_fini(&e->drain_due);
    rt_timerq_fini(&e->probe_due);
    rt_timerq_fini(&e->noop_due);
    rt_eio_peers_fini(&e->peers);
    rt_unfinished_fini(&e->unfinished);
    rt_eio_poll_forget(e);
    rt_eio_compressor_free(e->compressor);
    rt_map_fini(&e->by_sid);
    rt_free(e);
}

void rt_eio_flush(rt_eio *e) {
    rt_unfinished_trim(&e->unfinished);
    rt_eio_flush_app(e);
    rt_list due;
    rt_list_move(&due, &e->pending);
    while (!rt_list_empty(&due)) {
        rt_eio_polling *p = RT_OF(rt_list_first(&due), rt_eio_polling, pending);
        rt_list_unlink(&p->pending);
        rt_eio_session_flush(p->session);
        if (p->queue.taken > e->opts.max_owed)
            rt_eio_session_end(p->session, RT_EIO_SLOW_CLIENT);
    }
    rt_eio_poll_forget(e);
}

static size_t owed_to(const rt_list *node) {
    const rt_eio_polling *p = RT_OF(node, rt_eio_session, node)->polling;
    return p ? p->queue.taken : 0;
}

size_t rt_eio_most_owed(const rt_eio *e) {
    size_t most = 0;
    for (const rt_list *at = e->open.next; at != &e->open; at = at->next)
        if (owed_to(at) > most)
            most = owed_to(at);
    return most;
}

/* One that ends may take the next one along, which then is among the ended: begin anew. */
uint32_t rt_eio_end_most_owed(rt_eio *e, size_t least, size_t budget) {
    uint32_t ended = 0;
    rt_list *at = e->open.next;
    while (at != &e->open && rt_msg_memory() > budget) {
        rt_list *node = at;
        at = at->next;
        if (owed_to(node) < least)
            continue;
        rt_eio_session_end(RT_OF(node, rt_eio_session, node), RT_EIO_SLOW_CLIENT);
        ended++;
        if (at != &e->open && RT_OF(at, rt_eio_session, node)->state == RT_EIO_CLOSED)
            at = e->open.next;
    }
    return ended;
}

bool rt_eio_has_pending(const rt_eio *e) {
    return !rt_list_empty(&e->pending) || (e->app.has_pending && e->app.has_pending(e->app.ctx));
}

void rt_eio_reap(rt_eio *e) {
    while (!rt_list_empty(&e->ended)) {
        rt_eio_session *s = RT_OF(rt_list_first(&e->ended), rt_eio_session, node);
        rt_list_unlink(&s->node);
        rt_eio_session_free(s);
    }
}

void rt_eio_get_figures(const rt_eio *e, rt_eio_figures *out) {
    *out = (rt_eio_figures){
        .sessions = (uint32_t)e->by_sid.count,
        .polling = (uint32_t)e->by_sid.count - e->websockets,
        .websocket = e->websockets,
        .pending_polls = e->polls,
        .newcomers = e->newcomers.count,
        .newcomer_bytes = e->newcomers.bytes,
        .unfinished_bytes = e->unfinished.bytes,
        .peers = (uint32_t)e->peers.by_address.count,
        .counters = e->counters,
    };
    memcpy(out->closed, e->closed, sizeof out->closed);
}

void rt_eio_show_figures(const rt_eio *e, const rt_figures *to) {
    static const rt_figure_family closed = {"sessions", "reason",
                                            "Engine.IO sessions closed, by reason."};
    rt_eio_figures f;
    rt_eio_get_figures(e, &f);
    rt_figures_gauge(to, "sessions", f.sessions, "Open Engine.IO sessions.");
    rt_figures_gauge(to, "sessions_websocket", f.websocket, "Open sessions on a WebSocket.");
    rt_figures_gauge(to, "sessions_polling", f.polling, "Open sessions that poll.");
    rt_figures_gauge(to, "polls_pending", f.pending_polls, "Polls that wait for their answer.");
    rt_figures_gauge(to, "newcomers", f.newcomers, "Open sessions that are not logged in yet.");
    rt_figures_gauge(to, "newcomer_bytes", f.newcomer_bytes,
                     "Bytes that sessions take which are not logged in yet.");
    rt_figures_gauge(to, "peers", f.peers,
                     "Addresses that have connections or have shaken hands lately; behind a proxy "
                     "that names none, connections.");
    rt_figures_gauge(to, "unfinished_bytes", f.unfinished_bytes,
                     "Bytes of messages that have come in part.");
    RT_FIGURES_OF(to, "engineio", rt_eio, &f.counters);
    rt_figures_counters(to, "closed", &closed, reasons, f.closed, RT_EIO_REASONS);
}
