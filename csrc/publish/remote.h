/* Publishes from this process to a server elsewhere: through the local socket of one on this
 * host, or through Redis. One connection each, opened by the first publish.
 *
 * When a call returns RT_OK the bytes have left this process, which may end at once. Ownership:
 * process-wide. Thread: any but the loop's, since a call may wait. Fork: no lock is held during
 * a wait, so a wait does not delay a fork. A child closes its copies, sends nothing on them, and
 * opens its own. */
#ifndef RT_PUBLISH_REMOTE_H
#define RT_PUBLISH_REMOTE_H

#include "base/status.h"
#include "frappe/envelope.h"

#include <stddef.h>

/* Called once, before the first operation that may wait. */
typedef void rt_remote_before_wait(void *arg);

/* PUBLISH on the channel of events. RT_OK; RT_EINVAL (the URL), RT_ECLOSED or RT_EIO (Redis) with
 * `why`; RT_ENOMEM. */
RT_MUST_CHECK int rt_remote_publish(const char *url, const rt_event *e,
                                    rt_remote_before_wait *before_wait, void *arg, char *why,
                                    size_t why_len);

/* To the local socket at `path`. RT_OK; RT_ENOENT: no server listens there; RT_EPERM: another
 * user's process does; RT_ECLOSED: it went away, or has not read for RT_LOCAL_WAIT_MS; RT_ELIMIT:
 * too long for it; RT_ENOMEM. */
RT_MUST_CHECK int rt_remote_publish_local(const char *path, const rt_event *e,
                                          rt_remote_before_wait *before_wait, void *arg, char *why,
                                          size_t why_len);

/* --- for the table of process/fork.c --- */
void rt_remote_before_fork(void);
void rt_remote_after_fork(void);
void rt_remote_in_child(void);

#endif
