/* How hosts attach and leave. hello.c reads their first line, takeover.c activates them. */
#include "hosts/hosts.h"

#include "base/alloc.h"
#include "hosts/state.h"
#include "json/write.h"

RT_COUNTERS_DEFINE(rt_host, RT_HOST_COUNTERS)
RT_COUNTERS_DEFINE(rt_hosts, RT_HOSTS_COUNTERS)

/* --- called by Frappe's rules --- */

static void on_let_in(void *ctx, rt_sio_socket *s, rt_slice auth) {
    rt_hosts *h = ctx;
    rt_sio_socket_set_bits(s, 0);
    if (rt_map_put(&h->sockets, rt_sio_socket_id(s), s) != RT_OK) {
        rt_hosts_count(h, RT_HOSTS_NO_MEMORY);
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY); /* the client reconnects by itself */
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

/* --- the first host and the last --- */

/* Visits every socket: clears the bit of this place, and for the first host adds it to h->sockets.
 * Appends the names of all namespaces. */
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

/* --- attaching --- */

/* Frees a place. */
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
        return rt_host_refuse(h, answer, RT_HOSTS_OVER_MAX,
                              "%d handler hosts are attached, and more are not allowed",
                              RT_HOSTS_MAX);
    int status = rt_host_read_hello(host, line, answer);
    if (status == RT_OK)
        status = collect(h, host->bit, &host->waiting);
    if (status != RT_OK) {
        if (status == RT_ENOMEM)
            rt_status_ignore(rt_host_refuse(h, answer, RT_HOSTS_NO_MEMORY, "out of memory"));
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
    rt_json_put_member_u64(b, RT_LIT("version"), RT_HOST_PROTOCOL);
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
    rt_timerq_init(&h->drain_due, timers, RT_HOST_DRAIN_MS, rt_host_drained_late, h);
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

const rt_hosts_counters *rt_hosts_get_counters(const rt_hosts *h) {
    return &h->counters;
}
