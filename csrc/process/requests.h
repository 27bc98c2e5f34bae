/* What others ask of the process that owns the server, beside publishing: today to reload the
 * handlers. The process waits for it on a descriptor, together with whatever else it waits for, and
 * sleeps meanwhile.
 *
 * Ownership: process-wide; the descriptor lives until the process ends. Thread: any; nothing here
 * waits. Fork: a child has none of it. Must not know: who supervises, and how. */
#ifndef RT_PROCESS_REQUESTS_H
#define RT_PROCESS_REQUESTS_H

enum rt_request { RT_REQUEST_RELOAD = 1 };

/* From now on requests are taken. The descriptor that is readable when one is there, in *fd; it
 * is not the caller's to close. RT_OK, RT_ENOMEM, or RT_EIO with errno. */
int rt_requests_open(int *fd);
/* From now on they are refused; what is there is dropped. */
void rt_requests_close(void);
/* RT_OK: it will be seen; RT_ENOENT: nobody takes requests here. Equal ones become one. */
int rt_requests_put(enum rt_request request);
/* The requests since the last call, as a mask; 0: none. */
unsigned rt_requests_take(void);

/* --- for fork.c --- */
void rt_requests_before_fork(void);
void rt_requests_after_fork(void);
void rt_requests_in_child(void); /* once the descriptors are closed */

#endif
