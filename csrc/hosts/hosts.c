/* Hosts come, take over, go. */
#include "hosts/hosts.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "json/write.h"
#include "hosts/state.h"

#include <stdarg.h>
#include <stdio.h>

#define PROTOCOL 2

RT_COUNTERS_DEFINE(rt_host, RT_HOST_COUNTERS)
RT_COUNTERS_DEFINE(rt_hosts, RT_HOSTS_COUNTERS)

static const char *const state_names[] = {"free", "joining", "active", "draining"};

/* --- what the rules tell --- */

static void on_let_in(void *ctx, rt_sio_socket *s, rt_slice auth) {
    rt_hosts *h = ctx;
    rt_sio_socket_set_bits(s, 0);
    if (rt_map_put(&h->sockets, rt_sio_socket_id(s), s) != RT_OK) {
        rt_hosts_count(h, RT_HOSTS_NO_MEMORY);
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY); /* it comes back by itself */
        return;
    }
    rt_host_keep(h, s, auth);
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (h->connects & host->bit && host->state != RT_HOST_DRAINING)
            rt_host_tell_connect(host, s, auth, false);
}

static void on_gone(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    rt_hosts *h = ctx;
    (void)rt_map_del(&h->sockets, rt_sio_socket_id(s));
    rt_host_drop_kept(h, s);
    rt_host_tell_gone(h, s, reason);
}

/* --- the first and the last --- */

/* Visits every socket that is in, to know it by its id, and takes the bit of a place from it. */
static int collect(rt_hosts *h, uint8_t bit, rt_buf *namespaces) {
    bool first = h->attached == 0;
    size_t cursor = 0;
    rt_sio_ns *ns;
    int status = RT_OK;
    while (status == RT_OK && (ns = rt_sio_ns_next(h->io, &cursor))) {
        rt_buf_puts(namespaces, rt_sio_ns_name(ns));
        status = rt_buf_putc(namespaces, '\0');
        rt_sio_socket *s;
        for (uint32_t i = 0; status == RT_OK && (s = rt_sio_ns_socket(ns, i)); i++) {
            rt_sio_socket_set_bits(s, rt_sio_socket_bits(s) & (uint8_t)~bit);
            if (first)
                status = rt_map_put(&h->sockets, rt_sio_socket_id(s), s);
        }
    }
    return status;
}

static void watch(rt_hosts *h) {
    rt_frappe_watch(h->frappe, h->attached ? &h->watcher : NULL);
    rt_sio_watch_rooms(h->io, h->mirror ? rt_host_tell_moved : NULL, h);
    if (!h->handshakes)
        rt_host_drop_all_kept(h);
    if (h->attached)
        return;
    rt_map_fini(&h->sockets);
    rt_buf_fini(&h->line);
    rt_buf_fini(&h->text);
    rt_buf_fini(&h->rooms);
    rt_buf_fini(&h->named);
    rt_buf_fini(&h->excepted);
}

/* --- taking over --- */

static void drain(rt_host *host) {
    rt_hosts *h = host->hosts;
    host->state = RT_HOST_DRAINING;
    h->active &= (uint8_t)~host->bit;
    rt_timer_arm(&h->drain_due, &host->drain, rt_hosts_now(h));
    rt_host_start_line(h, RT_LIT("drain"));
    rt_host_say(h, host->bit);
}

static void on_drain_due(rt_timerq *q, rt_timer *t) {
    (void)q;
    rt_host_give_up(RT_OF(t, rt_host, drain), RT_HOSTS_DRAINED_LATE,
                    "they were replaced 10 s ago and have not left");
}

static rt_host *find_host(rt_hosts *h, const char *id) {
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (host->state != RT_HOST_FREE && strcmp(host->id, id) == 0)
            return host;
    return NULL;
}

/* Who is replaced and is not there may have gone, or may still be starting: it must not come
 * beside the one that has its work. */
static void miss(rt_hosts *h, const char *id) {
    char *place = h->missed[h->missed_count++ % RT_HOSTS_MAX];
    snprintf(place, sizeof h->missed[0], "%s", id);
}

static bool was_missed(const rt_hosts *h, const char *id) {
    for (size_t i = 0; i < RT_HOSTS_MAX; i++)
        if (strcmp(h->missed[i], id) == 0)
            return true;
    return false;
}

