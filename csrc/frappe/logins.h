/* Recent logins, kept for a short time so that the user's next tab need not ask.
 *
 * There are as many logins as users, so little is kept of each: the identity, which the sockets
 * hold anyway, and the time at which it is forgotten.
 *
 * Ownership: rt_logins holds the identities it keeps. Thread: the loop's. Must not know: questions,
 * sockets. */
#ifndef RT_FRAPPE_LOGINS_H
#define RT_FRAPPE_LOGINS_H

#include "base/timers.h"
#include "frappe/identity.h"

typedef struct rt_logins {
    rt_timerq due; /* rt_login.timer, the oldest first */
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    uint32_t count, max; /* max 0: nothing is kept */
} rt_logins;

/* Keeps up to `max` for so long; 0 of either: none. */
void rt_logins_init(rt_logins *l, rt_timers *timers, uint32_t keep_ms, uint32_t max,
                    uint64_t (*now)(void *ctx), void *now_ctx);
void rt_logins_fini(rt_logins *l);
/* Without memory it is not kept. False: the oldest had to go for it. */
bool rt_logins_keep(rt_logins *l, rt_identity *id);
/* Who that credential is (borrowed); NULL: not kept. */
rt_identity *rt_logins_find(const rt_site *site, rt_slice kind, rt_slice value);
/* Forgets a user of a site (empty user: anybody; empty site: of any site). */
void rt_logins_forget(rt_logins *l, rt_slice site, rt_slice user);

#endif
