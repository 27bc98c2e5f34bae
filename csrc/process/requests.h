/* Requests to the process that owns the server, other than publishing; today only to reload the
 * handlers. The process polls a descriptor for them, beside its other descriptors, and can sleep
 * meanwhile.
 *
 * Ownership: process-wide; the descriptor lives until the process ends. Thread: any; nothing here
 * waits. Fork: a child has none of it. Must not know: who supervises, and how. */
#ifndef RT_PROCESS_REQUESTS_H
#define RT_PROCESS_REQUESTS_H

#include "base/status.h"

enum rt_request { RT_REQUEST_RELOAD = 1 };

/* Accepts requests from now on. *fd is a descriptor that is readable when there is one; do not
 * close it. RT_OK, RT_ENOMEM, or RT_EIO with errno. */
RT_MUST_CHECK int rt_requests_open(int *fd);
/* Refuses requests from now on, and drops those not taken. */
void rt_requests_close(void);
/* RT_OK: it will be seen; RT_ENOENT: this process takes no requests. Equal requests are merged. */
RT_MUST_CHECK int rt_requests_put(enum rt_request request);
/* The requests since the last call, as a mask; 0: none. */
unsigned rt_requests_take(void);

/* --- for fork.c --- */
void rt_requests_before_fork(void);
void rt_requests_after_fork(void);
void rt_requests_in_child(void); /* call it after the descriptors are closed */

#endif
