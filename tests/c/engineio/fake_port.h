/* Connections made of memory for the tests of engineio: raw HTTP requests go through the real
 * parser, what the server sends is kept, and the clock is the test's.
 *
 *     fake f;
 *     fake_init(&f, NULL);
 *     fake_conn *c = fake_open(&f);
 *     fake_request(c, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n");
 *     fake_sent(c)      the raw bytes since the last call
 *     fake_frames(c)    the same as WebSocket frames: texts separated by '|', "<hex>" for binary,
 *                       "close 1000", "close" and "pong:text"
 *     f.log             what the app heard: "open", "message x", "binary x", "close reason"
 *     fake_fini(&f);
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_ENGINEIO_FAKE_PORT_H
#define RT_TESTS_ENGINEIO_FAKE_PORT_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/random.h"
#include "base/status.h"
#include "engineio/engineio.h"
#include "wire/http.h"
#include "wire/ws.h"

#include <stdio.h>
#include <stdlib.h>

#define FAKE_START 1000 /* ms on the clock at first */
#define FAKE_POLLING "/socket.io/?EIO=4&transport=polling"
#define FAKE_WEBSOCKET "/socket.io/?EIO=4&transport=websocket"
#define FAKE_UPGRADE                                                                               \
    "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"        \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

struct fake;

typedef struct fake_conn {
    rt_eio_port port;
    struct fake *f;
    struct fake_conn *next;
    rt_http *http;
    rt_buf out, shown;
    unsigned finished, upgraded, closed; /* calls */
    bool keep_alive, flushed;            /* their arguments */
    bool refuses;                        /* send answers RT_ECLOSED */
    int status;                          /* what the last feed returned */
    size_t spare;                        /* bytes of the last message that nothing stands in */
    char address[RT_EIO_ADDRESS_LEN];    /* of fake_open_from */
} fake_conn;

typedef struct fake {
    uint64_t now;
    rt_timers timers;
    rt_eio *eio;
    fake_conn *conns;
    rt_buf log, shown;
    rt_eio_session *session; /* the last one opened */
    int open_status;         /* what on_open answers */
    unsigned paced;          /* times that a client was found to send too much */
    bool close_on_message;
    bool origin_allowed;
    const char *forbidden; /* what handshakes are told; NULL: welcome */
    int keep_status;       /* what keep answers; it keeps the first header */
} fake;

/* --- the port --- */

static inline fake_conn *fake_of(const rt_eio_port *p) {
    return RT_OF(p, fake_conn, port);
}

static inline int fake_send(rt_eio_port *p, rt_msg *m) {
    fake_conn *c = fake_of(p);
    if (c->refuses || c->closed)
        return RT_ECLOSED;
    c->spare = m->cap - m->len;
    return rt_buf_puts(&c->out, rt_msg_slice(m));
}

static inline void fake_finish(rt_eio_port *p, bool keep_alive) {
    assert_null(p->up);
    fake_of(p)->finished++;
    fake_of(p)->keep_alive = keep_alive;
}

static inline void fake_upgrade(rt_eio_port *p) {
    fake_of(p)->upgraded++;
}

static inline void fake_close(rt_eio_port *p, bool flush) {
    assert_null(p->up); /* port.h: engineio has let go */
    fake_of(p)->closed++;
    fake_of(p)->flushed = flush;
}

static inline size_t fake_owed(const rt_eio_port *p) {
    return fake_of(p)->out.n;
}

static inline void fake_address(const rt_eio_port *p, const rt_http_request *req, char *out) {
    (void)req;
    memcpy(out, fake_of(p)->address, RT_EIO_ADDRESS_LEN);
}

static const rt_eio_port_ops fake_ops = {fake_send, fake_finish, fake_upgrade, fake_close,
                                         fake_send, fake_owed,   NULL};
static const rt_eio_port_ops fake_ops_from = {fake_send, fake_finish, fake_upgrade, fake_close,
                                              fake_send, fake_owed,   fake_address};

/* --- the app above --- */

static inline void fake_note(fake *f, const char *word, rt_slice bytes) {
    rt_buf_printf(&f->log, "%s%s%.*s", f->log.n ? "|" : "", word, (int)bytes.n,
                  bytes.n ? bytes.p : "");
}

static inline int fake_on_open(void *ctx, rt_eio_session *s) {
    fake *f = ctx;
    f->session = s;
    fake_note(f, "open", RT_EMPTY);
    return f->open_status;
}

static inline void fake_on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    fake *f = ctx;
    fake_note(f, binary ? "binary " : "message ", bytes);
    if (f->close_on_message)
        rt_eio_close(s, RT_EIO_FORCED_CLOSE);
}

static inline void fake_on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)s;
    fake_note(ctx, "close ", rt_slice_of(rt_eio_reason_text(reason)));
}

static inline void fake_on_paced(void *ctx, rt_eio_session *s) {
    (void)s;
    ((fake *)ctx)->paced++;
}

