/* RFC 6455 through a real socket: the cases of wire/ws_cases.h, against net and engineio with an
 * app that echoes every message. All that comes back until the connection ends is compared, so what
 * is checked is each frame, the close code, and that a FIN and not a reset ends it.
 *
 * A text frame is an Engine.IO packet here. Each case is sent as it stands, when text that is no
 * packet closes the session without a code; and, as far as it has text that arrives, with the
 * packet type `4` before each text, so that it comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/live.h"
#include "wire/ws_cases.h"

#define BY_BYTE 400 /* cases of up to so many bytes are also sent byte by byte */

static int on_open(void *ctx, rt_eio_session *s) {
    (void)ctx;
    (void)s;
    return RT_OK;
}

static rt_msg *echo_of(bool binary, rt_slice bytes) {
    if (binary)
        return rt_ws_frame(RT_WS_BINARY, bytes);
    rt_buf packet = RT_BUF_INIT;
    rt_buf_putc(&packet, '4');
    rt_buf_puts(&packet, bytes);
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, rt_buf_slice(&packet));
    rt_buf_fini(&packet);
    return m;
}

static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    rt_msg *m = echo_of(binary, bytes);
    assert_non_null(m);
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    (void)reason;
}

static const rt_eio_app echo = {.on_open = on_open, .on_message = on_message, .on_close = on_close};

/* --- what is sent --- */

static bool starts_text(const ws_frame *f) {
    return (f->first & 0x0f) == RT_WS_TEXT;
}

/* The frame with `4` before its payload. */
static void prefix_frame(const ws_frame *from, ws_frame *to) {
    *to = *from;
    to->n++;
    if (from->form == WS_HEADER || (from->form == WS_LONG16 && !from->payload))
        return;
    char *payload = malloc((size_t)to->n);
    assert_non_null(payload);
    payload[0] = '4';
    for (size_t i = 0; i < from->n; i++)
        payload[1 + i] = from->payload[from->form == WS_FILLED ? 0 : i];
    to->payload = payload;
    if (from->form == WS_FILLED)
        to->form = WS_FRAME;
}

/* A case is worth prefixing when text comes through in it; bytes as they stand cannot be. */
static bool can_prefix(const ws_case *c) {
    bool text = false;
    for (unsigned i = 0; i < WS_CASE_EVENTS && c->out[i].kind; i++)
        text |= c->out[i].kind == 't';
    for (unsigned i = 0; i < WS_CASE_FRAMES && c->in[i].form != WS_NONE; i++)
        text &= c->in[i].form != WS_BYTES;
    return text;
}

static size_t bytes_of(const ws_case *c, bool prefixed, uint8_t **bytes) {
    ws_case copy = *c;
    for (unsigned i = 0; prefixed && i < WS_CASE_FRAMES && c->in[i].form != WS_NONE; i++)
        if (starts_text(&c->in[i]))
            prefix_frame(&c->in[i], &copy.in[i]);
    size_t n = ws_case_bytes(&copy, NULL);
    *bytes = malloc(n + 1);
    assert_non_null(*bytes);
    ws_case_bytes(&copy, *bytes);
    for (unsigned i = 0; i < WS_CASE_FRAMES; i++)
        if (copy.in[i].payload != c->in[i].payload)
            free((char *)copy.in[i].payload);
    return n;
}

/* --- what must come back --- */

static void expect_frame(rt_buf *out, enum rt_ws_opcode opcode, rt_slice payload) {
    char head[RT_WS_HEAD_MAX];
    rt_buf_put(out, head, rt_ws_put_head(head, opcode, payload.n));
    assert_int_equal(rt_buf_puts(out, payload), RT_OK);
}

static void expect_close(rt_buf *out, unsigned code) {
    char bytes[2] = {(char)(code >> 8), (char)code};
    expect_frame(out, RT_WS_CLOSE, rt_slice_make(bytes, code ? 2 : 0));
}

/* A text message that is not prefixed, as Engine.IO sees it. True: the session goes on. */
static bool expect_packet(rt_buf *out, rt_slice packet) {
    switch (packet.n ? packet.p[0] : '\0') {
    case '0':
    case '1': /* on a WebSocket */
    case '3':
    case '5':
    case '6':
        return true;
    case '4':
        expect_frame(out, RT_WS_TEXT, packet);
        return true;
    case 'b': /* base64 of nothing */
        if (packet.n > 1)
            break;
        expect_frame(out, RT_WS_BINARY, RT_EMPTY);
        return true;
    default:
        break;
    }
    expect_close(out, 0);
    return false;
}

