/* engineio from the connection's side: any WebSocket bytes in two pieces end in order or go on. */
#include "base/alloc.h"
#include "base/status.h"
#include "engineio/engineio.h"

#include <stdint.h>
#include <stdlib.h>

static int opened;

static int port_send(rt_eio_port *p, rt_msg *m) {
    (void)p;
    (void)m;
    return RT_OK;
}

static void port_finish(rt_eio_port *p, bool keep_alive) {
    (void)p;
    (void)keep_alive;
}

static void port_upgrade(rt_eio_port *p) {
    (void)p;
}

static void port_close(rt_eio_port *p, bool flush) {
    (void)flush;
    if (p->up)
        abort();
}

static size_t port_owed(const rt_eio_port *p) {
    (void)p;
    return 0;
}

static int on_open(void *ctx, rt_eio_session *s) {
    (void)ctx;
    (void)s;
    opened++;
    return RT_OK;
}

static void on_message(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes) {
    (void)ctx;
    (void)binary;
    if (bytes.n && bytes.p[0] == 'q')
        rt_eio_close(s, RT_EIO_FORCED_CLOSE);
}

static void on_close(void *ctx, rt_eio_session *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    (void)reason;
    opened--;
}

static uint64_t now(void *ctx) {
    (void)ctx;
    return 1000;
}

static void feed(rt_eio *e, rt_eio_port *port, const uint8_t *data, size_t n) {
    char *bytes = malloc(n + 1); /* unmasked in place */
    if (!bytes)
        abort();
    if (n)
        memcpy(bytes, data, n);
    rt_eio_websocket_bytes(e, port, bytes, n);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const rt_eio_port_ops ops = {port_send, port_finish, port_upgrade, port_close,
                                        port_send, port_owed,   NULL};
    static const rt_http_header headers[] = {
        {RT_LIT("Upgrade"), RT_LIT("websocket")},
        {RT_LIT("Sec-WebSocket-Version"), RT_LIT("13")},
        {RT_LIT("Sec-WebSocket-Key"), RT_LIT("dGhlIHNhbXBsZSBub25jZQ==")}};
    const rt_http_request req = {.method = RT_HTTP_GET,
                                 .target = RT_LIT("/?EIO=4&transport=websocket"),
                                 .path = RT_LIT("/"),
                                 .query = RT_LIT("EIO=4&transport=websocket"),
                                 .headers = headers,
                                 .header_count = 3,
                                 .upgrade = true};
    const rt_eio_app app = {.on_open = on_open, .on_message = on_message, .on_close = on_close};
    rt_eio_opts opts;
    rt_timers timers;
    rt_eio_port port = {.ops = &ops};
    rt_eio_opts_default(&opts);
    opts.max_payload = 4096;
    rt_timers_init(&timers);
    rt_eio *e = rt_eio_new(&opts, &app, &timers, now, NULL);
    if (!e || rt_eio_request(e, &port, &req) != RT_OK || opened != 1)
        abort();
    size_t first = size ? data[0] % size : 0;
    feed(e, &port, data, first);
    feed(e, &port, data + first, size - first);
    rt_eio_port_closed(e, &port, true);
    rt_eio_close_all(e, RT_EIO_SERVER_SHUTDOWN);
    rt_eio_free(e);
    if (opened != 0 || port.up)
        abort();
    return 0;
}
