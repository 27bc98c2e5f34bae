/* Lists of allowed origins. */
#include "frappe/origins.h"

#include "base/status.h"
#include "wire/url.h"

/* The port a browser would use (RFC 6454 compares effective ports). */
static unsigned effective_port(const rt_url *url) {
    if (url->port)
        return url->port;
    if (rt_slice_eq_nocase(url->scheme, RT_LIT("https")) ||
        rt_slice_eq_nocase(url->scheme, RT_LIT("wss")))
        return 443;
    return 80;
}

static bool entry_names(rt_slice entry, rt_slice origin, const rt_url *url) {
    if (rt_slice_eq(entry, RT_LIT("*")))
        return true;
    if (!url) /* the page has an opaque origin, or none that can be read */
        return rt_slice_eq(entry, RT_LIT("null")) && rt_slice_eq(origin, entry);
    rt_url want;
    if (rt_url_parse(entry, &want) || !rt_host_eq(want.host, url->host))
        return false;
    if (want.scheme.n == 0)
        return want.port == 0 || want.port == effective_port(url);
    return rt_slice_eq_nocase(want.scheme, url->scheme) &&
           effective_port(&want) == effective_port(url);
}

bool rt_origins_name(rt_slice list, rt_slice origin) {
    rt_url parsed;
    const rt_url *url = NULL;
    if (!rt_slice_eq(origin, RT_LIT("null")) && rt_url_parse(origin, &parsed) == RT_OK &&
        parsed.userinfo.n == 0)
        url = &parsed;
    rt_slice rest = list;
    while (rest.n > 0) {
        size_t comma = rt_slice_find(rest, ',');
        if (entry_names(rt_slice_trim(rt_slice_make(rest.p, comma)), origin, url))
            return true;
        rest = rt_slice_from(rest, comma + 1);
    }
    return false;
}
