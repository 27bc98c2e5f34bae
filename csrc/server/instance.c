/* Builds one server from its layers, and frees it. */
#include "server/instance.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>

/* --- what the layers call back --- */

static void on_wake(void *arg) {
    rt_instance *in = arg;
    in->around.on_wake(in);
}

static void reap(void *arg) {
    rt_instance *in = arg;
    rt_sio_reap(in->sio);
    rt_eio_reap(in->eio);
    rt_trim_look(&in->trim, rt_front_connections(in->front), in->loop.now);
}

/* A stopping server has no clients left; the events from now on are for other servers. */
static void on_redis_message(void *arg, rt_slice payload) {
    rt_instance *in = arg;
    if (!in->stopping && !rt_forward_is_own(&in->forward, payload))
        rt_status_ignore(rt_frappe_envelope(in->frappe, payload)); /* a loss is counted there */
}

void rt_instance_publish(rt_instance *in, const rt_event *e) {
    if (rt_frappe_publish(in->frappe, e->site, e->room, e->event, e->message) == RT_OK)
        rt_forward_event(&in->forward, e);
}

/* --- building --- */

static int build_rules(rt_instance *in) {
    rt_frappe_opts fo;
    rt_sio_opts so;
    rt_eio_opts eo;
    const rt_config *c = &in->config;
    in->sites = rt_config_sites_new(c);
    if (!in->sites)
        return RT_ENOMEM;
    rt_frappe_opts_default(&fo);
    fo.default_site = rt_slice_of(c->default_site);
    fo.developer_mode = c->developer_mode;
    fo.guests_see_others = c->guests_see_others;
    fo.auth_patience_ms = (uint32_t)c->auth_patience_ms;
    fo.web_timeout_ms = (uint32_t)c->web_timeout_ms;
    fo.web_in_flight = (uint32_t)c->web_in_flight;
    fo.cache_ms = (uint32_t)c->cache_ms;
    fo.events_per_second = (uint32_t)c->events_per_second;
    rt_frappe_ports ports = rt_instance_ports(in);
    in->frappe = rt_frappe_new(&fo, &ports, &in->loop.timers);
    if (!in->frappe)
        return RT_ENOMEM;
    rt_sio_app sio_app = rt_frappe_socketio_app(in->frappe);
    rt_sio_opts_default(&so);
    in->sio = rt_sio_new(&so, &sio_app, &in->loop.timers, rt_loop_now, &in->loop);
    if (!in->sio)
        return RT_ENOMEM;
    rt_frappe_attach(in->frappe, in->sio);
    in->hosts = rt_hosts_new(in->frappe, in->sio, &in->loop.timers, rt_loop_now, &in->loop,
                             &rt_host_socket_link);
    if (!in->hosts || rt_instance_tell_hosts(in) != RT_OK)
        return RT_ENOMEM;
    rt_eio_opts_default(&eo);
    eo.ping_interval_ms = (uint32_t)c->ping_interval_ms;
    eo.ping_timeout_ms = (uint32_t)c->ping_timeout_ms;
    eo.max_payload = (uint32_t)c->max_payload;
    eo.max_owed = (uint32_t)c->max_owed;
    eo.max_newcomers = (uint32_t)c->max_newcomers;
    eo.max_newcomer_bytes = (uint32_t)c->max_newcomer_bytes;
    eo.max_unfinished = (uint32_t)c->max_unfinished;
    eo.handshakes_per_second = (uint32_t)c->handshakes_per_second;
    eo.max_connections_per_peer = (uint32_t)c->connections_per_address;
    eo.packets_per_second = (uint32_t)c->events_per_second;
    eo.cors = RT_EIO_CORS_ASK;
    rt_eio_app eio_app = rt_sio_engine_app(in->sio);
    eio_app.allow_origin = rt_frappe_allow_origin;
    eio_app.allow_origin_ctx = in->frappe;
    eio_app.keep = rt_frappe_keep;
    eio_app.keep_ctx = in->frappe;
    in->eio = rt_eio_new(&eo, &eio_app, &in->loop.timers, rt_loop_now, &in->loop);
    return in->eio ? RT_OK : RT_ENOMEM;
}

static int open_redis(rt_instance *in, char *why, size_t why_len) {
    char reason[200];
    int status = rt_redis_new(&in->loop, in->config.redis_queue, RT_FRAPPE_CHANNEL,
                              on_redis_message, in, &in->redis, reason, sizeof reason);
    if (status == RT_EINVAL) /* the value is not shown: it may hold a password */
        snprintf(why, why_len, "%s: redis_queue is not the URL of a Redis server: %s",
                 rt_config_origin(&in->config, "redis_queue"), reason);
    return status;
}

