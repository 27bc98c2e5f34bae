/* The server of this process. Any thread may start it, use it and stop it.
 *
 *            rt_server_start               rt_server_stop          its thread has ended
 *     none ────────────────► runs ────────────────────────► stops ────────────────────► none
 *                                                              │
 *                                              deadline passed └──► left behind ───────► none
 *
 * Once a stop has begun, rt_server_publish refuses, and the caller publishes another way. What
 * was taken before is delivered, or counted as lost.
 *
 * Ownership: process-wide; at most one runs. Thread: any, and none needs the GIL. Fork: a child has
 * no server (fork.h). Must not know: Python. */
#ifndef RT_PROCESS_SERVER_H
#define RT_PROCESS_SERVER_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"
#include "config/config.h"
#include "frappe/envelope.h"
#include "server/listeners.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Listens and starts the thread. Takes the configuration in every case. RT_OK; RT_EIO with errno
 * and `why` (cannot listen); RT_EINVAL with `why` (a bad URL, a bad socket in `handed`);
 * RT_ECLOSED: one runs already; RT_ENOMEM. */
RT_MUST_CHECK int rt_server_start(rt_config *config, const rt_handed *handed,
                                  rt_server_address *where, char *why, size_t why_len);

/* Appends `{"port": .. | null, "uds": .. | null, "addresses": [..]}`. */
RT_MUST_CHECK int rt_server_put_address(const rt_server_address *where, rt_buf *out);

/* Stops and joins within the deadline. RT_OK; RT_ENOENT: none runs (it has waited up to the
 * deadline for threads left behind); RT_AGAIN: the thread did not end in time and is left
 * behind, or the start or stop of another thread did not end in time and goes on; RT_ENOMEM. */
RT_MUST_CHECK int rt_server_stop(uint32_t deadline_ms);

/* One runs here, and no stop has begun. */
bool rt_server_running(void);

/* Hands an event to the thread. RT_OK; RT_ENOENT: none runs here; RT_ELIMIT: the inbox is full;
 * RT_ENOMEM. Everything is copied. */
RT_MUST_CHECK int rt_server_publish(const rt_event *e);

/* Events that rt_server_publish took but a thread that did not end in time never delivered,
 * since the process started. */
uint64_t rt_server_lost(void);

/* Hands a newly read configuration to the thread; the log says what it changes. Takes the
 * configuration in every case. RT_OK; RT_ENOENT: none runs here; RT_ENOMEM. */
RT_MUST_CHECK int rt_server_reload(rt_config *config);

/* Appends the figures as JSON. RT_OK; RT_ENOENT; RT_AGAIN: no answer in time; RT_ENOMEM. */
RT_MUST_CHECK int rt_server_stats(uint32_t timeout_ms, rt_buf *out);

/* Called by rt_process_init. */
void rt_server_init(void);

/* --- for fork.c --- */

/* Waits until no server is being built or freed, and for threads left behind, but not beyond
 * `until` (CLOCK_MONOTONIC). Then blocks starts and stops until one of the next two is called. */
void rt_server_before_fork(const struct timespec *until);
void rt_server_after_fork(void);
void rt_server_in_child(void);

#endif
