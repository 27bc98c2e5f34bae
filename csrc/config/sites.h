/* The origins that a site allows besides its own host. They come from `socketio_allowed_origins`
 * and `allow_cors`, and changes count while the server runs.
 *
 * The parser of the whole configuration reads the values, with the same rules and messages. For
 * each key the site's file wins over the common file, and that over the legacy one, as in Frappe. A
 * value that the caller gave wins over all files. The origins of both keys are allowed. A file is
 * checked when its origins are asked for, at most once in RT_CONFIG_LOOK_MS, and read when it has
 * changed. While it cannot be read, for example because somebody is writing it, its last good
 * values stay.
 *
 * Ownership: new/free; the configuration must outlive it. Thread: the loop's; a call blocks it for
 * the time it takes to read three small files.
 * Must not know: what an origin is. */
#ifndef RT_CONFIG_SITES_H
#define RT_CONFIG_SITES_H

#include "base/counters.h"
#include "base/status.h"
#include "config/config.h"

#define RT_CONFIG_LOOK_MS 1000   /* least time between two looks at one file */
#define RT_CONFIG_SITES_MAX 1000 /* names kept, including names of sites that do not exist */

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

/* The origins allowed for `site`, separated by commas; valid until the next call. A `site` that
 * cannot be the name of a folder (empty, a leading dot, a slash, a NUL) has no file of its own.
 * `now`: monotonic ms. */
rt_slice rt_config_sites_origins(rt_config_sites *s, rt_slice site, uint64_t now);

const rt_config_sites_counters *rt_config_sites_get_counters(const rt_config_sites *s);

#endif