static int read_proxies(const rt_config *c, rt_trusted *proxies, char *why, size_t why_len) {
    rt_slice bad = RT_EMPTY;
    int status = rt_trusted_read(proxies, rt_slice_of(c->trusted_proxies), &bad);
    if (status != RT_OK)
        snprintf(why, why_len, "%s: frappe_rt_trusted_proxies: %s \"%.*s\"",
                 rt_config_origin(c, "frappe_rt_trusted_proxies"),
                 status == RT_ELIMIT ? "too many, from" : "no address, network or known word:",
                 (int)bad.n, bad.p);
    return status == RT_OK ? RT_OK : RT_EINVAL;
}

static int build_net(rt_instance *in, char *why, size_t why_len) {
    rt_front_opts fo;
    rt_web_opts wo;
    const rt_config *c = &in->config;
    rt_front_opts_default(&fo);
    fo.max_owed = (uint32_t)c->max_owed;
    fo.owed_budget = (size_t)c->owed_budget;
    fo.listeners_lent = in->handed;
    int status = read_proxies(c, &fo.proxies, why, why_len);
    if (status != RT_OK)
        return status;
    errno = ENOMEM;
    in->front = rt_front_new(&in->loop, in->eio, &fo, rt_instance_route, in);
    if (!in->front)
        return errno == ENOMEM ? RT_ENOMEM : RT_EIO;
    rt_web_opts_default(&wo);
    wo.connections = (uint32_t)c->web_in_flight;
    in->web = rt_web_new(&in->loop, &wo);
    if (!in->web)
        return RT_ENOMEM;
    rt_trim_init(&in->trim, &in->loop.timers);
    rt_instance_init_local(in);
    in->reap_hook.at_turn_end = reap;
    in->reap_hook.arg = in;
    rt_loop_add_hook(&in->loop, &in->reap_hook);
    status = c->use_redis ? open_redis(in, why, why_len) : RT_OK;
    return status == RT_OK ? rt_forward_init(&in->forward, &in->loop, in->redis, c->forward)
                           : status;
}

/* Open the sockets first: that is cheap, and fails most often. */
static int build(rt_instance *in, rt_server_address *where, char *why, size_t why_len) {
    rt_listeners listeners = {.count = 0};
    int given = 0;
    int status = in->handed ? rt_listeners_adopt(&listeners, in->around.handed, where, why, why_len)
                            : rt_listeners_open(&listeners, &in->config, where, why, why_len);
    in->uds_file = listeners.file;
    if (status == RT_OK)
        status = build_rules(in);
    if (status == RT_OK)
        status = build_net(in, why, why_len);
    while (status == RT_OK && given < listeners.count) {
        status = rt_front_listen(in->front, listeners.fds[given]);
        given += status == RT_OK;
    }
    if (status == RT_OK)
        status = rt_taken_init(&in->taken, in->around.handed);
    int saved = errno;
    in->started_ms = in->loop.now;
    if (status == RT_OK)
        rt_instance_open_local(in);
    else
        rt_listeners_close(&listeners, given);
    errno = saved;
    return status;
}

int rt_instance_new(rt_config *config, const rt_surroundings *around, rt_server_address *where,
                    rt_instance **out, char *why, size_t why_len) {
    *out = NULL;
    rt_instance *in = rt_alloc0(sizeof *in);
    int status = in ? rt_loop_init(&in->loop, on_wake, in) : RT_ENOMEM;
    if (status != RT_OK) {
        rt_free(in);
        rt_config_fini(config);
        return status;
    }
    in->config = *config;
    in->around = *around;
    in->handed = around->handed->count > 0;
    status = build(in, where, why, why_len);
    int saved = errno;
    if (status == RT_OK)
        *out = in;
    else
        rt_instance_free(in);
    errno = saved;
    return status;
}

/* --- running and ending --- */

void rt_instance_run(rt_instance *in) {
    in->taken.ours = true;
    rt_loop_run(&in->loop);
}

/* Closes everything by running the loop to its end, as an ordinary stop does. What is built last
 * is `web`: without it there is nothing to shut down. */
static void run_down(rt_instance *in) {
    if (in->web) {
        rt_instance_shut_down(in, 0);
    } else {
        if (in->front)
            rt_front_close(in->front);
        rt_loop_stop(&in->loop);
    }
    rt_loop_run(&in->loop);
}

void rt_instance_free(rt_instance *in) {
    if (!in->loop.stopping)
        run_down(in);
    if (in->eio) {
        rt_eio_close_all(in->eio, RT_EIO_SERVER_SHUTDOWN);
        rt_eio_free(in->eio);
    }
    if (in->sio)
        rt_sio_free(in->sio);
    if (in->frappe)
        rt_frappe_free(in->frappe);
    if (in->front)
        rt_front_free(in->front);
    rt_taken_end(&in->taken);
    rt_hosts_free(in->hosts);
    rt_local_free(in->local);
    rt_loop_fini(&in->loop);
    rt_config_sites_free(in->sites);
    rt_config_fini(&in->config);
    rt_free(in);
}
