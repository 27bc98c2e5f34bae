/* Forking a process that serves or publishes.
 *
 * One table says what is locked before a fork, in which order, and what the parent and the child
 * do afterwards; it is the only caller of pthread_atfork. A fork waits RT_FORK_WAIT_MS at most,
 * all steps together: then it goes on, and the child leaves alone what was not at rest.
 *
 * The child has no server. It keeps none of its descriptors, and publishes by connections of its
 * own. It never repairs what it inherits, it leaves it alone.
 *
 * Ownership: process-wide. Thread: any. */
#ifndef RT_PROCESS_FORK_H
#define RT_PROCESS_FORK_H

#define RT_FORK_WAIT_MS 200

/* RT_OK, or RT_ENOMEM. Once in a process. */
int rt_fork_register(void);

#endif
