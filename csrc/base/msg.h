/* A refcounted block of bytes that is encoded once and referenced by every socket it goes to.
 *
 * The bytes are complete wire frames (WebSocket, or raw HTTP), so that sending is one writev. Only
 * its maker writes to a message, and only before the first send.
 *
 * Ownership: hold/rele. Thread: the loop's (the count is not atomic). */
#ifndef RT_BASE_MSG_H
#define RT_BASE_MSG_H

#include "base/slice.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct rt_msg {
    uint32_t refs;
    uint32_t len; /* bytes used */
    uint32_t cap; /* bytes that there is room for */
    char data[];
} rt_msg;

/* A message with one reference, len 0 and room for `cap` bytes; NULL when out of memory. */
RT_MUST_CHECK rt_msg *rt_msg_new(size_t cap);
/* A message holding a copy of the bytes. */
RT_MUST_CHECK rt_msg *rt_msg_copy(rt_slice bytes);
/* Grows or shrinks a message that has one reference, never below len; it may move. NULL when out of
 * memory: the message is unchanged. */
RT_MUST_CHECK rt_msg *rt_msg_resize(rt_msg *m, size_t cap);
void rt_msg_rele(rt_msg *m); /* NULL is fine */

/* Memory of all messages of this thread, and of the queues they wait in. */
size_t rt_msg_memory(void);
/* So many bytes more, or fewer, are a queue's. */
void rt_msg_note_memory(ptrdiff_t bytes);

static inline rt_msg *rt_msg_hold(rt_msg *m) {
    m->refs++;
    return m;
}

static inline rt_slice rt_msg_slice(const rt_msg *m) {
    return (rt_slice){m->data, m->len};
}

#endif