static inline bool fake_allow_origin(void *ctx, const rt_http_request *req, rt_slice origin) {
    (void)req;
    (void)origin;
    return ((fake *)ctx)->origin_allowed;
}

static inline rt_slice fake_forbid(void *ctx, const rt_http_request *req) {
    (void)req;
    return rt_slice_of(((fake *)ctx)->forbidden);
}

static inline int fake_keep(void *ctx, const rt_http_request *req, rt_http_header *headers,
                            rt_http_request *kept) {
    headers[kept->header_count++] = req->headers[0];
    return ((fake *)ctx)->keep_status;
}

static inline uint64_t fake_now(void *ctx) {
    return ((fake *)ctx)->now;
}

static inline const char *fake_text(rt_buf *shown, rt_buf *from) {
    rt_buf_clear(shown);
    rt_buf_puts(shown, rt_buf_slice(from));
    assert_int_equal(rt_buf_putc(shown, '\0'), RT_OK);
    rt_buf_clear(from);
    return shown->p;
}

/* What the app heard since the last call. */
static inline const char *fake_log(fake *f) {
    return fake_text(&f->shown, &f->log);
}

static inline void fake_init(fake *f, const rt_eio_opts *opts) {
    rt_eio_opts defaults;
    rt_eio_opts_default(&defaults);
    memset(f, 0, sizeof *f);
    f->now = FAKE_START;
    rt_timers_init(&f->timers);
    rt_eio_app app = {.ctx = f,
                      .on_open = fake_on_open,
                      .on_message = fake_on_message,
                      .on_close = fake_on_close,
                      .on_paced = fake_on_paced,
                      .allow_origin = fake_allow_origin,
                      .allow_origin_ctx = f,
                      .forbid = fake_forbid};
    f->eio = rt_eio_new(opts ? opts : &defaults, &app, &f->timers, fake_now, f);
    assert_non_null(f->eio);
}

static inline void fake_fini(fake *f) {
    rt_eio_close_all(f->eio, RT_EIO_SERVER_SHUTDOWN);
    for (fake_conn *c = f->conns; c; c = c->next)
        rt_eio_port_closed(f->eio, &c->port, false);
    rt_eio_free(f->eio);
    while (f->conns) {
        fake_conn *c = f->conns;
        f->conns = c->next;
        assert_null(c->port.up);
        rt_http_free(c->http);
        rt_buf_fini(&c->out);
        rt_buf_fini(&c->shown);
        free(c);
    }
    rt_buf_fini(&f->log);
    rt_buf_fini(&f->shown);
}

static inline void fake_turn(fake *f) {
    rt_eio_flush(f->eio);
    rt_eio_reap(f->eio);
}

/* The clock goes on by ms at once, the timers that are due run, the turn ends. */
static inline void fake_pass(fake *f, uint64_t ms) {
    f->now += ms;
    rt_timers_run(&f->timers, f->now);
    fake_turn(f);
}

/* --- a connection --- */

static inline int fake_on_head(void *arg, const rt_http_request *req) {
    fake_conn *c = arg;
    return rt_eio_request(c->f->eio, &c->port, req);
}

static inline int fake_on_body(void *arg, rt_slice bytes) {
    fake_conn *c = arg;
    return rt_eio_request_body(c->f->eio, &c->port, bytes);
}

static inline int fake_on_end(void *arg) {
    fake_conn *c = arg;
    return rt_eio_request_end(c->f->eio, &c->port);
}

static inline fake_conn *fake_open(fake *f) {
    static const rt_http_events events = {fake_on_head, fake_on_body, fake_on_end};
    fake_conn *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->port.ops = &fake_ops;
    c->f = f;
    c->next = f->conns;
    f->conns = c;
    c->http = rt_http_new(&events, c);
    assert_non_null(c->http);
    return c;
}

/* From an address, of which these are the first two bytes. */
static inline fake_conn *fake_open_from(fake *f, const char *two) {
    fake_conn *c = fake_open(f);
    c->port.ops = &fake_ops_from;
    memcpy(c->address, two, 2);
    return c;
}

/* Raw bytes of requests, handed on without a turn of the loop. */
static inline void fake_feed(fake_conn *c, const char *bytes, size_t n) {
    rt_slice rest = rt_slice_make(bytes, n);
    while (rest.n > 0) {
        size_t used = 0;
        c->status = rt_http_feed(c->http, rest, &used);
        rest = rt_slice_from(rest, used);
        if (c->status < 0)
            return;
    }
}

static inline void fake_request(fake_conn *c, const char *text) {
    fake_feed(c, text, strlen(text));
}

/* The raw bytes that were sent since the last call. */
static inline const char *fake_sent(fake_conn *c) {
    return fake_text(&c->shown, &c->out);
}

