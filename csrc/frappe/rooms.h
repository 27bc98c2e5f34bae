/* Names of rooms: the only place that spells them.
 *
 * A name that a client sends always gets one of four prefixes, so it can never name the rooms
 * `user:...`, `all` or `website`. Ownership: the caller's buffers. Thread: any. */
#ifndef RT_FRAPPE_ROOMS_H
#define RT_FRAPPE_ROOMS_H

#include "base/buf.h"
#include "base/status.h"

#define RT_ROOM_WEBSITE RT_LIT("website") /* every socket of a site */
#define RT_ROOM_SYSTEM RT_LIT("all")      /* its System Users */

enum rt_room_kind { RT_ROOM_DOCTYPE, RT_ROOM_DOC, RT_ROOM_OPEN_DOC, RT_ROOM_TASK };

/* "doctype:", "doc:", "open_doc:", "task_progress:" */
rt_slice rt_rooms_prefix(enum rt_room_kind kind);

RT_MUST_CHECK int rt_rooms_put_user(rt_buf *b, rt_slice user); /* appends "user:{user}" */

/* Takes "open_doc:{doctype}/{name}" apart, at the first slash. False: another kind of room. */
RT_MUST_CHECK bool rt_rooms_split_open_doc(rt_slice room, rt_slice *doctype, rt_slice *name);

#endif
