/* Sites, and who is connected to them.
 *
 * An identity is what the web process said about one credential at one site: the user, his type,
 * the generation of Frappe. All sockets of one browser session share it; it is never changed, and
 * when the web process says something new about the credential, a new one takes its place for those
 * who come later.
 *
 * Ownership: hold/rele; an identity holds its site. Both go with their last holder, so rt_sites
 * must outlive them all. Thread: the loop's. Must not know: sockets, how the web process is asked.
 */
#ifndef RT_FRAPPE_IDENTITY_H
#define RT_FRAPPE_IDENTITY_H

#include "base/map.h"
#include "frappe/site.h"

/* Which of its two permission methods a site has (contract, first table). */
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
    char *apps;        /* `installed_apps` as it was told last, JSON; NULL: never */
    size_t apps_len;
    uint64_t away_since;  /* ms; 0: questions are answered */
    const char *away_for; /* what it waits for since then ... */
    char away_why[120];   /* ... and what came instead of an answer the last time */
    uint32_t open;        /* questions that are not answered yet */
    uint32_t refs;
    uint16_t login_refused; /* HTTP status of the last answer to get_user_info that refused; or 0 */
    uint8_t endpoint;       /* enum rt_endpoint */
    bool away_told;         /* the log knows since when it waits */
    uint8_t name_len;       /* rt_site_is_name allows 255 */
    char name[];
} rt_site;

typedef struct rt_identity {
    rt_site *site;
    uint32_t refs;
    uint32_t clients; /* Engine.IO sessions among the holders */
    uint16_t credential_len;
    uint16_t user_len;
    uint16_t type_len; /* of one that is not usual; else 0 */
    uint8_t type : 2;  /* index of a usual one */
    bool has_apps : 1; /* installed_apps came along: v16 or later */
    bool current : 1;  /* in its site's map */
    bool kept : 1;     /* rt_logins holds it */
    char text[];       /* kind and value of the credential, the user, a type that is not usual */
} rt_identity;

void rt_sites_init(rt_sites *s);
void rt_sites_fini(rt_sites *s); /* no site may be left */

/* The site of that name, made when it is new, with a reference; NULL: out of memory. */
rt_site *rt_site_get(rt_sites *s, rt_slice name);
rt_site *rt_site_hold(rt_site *site);
void rt_site_rele(rt_site *site);
rt_slice rt_site_name(const rt_site *site);

/* The identity that says exactly this, with a reference; NULL: out of memory, or a credential or
 * user longer than an identity holds. An empty or longer `type` is one that was not told. Empty
 * `apps`: none were told; else they become the site's. */
rt_identity *rt_identity_get(rt_site *site, rt_credential credential, rt_slice user, rt_slice type,
                             rt_slice apps);
rt_identity *rt_identity_hold(rt_identity *id);
void rt_identity_rele(rt_identity *id); /* NULL is fine */
/* As hold and rele, for a client: it counts as connected. */
rt_identity *rt_identity_hold_client(rt_identity *id);
void rt_identity_rele_client(rt_identity *id);

rt_credential rt_identity_credential(const rt_identity *id);
rt_slice rt_identity_user(const rt_identity *id);
/* `user_type`: one of Frappe's two, or one that the site has made; empty: it does not tell. */
rt_slice rt_identity_type(const rt_identity *id);
bool rt_identity_is_system_user(const rt_identity *id);
/* The site's `installed_apps`, JSON; empty: it does not tell. */
rt_slice rt_identity_apps(const rt_identity *id);
bool rt_identity_is_guest(const rt_identity *id);

#endif
