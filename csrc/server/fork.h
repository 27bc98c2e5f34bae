/* Forking a process that runs a server: the child has none, and keeps none of its descriptors.
 *
 * Order of locks: this one of starting and stopping, inbox (which has the server thread stand
 * still), descriptors. The child never repairs the loop, it leaves it alone.
 * Thread: any; rt_fork_watch once is enough. */
#ifndef RT_SERVER_FORK_H
#define RT_SERVER_FORK_H

#include <stdint.h>

/* Registers the handlers; later calls do nothing. RT_OK or RT_ENOMEM. */
int rt_fork_watch(void);

/* One start or stop at a time, and none while the process forks. */
void rt_life_lock(void);
void rt_life_unlock(void);

/* Under that lock. Waits for the threads that a stop has left behind, so that no child inherits a
 * lock that one of them holds, and frees what has ended. In server.c, as is the next. */
void rt_server_await_late(uint32_t ms);
/* In the child: they are not here. */
void rt_server_forget_late(void);
#endif
