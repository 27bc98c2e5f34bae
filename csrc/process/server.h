/* The server of this process: started, spoken to and stopped by any thread of it.
 *
 *            rt_server_start               rt_server_stop          its thread has ended
 *     none ────────────────► runs ────────────────────────► stops ────────────────────► none
 *                                                              │
 *                                              deadline passed └──► left behind ───────► none
 *
 * From the word to stop on, no publish is taken: the caller takes another way. What was taken
 * before is delivered, or counted as lost.
 *
 * Ownership: process-wide; at most one runs. Thread: any, and none needs the GIL. Fork: a child has
 * no server (fork.h). Must not know: Python. */
#ifndef RT_PROCESS_SERVER_H
#define RT_PROCESS_SERVER_H

#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"
#include "frappe/envelope.h"
#include "server/listeners.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Listens and starts the thread. Takes the configuration, whatever happens. RT_OK; RT_EIO with
 * errno and `why` (cannot listen); RT_EINVAL with `why` (a bad URL, a bad socket in `handed`);
 * RT_ECLOSED: one runs already; RT_ENOMEM. */
int rt_server_start(rt_config *config, const rt_handed *handed, rt_server_address *where, char *why,
                    size_t why_len);

/* Appends `{"port": .. | null, "uds": .. | null, "addresses": [..]}`. */
int rt_server_put_address(const rt_server_address *where, rt_buf *out);

/* Stops and joins within the deadline. RT_OK; RT_ENOENT: none runs, and those left behind have had
 * that time to end; RT_AGAIN: it did not end in time and is left behind; RT_ENOMEM. */
int rt_server_stop(uint32_t deadline_ms);

/* One runs here, and no stop has begun. */
bool rt_server_running(void);

/* Hands an event to the thread. RT_OK; RT_ENOENT: none runs here; RT_ELIMIT: the inbox is full;
 * RT_ENOMEM. Everything is copied. */
int rt_server_publish(const rt_event *e);

/* Events of rt_server_publish that were taken, but that a thread which did not end in time has left
 * undone. Since the process started. */
uint64_t rt_server_lost(void);

/* Hands the thread what a new reading of the configuration says; the log tells what it changes.
 * Takes the configuration, whatever happens. RT_OK, RT_ENOENT: none runs here, RT_ENOMEM. */
int rt_server_reload(rt_config *config);

/* Appends the figures as JSON. RT_OK; RT_ENOENT; RT_AGAIN: no answer in time; RT_ENOMEM. */
int rt_server_stats(uint32_t timeout_ms, rt_buf *out);

/* Before anything else (process.h). */
void rt_server_init(void);

/* --- for fork.c --- */

/* Waits until nothing is being built or freed, and for threads that were left behind, but not
 * beyond `until` (CLOCK_MONOTONIC). Then starts and stops wait for one of the next two. */
void rt_server_before_fork(const struct timespec *until);
void rt_server_after_fork(void);
void rt_server_in_child(void);

#endif
