/* Engine.IO alone: every message goes back as it came, text as text and binary as binary. */
#include "base/status.h"
#include "engineio/frame.h"
#include "program.h"

/* The frame of one message: in a text one the packet's type stands before it (Engine.IO protocol,
 * "Packet encoding"). */
static rt_msg *message_frame(bool binary, rt_slice bytes) {
    size_t n = bytes.n + !binary;
    size_t head = rt_eio_frame_head_len(n);
    rt_msg *m = rt_msg_new(head + n);
    if (!m)
        return NULL;
    char *at = rt_eio_frame_put_head(m->data, binary, n);
    if (!binary)
        *at++ = '4';
    if (bytes.n)
        memcpy(at, bytes.p, bytes.n);
    m->len = (uint32_t)(head + n);
    return m;
}

static int on_open(void *ctx, rt_eio_session *s) {
    (void)ctx;
    rt_eio_drop_handshake(s);
    return RT_OK;
}

static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    rt_msg *m = message_frame(binary, bytes);
    if (!m) {
        rt_eio_close(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    (void)reason;
}

rt_eio_app echo_app(void) {
    return (rt_eio_app){.on_open = on_open, .on_message = on_message, .on_close = on_close};
}