/* True: the session goes on. */
static bool expect_event(rt_buf *out, const ws_event *e, bool prefixed) {
    rt_buf payload = RT_BUF_INIT;
    bool goes_on = true;
    if (e->kind == 't' && prefixed)
        rt_buf_putc(&payload, '4');
    for (size_t i = 0; i < e->repeat; i++)
        rt_buf_put(&payload, e->payload, e->n);
    rt_slice p = rt_buf_slice(&payload);
    if (e->kind == 't') {
        goes_on = expect_packet(out, p);
    } else if (e->kind == 'b') {
        expect_frame(out, RT_WS_BINARY, p);
    } else if (e->kind == 'p') {
        expect_frame(out, RT_WS_PONG, p);
    } else if (e->kind == 'c') {
        expect_close(out, e->code == 1005 ? 0 : e->code); /* 5.5.1: echoes the code */
        goes_on = false;
    }
    rt_buf_fini(&payload);
    return goes_on;
}

/* Fills `out`. True: the server closes by itself. */
static bool expect_case(rt_buf *out, const ws_case *c, bool prefixed) {
    for (unsigned i = 0; i < WS_CASE_EVENTS && c->out[i].kind; i++)
        if (!expect_event(out, &c->out[i], prefixed))
            return true;
    if (c->close_code)
        expect_close(out, c->close_code);
    return c->close_code != 0;
}

/* --- replaying --- */

static void send_bytes(live *l, live_client *c, const uint8_t *bytes, size_t n, size_t piece) {
    for (size_t at = 0; at < n; at += piece) {
        live_send(l, c, bytes + at, n - at < piece ? n - at : piece);
        if (piece < n)
            live_turn(l);
    }
}

static void compare(const ws_case *c, const live_client *client, rt_slice expected) {
    if (client->end == LIVE_FIN && rt_slice_eq(rt_slice_make(client->in, client->n), expected))
        return;
    size_t same = 0;
    while (same < client->n && same < expected.n && client->in[same] == expected.p[same])
        same++;
    fail_msg("case \"%s\": %zu bytes came instead of %zu, the first %zu are right; ended by %s",
             c->name, client->n, expected.n, same,
             client->end == LIVE_FIN     ? "a FIN"
             : client->end == LIVE_RESET ? "a reset"
                                         : "nothing");
}

static void run_case(live *l, const ws_case *c, bool prefixed, size_t piece) {
    uint8_t *bytes;
    size_t n = bytes_of(c, prefixed, &bytes);
    rt_buf expected = RT_BUF_INIT;
    bool closes = expect_case(&expected, c, prefixed);
    live_client client;
    assert_true(live_websocket(l, &client, NULL));
    assert_non_null(live_next(l, &client)); /* the Engine.IO open packet */
    send_bytes(l, &client, bytes, n, piece ? piece : n);
    if (!closes) {
        /* It would wait for more; an end of stream makes it close, with nothing more to say. */
        live_read(l, &client, live_has_bytes, expected.n, LIVE_HANG_MS);
        shutdown(client.fd, SHUT_WR);
    }
    live_until_end(l, &client);
    compare(c, &client, rt_buf_slice(&expected));
    live_close(&client);
    live_until_connections(l, 0);
    rt_buf_fini(&expected);
    free(bytes);
}

static unsigned run_all(bool prefixed, bool by_byte) {
    live l;
    live_opts opts;
    unsigned ran = 0;
    live_opts_default(&opts);
    opts.eio.max_payload = WS_CASE_LIMIT + prefixed;
    live_begin(&l);
    live_serve(&l, &opts, &echo);
    for (size_t i = 0; i < WS_CASE_COUNT; i++) {
        const ws_case *c = &ws_cases[i];
        if ((prefixed && !can_prefix(c)) || (by_byte && ws_case_bytes(c, NULL) > BY_BYTE))
            continue;
        uint64_t bad = live_engine(&l, RT_EIO_BAD_FRAMES);
        uint64_t big = live_engine(&l, RT_EIO_REFUSED_TOO_BIG);
        run_case(&l, c, prefixed, by_byte);
        bool failed = c->close_code && (prefixed || c->out[0].kind != 't');
        bool too_big = c->close_code == 1009;
        assert_int_equal(live_engine(&l, RT_EIO_BAD_FRAMES) - bad, failed && !too_big);
        assert_int_equal(live_engine(&l, RT_EIO_REFUSED_TOO_BIG) - big, failed && too_big);
        ran++;
    }
    assert_int_equal(live_eio(&l).sessions, 0);
    live_end(&l);
    print_message("%u cases\n", ran);
    return ran;
}

static void cases_whole(void **state) {
    (void)state;
    assert_true(run_all(false, false) >= 243);
}

static void cases_by_byte(void **state) {
    (void)state;
    assert_true(run_all(false, true) >= 200);
}

static void prefixed_whole(void **state) {
    (void)state;
    assert_true(run_all(true, false) >= 60);
}

static void prefixed_by_byte(void **state) {
    (void)state;
    assert_true(run_all(true, true) >= 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_whole),
        cmocka_unit_test(cases_by_byte),
        cmocka_unit_test(prefixed_whole),
        cmocka_unit_test(prefixed_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
