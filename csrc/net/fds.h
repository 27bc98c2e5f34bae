/* The descriptors that a forked child must not keep: every socket this process serves.
 *
 * A child that inherits them would hold the port and delay the FIN of each client, so it closes
 * them at once, in its fork handler. Ownership: process-wide; whoever opens a socket adds it,
 * whoever closes it uses rt_fds_close. Thread: any. Lock order at fork: this lock is the last one
 * taken (process/fork.c). */
#ifndef RT_NET_FDS_H
#define RT_NET_FDS_H

#include "base/status.h"

/* RT_OK, or RT_ENOMEM (the descriptor is not recorded; the caller closes it). */
RT_MUST_CHECK int rt_fds_add(int fd);
/* Closes it and forgets it. shutdown() comes first, so that a copy in a child that has not yet run
 * its handler cannot keep the peer waiting. */
void rt_fds_close(int fd);
/* The same without shutdown(), for a socket that another process still uses. */
void rt_fds_close_ours(int fd);
/* Forgets it without closing: somebody else (curl, hiredis) closes it. */
void rt_fds_forget(int fd);

void rt_fds_lock(void);   /* before fork */
void rt_fds_unlock(void); /* after fork, in the parent */
/* After fork, in the child: closes all of them without a word to the peers, and unlocks. */
void rt_fds_close_in_child(void);

#endif
