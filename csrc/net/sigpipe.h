/* Writing where nobody reads, in a process whose SIGPIPE is not ours: the signal is blocked in this
 * thread and taken away again, if the write raised it. How the process treats it stays as it is.
 *
 * Ownership: caller's memory. Thread: the one that writes. */
#ifndef RT_NET_SIGPIPE_H
#define RT_NET_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct rt_sigpipe {
    sigset_t before;
    bool blocked; /* false: one was pending already, and stays */
} rt_sigpipe;

void rt_sigpipe_block(rt_sigpipe *s);
/* Keeps errno. */
void rt_sigpipe_unblock(const rt_sigpipe *s);

#endif
