/* The layer put together: its object, its callbacks for Socket.IO, its figures. */
#include "frappe/frappe.h"

#include "base/alloc.h"
#include "base/status.h"
#include "frappe/claim.h"
#include "frappe/keep.h"
#include "frappe/state.h"
#include "json/write.h"

RT_COUNTERS_DEFINE(rt_frappe, RT_FRAPPE_COUNTERS)

void rt_frappe_opts_default(rt_frappe_opts *opts) {
    *opts = (rt_frappe_opts){
        .auth_patience_ms = RT_FRAPPE_AUTH_PATIENCE_MS,
        .web_timeout_ms = RT_FRAPPE_WEB_TIMEOUT_MS,
        .web_in_flight = RT_FRAPPE_WEB_IN_FLIGHT,
        .cache_ms = RT_FRAPPE_CACHE_MS,
        .cache_refused_ms = RT_FRAPPE_CACHE_REFUSED_MS,
        .cache_max = RT_FRAPPE_CACHE_MAX,
        .events_per_second = RT_FRAPPE_EVENTS_PER_SECOND,
        .guests_see_others = true,
    };
}

static int copy_text(rt_slice text, rt_slice *out) {
    *out = RT_EMPTY;
    if (text.n == 0)
        return RT_OK;
    char *p = rt_alloc(text.n);
    if (!p)
        return RT_ENOMEM;
    memcpy(p, text.p, text.n);
    *out = rt_slice_make(p, text.n);
    return RT_OK;
}

rt_frappe *rt_frappe_new(const rt_frappe_opts *opts, const rt_frappe_ports *ports,
                         rt_timers *timers) {
    rt_frappe *f = rt_alloc0(sizeof *f);
    if (!f)
        return NULL;
    f->ports = *ports;
    f->developer_mode = opts->developer_mode;
    f->events_per_second = opts->events_per_second;
    f->guests_see_others = opts->guests_see_others;
    if (copy_text(opts->default_site, &f->default_site))
        goto fail;
    rt_asker_opts asking = {.patience_ms = opts->auth_patience_ms,
                            .late_ms = opts->web_timeout_ms,
                            .in_flight = opts->web_in_flight,
                            .keep_ms = opts->cache_ms,
                            .keep_refused_ms = opts->cache_refused_ms,
                            .keep_max = opts->cache_max};
    rt_asker_init(&f->asker, &asking, &f->ports, timers, f->counters.v);
    rt_viewers_init(&f->viewers, timers);
    return f;

fail:
    rt_free(f);
    return NULL;
}

int rt_frappe_set_rules(rt_frappe *f, rt_slice default_site, bool developer_mode) {
    rt_slice copy = RT_EMPTY;
    if (copy_text(default_site, &copy) != RT_OK)
        return RT_ENOMEM;
    rt_free((char *)f->default_site.p);
    f->default_site = copy;
    f->developer_mode = developer_mode;
    return RT_OK;
}

void rt_frappe_set_events_per_second(rt_frappe *f, uint32_t events) {
    f->events_per_second = events;
}

void rt_frappe_set_guests_see_others(rt_frappe *f, bool allowed) {
    f->guests_see_others = allowed;
}

void rt_frappe_set_web_limits(rt_frappe *f, uint32_t in_flight, uint32_t timeout_ms) {
    f->asker.opts.late_ms = timeout_ms;
    rt_turns_set_slots(&f->asker.turns, in_flight);
}

void rt_frappe_free(rt_frappe *f) {
    if (!f)
        return;
    rt_viewers_fini(&f->viewers);
    rt_asker_fini(&f->asker);
    rt_free((char *)f->default_site.p);
    rt_free(f);
}

bool rt_frappe_allow_origin(void *ctx, const rt_http_request *req, rt_slice origin) {
    rt_frappe *f = ctx;
    rt_claim claim;
    rt_claim_read(req, origin, f->default_site, &f->ports, &claim);
    return rt_claim_origin_ok(&claim);
}

int rt_frappe_keep(void *ctx, const rt_http_request *req, rt_http_header *headers,
                   rt_http_request *kept) {
    const rt_frappe *f = ctx;
    return rt_keep(f->watcher != NULL, req, headers, kept);
}

/* --- Socket.IO's callbacks --- */

static void on_connect(void *ctx, rt_sio_socket *s, rt_slice auth) {
    rt_auth_connect(ctx, s, auth);
}

static void on_event(void *ctx, rt_sio_socket *s, const rt_sio_event *ev) {
    rt_events_handle(ctx, s, ev);
}

static void on_paced(void *ctx, rt_sio_socket *s) {
    const rt_member *m = rt_member_of(s);
    if (m && m->identity)
        rt_limits_reached(ctx, s, RT_LIMIT_EVENTS);
}

