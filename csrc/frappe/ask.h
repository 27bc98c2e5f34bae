/* All questions to the web process: each is asked once, however many want to know.
 *
 * Finds the answer that is kept, or the question on its way, or begins a new one (question.h).
 *
 * Ownership: as in question.h. Thread: the loop's. Must not know: requests and their answers,
 * sockets, rooms. */
#ifndef RT_FRAPPE_ASK_H
#define RT_FRAPPE_ASK_H

#include "frappe/question.h"

void rt_asker_init(rt_asker *a, const rt_asker_opts *opts, const rt_frappe_ports *ports,
                   rt_timers *timers, uint64_t *counters);
/* Cancels all. Waiters that are left stop waiting and hear nothing. */
void rt_asker_fini(rt_asker *a);

/* RT_OK: the answer is there, *verdict and *who (borrowed, good until the loop turns) are set.
 * RT_AGAIN: `w` waits, kind->answered will come. RT_ELIMIT, RT_ENOMEM: it does not wait. */
int rt_ask(rt_asker *a, const rt_subject *subject, rt_waiter *w, enum rt_verdict *verdict,
           rt_identity **who);

/* Drops what is known about a user of a site (empty user: about anybody; empty site: of any site).
 * An answer on its way goes to those who wait for it already, but is not kept. */
void rt_asker_forget(rt_asker *a, rt_slice site, rt_slice user);

#endif
