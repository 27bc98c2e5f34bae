/* A server of net and engineio on a loopback port, and clients on real sockets, all in the test's
 * own thread: nothing runs unless the test turns the loop, so the n-th allocation can be made to
 * fail here too.
 *
 *     live l;
 *     live_begin(&l);                         the loop
 *     live_serve(&l, NULL, &app);             the server; NULL: default options
 *     live_client c;
 *     live_open(&l, &c);
 *     live_say(&l, &c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
 *     live_until_end(&l, &c);                 reads until the server has closed
 *     c.in, c.n, c.end                        what came, and how it ended
 *     live_close(&c);
 *     live_end(&l);
 *
 * What has to come is waited for, up to LIVE_HANG_MS, which only a broken server reaches. That
 * nothing comes is shown by something later that does come.
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_LIVE_H
#define RT_TESTS_LIVE_H

#include "base/status.h"
#include "engineio/engineio.h"
#include "net/front.h"
#include "net/listen.h"
#include "support/ports.h"
#include "wire/ws.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVE_HANG_MS 20000
#define LIVE_POLLING "/socket.io/?EIO=4&transport=polling"
#define LIVE_WEBSOCKET "/socket.io/?EIO=4&transport=websocket"
#define LIVE_UPGRADE                                                                               \
    "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"        \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

typedef struct live_opts {
    rt_eio_opts eio;
    rt_front_opts front;
} live_opts;

typedef struct live {
    rt_loop loop;
    rt_eio *eio;
    rt_front *front;
    rt_loop_hook reap;
    void (*reap_app)(void *arg); /* before engineio's; NULL: none */
    void *reap_arg;
    int port;
    int listener; /* the front's: options set on it are those of the connections it takes */
    int receive;  /* bytes that the kernel keeps for a client that does not read; 0: its default */
} live;

enum live_end { LIVE_OPEN, LIVE_FIN, LIVE_RESET };

typedef struct live_client {
    int fd;
    char *in; /* what came and was not taken yet; a NUL behind it */
    size_t n;
    char *room; /* `in` lies in it; freed with the client */
    size_t cap;
    enum live_end end;
} live_client;

/* --- the server --- */

static inline void live_no_wake(void *arg) {
    (void)arg;
}

static inline void live_begin(live *l) {
    memset(l, 0, sizeof *l);
    assert_int_equal(rt_loop_init(&l->loop, live_no_wake, NULL), RT_OK);
}

static inline void live_opts_default(live_opts *o) {
    rt_eio_opts_default(&o->eio);
    rt_front_opts_default(&o->front);
}

static inline void live_reap(void *arg) {
    live *l = arg;
    if (l->reap_app)
        l->reap_app(l->reap_arg);
    rt_eio_reap(l->eio);
}

static inline void live_route(void *ctx, const rt_http_request *req, rt_answer *answer) {
    (void)ctx;
    answer->status = 404;
    rt_buf_puts(&answer->body, req->path);
}

static inline void live_serve(live *l, const live_opts *opts, const rt_eio_app *app) {
    live_opts defaults;
    int fds[1], count = 0;
    char why[100];
    live_opts_default(&defaults);
    if (!opts)
        opts = &defaults;
    l->eio = rt_eio_new(&opts->eio, app, &l->loop.timers, rt_loop_now, &l->loop);
    assert_non_null(l->eio);
    l->front = rt_front_new(&l->loop, l->eio, &opts->front, live_route, l);
    assert_non_null(l->front);
    l->reap.at_turn_end = live_reap;
    l->reap.arg = l;
    rt_loop_add_hook(&l->loop, &l->reap);
    assert_int_equal(rt_listen_tcp("127.0.0.1", &l->port, fds, 1, &count, why, sizeof why), RT_OK);
    assert_int_equal(rt_front_listen(l->front, fds[0]), RT_OK);
    l->listener = fds[0];
}

