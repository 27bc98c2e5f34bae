/* net/conn.c and net/front.c: each limit and deadline of a connection is reached over a real
 * socket, and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/conn.h"
#include "support/live.h"

#include <fcntl.h>
#include <sys/resource.h>

#define SHORT_MS 80 /* a deadline under test, */
#define LONG_MS 600 /* and one that must not pass before the test is where it wants to be */

static int on_open(void *ctx, rt_eio_session *s) {
    *(rt_eio_session **)ctx = s;
    return RT_OK;
}

/* Messages come back. */
static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    rt_msg *m = rt_ws_frame(binary ? RT_WS_BINARY : RT_WS_TEXT, bytes);
    assert_non_null(m);
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)s;
    (void)reason;
    *(rt_eio_session **)ctx = NULL;
}

static rt_eio_session *session; /* the last one opened, while it is open */

static void serve(live *l, const live_opts *opts) {
    rt_eio_app app = {
        .ctx = &session, .on_open = on_open, .on_message = on_message, .on_close = on_close};
    live_begin(l);
    live_serve(l, opts, &app);
}

static void assert_says(live *l, live_client *c, const char *target, int status) {
    live_get(l, c, target);
    assert_int_equal(live_answer(l, c, NULL, 0), status);
}

/* What is Engine.IO's answers 400 here, everything else is the application's (404). */
static void path_is_a_prefix(void **state) {
    (void)state;
    static const char *const inside[] = {"/socket.io/", "/socket.io/?EIO=4", "/socket.io/x?EIO=4",
                                         "/socket.io/x/y/?EIO=4", "/socket.io//"};
    static const char *const outside[] = {"/",           "/socket.io",    "/socket.io?EIO=4",
                                          "/Socket.io/", "/socket.io%2F", "/x/socket.io/",
                                          "//socket.io/"};
    live l;
    live_client c;
    serve(&l, NULL);
    live_open(&l, &c);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        assert_says(&l, &c, inside[i], 400);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_says(&l, &c, outside[i], 404);
    live_close(&c);
    live_end(&l);
}

/* --- deadlines --- */

/* One byte after the other, each well within the deadline, until the server has had enough. */
static void drip(live *l, live_client *c, const char *bytes, const char *again) {
    const char *at = bytes;
    uint64_t end = rt_test_ms() + LIVE_HANG_MS;
    while (c->end == LIVE_OPEN && rt_test_ms() < end) {
        at = *at ? at : again;
        live_send(l, c, at++, 1);
        live_rest(l, c->fd, SHORT_MS / 8);
        live_pump(c);
    }
    assert_int_not_equal(c->end, LIVE_OPEN);
}

static void head_deadline(void **state) {
    static const char *const heads[] = {"GET / HTTP/1.1\r\nX: ", "\r\n"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        live l;
        live_opts opts;
        live_client c, silent;
        live_opts_default(&opts);
        opts.front.head_ms = SHORT_MS;
        serve(&l, &opts);
        live_open(&l, &c);
        drip(&l, &c, heads[i], i == 0 ? "x" : "\r\n");
        assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_HEAD), 1);
        live_open(&l, &silent); /* says nothing at all */
        live_until_end(&l, &silent);
        assert_int_equal(silent.n, 0);
        assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_HEAD), 2);
        live_close(&c);
        live_close(&silent);
        live_end(&l);
    }
}

static void body_deadline(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c, other;
    char sid[21];
    live_opts_default(&opts);
    opts.front.body_ms = SHORT_MS;
    serve(&l, &opts);
    live_open(&l, &c);
    live_open(&l, &other);
    assert_true(live_handshake(&l, &c, sid));
    char head[256];
    snprintf(head, sizeof head,
             "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n",
             sid);
    live_say(&l, &c, head);
    drip(&l, &c, "4", "x");
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_BODY), 1);
    assert_int_equal(live_eio(&l).closed[RT_EIO_TRANSPORT_ERROR], 1);
    assert_says(&l, &other, "/other", 404);
    live_close(&c);
    live_close(&other);
    live_end(&l);
}

static void idle_deadline(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    live_opts_default(&opts);
    opts.front.idle_ms = LONG_MS;
    serve(&l, &opts);
    live_open(&l, &c);
    assert_says(&l, &c, "/one", 404);
    assert_says(&l, &c, "/two", 404);
    live_until_end(&l, &c);
    assert_int_equal(c.end, LIVE_FIN);
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_IDLE), 1);
    live_close(&c);
    live_end(&l);
}

