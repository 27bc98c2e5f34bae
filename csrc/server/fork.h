/* Forking a process that runs a server: the child has none, and keeps none of its descriptors.
 *
 * Order of locks: inbox, descriptors. The child never repairs the loop, it leaves it alone.
 * Thread: rt_fork_watch from any, once is enough. */
#ifndef RT_SERVER_FORK_H
#define RT_SERVER_FORK_H

/* Registers the handlers; later calls do nothing. RT_OK or RT_ENOMEM. */
int rt_fork_watch(void);
#endif