/* As server.c does it. The app above engineio is freed by the caller, afterwards. */
static inline void live_end(live *l) {
    rt_front_stop_listening(l->front);
    rt_eio_close_all(l->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_front_close(l->front);
    rt_eio_close_all(l->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_loop_remove_hook(&l->loop, &l->reap);
    rt_loop_stop(&l->loop);
    rt_loop_run(&l->loop);
    if (l->reap_app)
        l->reap_app(l->reap_arg);
    rt_eio_free(l->eio);
    rt_front_free(l->front);
    rt_loop_fini(&l->loop);
}

static inline void live_turn(live *l) {
    uv_run(&l->loop.uv, UV_RUN_NOWAIT);
}

static inline rt_front_figures live_front(const live *l) {
    rt_front_figures f;
    rt_front_get_figures(l->front, &f);
    return f;
}

static inline rt_eio_figures live_eio(const live *l) {
    rt_eio_figures f;
    rt_eio_get_figures(l->eio, &f);
    return f;
}

static inline uint64_t live_net(const live *l, int counter) {
    return live_front(l).counters.v[counter];
}

static inline uint64_t live_engine(const live *l, int counter) {
    return live_eio(l).counters.v[counter];
}

/* What changes when a turn has done something that the next one may have to finish. */
static inline uint64_t live_progress(const live *l) {
    rt_front_figures f = live_front(l);
    return f.counters.v[RT_FRONT_BYTES_IN] + f.counters.v[RT_FRONT_BYTES_OUT] +
           f.counters.v[RT_FRONT_ACCEPTED] - f.connections;
}

/* Turns until there is nothing more to do, then sleeps until the server or the client has, at most
 * `ms`. */
static inline void live_rest(live *l, int fd, int ms) {
    uint64_t before;
    do {
        before = live_progress(l);
        live_turn(l);
    } while (live_progress(l) != before);
    int due = uv_backend_timeout(&l->loop.uv);
    struct pollfd fds[] = {{uv_backend_fd(&l->loop.uv), POLLIN, 0}, {fd, POLLIN, 0}};
    poll(fds, fd < 0 ? 1 : 2, due >= 0 && due < ms ? due : ms);
}

/* Turns until no more than so many connections are left. */
static inline void live_until_connections(live *l, uint32_t n) {
    uint64_t end = rt_test_ms() + LIVE_HANG_MS;
    while (live_turn(l), live_front(l).connections > n) {
        live_rest(l, -1, 10);
        if (rt_test_ms() > end)
            fail_msg("%u connections are left", live_front(l).connections);
    }
}

/* --- a client --- */

static inline void live_open(live *l, live_client *c) {
    struct sockaddr_in a = rt_local_address(l->port);
    int one = 1;
    memset(c, 0, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    if (l->receive) /* the window is given when connecting */
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &l->receive, sizeof l->receive);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
}

/* Closes with a reset, which leaves no port in TIME_WAIT: the tests open very many. */
static inline void live_close(live_client *c) {
    struct linger now = {1, 0};
    if (c->fd >= 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(c->fd);
    }
    free(c->room);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static inline void live_make_room(live_client *c) {
    size_t at = (size_t)(c->in - c->room);
    if (c->room && c->cap - at - c->n >= 4096)
        return;
    if (at > 0)
        memmove(c->room, c->in, c->n);
    if (c->cap - c->n < 65536) {
        c->cap = c->cap * 2 + 65536;
        c->room = realloc(c->room, c->cap + 1);
        assert_non_null(c->room);
    }
    c->in = c->room;
}

/* Takes in what is there, without waiting; true when something came, the end included. */
static inline bool live_pump(live_client *c) {
    bool some = false;
    while (c->end == LIVE_OPEN) {
        live_make_room(c);
        char *at = c->in + c->n;
        ssize_t n = recv(c->fd, at, (size_t)(c->room + c->cap - at), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        some = true;
        if (n > 0)
            c->n += (size_t)n;
        else
            c->end = n == 0 ? LIVE_FIN : LIVE_RESET;
    }
    if (c->in)
        c->in[c->n] = '\0';
    return some;
}

/* Sends all of it, as far as the server has not closed. */
static inline void live_send(live *l, live_client *c, const void *bytes, size_t n) {
    const char *p = bytes;
    uint64_t end = rt_test_ms() + LIVE_HANG_MS;
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return; /* the end is found when reading */
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
            continue;
        }
        live_turn(l);
        live_pump(c);
        assert_true(rt_test_ms() < end);
    }
}

static inline void live_say(live *l, live_client *c, const char *text) {
    live_send(l, c, text, strlen(text));
}

/* Reads until `enough` says so; false when the connection ended, or the time was over, before. */
typedef bool live_enough(const live_client *c, size_t arg);

static inline bool live_read(live *l, live_client *c, live_enough *enough, size_t arg, int ms) {
    uint64_t end = rt_test_ms() + (uint64_t)ms;
    live_pump(c);
    while (!enough(c, arg)) {
        if (c->end != LIVE_OPEN || rt_test_ms() > end)
            return false;
        live_rest(l, c->fd, 10);
        live_pump(c);
    }
    return true;
}

static inline bool live_has_bytes(const live_client *c, size_t n) {
    return c->n >= n;
}

static inline bool live_has_ended(const live_client *c, size_t arg) {
    (void)arg;
    return c->end != LIVE_OPEN;
}

static inline void live_until_end(live *l, live_client *c) {
    if (!live_read(l, c, live_has_ended, 0, LIVE_HANG_MS))
        fail_msg("the server does not close; %zu bytes came", c->n);
}

static inline void live_drop(live_client *c, size_t n) {
    assert_true(n <= c->n);
    c->in += n;
    c->n -= n;
}

/* --- HTTP --- */

/* Bytes of the answer at the start of what came, its body included; 0: not all is here. */
static inline size_t live_answer_len(const live_client *c) {
    const char *head_end = c->n ? strstr(c->in, "\r\n\r\n") : NULL;
    if (!head_end)
        return 0;
    const char *length = strstr(c->in, "Content-Length: ");
    size_t n = (size_t)(head_end - c->in) + 4;
    if (length && length < head_end)
        n += (size_t)strtoul(length + 16, NULL, 10);
    return n <= c->n ? n : 0;
}

static inline bool live_has_answer(const live_client *c, size_t arg) {
    (void)arg;
    return live_answer_len(c) > 0;
}

/* Takes one whole answer off: its status; the body (may be NULL), ended by a NUL, cut to the room.
 * 0: the connection ended before. */
static inline int live_answer(live *l, live_client *c, char *body, size_t room) {
    if (!live_read(l, c, live_has_answer, 0, LIVE_HANG_MS)) {
        if (c->end == LIVE_OPEN)
            fail_msg("no answer");
        return 0;
    }
    size_t len = live_answer_len(c);
    const char *at = strstr(c->in, "\r\n\r\n") + 4;
    size_t n = len - (size_t)(at - c->in);
    int status = atoi(c->in + 9);
    if (body) {
        n = n < room ? n : room - 1;
        memcpy(body, at, n);
        body[n] = '\0';
    }
    live_drop(c, len);
    return status;
}

static inline void live_get(live *l, live_client *c, const char *target) {
    char text[512];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    assert_true((size_t)n < sizeof text);
    live_say(l, c, text);
}

static inline void live_poll(live *l, live_client *c, const char *sid) {
    char target[128];
    snprintf(target, sizeof target, LIVE_POLLING "&sid=%s", sid);
    live_get(l, c, target);
}

static inline void live_post(live *l, live_client *c, const char *sid, const char *body, size_t n) {
    char head[256];
    snprintf(head, sizeof head,
             "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sid,
             n);
    live_say(l, c, head);
    live_send(l, c, body, n);
}

/* A polling handshake; the id goes to `sid`, 21 bytes. False: refused. */
static inline bool live_handshake(live *l, live_client *c, char *sid) {
    char body[200];
    live_get(l, c, LIVE_POLLING);
    if (live_answer(l, c, body, sizeof body) != 200 || sscanf(body, "0{\"sid\":\"%20s\"", sid) != 1)
        return false;
    return strlen(sid) == 20;
}

/* --- WebSocket --- */

/* One frame in the client's direction, masked; returns its bytes, of which there are n + 14 at the
 * most. */
static inline size_t live_put_frame(unsigned char *out, unsigned char first, const void *payload,
                                    size_t n) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t head = rt_ws_put_head((char *)out, RT_WS_TEXT, n);
    out[0] = first;
    out[1] |= 0x80;
    memcpy(out + head, mask, sizeof mask);
    for (size_t i = 0; i < n; i++)
        out[head + 4 + i] = ((const unsigned char *)payload)[i] ^ mask[i & 3];
    return head + 4 + n;
}

static inline void live_frame(live *l, live_client *c, unsigned char first, const void *payload,
                              size_t n) {
    unsigned char *bytes = malloc(n + 14);
    assert_non_null(bytes);
    live_send(l, c, bytes, live_put_frame(bytes, first, payload, n));
    free(bytes);
}

static inline void live_text(live *l, live_client *c, const char *packet) {
    live_frame(l, c, 0x81, packet, strlen(packet));
}

static inline bool live_has_frame(const live_client *c, size_t arg) {
    (void)arg;
    rt_slice bytes = rt_slice_make(c->in, c->n), payload;
    enum rt_ws_opcode opcode;
    return c->n && rt_ws_next_frame(&bytes, &opcode, &payload);
}

/* Takes one frame off, as text: the payload; "close" or "close 1002"; "<n bytes>" of a binary one,
 * "pong n". NULL: the connection ended before. The text lives until the next call. */
static inline const char *live_next(live *l, live_client *c) {
    static char text[4096];
    rt_slice payload;
    enum rt_ws_opcode opcode;
    if (!live_read(l, c, live_has_frame, 0, LIVE_HANG_MS)) {
        if (c->end == LIVE_OPEN)
            fail_msg("no frame; %zu bytes came", c->n);
        return NULL;
    }
    rt_slice rest = rt_slice_make(c->in, c->n);
    assert_true(rt_ws_next_frame(&rest, &opcode, &payload));
    const unsigned char *p = (const unsigned char *)payload.p;
    if (opcode == RT_WS_CLOSE)
        snprintf(text, sizeof text, payload.n ? "close %d" : "close",
                 payload.n ? p[0] << 8 | p[1] : 0);
    else if (opcode == RT_WS_PONG || opcode == RT_WS_BINARY)
        snprintf(text, sizeof text, opcode == RT_WS_PONG ? "pong %zu" : "<%zu bytes>", payload.n);
    else
        snprintf(text, sizeof text, "%.*s", (int)payload.n, payload.p);
    live_drop(c, c->n - rest.n);
    return text;
}

/* Asks for a WebSocket, to upgrade the session `sid` or (NULL) for one of its own; the 101 is taken
 * off. False: refused, and the answer is still there. */
static inline bool live_websocket(live *l, live_client *c, const char *sid) {
    char text[512];
    snprintf(text, sizeof text, "GET " LIVE_WEBSOCKET "%s%s HTTP/1.1\r\n" LIVE_UPGRADE,
             sid ? "&sid=" : "", sid ? sid : "");
    live_open(l, c);
    live_say(l, c, text);
    if (!live_read(l, c, live_has_answer, 0, LIVE_HANG_MS) || strncmp(c->in, "HTTP/1.1 101", 12))
        return false;
    live_drop(c, live_answer_len(c));
    return true;
}

#endif
