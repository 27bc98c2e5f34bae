/* All questions to the web process. Equal questions are asked once.
 *
 * Finds a cached answer or joins an equal question in flight, else starts a new one (question.h).
 *
 * Ownership: as in question.h. Thread: the loop's. Must not know: requests and their answers,
 * sockets, rooms. */
#ifndef RT_FRAPPE_ASK_H
#define RT_FRAPPE_ASK_H

#include "base/status.h"
#include "frappe/question.h"

void rt_asker_init(rt_asker *a, const rt_asker_opts *opts, const rt_frappe_ports *ports,
                   rt_timers *timers, uint64_t *counters);
/* Cancels all. Waiters that are left stop waiting and hear nothing. */
void rt_asker_fini(rt_asker *a);

/* RT_OK: the answer is there, *verdict and *who (borrowed, good until the loop turns) are set.
 * RT_AGAIN: `w` waits, kind->answered will come. RT_ELIMIT, RT_ENOMEM: it does not wait. */
RT_MUST_CHECK int rt_ask(rt_asker *a, const rt_subject *subject, rt_waiter *w,
                         enum rt_verdict *verdict, rt_identity **who);

/* Drops cached answers about a user of a site (empty user: all users; empty site: all sites). A
 * question in flight still answers its waiters, but its answer is not cached. */
void rt_asker_forget(rt_asker *a, rt_slice site, rt_slice user);

#endif
