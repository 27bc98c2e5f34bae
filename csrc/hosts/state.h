/* The state of the handler hosts, private to hosts/.
 *
 * Sending to a host may close it (too much is unread, or memory ran out), so after each rt_host_say
 * its place may be free. Places never move: the pointer stays valid, and `state` may be read.
 *
 * Ownership: of rt_hosts. Thread: the loop's. Must not know: descriptors. */
#ifndef RT_HOSTS_STATE_H
#define RT_HOSTS_STATE_H

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "base/status.h"
#include "hosts/hosts.h"

enum rt_host_state { RT_HOST_FREE, RT_HOST_JOINING, RT_HOST_ACTIVE, RT_HOST_DRAINING };

struct rt_host {
    rt_hosts *hosts;
    void *peer;    /* NULL: before rt_host_begin */
    uint8_t state; /* enum rt_host_state */
    uint8_t bit;   /* its place's bit in every mask and in rt_sio_socket_bits */
    bool connects, mirror, handshakes;
    bool all; /* takes every event except the server's own */
    uint32_t names;
    uint64_t pid;
    uint64_t since;      /* ms */
    rt_buf waiting;      /* JOINING: namespaces to tell of, each with a NUL; taken from the end */
    uint32_t waiting_at; /* sockets of the current one that are still to be visited */
    rt_list asks;        /* rt_host_ask.node */
    uint32_t ask_count;
    rt_timer drain;
    rt_log_gate lost_gate, skipped_gate;
    rt_host_counters counters;
    rt_buf apps; /* JSON: the names of its apps; empty: it has sent none */
    char id[RT_HOST_ID_MAX + 1];
    char language[RT_HOST_ID_MAX + 1];
    char replaces[RT_HOST_ID_MAX + 1]; /* id of the host it replaces; empty: none */
};

struct rt_hosts {
    rt_frappe *frappe;
    rt_sio *io;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    const rt_host_link *link;
    rt_frappe_watcher watcher;
    rt_host host[RT_HOSTS_MAX];
    rt_map sockets; /* accepted sockets by id; empty while no host is attached */
    rt_map takers;  /* rt_taken_event by the event's name */
    rt_map kept;    /* rt_host_kept by socket id; empty while no host asks for handshakes */
    size_t kept_bytes;
    /* Masks of places, one bit each. */
    uint8_t attached, active, all, connects, mirror, handshakes;
    rt_buf line;     /* the line that is being built for a host */
    rt_buf text;     /* decoded strings of the line being read; it never moves during that */
    rt_buf rooms;    /* rt_slice: the rooms in that line */
    rt_buf named;    /* rt_sio_socket *: the sockets that it names as rooms */
    rt_buf excepted; /* rt_sio_socket *: the sockets that it excepts */
    rt_timerq drain_due;
    rt_buf web;       /* as in rt_hosts_opts */
    uint32_t threads; /* as in rt_hosts_opts */
    char server_id[RT_ID_LEN];
    char missed[RT_HOSTS_MAX][RT_HOST_ID_MAX + 1]; /* the last ids replaced before they attached */
    unsigned missed_count;
    rt_hosts_counters counters;
};

/* A question that a host waits for. Whoever answers it frees it. */
typedef struct rt_host_ask {
    rt_list node;
    rt_host *host; /* NULL: it has gone */
    uint64_t q;
} rt_host_ask;

static inline void rt_host_count(rt_host *host, int counter) {
    host->counters.v[counter]++;
}

static inline void rt_hosts_count(rt_hosts *h, int counter) {
    h->counters.v[counter]++;
}

static inline uint64_t rt_hosts_now(const rt_hosts *h) {
    return h->now(h->now_ctx);
}

static inline bool rt_host_was_told(const rt_host *host, const rt_sio_socket *s) {
    return rt_sio_socket_bits(s) & host->bit;
}

/* --- settings.c --- */
/* `,"web":"..","threads":4` */
void rt_host_put_settings(const rt_hosts *h, rt_buf *b);

