/* Starting, stopping, and the thread in between. */
#define _GNU_SOURCE /* pthread_timedjoin_np */
#include "server/server.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "net/fds.h"
#include "server/fork.h"
#include "server/inbox.h"
#include "server/instance.h"
#include "server/listeners.h"
#include "server/messages.h"
#include "server/reload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static rt_instance *current;
static rt_instance *late; /* did not end within the deadline of their stop */
static pid_t owner;       /* the process that `current` belongs to */

/* --- the thread --- */

static void publish(rt_instance *in, const rt_inbox_item *item) {
    const rt_event e = {item->site, item->room, item->event, item->message};
    if (rt_frappe_publish(in->frappe, e.site, e.room, e.event, e.message) == RT_OK)
        rt_forward_event(&in->forward, &e);
}

/* What comes behind the word to stop finds nothing left to work with. */
static void serve_items(rt_instance *in, rt_inbox_item *item) {
    while (item && !in->stopping) {
        rt_inbox_item *next = item->next;
        switch (item->kind) {
        case RT_INBOX_PUBLISH:
            publish(in, item);
            break;
        case RT_INBOX_STATS:
            rt_message_answer_stats(in, item->ask);
            break;
        case RT_INBOX_RELOAD:
            rt_instance_reload(in, item->ask);
            break;
        case RT_INBOX_STOP:
            rt_instance_shut_down(in, in->patience_ms);
            break;
        }
        item->ask = NULL;
        rt_message_free(item);
        item = next;
    }
    rt_messages_drop(item);
}

static void on_wake(void *arg) {
    rt_instance *in = arg;
    rt_inbox_item *items;
    if (in->stopping)
        return;
    if (rt_inbox_take(&in->loop, &items))
        serve_items(in, items);
    else
        rt_instance_shut_down(in, 0);
}

static void reap(void *arg) {
    rt_instance *in = arg;
    rt_sio_reap(in->sio);
    rt_eio_reap(in->eio);
    rt_trim_look(&in->trim, rt_front_connections(in->front), in->loop.now);
}

static void *thread_main(void *arg) {
    rt_instance *in = arg;
    pthread_setname_np(pthread_self(), "frappe_rt");
    rt_loop_run(&in->loop);
    return NULL;
}

/* --- building and tearing down --- */

static void on_redis_message(void *arg, rt_slice payload) {
    rt_instance *in = arg;
    if (!rt_forward_is_own(&in->forward, payload))
        rt_frappe_envelope(in->frappe, payload);
}

/* What the thread has left behind once its loop has ended, or what a failed start has made. */
static void instance_free(rt_instance *in) {
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
    rt_hosts_free(in->hosts);
    rt_local_free(in->local);
    rt_loop_fini(&in->loop);
    rt_config_sites_free(in->sites);
    rt_config_fini(&in->config);
    rt_free(in);
}

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
    fo.auth_patience_ms = (uint32_t)c->auth_patience_ms;
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
    if (!in->hosts)
        return RT_ENOMEM;
    rt_eio_opts_default(&eo);
    eo.ping_interval_ms = (uint32_t)c->ping_interval_ms;
    eo.ping_timeout_ms = (uint32_t)c->ping_timeout_ms;
    eo.max_payload = (uint32_t)c->max_payload;
    eo.max_owed = (uint32_t)c->max_owed;
    eo.cors = RT_EIO_CORS_ASK;
    rt_eio_app eio_app = rt_sio_engine_app(in->sio);
    eio_app.allow_origin = rt_frappe_allow_origin;
    eio_app.allow_origin_ctx = in->frappe;
    in->eio = rt_eio_new(&eo, &eio_app, &in->loop.timers, rt_loop_now, &in->loop);
    return in->eio ? RT_OK : RT_ENOMEM;
}

static int open_redis(rt_instance *in, char *why, size_t why_len) {
    char reason[200];
    int status = rt_redis_new(&in->loop, in->config.redis_queue, "events", on_redis_message, in,
                              &in->redis, reason, sizeof reason);
    if (status == RT_EINVAL) /* the value is not shown: it may hold a password */
        snprintf(why, why_len, "%s: redis_queue is no URL of a Redis: %s",
                 rt_config_origin(&in->config, "redis_queue"), reason);
    return status;
}

static int build_net(rt_instance *in, char *why, size_t why_len) {
    rt_front_opts fo;
    rt_web_opts wo;
    const rt_config *c = &in->config;
    rt_front_opts_default(&fo);
    fo.max_owed = (uint32_t)c->max_owed;
    fo.listeners_lent = in->handed;
    in->front = rt_front_new(&in->loop, in->eio, &fo, rt_instance_route, in);
    rt_web_opts_default(&wo);
    wo.in_flight = (uint32_t)c->web_in_flight;
    wo.timeout_ms = (uint32_t)c->web_timeout_ms;
    in->web = rt_web_new(&in->loop, &wo);
    if (!in->front || !in->web)
        return RT_ENOMEM;
    rt_trim_init(&in->trim, &in->loop.timers);
    rt_instance_init_local(in);
    in->reap_hook.at_turn_end = reap;
    in->reap_hook.arg = in;
    rt_loop_add_hook(&in->loop, &in->reap_hook);
    int status = c->use_redis ? open_redis(in, why, why_len) : RT_OK;
    return status == RT_OK ? rt_forward_init(&in->forward, &in->loop, in->redis, c->forward)
                           : status;
}

