/* Everything around Frappe's rules, without a socket: real engineio and socketio below, WebSocket
 * clients made of scripted ports, and a web process, a Redis and a clock that the test moves.
 *
 *     world w;
 *     world_init(&w, NULL);
 *     world_client *c = world_connect(&w, "/a.example", "Host: a.example\nCookie: sid=s1\n");
 *     world_answer(&w, 200, "{\"message\":{\"user\":\"x@a\"}}");
 *     world_heard(c);       what came since the last call: packets, separated by '|'
 *     world_say(c, "2/a.example,[\"ping\"]");
 *     world_fini(&w);
 *
 * Nothing here may fail because of a fault that the test injects: its own memory is malloc's. */
#ifndef RT_TESTS_FRAPPE_WORLD_H
#define RT_TESTS_FRAPPE_WORLD_H

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "frappe/frappe.h"
#include "wire/ws.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_HEADERS_MAX 16

#define world_must(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct world;

typedef struct world_client {
    rt_eio_port port;
    struct world *w;
    struct world_client *next;
    char *heard, *packets;
    size_t heard_n;
    bool open;   /* the server has not closed the connection */
    size_t owed; /* bytes that its kernel is said not to have taken */
} world_client;

/* A request to the web process that waits for its answer. */
typedef struct world_call {
    struct world_call *next;
    rt_frappe_answer_fn *done;
    void *arg;
    char *site, *path, *sid, *authorization, *secret;
} world_call;

typedef struct world_read { /* of Redis */
    struct world_read *next;
    rt_frappe_redis_fn *done;
    void *arg;
} world_read;

typedef struct world {
    uint64_t now;
    rt_timers timers;
    rt_frappe *frappe;
    rt_sio *io;
    rt_eio *eio;
    world_client *clients;
    world_call *calls; /* oldest first */
    world_read *reads;
    unsigned asked;          /* requests to the web process so far */
    unsigned cancelled;      /* of them */
    unsigned secret_read;    /* how often Redis was asked */
    const char *secret;      /* what Redis holds; NULL: no such key */
    int redis_refuses;       /* redis_get returns this at once */
    int redis_fails;         /* ... or its answer has this status */
    bool redis_silent;       /* ... or does not come */
    int web_refuses;         /* web_get returns this at once */
    uint32_t retry_after_ms; /* what an answer says */
    char published[256];     /* the last PUBLISH: channel, space, message */
    const char *allowed;     /* origins that configuration allows for `allowed_site` ... */
    const char *allowed_site;
    const char *allowed_all; /* ... and for the other sites */
} world;

/* --- small things --- */

