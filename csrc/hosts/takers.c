/* Which hosts take which event. */
#include "base/alloc.h"
#include "json/scan.h"
#include "json/write.h"
#include "hosts/state.h"

typedef struct rt_taken_event {
    uint8_t mask;
    uint32_t name_len;
    char name[];
} rt_taken_event;

static rt_slice name_of(const rt_taken_event *r) {
    return rt_slice_make(r->name, r->name_len);
}

/* The text of a string, or the digits of a number: JavaScript clients may `emit(1)`. */
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

uint8_t rt_hosts_taking(rt_hosts *h, rt_slice name, bool own) {
    rt_slice text;
    uint8_t mask = own ? 0 : h->all;
    const rt_taken_event *r =
        h->takers.count && text_of(name, &h->text, &text) ? rt_map_get(&h->takers, text) : NULL;
    return (uint8_t)((mask | (r ? r->mask : 0)) & h->active);
}

static rt_taken_event *event_new(rt_hosts *h, rt_slice name) {
    rt_taken_event *r = rt_alloc0(sizeof *r + name.n);
    if (!r)
        return NULL;
    r->name_len = (uint32_t)name.n;
    memcpy(r->name, name.p, name.n);
    if (rt_map_put(&h->takers, name_of(r), r) == RT_OK)
        return r;
    rt_free(r);
    return NULL;
}

int rt_host_add_event(rt_host *host, rt_slice name) {
    rt_hosts *h = host->hosts;
    if (name.n == 0 || name.n > RT_HOST_EVENT_NAME_MAX)
        return RT_EINVAL;
    if (rt_slice_eq(name, RT_LIT("*"))) {
        host->all = true;
        h->all |= host->bit;
        return RT_OK;
    }
    rt_taken_event *r = rt_map_get(&h->takers, name);
    if (r && r->mask & host->bit)
        return RT_OK;
    if (host->names >= RT_HOST_EVENTS_MAX)
        return RT_ELIMIT;
    if (!r)
        r = event_new(h, name);
    if (!r)
        return RT_ENOMEM;
    r->mask |= host->bit;
    host->names++;
    return RT_OK;
}

static rt_taken_event *next_of(const rt_host *host, size_t *cursor) {
    const rt_map_entry *e;
    while ((e = rt_map_next(&host->hosts->takers, cursor))) {
        rt_taken_event *r = e->value;
        if (r->mask & host->bit)
            return r;
    }
    return NULL;
}

void rt_host_drop_events(rt_host *host) {
    rt_hosts *h = host->hosts;
    size_t cursor = 0;
    rt_taken_event *r;
    h->all &= (uint8_t)~host->bit;
    while (host->names > 0 && (r = next_of(host, &cursor))) {
        host->names--;
        r->mask &= (uint8_t)~host->bit;
        if (r->mask)
            continue;
        size_t cap = h->takers.cap;
        (void)rt_map_del(&h->takers, name_of(r));
        rt_free(r);
        /* A later entry may have moved here; if the map shrank, entries may be anywhere. */
        cursor = h->takers.cap == cap ? cursor - 1 : 0;
    }
}

int rt_host_put_names(const rt_host *host, rt_buf *out) {
    size_t cursor = 0;
    const rt_taken_event *r;
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
