/* `doc_viewers`: who has a document open, told to those who have it open.
 *
 * Who views what is nowhere stored: it is who is in the `open_doc:` room when it is told, so it
 * cannot drift. Changes are collected for a moment: when a thousand viewers of one document leave
 * together, it is told once and not a thousand times to a thousand.
 *
 * Ownership: caller's memory. Thread: the loop's. */
#ifndef RT_FRAPPE_VIEWERS_H
#define RT_FRAPPE_VIEWERS_H

#include "base/map.h"
#include "base/timers.h"
#include "frappe/member.h"

struct rt_frappe;

struct rt_frappe;

typedef struct rt_viewers {
    rt_map changed; /* documents to tell about, by namespace and room */
    rt_timerq soon;
} rt_viewers;

void rt_viewers_init(rt_viewers *v, rt_timers *timers, struct rt_frappe *f);
void rt_viewers_fini(rt_viewers *v);

/* `s` has opened, closed or left the document. An empty `name->docname` stands for the JSON string
 * of what the room says. Nothing is emitted from inside. */
void rt_viewers_changed(struct rt_frappe *f, rt_sio_socket *s, const rt_subject_name *name);

#endif
