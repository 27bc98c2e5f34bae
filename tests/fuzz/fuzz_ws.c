/* Any bytes through the WebSocket parser, whole and in pieces that the first bytes decide: the same
 * must come out, whatever the split. The input is also masked into one valid frame and must come
 * out as it went in. */
#include "base/buf.h"
#include "base/status.h"
#include "wire/ws.h"

#include <stdlib.h>

#define LIMIT 4096

static void require(bool truth) {
    if (!truth)
        abort();
}

typedef struct record {
    rt_buf log;
    bool closed;
} record;

static int note(record *r, char kind, rt_slice payload) {
    require(!r->closed);
    rt_buf_printf(&r->log, "%c%zu:", kind, payload.n);
    rt_buf_puts(&r->log, payload);
    return r->log.err;
}

static int on_message(void *arg, bool binary, rt_slice bytes) {
    require(bytes.n <= LIMIT);
    require(binary || rt_utf8_valid(bytes));
    return note(arg, binary ? 'b' : 't', bytes);
}

static int on_ping(void *arg, rt_slice payload) {
    require(payload.n <= 125);
    return note(arg, 'p', payload);
}

static int on_pong(void *arg, rt_slice payload) {
    require(payload.n <= 125);
    return note(arg, 'o', payload);
}

static int on_close(void *arg, uint16_t code, rt_slice reason) {
    record *r = arg;
    require(code >= 1000 && code <= 4999 && reason.n <= 123 && rt_utf8_valid(reason));
    rt_buf_printf(&r->log, "%u", code);
    int rc = note(r, 'c', reason);
    r->closed = true;
    return rc;
}

static const rt_ws_events events = {on_message, on_ping, on_pong, on_close};

/* Pieces of pseudo-random sizes from a seed; seed 0: one piece. Each lies in a block of its own. */
static int run(const uint8_t *data, size_t size, unsigned seed, record *r) {
    rt_ws ws;
    int rc = RT_OK;
    uint32_t random = seed * 2654435761u;
    rt_ws_init(&ws, LIMIT);
    for (size_t at = 0; at < size && rc == RT_OK;) {
        random = random * 1664525 + 1013904223;
        size_t n = seed == 0 ? size : 1 + (random >> 24) % (seed < 64 ? seed : 64);
        if (n > size - at)
            n = size - at;
        char *block = malloc(n);
        require(block != NULL);
        memcpy(block, data + at, n);
        rc = rt_ws_feed(&ws, block, n, &events, r);
        free(block);
        at += n;
    }
    require(ws.message == NULL || ws.message->n <= LIMIT);
    rt_ws_fini(&ws);
    require(rc == RT_OK || rc == RT_EWS_PROTOCOL || rc == RT_EWS_UTF8 || rc == RT_EWS_TOO_BIG);
    return rc;
}

static void any_bytes(const uint8_t *data, size_t size, unsigned seed) {
    record whole = {.log = RT_BUF_INIT}, pieces = {.log = RT_BUF_INIT};
    int a = run(data, size, 0, &whole);
    int b = run(data, size, seed, &pieces);
    require(a == b && whole.closed == pieces.closed);
    require(rt_slice_eq(rt_buf_slice(&whole.log), rt_buf_slice(&pieces.log)));
    rt_buf_fini(&whole.log);
    rt_buf_fini(&pieces.log);
}

/* As a client would send it: our own header with the mask bit and a mask. */
static void one_message(const uint8_t *data, size_t size, unsigned seed) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    bool text = rt_utf8_valid(rt_slice_make(data, size));
    record r = {.log = RT_BUF_INIT};
    rt_buf frame = RT_BUF_INIT, expected = RT_BUF_INIT;
    char head[RT_WS_HEAD_MAX];
    size_t head_n = rt_ws_put_head(head, text ? RT_WS_TEXT : RT_WS_BINARY, size);
    head[1] = (char)(head[1] | 0x80);
    rt_buf_put(&frame, head, head_n);
    rt_buf_put(&frame, mask, sizeof mask);
    for (size_t i = 0; i < size; i++)
        rt_buf_putc(&frame, (char)(data[i] ^ mask[i & 3]));
    rt_buf_printf(&expected, "%c%zu:", text ? 't' : 'b', size);
    rt_buf_put(&expected, data, size);
    require(frame.err == RT_OK && expected.err == RT_OK);
    int rc = run((const uint8_t *)frame.p, frame.n, seed, &r);
    require(rc == (size > LIMIT ? RT_EWS_TOO_BIG : RT_OK));
    if (rc == RT_OK)
        require(rt_slice_eq(rt_buf_slice(&r.log), rt_buf_slice(&expected)));
    rt_buf_fini(&frame);
    rt_buf_fini(&expected);
    rt_buf_fini(&r.log);
}

/* Frames that the server walks are its own; other bytes must still not lead it astray. */
static void walk(const uint8_t *data, size_t size) {
    rt_slice left = rt_slice_make(data, size), payload;
    enum rt_ws_opcode opcode;
    size_t before = left.n;
    while (rt_ws_next_frame(&left, &opcode, &payload)) {
        require(left.n + payload.n < before);
        before = left.n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    unsigned seed = data[0] == 0 ? 1 : data[0];
    any_bytes(data + 1, size - 1, seed);
    one_message(data + 1, size - 1, seed);
    walk(data + 1, size - 1);
    return 0;
}
