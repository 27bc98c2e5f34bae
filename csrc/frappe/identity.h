/* Who is connected to a site.
 *
 * An identity is what the web process said about one credential at one site: the user, his type,
 * the generation of Frappe. All sockets of one browser session share it. It never changes: when the
 * web process says something new about the credential, those who come later get a new identity.
 *
 * Ownership: hold/rele; an identity holds its site, and goes with its last holder. Thread: the
 * loop's. Must not know: sockets, how the web process is asked. */
#ifndef RT_FRAPPE_IDENTITY_H
#define RT_FRAPPE_IDENTITY_H

#include "frappe/credential.h"
#include "frappe/site.h"

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
