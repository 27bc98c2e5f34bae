/* Which host takes which event. */
#include "base/alloc.h"
#include "json/scan.h"
#include "json/write.h"
#include "server/host_state.h"

typedef struct rt_host_route {
    uint8_t mask;
    uint32_t name_len;
    char name[];
} rt_host_route;

static rt_slice name_of(const rt_host_route *r) {
    return rt_slice_make(r->name, r->name_len);
}

/* The text of a string, or a number as it stands: a JavaScript client's `emit(1)`. */
static bool text_of(rt_slice raw, rt_buf *scratch, rt_slice *text) {
    if (rt_json_type_of(raw) == RT_JSON_NUMBER) {
        *text = raw;
        return true;
    }
    if (rt_json_str_plain(raw, text))
        return true;
    rt_buf_clear(scratch);
    if (rt_json_str_decode(raw, scratch) != RT_OK)
        return false;
    *text = rt_buf_slice(scratch);
    return true;
}

uint8_t rt_host_takers(rt_hosts *h, rt_slice name, bool own) {
    rt_slice text;
    uint8_t mask = own ? 0 : h->all;
    const rt_host_route *r =
        h->routes.count && text_of(name, &h->text, &text) ? rt_map_get(&h->routes, text) : NULL;
    return (uint8_t)((mask | (r ? r->mask : 0)) & h->active);
}

static rt_host_route *route_new(rt_hosts *h, rt_slice name) {
    rt_host_route *r = rt_alloc0(sizeof *r + name.n);
    if (!r)
        return NULL;
    r->name_len = (uint32_t)name.n;
    memcpy(r->name, name.p, name.n);
    if (rt_map_put(&h->routes, name_of(r), r) == RT_OK)
        return r;
    rt_free(r);
    return NULL;
}

int rt_host_take(rt_host *host, rt_slice name) {
    rt_hosts *h = host->hosts;
    if (name.n == 0 || name.n > RT_HOST_EVENT_NAME_MAX)
        return RT_EINVAL;
    if (rt_slice_eq(name, RT_LIT("*"))) {
        host->all = true;
        h->all |= host->bit;
        return RT_OK;
    }
    rt_host_route *r = rt_map_get(&h->routes, name);
    if (r && r->mask & host->bit)
        return RT_OK;
    if (host->names >= RT_HOST_EVENTS_MAX)
        return RT_ELIMIT;
    if (!r)
        r = route_new(h, name);
    if (!r)
        return RT_ENOMEM;
    r->mask |= host->bit;
    host->names++;
    return RT_OK;
}

static rt_host_route *next_of(const rt_host *host, size_t *cursor) {
    const rt_map_entry *e;
    while ((e = rt_map_next(&host->hosts->routes, cursor))) {
        rt_host_route *r = e->value;
        if (r->mask & host->bit)
            return r;
    }
    return NULL;
}

void rt_host_take_none(rt_host *host) {
    rt_hosts *h = host->hosts;
    size_t cursor = 0;
    rt_host_route *r;
    h->all &= (uint8_t)~host->bit;
    while (host->names > 0 && (r = next_of(host, &cursor))) {
        host->names--;
        r->mask &= (uint8_t)~host->bit;
        if (r->mask)
            continue;
        size_t cap = h->routes.cap;
        (void)rt_map_del(&h->routes, name_of(r));
        rt_free(r);
        /* What comes later may have moved to its place, or, in a smaller map, to any. */
        cursor = h->routes.cap == cap ? cursor - 1 : 0;
    }
}

int rt_host_put_names(const rt_host *host, rt_buf *out) {
    size_t cursor = 0;
    const rt_host_route *r;
    rt_buf_putc(out, '[');
    if (host->all)
        rt_buf_puts(out, RT_LIT("\"*\""));
    while ((r = next_of(host, &cursor))) {
        if (out->n && out->p[out->n - 1] != '[')
            rt_buf_putc(out, ',');
        rt_json_put_str(out, name_of(r));
    }
    return rt_buf_putc(out, ']');
}
