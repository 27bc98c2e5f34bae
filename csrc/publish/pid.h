/* getpid without its system call, which would cost a publish a fifth of its time.
 *
 * The number is cached in a page that the kernel zeroes in a forked child (MADV_WIPEONFORK),
 * also if the fork bypassed libc's fork handlers. Kernels before Linux 4.14 cannot do that;
 * there each call is a system call. Thread: any. Fork: any time. */
#ifndef RT_PUBLISH_PID_H
#define RT_PUBLISH_PID_H

#include <sys/types.h>

pid_t rt_pid(void);

#endif