/* A thread that sees no signal: their handlers belong to the host program. */
static int start_thread(rt_instance *in) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&in->thread, NULL, thread_main, in);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? RT_OK : RT_EIO;
}

/* Everything is closed on the way out by running the loop down, as at an ordinary end. */
static void run_down(rt_instance *in) {
    if (in->front && in->web) {
        rt_instance_shut_down(in, 0);
    } else {
        if (in->front)
            rt_front_close(in->front);
        rt_loop_stop(&in->loop);
    }
    rt_loop_run(&in->loop);
    instance_free(in);
}

static int start_locked(rt_config *config, const rt_handed *handed, rt_server_address *where,
                        char *why, size_t why_len) {
    rt_listeners listeners = {.count = 0};
    int taken = 0;
    rt_instance *in = rt_alloc0(sizeof *in);
    int status = in ? rt_fork_watch() : RT_ENOMEM;
    if (status == RT_OK)
        status = rt_loop_init(&in->loop, on_wake, in);
    if (status != RT_OK) {
        rt_free(in);
        rt_config_fini(config);
        return status;
    }
    in->config = *config;
    in->handed = handed->count > 0;
    status = handed->count
                 ? rt_listeners_take(&listeners, handed->fds, handed->count, where, why, why_len)
                 : rt_listeners_open(&listeners, &in->config, where, why, why_len);
    int saved = errno;
    if (status == RT_OK)
        status = build_rules(in);
    if (status == RT_OK)
        status = build_net(in, why, why_len);
    while (status == RT_OK && taken < listeners.count) {
        status = rt_front_listen(in->front, listeners.fds[taken]);
        taken += status == RT_OK;
    }
    in->started_ms = in->loop.now;
    if (status == RT_OK)
        rt_instance_open_local(in);
    if (status == RT_OK)
        status = start_thread(in);
    if (status != RT_OK) {
        rt_listeners_close(&listeners, taken);
        run_down(in);
        errno = saved;
        return status;
    }
    current = in;
    owner = getpid();
    rt_inbox_open(&in->loop);
    return RT_OK;
}

/* A child inherits the pointer, but neither the thread nor the right to touch what it owned. */
static bool mine(void) {
    return current && owner == getpid();
}

int rt_server_start(rt_config *config, const rt_handed *handed, rt_server_address *where, char *why,
                    size_t why_len) {
    rt_life_lock();
    int status = RT_ECLOSED;
    *why = '\0';
    rt_server_await_late(0);
    if (mine())
        rt_config_fini(config);
    else
        status = start_locked(config, handed, where, why, why_len);
    rt_life_unlock();
    return status;
}

static int stop_locked(uint32_t deadline_ms) {
    rt_instance *in = current;
    rt_inbox_item *item = rt_alloc0(sizeof *item);
    if (!item)
        return RT_ENOMEM;
    item->kind = RT_INBOX_STOP;
    in->patience_ms = deadline_ms / 4 * 3; /* the rest is for the thread to end in */
    if (rt_inbox_put(item) != RT_OK)
        rt_free(item);
    struct timespec until = rt_deadline_in(CLOCK_REALTIME, deadline_ms);
    int code = pthread_timedjoin_np(in->thread, NULL, &until);
    rt_messages_drop(rt_inbox_close());
    current = NULL;
    if (code != 0) {
        in->next_late = late;
        late = in;
        rt_loop_wake(&in->loop); /* should the word to stop have been among what was dropped */
        rt_log(RT_LOG_ERROR, "server", "the server thread did not end within %u ms", deadline_ms);
        return RT_AGAIN;
    }
    if (*in->config.socketio_uds && !in->handed)
        unlink(in->config.socketio_uds);
    instance_free(in);
    return RT_OK;
}

int rt_server_stop(uint32_t deadline_ms) {
    rt_life_lock();
    bool runs = mine();
    int status = runs ? stop_locked(deadline_ms) : RT_ENOENT;
    rt_server_await_late(runs ? 0 : deadline_ms);
    rt_life_unlock();
    return status;
}

void rt_server_await_late(uint32_t ms) {
    struct timespec until = rt_deadline_in(CLOCK_REALTIME, ms);
    for (rt_instance **at = &late; *at;) {
        rt_instance *in = *at;
        if (pthread_timedjoin_np(in->thread, NULL, &until) != 0) {
            at = &in->next_late;
            continue;
        }
        *at = in->next_late;
        instance_free(in);
    }
}

void rt_server_forget_late(void) {
    late = NULL;
}

bool rt_server_running(void) {
    return rt_inbox_is_open();
}
