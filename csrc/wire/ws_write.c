/* Writing WebSocket frames, and the server's half of the opening handshake. */
#include "wire/ws.h"

#include "base/digest.h"
#include "base/status.h"

#define CLOSE_REASON_MAX 123 /* RFC 6455, section 5.5: 125 bytes with the code */

uint16_t rt_ws_close_code(int status) {
    switch (status) {
    case RT_EWS_PROTOCOL:
        return 1002;
    case RT_EWS_UTF8:
        return 1007;
    case RT_EWS_TOO_BIG:
        return 1009;
    case RT_ENOMEM:
        return 1011;
    default:
        return 1000;
    }
}

size_t rt_ws_head_len(size_t n) {
    return n < 126 ? 2 : n <= UINT16_MAX ? 4 : 10;
}

size_t rt_ws_put_head(char *out, enum rt_ws_opcode opcode, size_t n) {
    size_t head = rt_ws_head_len(n);
    uint64_t rest = n;
    out[0] = (char)(0x80 | opcode);
    out[1] = (char)(head == 2 ? n : head == 4 ? 126 : 127);
    for (size_t i = head; i > 2; i--, rest >>= 8)
        out[i - 1] = (char)(rest & 0xff);
    return head;
}

static rt_msg *frame_of(enum rt_ws_opcode opcode, rt_slice first, rt_slice second) {
    if (first.n > UINT32_MAX - RT_WS_HEAD_MAX - second.n)
        return NULL;
    size_t n = first.n + second.n;
    rt_msg *m = rt_msg_new(rt_ws_head_len(n) + n);
    if (!m)
        return NULL;
    char *p = m->data + rt_ws_put_head(m->data, opcode, n);
    if (first.n > 0)
        memcpy(p, first.p, first.n);
    if (second.n > 0)
        memcpy(p + first.n, second.p, second.n);
    m->len = (uint32_t)(rt_ws_head_len(n) + n);
    return m;
}

rt_msg *rt_ws_frame(enum rt_ws_opcode opcode, rt_slice payload) {
    return frame_of(opcode, payload, RT_EMPTY);
}

/* The reason is UTF-8 and stays so when it is cut. */
static rt_slice cut_reason(rt_slice reason) {
    if (reason.n <= CLOSE_REASON_MAX)
        return reason;
    reason.n = CLOSE_REASON_MAX;
    while (reason.n > 0 && (reason.p[reason.n] & 0xc0) == 0x80)
        reason.n--;
    return reason;
}

rt_msg *rt_ws_close_frame(uint16_t code, rt_slice reason) {
    char bytes[2] = {(char)(code >> 8), (char)(code & 0xff)};
    if (code == 0)
        return frame_of(RT_WS_CLOSE, RT_EMPTY, RT_EMPTY);
    return frame_of(RT_WS_CLOSE, rt_slice_make(bytes, sizeof bytes), cut_reason(reason));
}

bool rt_ws_next_frame(rt_slice *frames, enum rt_ws_opcode *opcode, rt_slice *payload) {
    const uint8_t *p = (const uint8_t *)frames->p;
    if (frames->n < 2)
        return false;
    size_t head = p[1] == 127 ? 10 : p[1] == 126 ? 4 : 2;
    if (frames->n < head)
        return false;
    uint64_t n = head == 2 ? p[1] : 0;
    for (size_t i = 2; i < head; i++)
        n = n << 8 | p[i];
    if (n > frames->n - head)
        return false;
    *opcode = (enum rt_ws_opcode)(p[0] & 0x0f);
    *payload = (rt_slice){frames->p + head, (size_t)n};
    *frames = rt_slice_from(*frames, head + (size_t)n);
    return true;
}

/* --- handshake --- */

#define KEY_LEN 24

static bool is_base64(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

bool rt_ws_key_valid(rt_slice key) {
    if (key.n != KEY_LEN || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key.p[i]))
            return false;
    return true;
}

void rt_ws_accept(rt_slice key, char out[RT_WS_ACCEPT_LEN]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* section 1.3 */
    char text[KEY_LEN + sizeof guid - 1];
    uint8_t digest[20];
    size_t n = key.n < KEY_LEN ? key.n : KEY_LEN;
    if (n > 0)
        memcpy(text, key.p, n);
    memcpy(text + n, guid, sizeof guid - 1);
    rt_sha1(rt_slice_make(text, n + sizeof guid - 1), digest);
    rt_base64_encode(rt_slice_make(digest, sizeof digest), out);
}
