/* Which site a request is for, and whether its page may use this server. */
#include "frappe/claim.h"

#include "base/status.h"
#include "frappe/origins.h"
#include "wire/url.h"

static rt_slice without_dot(rt_slice name) {
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

/* The host name in a URL or in `name[:port]`, or empty. A URL with user information counts as
 * empty: `https://good.example@evil.example` must not pass for good.example. */
static rt_slice host_in(rt_slice text) {
    rt_url url;
    if (text.n == 0 || rt_url_parse(text, &url) || url.userinfo.n > 0)
        return RT_EMPTY;
    return url.host;
}

static bool is_this_machine(rt_slice host) {
    return rt_host_eq(host, RT_LIT("localhost")) || rt_slice_eq(host, RT_LIT("127.0.0.1")) ||
           rt_slice_eq(host, RT_LIT("::1"));
}

static void choose_site(rt_slice named, rt_slice default_site, rt_slice origin_host, rt_claim *c) {
    if (named.n > 0) {
        c->site = host_in(named);
        c->source = "X-Frappe-Site-Name";
    } else if (default_site.n > 0 && is_this_machine(c->host)) {
        c->site = default_site;
        c->source = "default_site";
    } else if (origin_host.n > 0) {
        c->site = origin_host;
        c->source = "Origin";
    } else {
        c->site = c->host;
        c->source = "Host";
    }
    c->site = without_dot(c->site);
}

/* A page of another site can make its browser send a request without Origin (with an <img>, for
 * example), but not with an Authorization header. Sec-Fetch-Site tells such requests apart. */
static bool is_elsewhere(const rt_http_request *req, rt_slice origin) {
    rt_slice from = rt_http_header_get(req, RT_LIT("Sec-Fetch-Site"));
    return origin.n == 0 &&
           (rt_slice_eq_nocase(from, RT_LIT("cross-site")) ||
            rt_slice_eq_nocase(from, RT_LIT("same-site"))) &&
           rt_http_header_get(req, RT_LIT("Authorization")).n == 0;
}

void rt_claim_read(const rt_http_request *req, rt_slice origin, rt_slice default_site,
                   const rt_frappe_ports *ports, rt_claim *out) {
    rt_url host;
    *out = (rt_claim){.origin = origin};
    if (rt_url_host_header(rt_http_header_get(req, RT_LIT("Host")), &host) == RT_OK)
        out->host = host.host;
    rt_slice named = rt_http_header_get(req, RT_LIT("X-Frappe-Site-Name"));
    bool opaque = rt_slice_eq_nocase(origin, RT_LIT("null"));
    rt_slice origin_host = opaque ? RT_EMPTY : host_in(origin);
    out->same_host = rt_host_eq(origin_host, out->host);
    out->elsewhere = is_elsewhere(req, origin);
    choose_site(named, default_site, origin_host, out);
    if (origin.n == 0 || out->same_host)
        return;
    /* A page of another host. If configuration allows it, the site is named by the server's host,
     * not by the page's. */
    rt_claim by_host = *out;
    choose_site(named, default_site, RT_EMPTY, &by_host);
    if (rt_origins_name(ports->allowed_origins(ports->ctx, by_host.site), origin)) {
        *out = by_host;
        out->listed = true;
    }
}

bool rt_claim_origin_ok(const rt_claim *c) {
    return c->host.n > 0 && !c->elsewhere && (c->origin.n == 0 || c->same_host || c->listed);
}
