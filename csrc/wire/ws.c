/* Reads WebSocket frames. Only bytes that complete nothing yet are kept; a message that comes in
 * one frame and in one piece is handed out where it lies, without a copy.
 *
 *            header complete                    payload complete
 *     HEADER ---------------> in_payload ---------------------------> HEADER
 *        ^                                        |
 *        |                                        +-- close frame --> closed (the rest is ignored)
 *        +-- first byte, length byte and length are each judged as soon as they are there
 *
 * A control frame may come between the fragments of a message (RFC 6455, section 5.4), never within
 * one: `opcode`, `fin`, `left` and the mask belong to the frame, `msg_opcode`, `message` and `utf8`
 * to the message under way.
 */
#include "wire/ws.h"

#include "base/alloc.h"
#include "base/status.h"

#define CONTROL_MAX 125 /* RFC 6455, section 5.5 */

void rt_ws_init(rt_ws *ws, uint32_t max_message) {
    *ws = (rt_ws){.max_message = max_message, .utf8 = RT_UTF8_INIT};
}

static void free_message(rt_buf *message) {
    if (!message)
        return;
    rt_buf_fini(message);
    rt_free(message);
}

void rt_ws_fini(rt_ws *ws) {
    free_message(ws->message);
    rt_free(ws->control);
    ws->message = NULL;
    ws->control = NULL;
}

static bool is_control(uint8_t opcode) {
    return opcode & 0x8;
}

/* FIN, RSV1-3, opcode. */
static int check_first_byte(rt_ws *ws, uint8_t byte) {
    ws->fin = byte & 0x80;
    ws->opcode = byte & 0x0f;
    if (byte & 0x70) /* section 5.2: no extension was negotiated */
        return RT_EWS_PROTOCOL;
    switch (ws->opcode) {
    case RT_WS_CONT:
        return ws->msg_opcode ? RT_OK : RT_EWS_PROTOCOL;
    case RT_WS_TEXT:
    case RT_WS_BINARY:
        return ws->msg_opcode ? RT_EWS_PROTOCOL : RT_OK;
    case RT_WS_CLOSE:
    case RT_WS_PING:
    case RT_WS_PONG:
        return ws->fin ? RT_OK : RT_EWS_PROTOCOL;
    default:
        return RT_EWS_PROTOCOL;
    }
}

/* MASK and the 7-bit length. */
static int check_second_byte(const rt_ws *ws, uint8_t byte) {
    uint8_t n = byte & 0x7f;
    if (!(byte & 0x80)) /* section 5.1 */
        return RT_EWS_PROTOCOL;
    if (is_control(ws->opcode) && n > CONTROL_MAX)
        return RT_EWS_PROTOCOL;
    if (ws->opcode == RT_WS_CLOSE && n == 1) /* section 5.5.1: a code has two bytes */
        return RT_EWS_PROTOCOL;
    return RT_OK;
}

static unsigned extended_len(const rt_ws *ws) {
    uint8_t n = ws->head[1] & 0x7f;
    return n == 127 ? 8 : n == 126 ? 2 : 0;
}

static int check_length(rt_ws *ws) {
    unsigned extended = extended_len(ws);
    uint64_t n = 0;
    for (unsigned i = 0; i < extended; i++)
        n = n << 8 | ws->head[2 + i];
    if (extended == 0)
        n = ws->head[1] & 0x7f;
    /* section 5.2: the top bit is 0, and the shortest form must be used */
    if (n >> 63 || (extended == 8 && n <= UINT16_MAX) || (extended == 2 && n < 126))
        return RT_EWS_PROTOCOL;
    uint64_t before = ws->message ? ws->message->n : 0;
    if (!is_control(ws->opcode) && n > ws->max_message - before)
        return RT_EWS_TOO_BIG;
    ws->left = n;
    return RT_OK;
}

/* RT_AGAIN: the header is not complete. */
static int feed_head_byte(rt_ws *ws, uint8_t byte) {
    int rc = RT_OK;
    ws->head[ws->head_len++] = byte;
    if (ws->head_len == 1)
        rc = check_first_byte(ws, byte);
    else if (ws->head_len == 2)
        rc = check_second_byte(ws, byte);
    if (rc == RT_OK && ws->head_len >= 2 && ws->head_len == 2 + extended_len(ws))
        rc = check_length(ws);
    if (rc != RT_OK)
        return rc;
    return ws->head_len < 2 || ws->head_len < 2 + extended_len(ws) + 4 ? RT_AGAIN : RT_OK;
}

static void start_payload(rt_ws *ws) {
    ws->in_payload = true;
    ws->mask_at = 0;
    if (ws->opcode == RT_WS_TEXT || ws->opcode == RT_WS_BINARY)
        ws->msg_opcode = ws->opcode;
}

/* Section 5.3; eight bytes at a time. The mask is the last thing in the header. */
static void unmask(rt_ws *ws, char *p, size_t n) {
    const uint8_t *mask = ws->head + ws->head_len - 4;
    uint8_t turned[8];
    uint64_t wide, word;
    for (unsigned i = 0; i < sizeof turned; i++)
        turned[i] = mask[(ws->mask_at + i) & 3];
    memcpy(&wide, turned, sizeof wide);
    size_t i = 0;
    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        word ^= wide;
        memcpy(p + i, &word, sizeof word);
    }
    for (; i < n; i++)
        p[i] = (char)(p[i] ^ turned[i & 7]);
    ws->mask_at = (uint8_t)((ws->mask_at + n) & 3);
}

