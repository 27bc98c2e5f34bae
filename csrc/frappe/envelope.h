/* The `events` envelope, as Frappe's own publisher writes it: the channel's name, an event taken
 * apart, and the text on one line. envelope.c reads it, envelope_write.c writes it.
 *
 * Ownership: the caller's buffer. Thread: any. */
#ifndef RT_FRAPPE_ENVELOPE_H
#define RT_FRAPPE_ENVELOPE_H

#include "base/buf.h"

#define RT_FRAPPE_CHANNEL "events" /* of Redis */

/* An event taken apart. `site`, `room` and `event` are plain text in UTF-8, `message` is JSON. An
 * empty room means the whole site. */
typedef struct rt_event {
    rt_slice site, room, event, message;
} rt_event;

/* Appends `{"event":..,"message":..,"namespace":..,"room":..}`. `mark` is JSON members with a
 * trailing comma to put first, or empty. Newlines in `message` become spaces. RT_OK or the buffer's
 * error. */
int rt_envelope_put(rt_buf *out, rt_slice mark, const rt_event *e);

#endif
