/* Packets as text: polling payloads, JSONP, base64 in text frames. */
#include "engineio/payload.h"

#include "base/digest.h"
#include "base/status.h"
#include "json/write.h"
#include "wire/query.h"
#include "wire/ws.h"

#define SEPARATOR '\x1e'

/* --- payloads --- */

static size_t packet_len(enum rt_ws_opcode opcode, rt_slice packet) {
    return opcode == RT_WS_BINARY ? 1 + RT_BASE64_LEN(packet.n) : packet.n;
}

static char *put_packet(char *at, enum rt_ws_opcode opcode, rt_slice packet) {
    if (opcode != RT_WS_BINARY) {
        if (packet.n)
            memcpy(at, packet.p, packet.n);
        return at + packet.n;
    }
    *at++ = 'b';
    rt_base64_encode(packet, at);
    return at + RT_BASE64_LEN(packet.n);
}

/* Bytes of the payload of these frames, with the separators between them. */
static size_t payload_len(rt_slice frames) {
    size_t n = 0;
    enum rt_ws_opcode opcode;
    rt_slice packet;
    while (rt_ws_next_frame(&frames, &opcode, &packet))
        n += 1 + packet_len(opcode, packet);
    return n ? n - 1 : 0;
}

static char *put_payload(char *at, rt_slice frames) {
    enum rt_ws_opcode opcode;
    rt_slice packet;
    bool first = true;
    while (rt_ws_next_frame(&frames, &opcode, &packet)) {
        if (!first)
            *at++ = SEPARATOR;
        first = false;
        at = put_packet(at, opcode, packet);
    }
    return at;
}

rt_msg *rt_eio_payload_encode(const rt_outq *q) {
    size_t n = q->count - 1;
    for (uint32_t i = 0; i < q->count; i++)
        n += payload_len(rt_msg_slice(rt_outq_at(q, i)));
    rt_msg *m = rt_msg_new(n);
    if (!m)
        return NULL;
    char *at = m->data;
    for (uint32_t i = 0; i < q->count; i++) {
        if (i)
            *at++ = SEPARATOR;
        at = put_payload(at, rt_msg_slice(rt_outq_at(q, i)));
    }
    m->len = (uint32_t)n;
    return m;
}

/* --- text frames --- */

static bool has_binary(rt_slice frames) {
    enum rt_ws_opcode opcode;
    rt_slice packet;
    while (rt_ws_next_frame(&frames, &opcode, &packet))
        if (opcode == RT_WS_BINARY)
            return true;
    return false;
}

static size_t text_frames_len(rt_slice frames) {
    size_t n = 0;
    enum rt_ws_opcode opcode;
    rt_slice packet;
    while (rt_ws_next_frame(&frames, &opcode, &packet))
        n += rt_ws_head_len(packet_len(opcode, packet)) + packet_len(opcode, packet);
    return n;
}

rt_msg *rt_eio_payload_as_text_frames(rt_msg *frames) {
    rt_slice rest = rt_msg_slice(frames);
    if (!has_binary(rest))
        return rt_msg_hold(frames);
    rt_msg *m = rt_msg_new(text_frames_len(rest));
    if (!m)
        return NULL;
    char *at = m->data;
    enum rt_ws_opcode opcode;
    rt_slice packet;
    while (rt_ws_next_frame(&rest, &opcode, &packet)) {
        at += rt_ws_put_head(at, RT_WS_TEXT, packet_len(opcode, packet));
        at = put_packet(at, opcode, packet);
    }
    m->len = (uint32_t)(at - m->data);
    return m;
}

/* --- JSONP --- */

/* U+2028 and U+2029 may stand in JSON, but in older JavaScript they end a line. */
static void put_script_text(rt_buf *b, rt_slice json) {
    for (size_t i = 0; i < json.n; i++) {
        bool separator = json.n - i >= 3 && memcmp(json.p + i, "\xe2\x80", 2) == 0 &&
                         ((unsigned char)json.p[i + 2] & 0xfe) == 0xa8;
        if (!separator) {
            rt_buf_putc(b, json.p[i]);
            continue;
        }
        rt_buf_puts(b, json.p[i + 2] & 1 ? RT_LIT("\\u2029") : RT_LIT("\\u2028"));
        i += 2;
    }
}

rt_msg *rt_eio_payload_jsonp(rt_slice index, rt_slice payload) {
    rt_buf json, b;
    rt_buf_init(&json, 0);
    rt_buf_init(&b, 0);
    rt_buf_puts(&b, RT_LIT("___eio["));
    rt_buf_puts(&b, index);
    rt_buf_puts(&b, RT_LIT("]("));
    if (rt_json_put_str(&json, payload) == RT_OK)
        put_script_text(&b, rt_buf_slice(&json));
    rt_buf_puts(&b, RT_LIT(");"));
    rt_msg *m = json.err == RT_OK && b.err == RT_OK ? rt_msg_copy(rt_buf_slice(&b)) : NULL;
    rt_buf_fini(&json);
    rt_buf_fini(&b);
    return m;
}

/* `\n` is a newline, `\\n` is `\n`; any other backslash is itself. */
static void put_unescaped(rt_buf *out, rt_slice text) {
    for (size_t i = 0; i < text.n; i++) {
        rt_slice rest = rt_slice_from(text, i);
        if (rt_slice_starts(rest, RT_LIT("\\\\n"))) {
            rt_buf_puts(out, RT_LIT("\\n"));
            i += 2;
        } else if (rt_slice_starts(rest, RT_LIT("\\n"))) {
            rt_buf_putc(out, '\n');
            i += 1;
        } else {
            rt_buf_putc(out, text.p[i]);
        }
    }
}

int rt_eio_payload_from_form(rt_slice body, rt_buf *out) {
    rt_slice raw;
    if (!rt_query_get(body, RT_LIT("d"), &raw))
        return RT_EINVAL;
    rt_buf text;
    rt_buf_init(&text, 0);
    int status = rt_query_decode(raw, true, &text);
    if (status == RT_OK)
        put_unescaped(out, rt_buf_slice(&text));
    rt_buf_fini(&text);
    return status == RT_OK ? out->err : status;
}
