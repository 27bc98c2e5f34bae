/* What the server reads again while it runs: the origins that are allowed besides a site's own
 * host, from `socketio_allowed_origins` and `allow_cors`.
 *
 * Values are read by the parser of the whole configuration, with its rules and messages. Per key,
 * the site's file is above the common file, and that above the legacy one, as in Frappe; a
 * value that the caller gave is above all of them. The two keys add up. A file is looked at when it
 * matters, at most once in RT_CONFIG_LOOK_MS, and read when it has changed. One that cannot be
 * read, because somebody is writing it, changes nothing until it can.
 *
 * Ownership: new/free; the configuration must outlive it. Thread: the loop's, which it keeps for as
 * long as it takes to look at three small files.
 * Must not know: what an origin is. */
#ifndef RT_CONFIG_SITES_H
#define RT_CONFIG_SITES_H

#include "base/counters.h"
#include "base/status.h"
#include "config/config.h"

#define RT_CONFIG_LOOK_MS 1000   /* between two looks at one file */
#define RT_CONFIG_SITES_MAX 1000 /* names remembered, also of sites that do not exist */

#define RT_CONFIG_SITES_COUNTERS(X)                                                                \
    X(RT_CONFIG_LOOKS, "files_looked_at",                                                          \
      "Looks at whether a site's configuration file has changed.")                                 \
    X(RT_CONFIG_READS, "files_read", "Configuration files of sites read again.")                   \
    X(RT_CONFIG_UNREADABLE, "files_unreadable",                                                    \
      "Configuration files of sites that could not be read or understood.")                        \
    X(RT_CONFIG_OVER_MAX, "sites_over_max",                                                        \
      "Sites forgotten because the configuration of too many was kept.")
RT_COUNTERS_DECLARE(rt_config_sites, RT_CONFIG_SITES_COUNTERS)

typedef struct rt_config_sites rt_config_sites;

RT_MUST_CHECK rt_config_sites *rt_config_sites_new(const rt_config *c); /* NULL: out of memory */
void rt_config_sites_free(rt_config_sites *s);

/* The origins allowed for `site`, separated by commas; good until the next call. A `site` that can
 * be no folder's name (empty, a leading dot, a slash, a NUL) has no file of its own. `now`:
 * monotonic ms. */
rt_slice rt_config_sites_origins(rt_config_sites *s, rt_slice site, uint64_t now);

const rt_config_sites_counters *rt_config_sites_get_counters(const rt_config_sites *s);

#endif
