/* The origins that configuration allows besides the same host: `socketio_allowed_origins` and
 * `allow_cors`, for all sites and per site.
 *
 * Ownership: caller's memory, own copies of the lists. Thread: the loop's. */
#ifndef RT_FRAPPE_ORIGINS_H
#define RT_FRAPPE_ORIGINS_H

#include "base/map.h"
#include "base/slice.h"

typedef struct rt_origins {
    rt_map lists; /* by site; the empty name is every site's */
} rt_origins;

void rt_origins_init(rt_origins *o);
void rt_origins_fini(rt_origins *o);

/* Replaces the list of a site (empty name: of all sites). Entries are separated by commas:
 * `https://a.example`, with or without a port; `a.example` for any scheme and port; `null`; `*`.
 * An empty list takes it away. RT_OK or RT_ENOMEM (the old list stays). */
int rt_origins_set(rt_origins *o, rt_slice site, rt_slice list);

/* True when the list of all sites or that of `site` names this Origin. */
bool rt_origins_allow(const rt_origins *o, rt_slice site, rt_slice origin);

#endif
