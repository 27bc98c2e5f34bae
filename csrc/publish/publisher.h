/* Publishes through Redis, from any process and thread, with replies off.
 *
 * It has a connection of its own, with CLIENT REPLY OFF after a checked handshake, and detects a
 * dead peer with MSG_PEEK before each write. When the call returns RT_OK the bytes have left the
 * process, so a child may os._exit at once. Replies are never left unread: a process that exits
 * with unread replies resets the connection and loses what it wrote.
 *
 * Ownership: new/free. Thread: any, one at a time. Never call it on the loop's thread. Fork: a
 * child must not use the parent's; rt_publisher_forget there, then make a new one. Must not know:
 * what is published. */
#ifndef RT_PUBLISH_PUBLISHER_H
#define RT_PUBLISH_PUBLISHER_H

#include "base/slice.h"
#include "base/status.h"
#include "publish/waits.h"

#define RT_PUBLISHER_CONNECT_MS 1000
#define RT_PUBLISHER_WRITE_MS 1000
#define RT_PUBLISHER_RETRY_MS 1000 /* publishes fail at once so long after a failed connect */

typedef struct rt_publisher rt_publisher;

/* RT_OK, RT_EINVAL (with `why`) or RT_ENOMEM. Does not connect. */
RT_MUST_CHECK int rt_publisher_new(const char *url, rt_publisher **out, char *why, size_t why_len);
void rt_publisher_free(rt_publisher *p);
/* In the child's fork handler: closes the inherited descriptor and sends nothing. Frees nothing:
 * with TLS that takes locks that another thread may have held at the fork. */
void rt_publisher_close_copy(rt_publisher *p);
/* In a forked child, at its first publish: the same if not done yet, and frees p. */
void rt_publisher_forget(rt_publisher *p);

/* PUBLISH channel payload. Connects when needed; replaces a dead connection once, at once.
 * RT_OK: the kernel has all of it. RT_ECLOSED: Redis is away; RT_EIO: Redis refused (AUTH, ...);
 * `why` has the text. A send on an open connection rarely waits. */
RT_MUST_CHECK int rt_publisher_send(rt_publisher *p, rt_slice channel, rt_slice payload,
                                    const rt_waits *waits, char *why, size_t why_len);

#endif
