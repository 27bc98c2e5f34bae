/* Redirects that credentials may follow. A URL is split as browsers split it, and built again from
 * its parts, so that curl cannot see another host in it than we did. */
#include "net/web_redirect.h"

#include "base/buf.h"
#include "base/status.h"

static unsigned port_of(const rt_url *url, bool tls) {
    return url->port ? url->port : tls ? 443 : 80;
}

static bool is_tls(const rt_url *url) {
    return rt_slice_eq_nocase(url->scheme, RT_LIT("https"));
}

bool rt_web_url_parse(rt_slice text, rt_url *url) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
            return false;
    return rt_url_parse(text, url) == RT_OK && url->userinfo.n == 0 &&
           (is_tls(url) || rt_slice_eq_nocase(url->scheme, RT_LIT("http"))) &&
           (url->path.n == 0 || url->path.p[0] == '/' || url->path.p[0] == '?');
}

/* The origin to ask for the path of `to`, or NULL. */
static const rt_url *origin_for(const rt_url *at, const rt_url *to, rt_slice host_header) {
    rt_url named;
    bool from_tls = is_tls(at), to_tls = is_tls(to);
    if (rt_host_eq(at->host, to->host)) {
        unsigned from = port_of(at, from_tls), port = port_of(to, to_tls);
        if (from_tls == to_tls)
            return from == port ? to : NULL;
        return to_tls && (from == port || port == 443) ? to : NULL;
    }
    if (host_header.n == 0 || rt_url_host_header(host_header, &named) != RT_OK)
        return NULL;
    return rt_host_eq(named.host, to->host) ? at : NULL;
}

static char *join(const rt_url *origin, rt_slice path) {
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, origin->scheme);
    rt_buf_puts(&b, RT_LIT("://"));
    if (origin->ipv6)
        rt_buf_putc(&b, '[');
    rt_buf_puts(&b, origin->host);
    if (origin->ipv6)
        rt_buf_putc(&b, ']');
    if (origin->port)
        rt_buf_printf(&b, ":%u", (unsigned)origin->port);
    rt_buf_puts(&b, (rt_slice){path.p, rt_slice_find(path, '#')});
    rt_buf_putc(&b, '\0');
    if (b.err == RT_OK)
        return b.p;
    rt_buf_fini(&b);
    return NULL;
}

int rt_web_redirect(const char *at_text, const char *to_text, rt_slice host_header, char **out) {
    rt_url at, to;
    if (!rt_web_url_parse(rt_slice_of(at_text), &at) ||
        !rt_web_url_parse(rt_slice_of(to_text), &to))
        return RT_EINVAL;
    const rt_url *origin = origin_for(&at, &to, host_header);
    if (!origin)
        return RT_EINVAL;
    *out = join(origin, to.path);
    return *out ? RT_OK : RT_ENOMEM;
}