static void linger_deadline(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    live_opts_default(&opts);
    opts.front.linger_ms = SHORT_MS;
    serve(&l, &opts);
    live_open(&l, &c);
    live_say(&l, &c, "nonsense\r\n\r\n");
    live_until_end(&l, &c);
    assert_string_equal(c.in, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    assert_int_equal(live_net(&l, RT_FRONT_BAD_REQUESTS), 1);
    live_until_connections(&l, 0); /* though the client keeps its side open */
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_LINGER), 1);
    live_close(&c);
    live_end(&l);
}

/* --- a peer that asks and does not read --- */

#define SMALL 4096     /* bytes of a socket buffer */
#define LONG_PATH 8000 /* bytes; the route function answers with the path */

/* As many requests as the two kernels and the server take; their number. The last one may have gone
 * out in part: what is missing of it is in `rest`. */
static unsigned ask_without_reading(live *l, live_client *c, char *rest) {
    static char request[LONG_PATH + 100];
    unsigned asked = 0;
    size_t n = 0, at = 0;
    for (int quiet = 0; quiet < 20;) {
        if (at == n) {
            n = (size_t)snprintf(request, sizeof request,
                                 "GET /%06u-%0*d HTTP/1.1\r\nHost: x\r\n\r\n", asked++,
                                 LONG_PATH - 8, 0);
            at = 0;
        }
        ssize_t sent = send(c->fd, request + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += sent > 0 ? (size_t)sent : 0;
        quiet = sent > 0 ? 0 : quiet + 1;
        live_turn(l);
    }
    memcpy(rest, request + at, n - at);
    rest[n - at] = '\0';
    return asked;
}

/* Connections that take few bytes at a time from the server. */
static void small_writes(live *l) {
    int bytes = SMALL;
    assert_int_equal(setsockopt(l->listener, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

/* It is not asked for more than it takes; when it reads, everything is there, in order. */
static void unread_answers_stop_the_reading(void **state) {
    (void)state;
    live l;
    live_client c;
    static char rest[LONG_PATH + 100], body[LONG_PATH + 100];
    serve(&l, NULL);
    small_writes(&l);
    int bytes = RT_READ_BUFFER; /* the kernel keeps few requests, too */
    assert_int_equal(setsockopt(l.listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    live_open(&l, &c);
    unsigned asked = ask_without_reading(&l, &c, rest);
    uint64_t taken = live_net(&l, RT_FRONT_REQUESTS);
    assert_int_equal(live_front(&l).blocked, 1);
    for (int i = 0; i < 50; i++)
        live_turn(&l);
    assert_int_equal(live_net(&l, RT_FRONT_REQUESTS), taken);
    assert_true(taken < asked);
    for (unsigned i = 0; i < asked; i++) {
        if (i == asked - 1)
            live_say(&l, &c, rest);
        assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
        assert_int_equal(atoi(body + 1), i);
    }
    assert_int_equal(live_front(&l).blocked, 0);
    assert_says(&l, &c, "/after", 404);
    live_close(&c);
    live_end(&l);
}

static void write_deadline(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    static char rest[LONG_PATH + 100];
    live_opts_default(&opts);
    opts.front.write_ms = SHORT_MS;
    serve(&l, &opts);
    l.receive = SMALL;
    live_open(&l, &c);
    ask_without_reading(&l, &c, rest);
    live_until_connections(&l, 0);
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_WRITE), 1);
    live_close(&c);
    live_end(&l);
}

/* So many requests in one piece, the answers together more than the kernel takes at once. */
#define REQUESTS 7
static void ask_in_one_piece(live *l, live_client *c, const char *and_then) {
    static char text[REQUESTS * (LONG_PATH + 100) + 200];
    size_t n = 0;
    for (unsigned i = 0; i < REQUESTS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "GET /%06u-%0*d HTTP/1.1\r\nHost: x\r\n\r\n", i, LONG_PATH - 8, 0);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", and_then);
    assert_true(n < RT_READ_BUFFER);
    live_send(l, c, text, n);
    while (live_net(l, RT_FRONT_WRITES_BLOCKED) == 0)
        live_turn(l);
}

/* A little now and then does not prolong the deadline for writing. */
static void write_deadline_runs_on(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    char little[2000];
    live_opts_default(&opts);
    opts.front.write_ms = 3 * SHORT_MS;
    serve(&l, &opts);
    small_writes(&l);
    l.receive = SMALL;
    live_open(&l, &c);
    ask_in_one_piece(&l, &c, "");
    ask_in_one_piece(&l, &c, "");
    uint64_t start = rt_test_ms();
    while (live_front(&l).connections && rt_test_ms() - start < LIVE_HANG_MS) {
        rt_test_sleep(SHORT_MS / 8);
        live_turn(&l);
        recv(c.fd, little, sizeof little, MSG_DONTWAIT);
    }
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_WRITE), 1);
    live_close(&c);
    live_end(&l);
}

/* The deadline for writing ends with the writing: a poll that waits behind it may wait longer. */
static void poll_behind_a_slow_answer_waits(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    static char body[LONG_PATH + 100];
    char sid[21], request[256];
    live_opts_default(&opts);
    opts.front.write_ms = LONG_MS;
    serve(&l, &opts);
    small_writes(&l);
    live_open(&l, &c);
    assert_true(live_handshake(&l, &c, sid));
    snprintf(request, sizeof request, "GET " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n",
             sid);
    ask_in_one_piece(&l, &c, request);
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
    for (uint64_t end = rt_test_ms() + 2 * LONG_MS; rt_test_ms() < end;)
        live_rest(&l, c.fd, 10);
    assert_non_null(session);
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, RT_LIT("4late"));
    rt_eio_send(session, m);
    rt_msg_rele(m);
    assert_int_equal(live_answer(&l, &c, body, sizeof body), 200);
    assert_string_equal(body, "4late");
    assert_int_equal(live_net(&l, RT_FRONT_TIMED_OUT_WRITE), 0);
    live_close(&c);
    live_end(&l);
}

/* Closing with input unread would be a reset, which may destroy what was said last. */
static void last_words_survive_unread_input(void **state) {
    (void)state;
    live l;
    live_client c;
    static char much[4 * RT_READ_BUFFER];
    serve(&l, NULL);
    live_open(&l, &c);
    memset(much, '\n', sizeof much);
    memcpy(much, "nonsense\r\n\r\n", 12);
    live_send(&l, &c, much, sizeof much);
    live_until_end(&l, &c);
    assert_int_equal(c.end, LIVE_FIN);
    assert_string_equal(c.in, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    live_close(&c);
    live_end(&l);
}

/* At most so much: to read is to make the kernels pass on more, so that there is no end to it. */
static void take_some(live_client *c, size_t most) {
    for (size_t until = c->n + most; c->end == LIVE_OPEN && c->n < until;) {
        live_make_room(c);
        ssize_t n = recv(c->fd, c->in + c->n, 1000, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n > 0)
            c->n += (size_t)n;
        else
            c->end = n == 0 ? LIVE_FIN : LIVE_RESET;
    }
    c->in[c->n] = '\0';
}

#define ANSWERS 16
#define ANSWERS_BUFFER (2 * ANSWERS * LONG_PATH)

/* A peer that takes a while for what the kernel has for it gets it all, though it goes on talking:
 * after a close that would be a reset. */
static void linger_while_last_words_are_taken(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c;
    char request[LONG_PATH + 100];
    static char body[LONG_PATH + 100];
    int bytes = ANSWERS_BUFFER;
    live_opts_default(&opts);
    opts.front.linger_ms = LONG_MS;
    serve(&l, &opts);
    assert_int_equal(setsockopt(l.listener, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    l.receive = 2 * LONG_PATH;
    live_open(&l, &c);
    for (int i = 0; i < ANSWERS; i++) {
        const char *close = i == ANSWERS - 1 ? "Connection: close\r\n" : "";
        snprintf(request, sizeof request, "GET /%0*d HTTP/1.1\r\nHost: x\r\n%s\r\n", LONG_PATH - 1,
                 i, close);
        for (size_t at = 0; request[at];) {
            ssize_t sent = send(c.fd, request + at, strlen(request + at), MSG_DONTWAIT);
            at += sent > 0 ? (size_t)sent : 0;
            live_turn(&l);
        }
    }
    while (live_net(&l, RT_FRONT_REQUESTS) < ANSWERS)
        live_turn(&l);
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; c.end == LIVE_OPEN && rt_test_ms() < end;) {
        send(c.fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        take_some(&c, 2 * LONG_PATH);
        live_turn(&l); /* one, so that it has taken some between two looks */
        poll(NULL, 0, LONG_MS / 2);
    }
    assert_int_equal(c.end, LIVE_FIN);
    for (int i = 0; i < ANSWERS; i++) {
        assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
        assert_int_equal(atoi(body + 1), i);
    }
    live_close(&c);
    live_end(&l);
}

/* A WebSocket of its own session; its handle goes to *s. */
static void join(live *l, live_client *c, rt_eio_session **s) {
    assert_true(live_websocket(l, c, NULL));
    live_next(l, c);
    *s = session;
}

static void tell(rt_eio_session *s, const char *payload, size_t n) {
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, rt_slice_make(payload, n));
    assert_non_null(m);
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

/* A WebSocket that does not read what it is sent: closed once it owes too much, and only it. */
static void owed_bytes(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c, other;
    rt_eio_session *its, *others;
    static const char payload[30000];
    live_opts_default(&opts);
    serve(&l, &opts);
    rt_front_set_max_owed(l.front, 300000); /* as a new configuration does */
    join(&l, &other, &others);
    l.receive = SMALL;
    join(&l, &c, &its);
    uint64_t most = 0;
    for (int i = 0; i < 20000 && live_eio(&l).sessions == 2; i++) {
        tell(its, payload, sizeof payload);
        live_turn(&l);
        most = live_front(&l).owed_max > most ? live_front(&l).owed_max : most;
    }
    assert_int_equal(live_eio(&l).sessions, 1);
    assert_int_equal(live_net(&l, RT_FRONT_SLOW), 1);
    assert_int_equal(live_eio(&l).closed[RT_EIO_SLOW_CLIENT], 1);
    assert_true(most > 200000 && most < 400000);
    live_text(&l, &other, "4still here");
    assert_string_equal(live_next(&l, &other), "still here");
    live_close(&c);
    live_close(&other);
    live_end(&l);
}

/* Small messages take more than their bytes. */
static void owed_small_messages(void **state) {
    (void)state;
    live l;
    live_client c;
    rt_eio_session *its;
    static const char payload[4 * 65536];
    unsigned sent = 0;
    serve(&l, NULL);
    rt_front_set_max_owed(l.front, 300000);
    l.receive = SMALL;
    join(&l, &c, &its);
    for (int i = 0; i < 200 && !live_front(&l).blocked; i++) {
        tell(its, payload, sizeof payload); /* until the kernel takes no more */
        live_turn(&l);
        live_turn(&l);
    }
    for (; sent < 20000 && live_eio(&l).sessions == 1; sent++) {
        tell(its, payload, 1);
        live_turn(&l);
    }
    assert_int_equal(live_eio(&l).sessions, 0);
    assert_true(sent <= 300000 / RT_OUTQ_ENTRY + 1);
    live_close(&c);
    live_end(&l);
}

/* One message may be larger than what may be owed: whoever reads it gets it. */
static void owed_one_large_message(void **state) {
    (void)state;
    live l;
    live_client c;
    rt_eio_session *its;
    const size_t n = 8u << 20;
    char *payload = calloc(1, n);
    assert_non_null(payload);
    serve(&l, NULL);
    rt_front_set_max_owed(l.front, 65536);
    l.receive = SMALL;
    join(&l, &c, &its);
    tell(its, payload, n);
    for (int i = 0; i < 10; i++)
        live_turn(&l);
    assert_int_equal(live_front(&l).blocked, 1);
    assert_string_equal(live_next(&l, &c), "<8388608 bytes>");
    assert_int_equal(live_net(&l, RT_FRONT_SLOW), 0);
    free(payload);
    live_close(&c);
    live_end(&l);
}

/* All together are owed too much: those who are owed the most go, whatever they speak, and the
 * others stay. */
static void budget(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client worst, second, poller, little;
    rt_eio_session *its[3];
    char sid[21];
    static const char payload[4 * 65536];
    live_opts_default(&opts);
    opts.front.max_owed = opts.eio.max_owed = 1u << 30;
    serve(&l, &opts);
    live_open(&l, &poller);
    assert_true(live_handshake(&l, &poller, sid));
    rt_eio_session *polling = session;
    l.receive = SMALL;
    join(&l, &worst, &its[0]);
    join(&l, &second, &its[1]);
    join(&l, &little, &its[2]);
    for (int i = 0; i < 200 && live_front(&l).blocked < 3; i++) {
        for (int j = 0; j < 3; j++)
            tell(its[j], payload, sizeof payload);
        live_turn(&l);
        live_turn(&l);
    }
    for (int i = 0; i < 20; i++)
        tell(its[0], payload, sizeof payload);
    for (int i = 0; i < 14; i++)
        tell(polling, payload, sizeof payload);
    live_turn(&l);
    assert_int_equal(live_eio(&l).sessions, 4);
    size_t owed = rt_msg_memory();
    rt_front_set_owed_budget(l.front, owed - 1); /* as a new configuration does */
    live_turn(&l);
    assert_int_equal(live_eio(&l).sessions, 3);
    assert_true(rt_msg_memory() < owed - 20 * sizeof payload);
    live_until_end(&l, &worst);
    rt_front_set_owed_budget(l.front, 13 * sizeof payload);
    live_turn(&l);
    assert_int_equal(live_eio(&l).sessions, 2); /* the polling one went */
    assert_int_equal(live_eio(&l).closed[RT_EIO_SLOW_CLIENT], 2);
    assert_int_equal(live_net(&l, RT_FRONT_OVER_BUDGET), 2);
    assert_true(rt_msg_memory() <= 13 * sizeof payload);
    live_text(&l, &little, "4still here");
    const char *text;
    while ((text = live_next(&l, &little)) && strcmp(text, "still here") != 0)
        assert_string_equal(text, "<262144 bytes>");
    assert_non_null(text);
    live_close(&worst);
    live_close(&second);
    live_close(&poller);
    live_close(&little);
    live_end(&l);
    assert_int_equal(rt_msg_memory(), 0);
}

/* Sends for as long as the server takes it in, at most `times` over. Returns the bytes. */
static size_t flood(live *l, live_client *c, const unsigned char *bytes, size_t n, unsigned times) {
    size_t at = 0;
    for (unsigned idle = 0; at < n * times && idle < 50;) {
        ssize_t sent = send(c->fd, bytes + at % n, n - at % n, MSG_DONTWAIT | MSG_NOSIGNAL);
        uint64_t before = live_engine(l, RT_EIO_PACKETS_IN);
        at += sent > 0 ? (size_t)sent : 0;
        live_rest(l, -1, sent > 0 ? 0 : 10);
        idle = sent > 0 || live_engine(l, RT_EIO_PACKETS_IN) > before ? 0 : idle + 1;
    }
    return at;
}

/* A WebSocket that asks and does not read the answers is not read from; when it reads, it gets all
 * of them. */
static void unread_answers_stop_a_websocket(void **state) {
    (void)state;
    live l;
    live_client c;
    rt_eio_session *its;
    unsigned char frames[500 * 16];
    const unsigned times = 1000;
    const int bytes = 65536;
    serve(&l, NULL);
    setsockopt(l.listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    l.receive = SMALL;
    join(&l, &c, &its);
    for (size_t at = 0; at < sizeof frames; at += 16)
        assert_int_equal(live_put_frame(frames + at, 0x82, "0123456789", 10), 16);
    size_t sent = flood(&l, &c, frames, sizeof frames, times);
    assert_true(sent < sizeof frames * times);
    assert_true(live_net(&l, RT_FRONT_READS_PAUSED) > 0);
    /* what is owed at the limit, and the answers to one more slice */
    uint64_t most = RT_FRONT_ANSWERS_MAX + RT_EIO_SLICE_PACKETS_MAX * (12 + RT_OUTQ_ENTRY);
    assert_in_range(live_front(&l).owed_max, RT_FRONT_ANSWERS_MAX, most);
    for (size_t i = 0; i < sent / 16; i++)
        assert_string_equal(live_next(&l, &c), "<10 bytes>");
    assert_int_equal(live_eio(&l).sessions, 1);
    live_close(&c);
    live_end(&l);
}

/* The debt to others' messages does not keep the server from reading: a pong must get through. */
static void broadcasts_do_not_stop_a_websocket(void **state) {
    (void)state;
    live l;
    live_client c;
    rt_eio_session *its;
    static const char payload[4 * 65536];
    serve(&l, NULL);
    l.receive = SMALL;
    join(&l, &c, &its);
    for (int i = 0; i < 200 && live_front(&l).owed_max < 4 * RT_FRONT_ANSWERS_MAX; i++) {
        tell(its, payload, sizeof payload);
        live_turn(&l);
    }
    uint64_t packets = live_engine(&l, RT_EIO_PACKETS_IN);
    live_text(&l, &c, "3");
    for (int i = 0; i < 200 && live_engine(&l, RT_EIO_PACKETS_IN) == packets; i++)
        live_rest(&l, -1, 10);
    assert_int_equal(live_engine(&l, RT_EIO_PACKETS_IN), packets + 1);
    assert_int_equal(live_net(&l, RT_FRONT_READS_PAUSED), 0);
    live_close(&c);
    live_end(&l);
}

/* While a WebSocket does not read, its pings get one answer: to the last. */
static void latest_ping(void **state) {
    (void)state;
    live l;
    live_client c;
    rt_eio_session *its;
    static const char payload[4 * 65536];
    const char *text;
    unsigned sent = 0, pongs = 0;
    serve(&l, NULL);
    l.receive = SMALL;
    join(&l, &c, &its);
    for (; sent < 200 && !live_front(&l).blocked; sent++) {
        tell(its, payload, sizeof payload);
        live_turn(&l);
        live_turn(&l);
    }
    uint64_t before = live_front(&l).owed_max;
    for (size_t i = 1; i <= 100; i++)
        live_frame(&l, &c, 0x89, payload, i);
    for (int i = 0; i < 200 && live_net(&l, RT_FRONT_PINGS_PASSED_OVER) < 99; i++)
        live_rest(&l, -1, 10);
    assert_int_equal(live_net(&l, RT_FRONT_PINGS_PASSED_OVER), 99);
    assert_int_equal(live_front(&l).owed_max, before + 102 + RT_OUTQ_ENTRY);
    live_text(&l, &c, "4end");
    while ((text = live_next(&l, &c)) && strcmp(text, "end") != 0)
        if (strcmp(text, "pong 100") == 0)
            pongs++;
        else
            sent--;
    assert_int_equal(sent, 0);
    assert_int_equal(pongs, 1);
    live_frame(&l, &c, 0x89, "1", 1); /* who reads gets each answer */
    live_frame(&l, &c, 0x89, "22", 2);
    assert_string_equal(live_next(&l, &c), "pong 1");
    assert_string_equal(live_next(&l, &c), "pong 2");
    live_close(&c);
    live_end(&l);
}

/* Who is owed much, and takes it, still gets no more than its share of a turn. */
static void write_cap(void **state) {
    (void)state;
    live l;
    live_client c;
    const size_t n = 3 * RT_FRONT_WRITE_CAP;
    serve(&l, NULL);
    assert_true(live_websocket(&l, &c, NULL));
    live_next(&l, &c);
    char *payload = calloc(1, n);
    assert_non_null(payload);
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, rt_slice_make(payload, n));
    assert_non_null(m);
    rt_eio_send(session, m);
    unsigned turns = 0;
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; c.n < m->len && rt_test_ms() < end; turns++) {
        uint64_t before = live_net(&l, RT_FRONT_BYTES_OUT);
        live_turn(&l);
        assert_true(live_net(&l, RT_FRONT_BYTES_OUT) - before <= RT_FRONT_WRITE_CAP);
        live_pump(&c);
    }
    assert_int_equal(c.n, m->len);
    assert_true(turns >= 3);
    rt_msg_rele(m);
    free(payload);
    live_close(&c);
    live_end(&l);
}

/* --- requests --- */

/* The body is asked for before it is sent, unless the request is refused. */
static void expect_continue(void **state) {
    (void)state;
    live l;
    live_client c;
    char sid[21], head[300], body[100];
    serve(&l, NULL);
    live_open(&l, &c);
    assert_true(live_handshake(&l, &c, sid));
    snprintf(head, sizeof head,
             "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Content-Length: 2\r\n\r\n",
             sid);
    live_say(&l, &c, head);
    assert_int_equal(live_answer(&l, &c, NULL, 0), 100);
    live_say(&l, &c, "4x");
    assert_int_equal(live_answer(&l, &c, body, sizeof body), 200);
    assert_string_equal(body, "ok");
    live_say(&l, &c,
             "POST " LIVE_POLLING "&sid=nobody HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Content-Length: 2\r\n\r\n");
    assert_int_equal(live_answer(&l, &c, NULL, 0), 400);
    live_until_end(&l, &c);
    live_close(&c);
    live_end(&l);
}

/* Whose connection stays: RFC 9112, section 9.3. */
static void keep_alive(void **state) {
    static const struct {
        const char *request;
        bool stays;
    } cases[] = {
        {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
        {"GET /a HTTP/1.0\r\n\r\n", false},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", false}, /* nobody reads it */
        {"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", false},
        {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", false},
    };
    (void)state;
    live l;
    serve(&l, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        live_client c;
        live_open(&l, &c);
        live_say(&l, &c, cases[i].request);
        assert_int_equal(live_answer(&l, &c, NULL, 0), 404);
        if (cases[i].stays)
            assert_says(&l, &c, "/again", 404);
        else
            live_until_end(&l, &c);
        live_close(&c);
    }
    live_end(&l);
}

/* --- pipelining --- */

#define GET_A "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

static void pipelined_max(void **state) {
    (void)state;
    for (int over = 0; over < 2; over++) {
        live l;
        live_opts opts;
        live_client c, post;
        char sid[21], body[100];
        live_opts_default(&opts);
        opts.front.max_pipelined = 2 * (sizeof GET_A - 1) - (uint32_t)over;
        serve(&l, &opts);
        live_open(&l, &c);
        live_open(&l, &post);
        assert_true(live_handshake(&l, &c, sid));
        live_poll(&l, &c, sid);
        live_say(&l, &c, GET_A);
        live_say(&l, &c, GET_A);
        live_post(&l, &post, sid, "4x", 2); /* echoed: answers the poll */
        if (over) {
            live_until_end(&l, &c);
            assert_int_equal(c.n, 0);
            assert_int_equal(live_net(&l, RT_FRONT_PIPELINED_OVER_MAX), 1);
        } else {
            assert_int_equal(live_answer(&l, &c, body, sizeof body), 200);
            assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
            assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
            assert_int_equal(live_net(&l, RT_FRONT_PIPELINED_OVER_MAX), 0);
        }
        live_close(&c);
        live_close(&post);
        live_end(&l);
    }
}

/* The poll is answered and more bytes are read in one turn: what was held back comes first. */
static void held_requests_keep_their_order(void **state) {
    (void)state;
    live l;
    live_client c, post;
    char sid[21], body[100], rest[sizeof GET_A] = GET_A;
    serve(&l, NULL);
    live_open(&l, &c);
    live_open(&l, &post);
    assert_true(live_handshake(&l, &c, sid));
    live_poll(&l, &c, sid);
    live_say(&l, &c, "GET /first HTTP/1.1\r\nHo"); /* held behind the poll */
    while (live_net(&l, RT_FRONT_REQUESTS) < 2)
        live_turn(&l);
    live_turn(&l);
    live_post(&l, &post, sid, "1", 1); /* answers the poll while the turn's events are served ... */
    live_say(&l, &c, "st: x\r\n\r\n"); /* ... of which this is a later one */
    live_say(&l, &c, rest);
    assert_int_equal(live_answer(&l, &c, body, sizeof body), 200);
    assert_string_equal(body, "6");
    assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
    assert_string_equal(body, "/first");
    assert_int_equal(live_answer(&l, &c, body, sizeof body), 404);
    assert_string_equal(body, "/a");
    live_close(&c);
    live_close(&post);
    live_end(&l);
}

/* --- how many --- */

static void connections_max(void **state) {
    (void)state;
    live l;
    live_opts opts;
    live_client c[3];
    live_opts_default(&opts);
    opts.front.max_connections = 2;
    serve(&l, &opts);
    for (int i = 0; i < 2; i++) {
        live_open(&l, &c[i]);
        assert_says(&l, &c[i], "/in", 404);
    }
    live_open(&l, &c[2]);
    live_until_end(&l, &c[2]);
    assert_int_equal(live_net(&l, RT_FRONT_REFUSED_FULL), 1);
    assert_says(&l, &c[0], "/in", 404);
    live_close(&c[1]);
    live_close(&c[2]);
    live_until_connections(&l, 1);
    live_open(&l, &c[2]);
    assert_says(&l, &c[2], "/in", 404);
    live_close(&c[0]);
    live_close(&c[2]);
    live_end(&l);
}

static void listeners_max(void **state) {
    (void)state;
    live l;
    char why[100];
    serve(&l, NULL); /* has one */
    for (int i = 1; i <= RT_FRONT_LISTENERS_MAX; i++) {
        int fd, count, port = 0;
        assert_int_equal(rt_listen_tcp("127.0.0.1", &port, &fd, 1, &count, why, sizeof why), RT_OK);
        assert_int_equal(rt_front_listen(l.front, fd),
                         i < RT_FRONT_LISTENERS_MAX ? RT_OK : RT_ELIMIT);
        if (i == RT_FRONT_LISTENERS_MAX)
            close(fd);
    }
    live_end(&l);
}

/* No descriptor is left: who connects is turned away, not left hanging, and those inside stay. */
static void descriptors_run_out(void **state) {
    (void)state;
    live l;
    live_client in, out, again;
    struct rlimit before, few;
    int filler[256], n = 0, fd;
    serve(&l, NULL);
    live_open(&l, &in);
    assert_says(&l, &in, "/in", 404);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)in.fd + 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 256 && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        filler[n++] = fd;
    assert_true(n > 1 && n < 256);
    close(filler[--n]); /* for the client's own end */
    live_open(&l, &out);
    live_until_end(&l, &out);
    assert_int_equal(live_net(&l, RT_FRONT_ACCEPT_FAILED), 1);
    assert_says(&l, &in, "/in", 404);
    while (n > 0)
        close(filler[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    live_open(&l, &again);
    assert_says(&l, &again, "/again", 404);
    live_close(&in);
    live_close(&out);
    live_close(&again);
    live_end(&l);
}

/* --- the end --- */

/* A client whose poll waits when the server is stopped, after an event was sent to it or not. */
static void stop_with_a_poll(bool event, int status, const char *payload) {
    live l;
    live_client c;
    char sid[21], body[32] = "";
    serve(&l, NULL);
    live_open(&l, &c);
    assert_true(live_handshake(&l, &c, sid));
    live_poll(&l, &c, sid);
    while (live_eio(&l).pending_polls == 0)
        live_turn(&l);
    if (event) {
        rt_msg *m = rt_ws_frame(RT_WS_TEXT, RT_LIT("4last"));
        assert_non_null(m);
        rt_eio_send(session, m);
        rt_msg_rele(m);
    }
    live_end(&l);
    for (uint64_t end = rt_test_ms() + LIVE_HANG_MS; c.end == LIVE_OPEN && rt_test_ms() < end;)
        live_pump(&c);
    assert_int_equal(c.end, LIVE_FIN);
    assert_int_equal(live_answer(&l, &c, body, sizeof body), status);
    assert_string_equal(body, payload);
    live_close(&c);
}

/* What the server owed when it was stopped still goes out; a poll without an answer breaks off. */
static void stopping_writes_what_is_owed(void **state) {
    (void)state;
    stop_with_a_poll(true, 200, "4last");
    stop_with_a_poll(false, 0, "");
}

static void small_when_idle(void **state) {
    (void)state;
    assert_true(sizeof(rt_conn) <= 160 - 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_a_prefix),
        cmocka_unit_test(head_deadline),
        cmocka_unit_test(body_deadline),
        cmocka_unit_test(idle_deadline),
        cmocka_unit_test(linger_deadline),
        cmocka_unit_test(unread_answers_stop_the_reading),
        cmocka_unit_test(write_deadline),
        cmocka_unit_test(write_deadline_runs_on),
        cmocka_unit_test(poll_behind_a_slow_answer_waits),
        cmocka_unit_test(last_words_survive_unread_input),
        cmocka_unit_test(linger_while_last_words_are_taken),
        cmocka_unit_test(owed_bytes),
        cmocka_unit_test(owed_small_messages),
        cmocka_unit_test(owed_one_large_message),
        cmocka_unit_test(budget),
        cmocka_unit_test(unread_answers_stop_a_websocket),
        cmocka_unit_test(broadcasts_do_not_stop_a_websocket),
        cmocka_unit_test(latest_ping),
        cmocka_unit_test(write_cap),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(keep_alive),
        cmocka_unit_test(pipelined_max),
        cmocka_unit_test(held_requests_keep_their_order),
        cmocka_unit_test(connections_max),
        cmocka_unit_test(listeners_max),
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(stopping_writes_what_is_owed),
        cmocka_unit_test(small_when_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
