/* Prefers server_ip, then webserver_host, then this machine. */
#include "server/web_address.h"

#include <string.h>

void rt_web_address_put(const rt_config *c, rt_buf *b) {
    if (*c->server_ip) {
        rt_buf_printf(b, "http://%s", c->server_ip);
        return;
    }
    if (!*c->webserver_host) {
        rt_buf_printf(b, "http://127.0.0.1:%ld", c->webserver_port);
        return;
    }
    const char *host = strstr(c->webserver_host, "://");
    host = host ? host + 3 : c->webserver_host;
    if (host == c->webserver_host)
        rt_buf_puts(b, RT_LIT("http://"));
    rt_buf_puts(b, rt_slice_of(c->webserver_host));
    const char *bracket = strchr(host, ']');
    if (!strchr(bracket ? bracket : host, ':'))
        rt_buf_printf(b, ":%ld", c->webserver_port);
}
