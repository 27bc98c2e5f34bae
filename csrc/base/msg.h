/* A refcounted block of bytes that is encoded once and referenced by every socket it goes to.
 *
 * The bytes are complete wire frames (WebSocket, or raw HTTP), so that sending is one writev.
 * While a message is open (cap > len), its only writer may append; sealing sets cap = len and
 * makes it immutable. Anybody about to look at the bytes for good (a flush, a polling answer)
 * seals it first, which is how the room batch of socketio/fanout.c stays correct.
 *
 * Ownership: hold/rele. Thread: the loop's (the count is not atomic). */
#ifndef RT_BASE_MSG_H
#define RT_BASE_MSG_H

#include "base/slice.h"

#include <stdint.h>

typedef struct rt_msg {
    uint32_t refs;
    uint32_t len; /* bytes used */
    uint32_t cap; /* bytes that may be used; == len once sealed */
    char data[];
} rt_msg;

/* A message with one reference, len 0 and room for `cap` bytes; NULL when out of memory. */
rt_msg *rt_msg_new(size_t cap);
/* A sealed message holding a copy of the bytes. */
rt_msg *rt_msg_copy(rt_slice bytes);
void rt_msg_rele(rt_msg *m); /* NULL is fine */

static inline rt_msg *rt_msg_hold(rt_msg *m) {
    m->refs++;
    return m;
}

static inline void rt_msg_seal(rt_msg *m) {
    m->cap = m->len;
}

static inline rt_slice rt_msg_slice(const rt_msg *m) {
    return (rt_slice){m->data, m->len};
}

#endif