static int keep(rt_ws *ws, rt_slice bytes) {
    if (bytes.n == 0)
        return RT_OK;
    if (!ws->message) {
        ws->message = rt_alloc(sizeof *ws->message);
        if (!ws->message)
            return RT_ENOMEM;
        rt_buf_init(ws->message, 0); /* check_length has seen to the limit */
    }
    return rt_buf_put(ws->message, bytes.p, bytes.n);
}

/* The state is that of a new frame before the callback runs, so that it may do what it likes. */
static int end_message(rt_ws *ws, rt_slice bytes, const rt_ws_events *events, void *arg) {
    rt_buf *message = ws->message;
    bool binary = ws->msg_opcode == RT_WS_BINARY;
    ws->message = NULL;
    ws->msg_opcode = 0;
    int rc = events->on_message(arg, binary, message ? rt_buf_slice(message) : bytes);
    free_message(message);
    return rc;
}

/* `last`: the bytes end the frame. */
static int feed_data(rt_ws *ws, rt_slice bytes, bool last, const rt_ws_events *events, void *arg) {
    bool ends = last && ws->fin;
    if (ws->msg_opcode == RT_WS_TEXT) {
        int rc = rt_utf8_feed(&ws->utf8, bytes);
        if (rc == RT_EUTF8 || (rc == RT_AGAIN && ends)) /* section 8.1 */
            return RT_EWS_UTF8;
    }
    if (!ends || ws->message) {
        int rc = keep(ws, bytes);
        if (rc != RT_OK)
            return rc;
    }
    return ends ? end_message(ws, bytes, events, arg) : RT_OK;
}

/* Sections 7.4.1 and 7.4.2, and IANA's registry for 1012 to 1014. */
static bool is_close_code(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int end_close(rt_ws *ws, rt_slice payload, const rt_ws_events *events, void *arg) {
    unsigned code = 1005; /* section 7.1.5: none was given */
    if (payload.n >= 2) {
        code = (unsigned)(uint8_t)payload.p[0] << 8 | (uint8_t)payload.p[1];
        if (!is_close_code(code))
            return RT_EWS_PROTOCOL;
        payload = rt_slice_from(payload, 2);
        if (!rt_utf8_valid(payload))
            return RT_EWS_UTF8;
    }
    ws->closed = true;
    return events->on_close(arg, (uint16_t)code, payload);
}

static int end_control(rt_ws *ws, rt_slice payload, const rt_ws_events *events, void *arg) {
    if (ws->opcode == RT_WS_CLOSE)
        return end_close(ws, payload, events, arg);
    return ws->opcode == RT_WS_PING ? events->on_ping(arg, payload) : events->on_pong(arg, payload);
}

static int feed_control(rt_ws *ws, rt_slice bytes, bool last, const rt_ws_events *events,
                        void *arg) {
    if (last && !ws->control)
        return end_control(ws, bytes, events, arg);
    if (bytes.n > 0) {
        if (!ws->control)
            ws->control = rt_alloc(CONTROL_MAX);
        if (!ws->control)
            return RT_ENOMEM;
        memcpy(ws->control + ws->control_len, bytes.p, bytes.n);
        ws->control_len = (uint8_t)(ws->control_len + bytes.n);
    }
    if (!last)
        return RT_OK;
    uint8_t *control = ws->control;
    rt_slice payload = rt_slice_make(control, ws->control_len);
    ws->control = NULL;
    ws->control_len = 0;
    int rc = end_control(ws, payload, events, arg);
    rt_free(control);
    return rc;
}

static int feed_payload(rt_ws *ws, char *p, size_t n, const rt_ws_events *events, void *arg) {
    bool last = n == ws->left;
    unmask(ws, p, n);
    ws->left -= n;
    if (last) {
        ws->in_payload = false;
        ws->head_len = 0;
    }
    rt_slice bytes = {p, n};
    return is_control(ws->opcode) ? feed_control(ws, bytes, last, events, arg)
                                  : feed_data(ws, bytes, last, events, arg);
}

bool rt_ws_at_rest(const rt_ws *ws) {
    return !ws->in_payload && ws->head_len == 0 && ws->msg_opcode == 0 && !ws->closed;
}

int rt_ws_feed(rt_ws *ws, char *bytes, size_t n, const rt_ws_events *events, void *arg) {
    int rc;
    ws->unread = 0;
    while (n > 0 && !ws->closed) {
        if (!ws->in_payload) {
            rc = feed_head_byte(ws, (uint8_t)*bytes);
            bytes++;
            n--;
            if (rc == RT_AGAIN)
                continue;
            if (rc != RT_OK)
                return rc;
            start_payload(ws);
        }
        if (n == 0 && ws->left > 0)
            break;
        size_t part = n < ws->left ? n : (size_t)ws->left;
        rc = feed_payload(ws, bytes, part, events, arg);
        bytes += part;
        n -= part;
        ws->unread = rc == RT_AGAIN ? n : 0;
        if (rc != RT_OK)
            return rc;
    }
    return RT_OK;
}
