/* The insides of the handler hosts, shared by the files of hosts/ alone.
 *
 * Telling a host may close it (it owes too much, memory has run out): after each rt_host_say the
 * host may be a free place. Places are never moved, so the pointer stays good for a look.
 * Thread: the loop's. */
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
    void *peer;    /* NULL: not begun */
    uint8_t state; /* enum rt_host_state */
    uint8_t bit;   /* of its place, in every mask and in rt_sio_socket_bits */
    bool connects, mirror, handshakes;
    bool all; /* takes every event that is not the server's own */
    uint32_t names;
    uint64_t pid;
    uint64_t since; /* ms */
    rt_buf waiting; /* JOINING: namespaces to tell of, each with a NUL; the last one comes first */
    uint32_t waiting_at; /* sockets of that one that are still to be looked at */
    rt_list asks;        /* rt_host_ask.node */
    uint32_t ask_count;
    rt_timer drain;
    rt_log_gate lost_gate, skipped_gate;
    rt_host_counters counters;
    rt_buf apps; /* JSON: the names of its apps; empty: it has told none */
    char id[RT_HOST_ID_MAX + 1];
    char language[RT_HOST_ID_MAX + 1];
    char replaces[RT_HOST_ID_MAX + 1]; /* empty: nobody */
};

struct rt_hosts {
    rt_frappe *frappe;
    rt_sio *io;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    const rt_host_link *link;
    rt_frappe_watcher watcher;
    rt_host host[RT_HOSTS_MAX];
    rt_map sockets; /* by id, those that were let in; empty while no host is attached */
    rt_map takers;  /* rt_taken_event by event */
    rt_map kept;    /* rt_host_kept by id of a socket; empty while no host asks for it */
    size_t kept_bytes;
    /* Masks of places. */
    uint8_t attached, active, all, connects, mirror, handshakes;
    rt_buf line;     /* being made for a host */
    rt_buf text;     /* decoded texts of the line being read, which does not move meanwhile */
    rt_buf rooms;    /* rt_slice, of that line */
    rt_buf named;    /* rt_sio_socket *, of that line */
    rt_buf excepted; /* the same */
    rt_timerq drain_due;
    rt_buf web;       /* of rt_hosts_opts */
    uint32_t threads; /* the same */
    char server_id[RT_ID_LEN];
    char missed[RT_HOSTS_MAX][RT_HOST_ID_MAX + 1]; /* replaced before they came; the last few */
    unsigned missed_count;
    rt_hosts_counters counters;
};

/* Something a host waits for: freed by whoever answers it. */
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
/* Fills a free place from a first line. RT_OK; RT_EINVAL with the refusal in *answer; RT_ENOMEM. */
RT_MUST_CHECK int rt_host_read_hello(rt_host *host, rt_slice line, rt_buf *answer);
/* Counts, logs and appends `{"error":".."}`. RT_EINVAL, or the buffer's error. */
RT_MUST_CHECK int rt_host_refuse(rt_hosts *h, rt_buf *answer, int counter, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --- takeover.c --- */
rt_host *rt_host_find(rt_hosts *h, const char *id); /* NULL: none of that id is attached */
/* Its place was taken before it came. */
bool rt_host_was_missed(const rt_hosts *h, const char *id);
void rt_host_drained_late(rt_timerq *q, rt_timer *t);

/* --- takers.c --- */
/* The places that take an event of this name (raw JSON). */
uint8_t rt_hosts_taking(rt_hosts *h, rt_slice name, bool own);
/* RT_OK; RT_EINVAL: no name; RT_ELIMIT; RT_ENOMEM. `name` is decoded text. */
RT_MUST_CHECK int rt_host_add_event(rt_host *host, rt_slice name);
void rt_host_drop_events(rt_host *host);
int rt_host_put_names(const rt_host *host, rt_buf *out);

/* --- tell.c --- */
/* Starts a line in h->line. */
rt_buf *rt_host_start_line(rt_hosts *h, rt_slice op);
/* Ends it and hands it to every host of the mask. Such a line must not be lost: where it cannot be
 * said, the host is closed. */
void rt_host_say(rt_hosts *h, uint8_t mask);
/* `,"a":[..],"b":[..]` */
void rt_host_put_args(rt_buf *b, rt_slice args, const rt_slice *attachments, unsigned count);
void rt_host_tell_connect(rt_host *host, rt_sio_socket *s, rt_slice auth, bool again);
bool rt_host_tell_event(void *hosts, rt_sio_socket *s, const rt_sio_event *ev, bool own);
void rt_host_tell_moved(void *hosts, rt_sio_socket *s, rt_slice room, bool joined);
void rt_host_tell_gone(rt_hosts *h, rt_sio_socket *s, enum rt_eio_reason reason);
/* Closes a host that cannot be told what it must know. */
void rt_host_give_up(rt_host *host, int counter, const char *why);

/* --- facts.c --- */
/* `"headers":{..}`, after a comma if it is not the first. */
void rt_host_put_headers(rt_buf *b, const rt_http_request *req);
/* `"query":{..},"auth":{..}`, the same. */
void rt_host_put_query_and_auth(rt_buf *b, const rt_http_request *req, rt_slice auth);
/* JSON text without its newlines. */
void rt_host_put_json(rt_buf *b, rt_slice json);

/* --- kept.c --- */
/* Keeps the query and auth of a socket's handshake, if a host wants that and it is still there. */
void rt_host_keep(rt_hosts *h, rt_sio_socket *s, rt_slice auth);
/* `,"query":{..},"auth":{..}`, or nothing where nothing was kept. */
void rt_host_put_kept(const rt_hosts *h, const rt_sio_socket *s, rt_buf *b);
void rt_host_drop_kept(rt_hosts *h, const rt_sio_socket *s);
void rt_host_drop_all_kept(rt_hosts *h);

/* --- asks.c --- */
/* NULL: too many, or no memory. */
RT_MUST_CHECK rt_host_ask *rt_host_ask_new(rt_host *host, uint64_t q);
void rt_host_ask_free(rt_host_ask *ask);
void rt_host_asks_orphan(rt_host *host);
void rt_host_acknowledged(void *ask, int status, const rt_sio_event *answer);
void rt_host_allowed(void *ask, enum rt_frappe_allowed allowed);
void rt_host_say_ack_error(rt_host *host, uint64_t q, const char *error);
void rt_host_say_allowed(rt_host *host, uint64_t q, enum rt_frappe_allowed allowed);
void rt_host_secret_came(void *ask, int status, bool found, rt_slice value);
/* `status`: RT_OK, or why Redis does not answer; an empty secret is none. */
void rt_host_say_secret(rt_host *host, uint64_t q, int status, rt_slice secret);

#endif
