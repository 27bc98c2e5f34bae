/* Logs and figures about a site that does not answer: the reason, the start with the configuration
 * key that helps, the end.
 *
 * Ownership: none. Thread: the loop's. Must not know: when a question is asked again. */
#ifndef RT_FRAPPE_OUTAGE_H
#define RT_FRAPPE_OUTAGE_H

#include "frappe/question.h"

#define RT_OUTAGE_WEB_KEYS "webserver_host, webserver_port"

/* No answer, or no usable one: keeps the reason for the figures, and logs the first of an outage,
 * with what to `see`. */
void __attribute__((format(printf, 3, 4)))
rt_outage_note(rt_question *q, const char *see, const char *fmt, ...);
void rt_outage_note_answer(rt_question *q, const rt_frappe_answer *answer);
/* A usable answer came. */
void rt_outage_over(rt_question *q);
void rt_outage_log_secret_refused(rt_question *q);

#endif
