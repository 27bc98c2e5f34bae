/* All figures as one JSON object: gauges first, then each layer's counters by name. */
#include "base/status.h"
#include "json/write.h"
#include "server/instance.h"

static void put(rt_buf *b, const char *key, uint64_t v) {
    rt_json_put_member_u64(b, rt_slice_of(key), v);
}

static void put_counters(rt_buf *b, const char *key, const char *const *names, const uint64_t *v,
                         size_t n) {
    rt_json_put_key(b, rt_slice_of(key));
    rt_buf_putc(b, '{');
    for (size_t i = 0; i < n; i++)
        put(b, names[i], v[i]);
    rt_buf_putc(b, '}');
}

static void put_front(rt_buf *b, const rt_instance *in) {
    rt_front_figures f;
    rt_front_get_figures(in->front, &f);
    put(b, "connections", f.connections);
    put(b, "connections_blocked", f.blocked);
    put(b, "owed_bytes_worst", f.owed_max);
    put_counters(b, "net", rt_front_counter_names, f.counters.v, rt_front_counters_n);
}

static void put_engineio(rt_buf *b, const rt_instance *in) {
    rt_eio_figures f;
    rt_eio_get_figures(in->eio, &f);
    put(b, "sessions", f.sessions);
    put(b, "sessions_websocket", f.websocket);
    put(b, "sessions_polling", f.polling);
    put(b, "polls_pending", f.pending_polls);
    put_counters(b, "engineio", rt_eio_counter_names, f.counters.v, rt_eio_counters_n);
    const char *reasons[RT_EIO_REASONS];
    for (int i = 0; i < RT_EIO_REASONS; i++)
        reasons[i] = rt_eio_reason_text((enum rt_eio_reason)i);
    put_counters(b, "closed", reasons, f.closed, RT_EIO_REASONS);
}

static void put_socketio(rt_buf *b, const rt_instance *in) {
    rt_sio_figures f;
    rt_sio_get_figures(in->sio, &f);
    put(b, "clients", f.clients);
    put(b, "sockets", f.sockets);
    put(b, "namespaces", f.namespaces);
    put(b, "rooms", f.rooms);
    put(b, "deliveries", f.counters.v[RT_SIO_DELIVERIES]);
    put_counters(b, "socketio", rt_sio_counter_names, f.counters.v, rt_sio_counters_n);
}

static void put_frappe(rt_buf *b, const rt_instance *in) {
    rt_frappe_figures f;
    rt_frappe_get_figures(in->frappe, &f);
    put(b, "identities", f.identities);
    put(b, "questions_in_flight", f.questions);
    put(b, "sockets_waiting", f.waiting);
    put(b, "answers_cached", f.cached);
    put_counters(b, "frappe", rt_frappe_counter_names, f.counters.v, rt_frappe_counters_n);
    rt_json_put_key(b, RT_LIT("waiting_sites"));
    rt_frappe_put_waiting_sites(in->frappe, b);
}

static void put_config(rt_buf *b, const rt_instance *in) {
    const rt_config_sites_counters *c = rt_config_sites_get_counters(in->sites);
    put_counters(b, "config", rt_config_sites_counter_names, c->v, rt_config_sites_counters_n);
}

static void put_web(rt_buf *b, const rt_instance *in) {
    rt_web_figures f;
    rt_web_get_figures(in->web, &f);
    put(b, "web_in_flight", f.in_flight);
    put(b, "web_in_line", f.in_line);
    put_counters(b, "web", rt_web_counter_names, f.counters.v, rt_web_counters_n);
}

static void put_redis(rt_buf *b, const rt_instance *in) {
    if (!in->redis)
        return;
    rt_redis_figures f;
    rt_redis_get_figures(in->redis, &f);
    rt_json_put_member_raw(b, RT_LIT("redis_subscribed"),
                           f.subscribed ? RT_LIT("true") : RT_LIT("false"));
    put(b, "redis_away_ms", f.away_ms);
    put(b, "redis_gaps", f.gaps);
    put_counters(b, "redis", rt_redis_counter_names, f.counters.v, rt_redis_counters_n);
}

static void put_local(rt_buf *b, const rt_instance *in) {
    rt_local_figures f = {0};
    if (in->local)
        rt_local_get_figures(in->local, &f);
    rt_json_put_member_raw(b, RT_LIT("local_open"), in->local ? RT_LIT("true") : RT_LIT("false"));
    put(b, "local_open_failed", in->local_opening.failed);
    put(b, "local_peers", f.peers);
    put(b, "local_held_bytes", f.held);
    put_counters(b, "local", rt_local_counter_names, f.counters.v, rt_local_counters_n);
    put_counters(b, "local_lines", rt_local_line_counter_names, in->local_lines.v,
                 rt_local_line_counters_n);
    put(b, "forward_waiting_bytes", in->forward.bytes);
    put_counters(b, "forward", rt_forward_counter_names, in->forward.counters.v,
                 rt_forward_counters_n);
}

static void put_hosts(rt_buf *b, const rt_instance *in) {
    rt_json_put_key(b, RT_LIT("hosts"));
    rt_hosts_put(in->hosts, false, b);
    put_counters(b, "handlers", rt_hosts_counter_names, rt_hosts_get_counters(in->hosts)->v,
                 rt_hosts_counters_n);
}

int rt_instance_put_stats(const rt_instance *in, rt_buf *b) {
    rt_buf_putc(b, '{');
    put(b, "uptime_ms", in->loop.now - in->started_ms);
    put(b, "turns", in->loop.turns);
    put(b, "memory_trims", in->trim.trims);
    put_front(b, in);
    put_engineio(b, in);
    put_socketio(b, in);
    put_frappe(b, in);
    put_config(b, in);
    put_web(b, in);
    put_redis(b, in);
    put_local(b, in);
    put_hosts(b, in);
    return rt_buf_putc(b, '}');
}
