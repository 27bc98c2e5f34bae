/* getpid without its system call, which would cost a publish a fifth of its time.
 *
 * The number is kept in a page that the kernel gives a forked child empty, however it was forked:
 * the fork handlers of libc need not have run. Where the kernel cannot do that (before Linux 4.14)
 * it is asked each time.
 * Thread: any. Fork: any time. */
#ifndef RT_PUBLISH_PID_H
#define RT_PUBLISH_PID_H

#include <sys/types.h>

pid_t rt_pid(void);

#endif
