/* Sites: small, shared, counted; and their names. */
#include "frappe/site.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"

#define SITE_NAME_MAX 255 /* bytes: the longest host name, and the longest folder name */

void rt_sites_init(rt_sites *s) {
    rt_map_init(&s->by_name);
    s->connected = 0;
}

void rt_sites_fini(rt_sites *s) {
    rt_map_fini(&s->by_name);
}

rt_slice rt_site_name(const rt_site *site) {
    return rt_slice_make(site->name, site->name_len);
}

rt_site *rt_site_get(rt_sites *s, rt_slice name) {
    rt_site *site = rt_map_get(&s->by_name, name);
    if (site)
        return rt_site_hold(site);
    if (name.n > UINT8_MAX)
        return NULL;
    site = rt_alloc0(sizeof *site + name.n);
    if (!site)
        return NULL;
    site->sites = s;
    site->refs = 1;
    site->name_len = (uint8_t)name.n;
    memcpy(site->name, name.p, name.n);
    rt_map_init(&site->identities);
    rt_line_init(&site->line);
    rt_list_init(&site->tired);
    if (rt_map_put(&s->by_name, rt_site_name(site), site)) {
        rt_free(site);
        return NULL;
    }
    return site;
}

rt_site *rt_site_hold(rt_site *site) {
    site->refs++;
    return site;
}

int rt_site_keep_apps(rt_site *site, rt_slice apps) {
    if (rt_slice_eq(rt_slice_make(site->apps, site->apps_len), apps))
        return RT_OK;
    char *copy = rt_alloc(apps.n);
    if (!copy)
        return RT_ENOMEM;
    memcpy(copy, apps.p, apps.n);
    rt_free(site->apps);
    site->apps = copy;
    site->apps_len = apps.n;
    return RT_OK;
}

void rt_site_rele(rt_site *site) {
    if (--site->refs > 0)
        return;
    (void)rt_map_del(&site->sites->by_name, rt_site_name(site));
    rt_line_fini(&site->line);
    rt_free(site->apps);
    rt_map_fini(&site->identities);
    rt_free(site);
}

/* --- names --- */

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
