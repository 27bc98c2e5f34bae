/* Which site a handshake is for, whether its page may be here, and who it claims to be. */
#include "frappe/site.h"

#include "base/status.h"
#include "base/utf8.h"
#include "frappe/origins.h"
#include "wire/cookie.h"
#include "wire/url.h"

#define SITE_NAME_MAX 255 /* bytes: the longest host name, and the longest folder name */
#define SHOWN_MAX 120     /* bytes of foreign text in a message */

static rt_slice without_dot(rt_slice name) {
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

/* The host name in a URL or in `name[:port]`; empty when there is none. A user name in front of the
 * host has no place in any of these headers and is there to mislead. */
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

static void choose_site(rt_slice named, rt_slice default_site, rt_slice origin_host, rt_route *r) {
    if (named.n > 0) {
        r->site = host_in(named);
        r->source = "X-Frappe-Site-Name";
    } else if (default_site.n > 0 && is_this_machine(r->host)) {
        r->site = default_site;
        r->source = "default_site";
    } else if (origin_host.n > 0) {
        r->site = origin_host;
        r->source = "Origin";
    } else {
        r->site = r->host;
        r->source = "Host";
    }
    r->site = without_dot(r->site);
}

/* A page of another site can make its browser send a request without Origin (an image), but not
 * with an Authorization header; browsers of today say where such a request is from. */
static bool is_elsewhere(const rt_http_request *req, rt_slice origin) {
    rt_slice from = rt_http_header_get(req, RT_LIT("Sec-Fetch-Site"));
    return origin.n == 0 &&
           (rt_slice_eq_nocase(from, RT_LIT("cross-site")) ||
            rt_slice_eq_nocase(from, RT_LIT("same-site"))) &&
           rt_http_header_get(req, RT_LIT("Authorization")).n == 0;
}

void rt_site_route(const rt_http_request *req, rt_slice origin, rt_slice default_site,
                   const rt_frappe_ports *ports, rt_route *out) {
    rt_url host;
    *out = (rt_route){.origin = origin};
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
    /* A page of another host. Its own name says which site is meant only as long as it is the
     * server's name too; once the page is allowed by configuration, the server's name decides. */
    rt_route by_host = *out;
    choose_site(named, default_site, RT_EMPTY, &by_host);
    if (rt_origins_name(ports->allowed_origins(ports->ctx, by_host.site), origin)) {
        *out = by_host;
        out->listed = true;
    }
}

bool rt_site_origin_ok(const rt_route *route) {
    return route->host.n > 0 && !route->elsewhere &&
           (route->origin.n == 0 || route->same_host || route->listed);
}

static bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || (unsigned char)c >= 0x80;
}

bool rt_site_is_name(rt_slice name) {
    if (name.n == 0 || name.n > SITE_NAME_MAX || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_name_byte(name.p[i]) || (i > 0 && name.p[i] == '.' && name.p[i - 1] == '.'))
            return false;
    }
    return rt_utf8_valid(name);
}

bool rt_site_is_namespace(rt_slice site, rt_slice ns) {
    return ns.n > 1 && ns.p[0] == '/' && rt_slice_eq_nocase(rt_slice_from(ns, 1), site);
}

int rt_site_credential(const rt_http_request *req, rt_credential *out) {
    rt_slice header = rt_http_header_get(req, RT_LIT("Authorization"));
    if (header.n > 0) {
        *out = (rt_credential){RT_CREDENTIAL_HEADER, header};
        return RT_OK;
    }
    rt_slice cookies = rt_http_header_get(req, RT_LIT("Cookie"));
    if (cookies.n == 0)
        return RT_ENOENT;
    rt_slice sid;
    if (!rt_cookie_get(cookies, RT_LIT("sid"), &sid) || sid.n == 0)
        return RT_EINVAL;
    *out = (rt_credential){RT_CREDENTIAL_SID, sid};
    return RT_OK;
}

void rt_site_put_shown(rt_buf *b, rt_slice text) {
    bool cut = text.n > SHOWN_MAX;
    if (cut) {
        text.n = SHOWN_MAX;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
            text.n--; /* not in the middle of a character */
    }
    bool utf8 = rt_utf8_valid(text);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = c >= 0x80 ? utf8 : c >= 0x20 && c != 0x7f;
        rt_buf_putc(b, plain ? (char)c : '?');
    }
    if (cut)
        rt_buf_puts(b, RT_LIT("..."));
}
