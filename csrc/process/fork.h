/* What happens when a process that serves or publishes forks.
 *
 * One table says what is locked before a fork, in which order, and what parent and child do
 * afterwards; nothing else calls pthread_atfork. All steps together wait RT_FORK_WAIT_MS at
 * most. Then the fork goes on, and the child does not touch what was still busy.
 *
 * The child has no server. It closes the server's descriptors and publishes through connections
 * of its own. It never repairs the state that it inherits; it abandons it.
 *
 * Ownership: process-wide. Thread: any. */
#ifndef RT_PROCESS_FORK_H
#define RT_PROCESS_FORK_H

#include "base/status.h"

#define RT_FORK_WAIT_MS 200

/* RT_OK, or RT_ENOMEM. Once in a process. */
RT_MUST_CHECK int rt_fork_register(void);

#endif