/* The body of the one answer that was sent, of which the status line must start like this. */
static inline const char *fake_body(fake_conn *c, const char *status) {
    const char *text = fake_sent(c);
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %s", status);
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
    const char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    return body + 4;
}

/* --- polling --- */

static inline void fake_get(fake_conn *c, const char *target) {
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    fake_request(c, text);
}

/* A session over polling; its sid goes to `sid`, RT_ID_LEN + 1 bytes. */
static inline rt_eio_session *fake_handshake(fake *f, char *sid) {
    fake_conn *c = fake_open(f);
    fake_get(c, FAKE_POLLING);
    assert_non_null(f->session);
    memcpy(sid, rt_eio_sid(f->session).p, RT_ID_LEN);
    sid[RT_ID_LEN] = '\0';
    fake_sent(c);
    fake_log(f);
    return f->session;
}

static inline void fake_poll(fake_conn *c, const char *sid) {
    char target[128];
    snprintf(target, sizeof target, FAKE_POLLING "&sid=%s", sid);
    fake_get(c, target);
}

static inline void fake_post_n(fake_conn *c, const char *sid, const char *body, size_t n) {
    char head[256];
    snprintf(head, sizeof head,
             "POST " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sid,
             n);
    fake_request(c, head);
    fake_feed(c, body, n);
}

static inline void fake_post(fake_conn *c, const char *sid, const char *body) {
    fake_post_n(c, sid, body, strlen(body));
}

/* The app sends one text packet. */
static inline void fake_say(rt_eio_session *s, const char *packet) {
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, rt_slice_of(packet));
    assert_non_null(m);
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

/* --- WebSocket --- */

/* A WebSocket, to upgrade the session `sid` or (NULL) for one of its own. */
static inline fake_conn *fake_websocket(fake *f, const char *sid) {
    char text[512];
    fake_conn *c = fake_open(f);
    snprintf(text, sizeof text, "GET " FAKE_WEBSOCKET "%s%s HTTP/1.1\r\n" FAKE_UPGRADE,
             sid ? "&sid=" : "", sid ? sid : "");
    fake_request(c, text);
    assert_int_equal(c->upgraded, 1);
    size_t head = 0; /* ends with an empty line; frames may follow */
    while (!rt_slice_starts(rt_slice_from(rt_buf_slice(&c->out), head), RT_LIT("\r\n\r\n")))
        assert_true(++head < c->out.n);
    rt_buf_drop(&c->out, head + 4);
    return c;
}

/* One frame from the client, of at most 125 bytes, masked. */
static inline void fake_frame(fake_conn *c, unsigned char first, const char *payload, size_t n) {
    char frame[6 + 125] = {(char)first, (char)(0x80 | n), 1, 2, 3, 4};
    assert_true(n <= 125);
    for (size_t i = 0; i < n; i++)
        frame[6 + i] = (char)(payload[i] ^ frame[2 + i % 4]);
    rt_eio_websocket_bytes(c->f->eio, &c->port, frame, 6 + n);
}

static inline void fake_text_frame(fake_conn *c, const char *packet) {
    fake_frame(c, 0x81, packet, strlen(packet));
}

static inline void fake_show_frame(rt_buf *out, enum rt_ws_opcode opcode, rt_slice payload) {
    const unsigned char *p = (const unsigned char *)payload.p;
    if (opcode == RT_WS_CLOSE && payload.n >= 2)
        rt_buf_printf(out, "close %d", p[0] << 8 | p[1]);
    else if (opcode == RT_WS_CLOSE)
        rt_buf_puts(out, RT_LIT("close"));
    else if (opcode == RT_WS_PONG)
        rt_buf_printf(out, "pong:%.*s", (int)payload.n, payload.n ? payload.p : "");
    else if (opcode == RT_WS_BINARY) {
        rt_buf_putc(out, '<');
        for (size_t i = 0; i < payload.n; i++)
            rt_buf_printf(out, "%02x", p[i]);
        rt_buf_putc(out, '>');
    } else
        rt_buf_puts(out, payload);
}

/* What came of WebSocket frames, at the end of a turn. */
static inline const char *fake_frames(fake_conn *c) {
    rt_eio_flush(c->f->eio);
    rt_slice frames = rt_buf_slice(&c->out), payload;
    enum rt_ws_opcode opcode;
    rt_buf_clear(&c->shown);
    while (rt_ws_next_frame(&frames, &opcode, &payload)) {
        if (c->shown.n)
            rt_buf_putc(&c->shown, '|');
        fake_show_frame(&c->shown, opcode, payload);
    }
    assert_int_equal(frames.n, 0);
    assert_int_equal(rt_buf_putc(&c->shown, '\0'), RT_OK);
    rt_buf_clear(&c->out);
    return c->shown.p;
}

static inline rt_eio_figures fake_figures(const fake *f) {
    rt_eio_figures figures;
    rt_eio_get_figures(f->eio, &figures);
    return figures;
}

#endif
