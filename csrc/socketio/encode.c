/* Encodes packets as WebSocket frames, the form in which engineio takes them for any transport. */
#include "base/status.h"
#include "engineio/frame.h"
#include "socketio/packet.h"

#include <stdio.h>

static bool ns_named(const rt_sio_out *o) {
    return !rt_slice_eq(o->ns, RT_LIT("/"));
}

static size_t digits(uint64_t v) {
    size_t n = 1;
    for (; v >= 10; v /= 10)
        n++;
    return n;
}

static size_t data_len(const rt_sio_out *o) {
    if (o->no_data)
        return 0;
    if (o->data.n)
        return o->data.n;
    return 2 + o->event.n + (o->event.n && o->args.n) + o->args.n;
}

/* Bytes of the text packet, with the `4` of Engine.IO. */
static size_t text_len(const rt_sio_out *o) {
    size_t n = 2 + data_len(o);
    if (o->attachment_count)
        n += digits(o->attachment_count) + 1;
    if (ns_named(o))
        n += o->ns.n + 1;
    if (o->has_id)
        n += digits(o->id);
    return n;
}

static char *put(char *at, rt_slice s) {
    if (s.n)
        memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_u64(char *at, uint64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return put(at, rt_slice_make(text, (size_t)n));
}

static char *put_data(char *at, const rt_sio_out *o) {
    if (o->no_data)
        return at;
    if (o->data.n)
        return put(at, o->data);
    *at++ = '[';
    at = put(at, o->event);
    if (o->event.n && o->args.n)
        *at++ = ',';
    at = put(at, o->args);
    *at++ = ']';
    return at;
}

static char *put_text(char *at, const rt_sio_out *o) {
    *at++ = '4';
    *at++ = (char)('0' + o->type);
    if (o->attachment_count) {
        at = put_u64(at, o->attachment_count);
        *at++ = '-';
    }
    if (ns_named(o)) {
        at = put(at, o->ns);
        *at++ = ',';
    }
    if (o->has_id)
        at = put_u64(at, o->id);
    return put_data(at, o);
}

size_t rt_sio_out_len(const rt_sio_out *o) {
    size_t text = text_len(o);
    size_t n = rt_eio_frame_head_len(text) + text;
    for (unsigned i = 0; i < o->attachment_count; i++)
        n += rt_eio_frame_head_len(o->attachments[i].n) + o->attachments[i].n;
    return n;
}

char *rt_sio_out_put(const rt_sio_out *o, char *at) {
    at = rt_eio_frame_put_head(at, false, text_len(o));
    at = put_text(at, o);
    for (unsigned i = 0; i < o->attachment_count; i++) {
        at = rt_eio_frame_put_head(at, true, o->attachments[i].n);
        at = put(at, o->attachments[i]);
    }
    return at;
}

rt_msg *rt_sio_out_msg(const rt_sio_out *o) {
    size_t n = rt_sio_out_len(o);
    rt_msg *m = n <= UINT32_MAX ? rt_msg_new(n) : NULL;
    if (!m)
        return NULL;
    rt_sio_out_put(o, m->data);
    m->len = (uint32_t)n;
    return m;
}
