/* Lists of allowed origins, and how an entry is compared with an Origin header. */
#include "frappe/origins.h"

#include "base/alloc.h"
#include "base/status.h"
#include "wire/url.h"

typedef struct origin_list {
    char *list;
    size_t list_len;
    size_t site_len;
    char site[];
} origin_list;

void rt_origins_init(rt_origins *o) {
    rt_map_init(&o->lists);
}

void rt_origins_fini(rt_origins *o) {
    size_t cursor = 0;
    const rt_map_entry *e;
    while ((e = rt_map_next(&o->lists, &cursor))) {
        origin_list *l = e->value;
        rt_free(l->list);
        rt_free(l);
    }
    rt_map_fini(&o->lists);
}

static origin_list *list_of(rt_origins *o, rt_slice site) {
    origin_list *l = rt_map_get(&o->lists, site);
    if (l)
        return l;
    l = rt_alloc0(sizeof *l + site.n);
    if (!l)
        return NULL;
    l->site_len = site.n;
    if (site.n)
        memcpy(l->site, site.p, site.n);
    if (rt_map_put(&o->lists, rt_slice_make(l->site, l->site_len), l)) {
        rt_free(l);
        return NULL;
    }
    return l;
}

int rt_origins_set(rt_origins *o, rt_slice site, rt_slice list) {
    list = rt_slice_trim(list);
    if (list.n == 0 && !rt_map_get(&o->lists, site))
        return RT_OK;
    origin_list *l = list_of(o, site);
    char *text = l ? rt_alloc(list.n) : NULL;
    if (!text)
        return RT_ENOMEM;
    if (list.n)
        memcpy(text, list.p, list.n);
    rt_free(l->list);
    l->list = text;
    l->list_len = list.n;
    return RT_OK;
}

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

static bool list_names(const origin_list *l, rt_slice origin, const rt_url *url) {
    rt_slice rest = l ? rt_slice_make(l->list, l->list_len) : RT_EMPTY;
    while (rest.n > 0) {
        size_t comma = rt_slice_find(rest, ',');
        if (entry_names(rt_slice_trim(rt_slice_make(rest.p, comma)), origin, url))
            return true;
        rest = rt_slice_from(rest, comma + 1);
    }
    return false;
}

bool rt_origins_allow(const rt_origins *o, rt_slice site, rt_slice origin) {
    rt_url parsed;
    const rt_url *url = NULL;
    if (!rt_slice_eq(origin, RT_LIT("null")) && rt_url_parse(origin, &parsed) == RT_OK &&
        parsed.userinfo.n == 0)
        url = &parsed;
    return list_names(rt_map_get(&o->lists, RT_EMPTY), origin, url) ||
           (site.n > 0 && list_names(rt_map_get(&o->lists, site), origin, url));
}
