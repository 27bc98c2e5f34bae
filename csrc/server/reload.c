/* Compares the running configuration with a fresh one, and adopts what may change. */
#include "server/reload.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "config/fields.h"

#include <string.h>

static bool same(const rt_config *a, const rt_config *b, const rt_config_field *f) {
    const void *x = rt_config_value(a, f), *y = rt_config_value(b, f);
    if (f->kind == RT_KIND_INT)
        return *(const long *)x == *(const long *)y;
    if (f->kind == RT_KIND_BOOL)
        return *(const bool *)x == *(const bool *)y;
    return strcmp(*(char *const *)x, *(char *const *)y) == 0;
}

/* A swap, not a copy: `a` then owns the new string, and the old one is freed with `fresh`. */
static void swap(rt_config *a, rt_config *b, const rt_config_field *f) {
    void *x = rt_config_value(a, f), *y = rt_config_value(b, f);
    size_t n = f->kind == RT_KIND_INT    ? sizeof(long)
               : f->kind == RT_KIND_BOOL ? sizeof(bool)
                                         : sizeof(char *);
    char kept[sizeof(long) > sizeof(char *) ? sizeof(long) : sizeof(char *)];
    memcpy(kept, x, n);
    memcpy(x, y, n);
    memcpy(y, kept, n);
    uint8_t from = *rt_config_source(a, f);
    *rt_config_source(a, f) = *rt_config_source(b, f);
    *rt_config_source(b, f) = from;
}

static void tell(const rt_config *c, const rt_config_field *f) {
    const void *value = rt_config_value(c, f);
    if (f->kind == RT_KIND_INT)
        rt_log(RT_LOG_INFO, "config", "%s is %ld now", f->key, *(const long *)value);
    else if (f->kind == RT_KIND_BOOL)
        rt_log(RT_LOG_INFO, "config", "%s is %s now", f->key,
               *(const bool *)value ? "true" : "false");
    else
        rt_log(RT_LOG_INFO, "config", "%s is \"%s\" now", f->key, *(char *const *)value);
}

/* Updates the layers that have copies of values. */
static void hand_down(rt_instance *in) {
    const rt_config *c = &in->config;
    if (rt_frappe_set_rules(in->frappe, rt_slice_of(c->default_site), c->developer_mode) != RT_OK)
        rt_log(RT_LOG_ERROR, "config",
               "out of memory: default_site and developer_mode keep their old values");
    if (rt_instance_tell_hosts(in) != RT_OK)
        rt_log(RT_LOG_ERROR, "config", "out of memory: handlers keep the old configuration");
    rt_frappe_set_events_per_second(in->frappe, (uint32_t)c->events_per_second);
    rt_frappe_set_guests_see_others(in->frappe, c->guests_see_others);
    rt_frappe_set_web_limits(in->frappe, (uint32_t)c->web_in_flight, (uint32_t)c->web_timeout_ms);
    rt_front_set_max_owed(in->front, (uint32_t)c->max_owed);
    rt_front_set_owed_budget(in->front, (size_t)c->owed_budget);
    rt_eio_set_packets_per_second(in->eio, (uint32_t)c->events_per_second);
    rt_eio_set_max_owed(in->eio, (uint32_t)c->max_owed);
    rt_eio_set_max_unfinished(in->eio, (uint32_t)c->max_unfinished);
    rt_eio_set_peers(in->eio, (uint32_t)c->handshakes_per_second,
                     (uint32_t)c->connections_per_address);
    rt_eio_set_newcomers(in->eio, (uint32_t)c->max_newcomers, (uint32_t)c->max_newcomer_bytes);
}

void rt_instance_reload(rt_instance *in, rt_config *fresh) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        if (same(&in->config, fresh, f))
            continue;
        if (f->when != RT_CONFIG_START) {
            swap(&in->config, fresh, f);
            tell(&in->config, f);
        } else {
            rt_log(RT_LOG_WARN, "config", "%s has changed; restart the server to use the new value",
                   f->key);
        }
    }
    hand_down(in);
    rt_config_fini(fresh);
    rt_free(fresh);
}
