/* Handler hosts: processes on this machine that run the handlers of apps. docs/handlers.md
 * describes the protocol, line by line.
 *
 *            knows every socket that was there              another takes over
 *   JOINING ─────────────────────────────────────► ACTIVE ─────────────────────► DRAINING
 *      │      (at once, if it does not ask for sockets) │                            │ 10 s
 *      └────────────────────────────────────────────────┴────────────────────────────┴───► gone
 *
 * Only an ACTIVE host gets events. A host that replaces another becomes ACTIVE in the same turn in
 * which the other begins to drain, so each event goes to exactly one of them. A JOINING host is
 * told of sockets as fast as it reads; one that does not read never takes over.
 *
 * Each socket has one bit per host: whether that host has been told of it. While no host is
 * attached, nothing is stored about sockets. Their handshakes are kept only while a host that asked
 * for them is attached.
 *
 * Ownership: new/free. rt_host_attach occupies a place, rt_host_gone frees it. Thread: the loop's.
 * Must not know: descriptors; it sees a host as a rt_host_link. */
#ifndef RT_HOSTS_HOSTS_H
#define RT_HOSTS_HOSTS_H

#include "base/counters.h"
#include "base/status.h"
#include "base/figures.h"
#include "base/timers.h"
#include "frappe/frappe.h"

#define RT_HOSTS_MAX 8
#define RT_HOST_LINE_MAX (16u << 20)  /* bytes of one line, in either direction */
#define RT_HOST_OWED_SOFT (8u << 20)  /* unread bytes; above that a host loses events */
#define RT_HOST_OWED_MAX (32u << 20)  /* unread bytes; above that it is closed */
#define RT_HOST_TELL_OWED (1u << 20)  /* unread bytes; telling of sockets pauses there */
#define RT_HOST_TELL_LOW (256u << 10) /* unread bytes; and resumes at or below that */
#define RT_HOST_DRAIN_MS 10000        /* time for a replaced host to leave */
#define RT_HOST_EVENTS_MAX 10000      /* event names that one host may take */
#define RT_HOST_EVENT_NAME_MAX 1024   /* bytes of one name */
#define RT_HOST_ASKS_MAX 100000       /* answers that one host may wait for at one time */
#define RT_HOST_ID_MAX 64             /* bytes of its id */
#define RT_HOST_APPS_MAX (16u << 10)  /* bytes of its list of apps */
#define RT_HOST_KEPT_MAX (4u << 10)   /* bytes kept of a handshake, its query and auth as JSON */
#define RT_HOST_KEPT_ALL (64u << 20)  /* bytes kept of all handshakes together */

/* Counters of one host. */
#define RT_HOST_COUNTERS(X)                                                                        \
    X(RT_HOST_EVENTS, "events", "Client events sent to the host.")                                 \
    X(RT_HOST_EVENTS_LOST, "events_lost", "Client events that the host did not get.")              \
    X(RT_HOST_SOCKETS_TOLD, "sockets_told", "Sockets that the host was told about.")               \
    X(RT_HOST_LINES, "lines", "Lines received from the host.")                                     \
    X(RT_HOST_LINES_SKIPPED, "lines_skipped",                                                      \
      "Lines of the host skipped because they were wrong.")                                        \
    X(RT_HOST_EMITS, "emits", "Events that the host emitted.")                                     \
    X(RT_HOST_ACKS, "acks", "Acknowledgements that the host sent to clients.")                     \
    X(RT_HOST_ASKS_OVER_MAX, "asks_over_max",                                                      \
      "Answers not awaited because the host waited for too many.")
RT_COUNTERS_DECLARE(rt_host, RT_HOST_COUNTERS)

/* Counters of all hosts together. */
#define RT_HOSTS_COUNTERS(X)                                                                       \
    X(RT_HOSTS_ATTACHED, "attached", "Handler hosts attached.")                                    \
    X(RT_HOSTS_REFUSED, "refused",                                                                 \
      "Handler hosts turned away because their first line was wrong.")                             \
    X(RT_HOSTS_OVER_MAX, "over_max", "Handler hosts turned away because there were too many.")     \
    X(RT_HOSTS_REPLACED, "replaced", "Handler hosts replaced by another.")                         \
    X(RT_HOSTS_GONE, "gone", "Handler hosts that left or were disconnected.")                      \
    X(RT_HOSTS_CLOSED_SLOW, "closed_slow",                                                         \
      "Handler hosts disconnected because they did not read.")                                     \
    X(RT_HOSTS_DRAINED_LATE, "drained_late",                                                       \
      "Replaced handler hosts disconnected because they did not leave in time.")                   \
    X(RT_HOSTS_EVENTS_LOST, "events_lost", "Client events that a handler host did not get.")       \
    X(RT_HOSTS_KEPT_OVER_MAX, "handshakes_over_max",                                               \
      "Handshakes not kept for the next handler host: too big or too many.")                       \
    X(RT_HOSTS_NO_MEMORY, "no_memory", "Times that memory ran out for what handler hosts need.")
RT_COUNTERS_DECLARE(rt_hosts, RT_HOSTS_COUNTERS)

/* How a host is reached. `peer` is what rt_host_begin was given. */
typedef struct rt_host_link {
    void (*say)(void *peer, rt_slice line); /* may call rt_host_gone */
    size_t (*owed)(const void *peer);       /* bytes that it has not read */
    void (*end)(void *peer);                /* closes it: calls rt_host_gone */
} rt_host_link;

/* The configuration that hosts need. They read no configuration files themselves. */
typedef struct rt_hosts_opts {
    rt_slice web;     /* URL for their requests to the web process: "http://127.0.0.1:8000" */
    uint32_t threads; /* to run handlers that are plain functions */
} rt_hosts_opts;

typedef struct rt_hosts rt_hosts;
typedef struct rt_host rt_host;

/* NULL: out of memory. */
RT_MUST_CHECK rt_hosts *rt_hosts_new(rt_frappe *frappe, rt_sio *io, rt_timers *timers,
                                     uint64_t (*now)(void *ctx), void *now_ctx,
                                     const rt_host_link *link);
void rt_hosts_free(rt_hosts *h); /* only after every host has gone; NULL is fine */

/* Call it before the first host attaches, and after each change of the configuration: attached
 * hosts are told. Copies `opts`. RT_OK; RT_ENOMEM: the old ones stay. */
RT_MUST_CHECK int rt_hosts_set_opts(rt_hosts *h, const rt_hosts_opts *opts);

/* Handles a host's first line, which is valid JSON. RT_OK: *host occupies a place, and
 * rt_host_begin must follow. RT_EINVAL or RT_ENOMEM: `{"error":".."}` was appended to *answer. */
RT_MUST_CHECK int rt_host_attach(rt_hosts *h, rt_slice line, rt_host **host, rt_buf *answer);
void rt_host_begin(rt_host *host, void *peer); /* sends the welcome, then the sockets */
void rt_host_line(rt_host *host, rt_slice line);
void rt_host_room(rt_host *host); /* at most RT_HOST_TELL_LOW bytes are unread */
void rt_host_gone(rt_host *host);

/* Appends `[{"id":..},..]`; with `names` also the names of apps and events. */
int rt_hosts_put(const rt_hosts *h, bool names, rt_buf *out);
const rt_hosts_counters *rt_hosts_get_counters(const rt_hosts *h);
/* Shows the counters of each host in the group `hosts`, labelled with the host's id (figures.c). */
void rt_hosts_show_each(const rt_hosts *h, const rt_figures *to);

#endif