static void on_left(void *ctx, rt_sio_socket *s, rt_slice room) {
    rt_member *m = rt_member_of(s);
    if (m && m->identity)
        rt_events_left(ctx, s, room);
}

static void on_disconnect(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    rt_frappe *f = ctx;
    const rt_member *m = rt_member_of(s);
    if (m && m->identity) {
        rt_permission_gone(s);
        if (f->watcher)
            f->watcher->on_gone(f->watcher->ctx, s, reason);
    }
    rt_member_free(rt_member_of(s));
    rt_sio_socket_set_user(s, NULL);
}

static void on_client_gone(void *ctx, void *client_user) {
    (void)ctx;
    rt_identity_rele_client(client_user);
}

rt_sio_app rt_frappe_socketio_app(rt_frappe *f) {
    return (rt_sio_app){
        .ctx = f,
        .on_connect = on_connect,
        .on_event = on_event,
        .on_paced = on_paced,
        .on_disconnect = on_disconnect,
        .on_left = on_left,
        .on_client_gone = on_client_gone,
    };
}

void rt_frappe_attach(rt_frappe *f, rt_sio *io) {
    f->io = io;
}

void rt_frappe_watch(rt_frappe *f, const rt_frappe_watcher *watcher) {
    f->watcher = watcher;
}

bool rt_frappe_person_of(const rt_sio_socket *s, rt_frappe_person *out) {
    const rt_member *m = rt_member_of(s);
    if (!m || !m->identity)
        return false;
    const rt_identity *id = m->identity;
    rt_credential credential = rt_identity_credential(id);
    bool by_sid = credential.kind == RT_CREDENTIAL_SID;
    *out = (rt_frappe_person){.site = rt_site_name(id->site),
                              .user = rt_identity_user(id),
                              .type = rt_identity_type(id),
                              .apps = rt_identity_apps(id),
                              .sid = by_sid ? credential.value : RT_EMPTY,
                              .authorization = by_sid ? RT_EMPTY : credential.value};
    return true;
}

void rt_frappe_forget(rt_frappe *f, rt_slice site, rt_slice user) {
    rt_asker_forget(&f->asker, site, user);
}

int rt_frappe_read_secret(rt_frappe *f, rt_frappe_redis_fn *done, void *arg) {
    return f->ports.redis_get(f->ports.ctx, RT_SECRET_KEY, done, arg);
}

/* --- figures --- */

void rt_frappe_get_figures(const rt_frappe *f, rt_frappe_figures *out) {
    *out = (rt_frappe_figures){
        .identities = f->asker.sites.connected,
        .questions = f->asker.open_count,
        .waiting = f->asker.waiting,
        .in_line = f->asker.turns.waiting,
        .cached = f->asker.kept + f->asker.logins.count,
        .counters = f->counters,
    };
    out->counters.v[RT_FRAPPE_SITE_PAUSES] = f->asker.turns.pauses;
}

void rt_frappe_show_figures(const rt_frappe *frappe, const rt_figures *to) {
    rt_frappe_figures f;
    rt_frappe_get_figures(frappe, &f);
    rt_figures_gauge(to, "identities", f.identities,
                     "Logins connected; a user's tabs with one login count once.");
    rt_figures_gauge(to, "questions_in_flight", f.questions,
                     "Questions to the web process that have no answer yet.");
    rt_figures_gauge(to, "sockets_waiting", f.waiting,
                     "Logins and permissions that wait for such an answer.");
    rt_figures_gauge(to, "questions_in_line", f.in_line,
                     "Questions to the web process that are queued.");
    rt_figures_gauge(to, "answers_cached", f.cached, "Answers of the web process that are kept.");
    RT_FIGURES_OF(to, "frappe", rt_frappe, &f.counters);
}

int rt_frappe_put_waiting_sites(const rt_frappe *f, rt_buf *out) {
    uint64_t now = rt_frappe_now(f);
    size_t cursor = 0;
    const rt_map_entry *e;
    rt_buf_putc(out, '{');
    while ((e = rt_map_next(&f->asker.sites.by_name, &cursor))) {
        const rt_site *site = e->value;
        if (!site->away_since || !site->open)
            continue;
        rt_json_put_key(out, rt_site_name(site));
        rt_buf_putc(out, '{');
        rt_json_put_member_u64(out, RT_LIT("seconds"), (now - site->away_since) / 1000);
        rt_json_put_member_str(out, RT_LIT("for"), rt_slice_of(site->away_for));
        rt_json_put_member_str(out, RT_LIT("why"), rt_slice_of(site->away_why));
        rt_buf_putc(out, '}');
    }
    return rt_buf_putc(out, '}');
}