static inline char *world_copy(rt_slice s) {
    char *p = malloc(s.n + 1);
    world_must(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

/* --- the ports of frappe --- */

static inline uint64_t world_now(void *w) {
    return ((world *)w)->now;
}

static inline int world_web_get(void *ctx, const rt_frappe_request *req, rt_frappe_answer_fn *done,
                                void *arg, void **call) {
    world *w = ctx;
    if (w->web_refuses)
        return w->web_refuses;
    world_call *c = malloc(sizeof *c);
    world_must(c);
    *c = (world_call){NULL,
                      done,
                      arg,
                      world_copy(req->site),
                      world_copy(req->path),
                      world_copy(req->sid),
                      world_copy(req->authorization),
                      world_copy(req->secret)};
    world_call **at = &w->calls;
    while (*at)
        at = &(*at)->next;
    *at = c;
    *call = c;
    w->asked++;
    return RT_OK;
}

static inline void world_call_free(world_call *c) {
    free(c->site);
    free(c->path);
    free(c->sid);
    free(c->authorization);
    free(c->secret);
    free(c);
}

static inline void world_call_take(world *w, world_call *c) {
    world_call **at = &w->calls;
    while (*at && *at != c)
        at = &(*at)->next;
    world_must(*at == c);
    *at = c->next;
}

static inline void world_web_cancel(void *ctx, void *call) {
    world *w = ctx;
    world_call_take(w, call);
    world_call_free(call);
    w->cancelled++;
}

static inline int world_redis_get(void *ctx, rt_slice key, rt_frappe_redis_fn *done, void *arg) {
    world *w = ctx;
    world_must(rt_slice_eq(key, RT_LIT("socketio_auth_secret")));
    w->secret_read++;
    if (w->redis_refuses)
        return w->redis_refuses;
    world_read *r = malloc(sizeof *r);
    world_must(r);
    *r = (world_read){w->reads, done, arg};
    w->reads = r;
    return RT_OK;
}

static inline int world_redis_publish(void *ctx, rt_slice channel, rt_slice message) {
    world *w = ctx;
    if (w->redis_refuses)
        return w->redis_refuses;
    snprintf(w->published, sizeof w->published, "%.*s %.*s", (int)channel.n, channel.p,
             (int)message.n, message.p);
    return RT_OK;
}

static inline rt_slice world_allowed_origins(void *ctx, rt_slice site) {
    world *w = ctx;
    bool named = w->allowed_site && rt_slice_eq(site, rt_slice_of(w->allowed_site));
    const char *list = named ? w->allowed : w->allowed_all;
    return list ? rt_slice_of(list) : RT_EMPTY;
}

static inline void world_redis_answers(world *w) {
    world_read *reads = w->reads;
    w->reads = NULL;
    while (reads) {
        world_read *r = reads;
        reads = r->next;
        rt_slice value = rt_slice_of(w->secret);
        r->done(r->arg, w->redis_fails, w->secret != NULL, w->redis_fails ? RT_EMPTY : value);
        free(r);
    }
}

/* --- the port of a client --- */

static inline world_client *world_client_of(rt_eio_port *p) {
    return RT_OF(p, world_client, port);
}

static inline int world_port_send(rt_eio_port *p, rt_msg *m) {
    world_client *c = world_client_of(p);
    if (m->len > 5 && memcmp(m->data, "HTTP/", 5) == 0)
        return RT_OK;
    c->heard = realloc(c->heard, c->heard_n + m->len);
    world_must(c->heard);
    memcpy(c->heard + c->heard_n, m->data, m->len);
    c->heard_n += m->len;
    return RT_OK;
}

static inline void world_port_finish(rt_eio_port *p, bool keep_alive) {
    (void)keep_alive;
    world_client_of(p)->open = false; /* these clients want a WebSocket or nothing */
}

static inline void world_port_upgrade(rt_eio_port *p) {
    (void)p;
}

static inline void world_port_close(rt_eio_port *p, bool flush) {
    (void)flush;
    world_client_of(p)->open = false;
}

static inline size_t world_port_owed(const rt_eio_port *p) {
    return RT_OF(p, world_client, port)->owed;
}

static const rt_eio_port_ops world_port_ops = {world_port_send,
                                               world_port_finish,
                                               world_port_upgrade,
                                               world_port_close,
                                               world_port_send,
                                               world_port_owed,
                                               NULL};

/* --- the world turns --- */

/* One turn of the loop: Redis answers, everything is written, what was closed is freed. */
static inline void world_turn(world *w) {
    if (!w->redis_silent)
        world_redis_answers(w);
    rt_eio_flush(w->eio);
    rt_sio_reap(w->io);
    rt_eio_reap(w->eio);
}

/* Time passes, timer by timer. */
static inline void world_pass(world *w, uint64_t ms) {
    uint64_t until = w->now + ms;
    world_turn(w);
    for (;;) {
        int64_t next = rt_timers_next(&w->timers, w->now);
        if (next < 0 || w->now + (uint64_t)next > until)
            break;
        w->now += (uint64_t)next;
        rt_timers_run(&w->timers, w->now);
        world_turn(w);
    }
    w->now = until;
}

/* Makes the whole stack; `opts` may be NULL. False: out of memory, and there is nothing to free. */
static inline bool world_try_init(world *w, const rt_frappe_opts *opts) {
    rt_frappe_opts fo;
    rt_sio_opts so;
    rt_eio_opts eo;
    memset(w, 0, sizeof *w);
    w->now = 1000;
    w->secret = "s3cret";
    rt_timers_init(&w->timers);
    rt_frappe_opts_default(&fo);
    rt_sio_opts_default(&so);
    rt_eio_opts_default(&eo);
    so.connect_timeout_ms = 1000000000;
    eo.ping_interval_ms = 1000000000;
    eo.cors = RT_EIO_CORS_ASK;
    rt_frappe_ports ports = {.ctx = w,
                             .web_get = world_web_get,
                             .web_cancel = world_web_cancel,
                             .redis_get = world_redis_get,
                             .redis_publish = world_redis_publish,
                             .allowed_origins = world_allowed_origins,
                             .now = world_now};
    w->frappe = rt_frappe_new(opts ? opts : &fo, &ports, &w->timers);
    if (!w->frappe)
        return false;
    if (!opts) /* tests of the line say how many may fly; the others want to see all */
        rt_frappe_set_web_limits(w->frappe, 10000, fo.web_timeout_ms);
    rt_sio_app sio_app = rt_frappe_socketio_app(w->frappe);
    w->io = rt_sio_new(&so, &sio_app, &w->timers, world_now, w);
    if (!w->io)
        goto fail_frappe;
    rt_frappe_attach(w->frappe, w->io);
    rt_eio_app eio_app = rt_sio_engine_app(w->io);
    eio_app.allow_origin = rt_frappe_allow_origin;
    eio_app.allow_origin_ctx = w->frappe;
    eio_app.keep = rt_frappe_keep;
    eio_app.keep_ctx = w->frappe;
    w->eio = rt_eio_new(&eo, &eio_app, &w->timers, world_now, w);
    if (w->eio)
        return true;
    rt_sio_free(w->io);
fail_frappe:
    rt_frappe_free(w->frappe);
    return false;
}

static inline void world_init(world *w, const rt_frappe_opts *opts) {
    world_must(world_try_init(w, opts));
}

static inline void world_fini(world *w) {
    rt_eio_close_all(w->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_eio_free(w->eio);
    rt_sio_free(w->io);
    rt_frappe_free(w->frappe);
    w->redis_silent = false;
    world_redis_answers(w);
    world_must(!w->calls); /* all cancelled */
    while (w->clients) {
        world_client *c = w->clients;
        w->clients = c->next;
        free(c->heard);
        free(c->packets);
        free(c);
    }
}

/* --- clients --- */

static inline unsigned world_split_headers(const char *lines, rt_http_header *out, unsigned max) {
    unsigned n = 0;
    while (*lines) {
        const char *end = strchr(lines, '\n');
        const char *colon = strchr(lines, ':');
        world_must(end && colon && colon < end && n < max);
        out[n].name = rt_slice_make(lines, (size_t)(colon - lines));
        out[n].value = rt_slice_trim(rt_slice_make(colon + 1, (size_t)(end - colon - 1)));
        n++;
        lines = end + 1;
    }
    return n;
}

/* A request head for header lines "Name: value\n". */
static inline rt_http_request world_request(const char *lines, rt_http_header *headers) {
    rt_http_request req = {.method = RT_HTTP_GET,
                           .target = RT_LIT("/socket.io/?EIO=4&transport=websocket"),
                           .path = RT_LIT("/socket.io/"),
                           .query = RT_LIT("EIO=4&transport=websocket"),
                           .headers = headers,
                           .keep_alive = true,
                           .upgrade = true};
    req.header_count = world_split_headers(lines, headers, WORLD_HEADERS_MAX);
    return req;
}

/* A client with an open WebSocket and no namespace yet. */
static inline world_client *world_open(world *w, const char *lines) {
    rt_http_header headers[WORLD_HEADERS_MAX + 4];
    rt_http_request req = world_request(lines, headers);
    const rt_http_header own[] = {
        {RT_LIT("Upgrade"), RT_LIT("websocket")},
        {RT_LIT("Connection"), RT_LIT("Upgrade")},
        {RT_LIT("Sec-WebSocket-Version"), RT_LIT("13")},
        {RT_LIT("Sec-WebSocket-Key"), RT_LIT("dGhlIHNhbXBsZSBub25jZQ==")},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        headers[req.header_count++] = own[i];
    world_client *c = calloc(1, sizeof *c);
    world_must(c);
    c->port.ops = &world_port_ops;
    c->w = w;
    c->open = true;
    c->next = w->clients;
    w->clients = c;
    if (rt_eio_request(w->eio, &c->port, &req) || rt_eio_request_end(w->eio, &c->port))
        c->open = false;
    return c;
}

/* Sends a Socket.IO packet. */
static inline void world_say_n(world_client *c, const char *packet, size_t n) {
    char head[14] = {(char)0x81};
    size_t head_n = 2;
    size_t payload = n + 1;
    if (payload < 126) {
        head[1] = (char)(0x80 | payload);
    } else if (payload < 65536) {
        head[1] = (char)(0x80 | 126);
        head[2] = (char)(payload >> 8);
        head[3] = (char)payload;
        head_n = 4;
    } else {
        head[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++)
            head[2 + i] = (char)((uint64_t)payload >> (56 - 8 * i));
        head_n = 10;
    }
    char *frame = malloc(head_n + 4 + payload);
    world_must(frame);
    memcpy(frame, head, head_n);
    memset(frame + head_n, 0, 4); /* a mask of zeros is a mask */
    frame[head_n + 4] = '4';
    if (n)
        memcpy(frame + head_n + 5, packet, n);
    rt_eio_websocket_bytes(c->w->eio, &c->port, frame, head_n + 4 + payload);
    free(frame);
}

static inline void world_say(world_client *c, const char *packet) {
    world_say_n(c, packet, strlen(packet));
}

static inline world_client *world_connect(world *w, const char *ns, const char *lines) {
    char packet[512];
    world_client *c = world_open(w, lines);
    snprintf(packet, sizeof packet, "0%s,", ns);
    world_say(c, packet);
    world_turn(w);
    return c;
}

/* The connection breaks. */
static inline void world_leave(world_client *c) {
    c->open = false;
    rt_eio_port_closed(c->w->eio, &c->port, true);
    world_turn(c->w);
}

/* What the client has heard since the last call: Socket.IO packets, separated by '|'. */
static inline const char *world_heard(world_client *c) {
    world_turn(c->w);
    free(c->packets);
    c->packets = calloc(1, c->heard_n + 1);
    world_must(c->packets);
    rt_slice frames = rt_slice_make(c->heard, c->heard_n), payload;
    enum rt_ws_opcode opcode;
    size_t n = 0;
    while (rt_ws_next_frame(&frames, &opcode, &payload)) {
        if (opcode != RT_WS_TEXT || payload.n == 0 || payload.p[0] != '4')
            continue;
        if (n)
            c->packets[n++] = '|';
        memcpy(c->packets + n, payload.p + 1, payload.n - 1);
        n += payload.n - 1;
    }
    c->packets[n] = '\0';
    c->heard_n = 0;
    return c->packets;
}

/* --- the web process --- */

static inline void world_answer_call(world *w, world_call *c, int status, const char *body,
                                     const char *error) {
    world_must(c);
    world_call_take(w, c);
    rt_frappe_answer answer = {status, rt_slice_of(body), error, w->retry_after_ms};
    c->done(c->arg, &answer);
    world_call_free(c);
    world_turn(w);
}

/* Answers the oldest request. */
static inline void world_answer_error(world *w, int status, const char *body, const char *error) {
    world_answer_call(w, w->calls, status, body, error);
}

static inline void world_answer(world *w, int status, const char *body) {
    world_answer_error(w, status, body, "refused");
}

static inline rt_frappe_figures world_figures(const world *w) {
    rt_frappe_figures f;
    rt_frappe_get_figures(w->frappe, &f);
    return f;
}

#define world_counter(w, id) (world_figures(w).counters.v[id])

#endif
