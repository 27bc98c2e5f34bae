/* Sites: what is known about each, and the rules for their names.
 *
 * Ownership: hold/rele; the last rele frees a site, so rt_sites must outlive them all. Thread: the
 * loop's. Must not know: sockets, what an identity is, how the web process is asked. */
#ifndef RT_FRAPPE_SITE_H
#define RT_FRAPPE_SITE_H

#include "base/buf.h"
#include "base/map.h"
#include "base/status.h"
#include "frappe/turns.h"

/* Which of Frappe's permission methods a site has. */
enum rt_endpoint {
    RT_ENDPOINT_UNKNOWN,
    RT_ENDPOINT_CAN_SUBSCRIBE,  /* v15 */
    RT_ENDPOINT_HAS_PERMISSION, /* v16 and later */
};

typedef struct rt_sites {
    rt_map by_name;
    uint32_t connected; /* identities with a client */
} rt_sites;

typedef struct rt_site {
    rt_sites *sites;
    rt_map identities; /* by credential */
    rt_line line;      /* of questions about it */
    rt_list tired;     /* rt_waiter.patience.node: out of patience, dropped at the next failure */
    char *apps;        /* the latest `installed_apps`, JSON; NULL: none yet */
    size_t apps_len;
    uint64_t away_since;  /* start of the outage, ms; 0: none */
    const char *away_for; /* what it has waited for since ... */
    char away_why[120];   /* ... and what last came instead of an answer */
    uint32_t open;        /* unanswered questions */
    uint32_t refs;
    uint16_t login_refused; /* HTTP status of the last answer to get_user_info that refused; or 0 */
    uint8_t endpoint;       /* enum rt_endpoint */
    bool away_told;         /* the outage was logged */
    uint8_t name_len;       /* rt_site_is_name allows 255 */
    char name[];
} rt_site;

void rt_sites_init(rt_sites *s);
void rt_sites_fini(rt_sites *s); /* no site may be left */

/* The site of that name, made when it is new, with a reference; NULL: out of memory. */
RT_MUST_CHECK rt_site *rt_site_get(rt_sites *s, rt_slice name);
rt_site *rt_site_hold(rt_site *site);
void rt_site_rele(rt_site *site);
rt_slice rt_site_name(const rt_site *site);
/* Stores the `installed_apps` of an answer: one copy for all users of the site. RT_OK or
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_site_keep_apps(rt_site *site, rt_slice apps);

/* --- names --- */

/* Whether it is safe in a header and as the name of a folder: characters of host names, no leading
 * dot, no "..". */
bool rt_site_is_name(rt_slice name);

/* True if `ns` is "/" and the site; case is ignored, as in DNS. */
bool rt_site_is_namespace(rt_slice site, rt_slice ns);

#endif
