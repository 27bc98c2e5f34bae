/* Inside net/ only: lines out of a stream of bytes, whatever pieces it comes in.
 *
 * A line that arrives whole is a slice of the bytes fed; only one that is split is copied.
 * Ownership: caller's memory. Thread: the owner's. Must not know: what a line says, or who sent it.
 */
#ifndef RT_NET_LINES_H
#define RT_NET_LINES_H

#include "base/buf.h"
#include "base/status.h"

typedef struct rt_lines {
    rt_buf begun; /* a line whose end has not come; its `max` is the longest line allowed */
} rt_lines;

/* One line without its end; it lives until the call returns. False: no more of them. */
typedef bool rt_lines_line(void *arg, rt_slice line);

void rt_lines_init(rt_lines *l, size_t max);
void rt_lines_fini(rt_lines *l);
/* RT_OK; RT_ELIMIT: a line is longer than `max`; RT_ENOMEM; RT_ECLOSED: the callback said stop.
 * After anything but RT_OK the stream cannot be read on. */
RT_MUST_CHECK int rt_lines_feed(rt_lines *l, rt_slice bytes, rt_lines_line *on_line, void *arg);

/* Memory that an unfinished line takes. */
static inline size_t rt_lines_held(const rt_lines *l) {
    return l->begun.cap;
}

#endif