static void activate(rt_host *host) {
    rt_hosts *h = host->hosts;
    rt_host *old = *host->replaces ? find_host(h, host->replaces) : NULL;
    host->state = RT_HOST_ACTIVE;
    h->active |= host->bit;
    rt_buf_fini(&host->waiting);
    rt_log(RT_LOG_INFO, "handlers", "the %s handlers (process %llu) take %u named events%s",
           host->language, (unsigned long long)host->pid, host->names,
           host->all ? " and every other" : "");
    if (!old && *host->replaces)
        miss(h, host->replaces);
    if (old && old != host && old->state != RT_HOST_DRAINING) {
        rt_hosts_count(h, RT_HOSTS_REPLACED);
        drain(old);
    }
}

/* The namespace that is told of now; NULL: none is left. */
static rt_sio_ns *waiting_ns(rt_host *host) {
    while (host->waiting.n > 0) {
        size_t start = host->waiting.n - 1;
        while (start > 0 && host->waiting.p[start - 1] != '\0')
            start--;
        rt_slice name = rt_slice_make(host->waiting.p + start, host->waiting.n - 1 - start);
        rt_sio_ns *ns = rt_sio_ns_find(host->hosts->io, name);
        if (ns && host->waiting_at > 0)
            return ns;
        host->waiting.n = start;
        host->waiting_at = UINT32_MAX;
    }
    return NULL;
}

/* Iterate backwards: swap-remove moves the last, already announced socket into the gap, and one
 * that comes is announced when it comes. */
static rt_sio_socket *next_waiting(rt_host *host) {
    rt_sio_ns *ns;
    while ((ns = waiting_ns(host))) {
        if (host->waiting_at > rt_sio_ns_size(ns))
            host->waiting_at = rt_sio_ns_size(ns);
        while (host->waiting_at > 0) {
            rt_sio_socket *s = rt_sio_ns_socket(ns, --host->waiting_at);
            if (!rt_host_was_told(host, s))
                return s;
        }
    }
    return NULL;
}

void rt_host_room(rt_host *host) {
    const rt_host_link *link = host->hosts->link;
    while (host->state == RT_HOST_JOINING && link->owed(host->peer) < RT_HOST_TELL_OWED) {
        rt_sio_socket *s = next_waiting(host);
        if (s)
            rt_host_tell_connect(host, s, RT_EMPTY, true);
        else
            activate(host);
    }
}

/* --- attaching --- */