/* --- hello.c --- */
#define RT_HOST_PROTOCOL 2 /* the version that both ends must speak */
/* Fills a free place from a host's first line. RT_OK; RT_EINVAL with the refusal in *answer;
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_host_read_hello(rt_host *host, rt_slice line, rt_buf *answer);
/* Counts, logs and appends `{"error":".."}`. RT_EINVAL, or the buffer's error. */
RT_MUST_CHECK int rt_host_refuse(rt_hosts *h, rt_buf *answer, int counter, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --- takeover.c --- */
rt_host *rt_host_find(rt_hosts *h, const char *id); /* NULL: no host with that id is attached */
/* Whether the host with that id was replaced before it attached. */
bool rt_host_was_missed(const rt_hosts *h, const char *id);
void rt_host_drained_late(rt_timerq *q, rt_timer *t);

/* --- takers.c --- */
/* Mask of the active hosts that take an event. `name` is JSON; `own`: one of Frappe's. */
uint8_t rt_hosts_taking(rt_hosts *h, rt_slice name, bool own);
/* `name` is decoded text. RT_OK; RT_EINVAL: empty or too long; RT_ELIMIT: too many; RT_ENOMEM. */
RT_MUST_CHECK int rt_host_add_event(rt_host *host, rt_slice name);
void rt_host_drop_events(rt_host *host);
int rt_host_put_names(const rt_host *host, rt_buf *out);

/* --- tell.c --- */
/* Starts a line in h->line. */
rt_buf *rt_host_start_line(rt_hosts *h, rt_slice op);
/* Ends the line and sends it to every host in the mask. Such a line must not be lost: a host that
 * cannot get it is closed. */
void rt_host_say(rt_hosts *h, uint8_t mask);
/* `,"a":[..],"b":[..]` */
void rt_host_put_args(rt_buf *b, rt_slice args, const rt_slice *attachments, unsigned count);
void rt_host_tell_connect(rt_host *host, rt_sio_socket *s, rt_slice auth, bool again);
bool rt_host_tell_event(void *hosts, rt_sio_socket *s, const rt_sio_event *ev, bool own);
void rt_host_tell_moved(void *hosts, rt_sio_socket *s, rt_slice room, bool joined);
void rt_host_tell_gone(rt_hosts *h, rt_sio_socket *s, enum rt_eio_reason reason);
/* Closes a host that cannot get a line that must not be lost. Counts and logs it. */
void rt_host_give_up(rt_host *host, int counter, const char *why);

/* --- facts.c --- */
/* Appends `"headers":{..}`, after a comma unless it is the first member. */
void rt_host_put_headers(rt_buf *b, const rt_http_request *req);
/* Appends `"query":{..},"auth":{..}`, after a comma unless they are the first. */
void rt_host_put_query_and_auth(rt_buf *b, const rt_http_request *req, rt_slice auth);
/* Appends JSON with its newlines replaced by spaces. */
void rt_host_put_json(rt_buf *b, rt_slice json);

/* --- kept.c --- */
/* Keeps the query and auth of a socket's handshake if a host asks for handshakes, and the socket
 * still has it. */
void rt_host_keep(rt_hosts *h, rt_sio_socket *s, rt_slice auth);
/* Appends `,"query":{..},"auth":{..}`, or nothing if none was kept. */
void rt_host_put_kept(const rt_hosts *h, const rt_sio_socket *s, rt_buf *b);
void rt_host_drop_kept(rt_hosts *h, const rt_sio_socket *s);
void rt_host_drop_all_kept(rt_hosts *h);

/* --- asks.c --- */
/* NULL: too many, or out of memory. */
RT_MUST_CHECK rt_host_ask *rt_host_ask_new(rt_host *host, uint64_t q);
void rt_host_ask_free(rt_host_ask *ask);
void rt_host_asks_orphan(rt_host *host);
void rt_host_acknowledged(void *ask, int status, const rt_sio_event *answer);
void rt_host_allowed(void *ask, enum rt_frappe_allowed allowed);
void rt_host_say_ack_error(rt_host *host, uint64_t q, const char *error);
void rt_host_say_allowed(rt_host *host, uint64_t q, enum rt_frappe_allowed allowed);
void rt_host_secret_came(void *ask, int status, bool found, rt_slice value);
/* `status`: RT_OK, or why Redis does not answer. An empty secret means that there is none. */
void rt_host_say_secret(rt_host *host, uint64_t q, int status, rt_slice secret);

#endif
