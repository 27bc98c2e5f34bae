/* Who is connected to a site.
 *
 * An identity is what the web process said about one credential at one site: the user, the user
 * type, and whether it sent installed_apps. All sockets of one browser session share it. It is
 * immutable: when the web process says something new about the credential, later sockets get a new
 * identity.
 *
 * Ownership: hold/rele; an identity holds its site, and goes with its last holder. Thread: the
 * loop's. Must not know: sockets, how the web process is asked. */
#ifndef RT_FRAPPE_IDENTITY_H
#define RT_FRAPPE_IDENTITY_H

#include "base/status.h"
#include "frappe/credential.h"
#include "frappe/site.h"

typedef struct rt_identity {
    rt_site *site;
    uint32_t refs;
    uint32_t clients; /* Engine.IO sessions among the holders */
    uint16_t credential_len;
    uint16_t user_len;
    uint16_t type_len; /* length of a custom type in `text`; else 0 */
    uint8_t type : 2;  /* index in usual_types */
    bool has_apps : 1; /* installed_apps came along: v16 or later */
    bool current : 1;  /* in its site's map */
    bool kept : 1;     /* rt_logins holds it */
    char text[];       /* kind and value of the credential, the user, a custom type */
} rt_identity;

/* The identity with exactly these values, with a reference. NULL: out of memory, or the credential
 * or user is too long. A `type` that is empty or too long counts as missing. Non-empty `apps`
 * replace those of the site. */
RT_MUST_CHECK rt_identity *rt_identity_get(rt_site *site, rt_credential credential, rt_slice user,
                                           rt_slice type, rt_slice apps);
rt_identity *rt_identity_hold(rt_identity *id);
void rt_identity_rele(rt_identity *id); /* NULL is fine */
/* As hold and rele, for a client: the identity counts as connected. */
rt_identity *rt_identity_hold_client(rt_identity *id);
void rt_identity_rele_client(rt_identity *id);

rt_credential rt_identity_credential(const rt_identity *id);
rt_slice rt_identity_user(const rt_identity *id);
/* `user_type`: one of Frappe's two, or a custom one of the site; empty: the site sent none. */
rt_slice rt_identity_type(const rt_identity *id);
bool rt_identity_is_system_user(const rt_identity *id);
/* The site's `installed_apps`, JSON; empty: the site sent none. */
rt_slice rt_identity_apps(const rt_identity *id);
bool rt_identity_is_guest(const rt_identity *id);

#endif