static int refuse(rt_hosts *h, rt_buf *answer, int counter, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(rt_hosts *h, rt_buf *answer, int counter, const char *fmt, ...) {
    char why[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    rt_hosts_count(h, counter);
    rt_log(RT_LOG_WARN, "handlers", "a handler host is turned away: %s", why);
    rt_buf_putc(answer, '{');
    rt_json_put_member_str(answer, RT_LIT("error"), rt_slice_of(why));
    return rt_buf_putc(answer, '}') == RT_OK ? RT_EINVAL : answer->err;
}

/* A short plain text of ASCII that can be shown; false: it is something else. */
static bool take_word(rt_slice value, char out[RT_HOST_ID_MAX + 1]) {
    rt_slice text;
    if (!rt_json_str_plain(value, &text) || text.n == 0 || text.n > RT_HOST_ID_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool is_set(rt_slice value) {
    return value.n > 0 && value.p[0] == 't';
}

static int take_events(rt_host *host, rt_slice events) {
    rt_json_iter it;
    rt_slice value;
    if (rt_json_type_of(events) != RT_JSON_ARRAY || rt_json_iter_init(&it, events) != RT_OK)
        return RT_EINVAL;
    rt_buf name = RT_BUF_INIT;
    int status = RT_OK;
    while (status == RT_OK && rt_json_next(&it, &value)) {
        rt_buf_clear(&name);
        status = rt_json_str_decode(value, &name);
        if (status == RT_OK)
            status = rt_host_add_event(host, rt_buf_slice(&name));
    }
    rt_buf_fini(&name);
    return status == RT_OK || status == RT_ENOMEM || status == RT_ELIMIT ? status : RT_EINVAL;
}

/* The names are for people who ask which host serves an app. */
static int take_apps(rt_host *host, rt_slice apps) {
    rt_json_iter it;
    rt_slice name;
    if (apps.n == 0)
        return RT_OK;
    if (apps.n > RT_HOST_APPS_MAX || rt_json_type_of(apps) != RT_JSON_ARRAY ||
        rt_json_iter_init(&it, apps) != RT_OK)
        return RT_EINVAL;
    while (rt_json_next(&it, &name))
        if (rt_json_type_of(name) != RT_JSON_STRING)
            return RT_EINVAL;
    return rt_buf_puts(&host->apps, apps);
}

/* Fills a free place from the first line. */
static int fill(rt_host *host, rt_slice line, rt_buf *answer) {
    rt_hosts *h = host->hosts;
    unsigned long long version = 0, pid = 0;
    rt_slice stated = rt_json_get(line, RT_LIT("version"));
    if (rt_slice_to_u64(stated, UINT32_MAX, &version) != RT_OK || version != PROTOCOL)
        return refuse(h, answer, RT_HOSTS_REFUSED,
                      "it speaks version %.*s of the protocol, this server version %d: let both "
                      "be of the same installation, and restart the older one",
                      stated.n == 0 ? 4 : (int)(stated.n < 20 ? stated.n : 20),
                      stated.n ? stated.p : "none", PROTOCOL);
    if (!take_word(rt_json_get(line, RT_LIT("id")), host->id))
        return refuse(h, answer, RT_HOSTS_REFUSED, "its id must be a text of 1 to %d characters",
                      RT_HOST_ID_MAX);
    if (find_host(h, host->id))
        return refuse(h, answer, RT_HOSTS_REFUSED, "a host with the id %s is attached already",
                      host->id);
    if (was_missed(h, host->id))
        return refuse(h, answer, RT_HOSTS_REFUSED,
                      "another host has taken the place of %s before it came", host->id);
    if (!take_word(rt_json_get(line, RT_LIT("language")), host->language))
        snprintf(host->language, sizeof host->language, "unnamed");
    if (!take_word(rt_json_get(line, RT_LIT("replaces")), host->replaces))
        host->replaces[0] = '\0';
    if (rt_slice_to_u64(rt_json_get(line, RT_LIT("pid")), INT32_MAX, &pid) == RT_OK)
        host->pid = pid;
    host->mirror = is_set(rt_json_get(line, RT_LIT("mirror")));
    host->connects = host->mirror || is_set(rt_json_get(line, RT_LIT("connects")));
    host->handshakes = is_set(rt_json_get(line, RT_LIT("handshakes")));
    int status = take_apps(host, rt_json_get(line, RT_LIT("apps")));
    if (status == RT_EINVAL)
        return refuse(h, answer, RT_HOSTS_REFUSED,
                      "its apps must be an array of names, of at most %d bytes", RT_HOST_APPS_MAX);
    if (status == RT_OK)
        status = take_events(host, rt_json_get(line, RT_LIT("events")));
    if (status == RT_OK)
        status = collect(h, host->bit, &host->waiting);
    if (status == RT_EINVAL)
        return refuse(h, answer, RT_HOSTS_REFUSED,
                      "its events must be an array of names of 1 to %d bytes",
                      RT_HOST_EVENT_NAME_MAX);
    if (status == RT_ELIMIT)
        return refuse(h, answer, RT_HOSTS_REFUSED, "it takes more than %d events",
                      RT_HOST_EVENTS_MAX);
    if (status != RT_OK) {
        refuse(h, answer, RT_HOSTS_NO_MEMORY, "out of memory");
        return RT_ENOMEM;
    }
    return RT_OK;
}

/* Gives a place back. */
static void clear(rt_host *host) {
    rt_hosts *h = host->hosts;
    uint8_t others = (uint8_t)~host->bit;
    rt_host_drop_events(host);
    rt_host_asks_orphan(host);
    rt_timer_disarm(&host->drain);
    rt_buf_fini(&host->waiting);
    rt_buf_fini(&host->apps);
    h->attached &= others;
    h->active &= others;
    h->connects &= others;
    h->mirror &= others;
    h->handshakes &= others;
    uint8_t bit = host->bit;
    memset(host, 0, sizeof *host);
    host->hosts = h;
    host->bit = bit;
    rt_list_init(&host->asks);
    rt_timer_init(&host->drain);
    watch(h);
}

static rt_host *free_place(rt_hosts *h) {
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (host->state == RT_HOST_FREE)
            return host;
    return NULL;
}

int rt_host_attach(rt_hosts *h, rt_slice line, rt_host **out, rt_buf *answer) {
    rt_host *host = free_place(h);
    if (!host)
        return refuse(h, answer, RT_HOSTS_OVER_MAX,
                      "%d handler hosts are attached, and there may be no more", RT_HOSTS_MAX);
    int status = fill(host, line, answer);
    if (status != RT_OK) {
        clear(host);
        return status;
    }
    if (!host->connects)
        host->waiting.n = 0;
    host->waiting_at = UINT32_MAX;
    host->state = RT_HOST_JOINING;
    host->since = rt_hosts_now(h);
    h->attached |= host->bit;
    if (host->connects)
        h->connects |= host->bit;
    if (host->mirror)
        h->mirror |= host->bit;
    if (host->handshakes)
        h->handshakes |= host->bit;
    rt_hosts_count(h, RT_HOSTS_ATTACHED);
    watch(h);
    *out = host;
    return RT_OK;
}

void rt_host_begin(rt_host *host, void *peer) {
    rt_hosts *h = host->hosts;
    host->peer = peer;
    rt_buf *b = rt_host_start_line(h, RT_LIT("welcome"));
    rt_json_put_member_u64(b, RT_LIT("version"), PROTOCOL);
    rt_json_put_member_str(b, RT_LIT("server"), rt_slice_make(h->server_id, RT_ID_LEN));
    rt_host_put_settings(h, b);
    rt_host_say(h, host->bit);
    rt_host_room(host);
}

void rt_host_gone(rt_host *host) {
    rt_hosts_count(host->hosts, RT_HOSTS_GONE);
    rt_log(RT_LOG_INFO, "handlers", "the %s handlers (process %llu) have left", host->language,
           (unsigned long long)host->pid);
    clear(host);
}

/* --- life --- */

rt_hosts *rt_hosts_new(rt_frappe *frappe, rt_sio *io, rt_timers *timers, uint64_t (*now)(void *ctx),
                       void *now_ctx, const rt_host_link *link) {
    rt_hosts *h = rt_alloc0(sizeof *h);
    rt_random random;
    rt_random_init(&random);
    if (!h || rt_random_id(&random, h->server_id) != RT_OK) {
        rt_free(h);
        return NULL;
    }
    h->frappe = frappe;
    h->io = io;
    h->now = now;
    h->now_ctx = now_ctx;
    h->link = link;
    h->watcher = (rt_frappe_watcher){h, on_let_in, rt_host_tell_event, on_gone};
    h->line.max = RT_HOST_LINE_MAX;
    rt_map_init(&h->sockets);
    rt_map_init(&h->takers);
    rt_map_init(&h->kept);
    rt_timerq_init(&h->drain_due, timers, RT_HOST_DRAIN_MS, on_drain_due, h);
    for (int i = 0; i < RT_HOSTS_MAX; i++) {
        h->host[i].hosts = h;
        h->host[i].bit = (uint8_t)(1u << i);
        rt_list_init(&h->host[i].asks);
        rt_timer_init(&h->host[i].drain);
    }
    return h;
}

void rt_hosts_free(rt_hosts *h) {
    if (!h)
        return;
    rt_timerq_fini(&h->drain_due);
    rt_map_fini(&h->takers);
    rt_map_fini(&h->sockets);
    rt_map_fini(&h->kept);
    rt_buf_fini(&h->web);
    rt_free(h);
}

/* --- figures --- */

static void put_host(const rt_host *host, bool names, rt_buf *b) {
    const rt_hosts *h = host->hosts;
    if (b->n && b->p[b->n - 1] != '[')
        rt_buf_putc(b, ',');
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("id"), rt_slice_of(host->id));
    rt_json_put_member_str(b, RT_LIT("language"), rt_slice_of(host->language));
    rt_json_put_member_u64(b, RT_LIT("pid"), host->pid);
    rt_json_put_member_str(b, RT_LIT("state"), rt_slice_of(state_names[host->state]));
    rt_json_put_member_raw(b, RT_LIT("connects"),
                           host->connects ? RT_LIT("true") : RT_LIT("false"));
    rt_json_put_member_raw(b, RT_LIT("mirror"), host->mirror ? RT_LIT("true") : RT_LIT("false"));
    rt_json_put_member_u64(b, RT_LIT("attached_ms"), rt_hosts_now(h) - host->since);
    rt_json_put_member_u64(b, RT_LIT("owed_bytes"), host->peer ? h->link->owed(host->peer) : 0);
    rt_json_put_member_u64(b, RT_LIT("waits_for"), host->ask_count);
    if (names) {
        rt_json_put_member_raw(b, RT_LIT("apps"),
                               host->apps.n ? rt_buf_slice(&host->apps) : RT_LIT("[]"));
        rt_json_put_key(b, RT_LIT("takes"));
        rt_host_put_names(host, b);
    }
    for (int i = 0; i < rt_host_counters_n; i++)
        rt_json_put_member_u64(b, rt_slice_of(rt_host_counter_rows[i].name), host->counters.v[i]);
    rt_buf_putc(b, '}');
}

int rt_hosts_put(const rt_hosts *h, bool names, rt_buf *out) {
    rt_buf_putc(out, '[');
    for (const rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (host->state != RT_HOST_FREE)
            put_host(host, names, out);
    return rt_buf_putc(out, ']');
}

const rt_hosts_counters *rt_hosts_get_counters(const rt_hosts *h) {
    return &h->counters;
}
