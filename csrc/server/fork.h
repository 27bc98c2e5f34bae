/* Forking a process that runs a server: the child has none, and keeps none of its descriptors.
 *
 * Order of locks: this one of starting and stopping, inbox (which has the server thread stand
 * still), descriptors. The child never repairs the loop, it leaves it alone.
 * Thread: any; rt_fork_watch once is enough. */
#ifndef RT_SERVER_FORK_H
#define RT_SERVER_FORK_H

/* Registers the handlers; later calls do nothing. RT_OK or RT_ENOMEM. */
int rt_fork_watch(void);

/* One start or stop at a time, and none while the process forks. */
void rt_life_lock(void);
void rt_life_unlock(void);
#endif
