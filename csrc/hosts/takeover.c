/* A host takes over from another once it has been told of every socket. */
#include "hosts/state.h"

#include <stdio.h>

static void drain(rt_host *host) {
    rt_hosts *h = host->hosts;
    host->state = RT_HOST_DRAINING;
    h->active &= (uint8_t)~host->bit;
    rt_timer_arm(&h->drain_due, &host->drain, rt_hosts_now(h));
    rt_host_start_line(h, RT_LIT("drain"));
    rt_host_say(h, host->bit);
}

void rt_host_drained_late(rt_timerq *q, rt_timer *t) {
    (void)q;
    rt_host_give_up(RT_OF(t, rt_host, drain), RT_HOSTS_DRAINED_LATE,
                    "they were replaced 10 s ago and have not left");
}

rt_host *rt_host_find(rt_hosts *h, const char *id) {
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (host->state != RT_HOST_FREE && strcmp(host->id, id) == 0)
            return host;
    return NULL;
}

/* A replaced host that is not attached has gone, or is still starting. If it came now, two hosts
 * would do the same work, so rt_host_was_missed lets it be refused. */
static void miss(rt_hosts *h, const char *id) {
    char *place = h->missed[h->missed_count++ % RT_HOSTS_MAX];
    snprintf(place, sizeof h->missed[0], "%s", id);
}

bool rt_host_was_missed(const rt_hosts *h, const char *id) {
    for (size_t i = 0; i < RT_HOSTS_MAX; i++)
        if (strcmp(h->missed[i], id) == 0)
            return true;
    return false;
}

static void activate(rt_host *host) {
    rt_hosts *h = host->hosts;
    rt_host *old = *host->replaces ? rt_host_find(h, host->replaces) : NULL;
    host->state = RT_HOST_ACTIVE;
    h->active |= host->bit;
    rt_buf_fini(&host->waiting);
    rt_log(RT_LOG_INFO, "handlers", "the %s handlers (process %llu) take %u named event%s%s",
           host->language, (unsigned long long)host->pid, host->names, host->names == 1 ? "" : "s",
           host->all ? " and all others" : "");
    if (!old && *host->replaces)
        miss(h, host->replaces);
    if (old && old != host && old->state != RT_HOST_DRAINING) {
        rt_hosts_count(h, RT_HOSTS_REPLACED);
        drain(old);
    }
}

/* The namespace whose sockets are told of now; NULL: none is left. */
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

/* Iterate backwards: swap-remove moves the last, already announced socket into the gap. A new
 * socket is announced when it connects. */
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
