/* A cache of recent logins, so that the user's next tab need not ask the web process.
 *
 * There can be as many logins as users, so each entry is small: the identity, which the sockets
 * hold anyway, and its time of expiry.
 *
 * Ownership: rt_logins holds the identities it keeps. Thread: the loop's. Must not know: questions,
 * sockets. */
#ifndef RT_FRAPPE_LOGINS_H
#define RT_FRAPPE_LOGINS_H

#include "base/status.h"
#include "base/timers.h"
#include "frappe/identity.h"

typedef struct rt_logins {
    rt_timerq due; /* rt_login.timer, the oldest first */
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    uint32_t count, max; /* max 0: nothing is kept */
} rt_logins;

/* Keeps up to `max` logins for `keep_ms`; if either is 0, none. */
void rt_logins_init(rt_logins *l, rt_timers *timers, uint32_t keep_ms, uint32_t max,
                    uint64_t (*now)(void *ctx), void *now_ctx);
void rt_logins_fini(rt_logins *l);
/* Adds a login; without memory it does nothing. False: it evicted the oldest. */
RT_MUST_CHECK bool rt_logins_keep(rt_logins *l, rt_identity *id);
/* The identity of that credential (borrowed); NULL: not cached. */
rt_identity *rt_logins_find(const rt_site *site, rt_slice kind, rt_slice value);
/* Forgets a user of a site (empty user: all users; empty site: all sites). */
void rt_logins_forget(rt_logins *l, rt_slice site, rt_slice user);

#endif
