/* Where the server listens, as JSON. */
#include "json/write.h"
#include "process/server.h"

#include <stdio.h>

static void put_address(rt_buf *out, const char *host, int port) {
    char text[300];
    bool bare6 = strchr(host, ':') && *host != '[';
    int n = snprintf(text, sizeof text, bare6 ? "[%s]:%d" : "%s:%d", host, port);
    rt_json_put_str(out, rt_slice_make(text, (size_t)n));
}

int rt_server_put_address(const rt_server_address *where, rt_buf *out) {
    rt_buf_puts(out, RT_LIT("{\"port\":"));
    if (*where->uds) {
        rt_buf_puts(out, RT_LIT("null,\"uds\":"));
        rt_json_put_str(out, rt_slice_of(where->uds));
        rt_buf_puts(out, RT_LIT(",\"addresses\":["));
        rt_json_put_str(out, rt_slice_of(where->uds));
    } else {
        rt_buf_printf(out, "%d,\"uds\":null,\"addresses\":[", where->port);
        put_address(out, *where->host ? where->host : "0.0.0.0", where->port);
        if (!*where->host) {
            rt_buf_putc(out, ',');
            put_address(out, "::", where->port);
        }
    }
    return rt_buf_puts(out, RT_LIT("]}"));
}
