/* The event `doc_viewers`: tells everybody who has a document open who else has.
 *
 * There is no list of viewers that could become stale: the viewers are the members of the
 * `open_doc:` room when the event is sent. Changes are debounced: when a thousand viewers of one
 * document leave together, one event goes out, not a thousand.
 *
 * Each viewer gets the names of all, which costs the square of their number. So the event names
 * some and counts the rest, and after a large one its document pauses, the longer the larger.
 *
 *              changed         20 ms: sent, few bytes
 *     unknown ─────────► DUE ──────────────────────────► unknown
 *        ▲               ▲ │ sent, many bytes
 *        │       changed │ ▼
 *        └──────────── RESTING
 *          the pause is over
 *
 * Ownership: caller's memory. Thread: the loop's. */
#ifndef RT_FRAPPE_VIEWERS_H
#define RT_FRAPPE_VIEWERS_H

#include "base/map.h"
#include "base/timers.h"
#include "frappe/member.h"

struct rt_frappe;

typedef struct rt_viewers {
    rt_map changed; /* documents with an event pending, or resting, by namespace and room */
    rt_alarms *alarms;
} rt_viewers;

void rt_viewers_init(rt_viewers *v, rt_timers *timers);
void rt_viewers_fini(rt_viewers *v);

/* `s` has opened, closed or left the document. Empty `name->docname`: take the name from the room.
 * Emits nothing itself; the event goes out after RT_FRAPPE_VIEWERS_MS. */
void rt_viewers_changed(struct rt_frappe *f, rt_sio_socket *s, const rt_subject_name *name);

#endif
