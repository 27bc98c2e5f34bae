/* The client end of the local socket: writes lines to a server on this host, and waits for no
 * answer.
 *
 * On a Unix stream a write to a closed peer fails at once and writes nothing, so a dead
 * connection needs no check before each write; it is replaced once. When a call returns RT_OK
 * the bytes have left this process, which may end at once. After a failure the socket is skipped
 * for a pause, so that the next publish costs no system call. A server that does not read makes
 * the pause longer each time, until it has read all it was sent. Nothing is written to a process
 * of another user, except root.
 *
 * Ownership: caller's memory. Thread: any, one at a time. Fork: a child calls
 * rt_local_client_forget before anything else. Must not know: what a line says. */
#ifndef RT_PUBLISH_LOCAL_CLIENT_H
#define RT_PUBLISH_LOCAL_CLIENT_H

#include "base/buf.h"
#include "base/status.h"
#include "publish/waits.h"

#define RT_LOCAL_WAIT_MS 1000       /* for a server that reads slowly, per line */
#define RT_LOCAL_ABSENT_MS 1000     /* pause after a failure; after vain waits in a row ... */
#define RT_LOCAL_PAUSE_MAX_MS 30000 /* ... twice as long each time, up to this */
#define RT_LOCAL_KEPT (64u << 10)   /* memory above this is freed after a line */

typedef struct rt_local_client {
    int fd; /* -1: none */
    char path[108];
    uint64_t absent_until; /* ms; 0: not known to be absent */
    uint32_t pause_ms;     /* the last pause after a vain wait; 0: the server reads */
    rt_buf line;           /* append the line here, with its newline */
    size_t sent;           /* bytes of `line` written */
    const char *why;       /* the last failure; NULL: see why_errno */
    int why_errno;         /* or 0 */
} rt_local_client;

void rt_local_client_init(rt_local_client *c);
/* Closes; may be used again. */
void rt_local_client_fini(rt_local_client *c);
/* In a forked child: closes the inherited copy, and drops the parent's unwritten line. */
void rt_local_client_forget(rt_local_client *c);

/* Drops the line. */
void rt_local_client_clear(rt_local_client *c);

/* Writes c->line to the socket at `path` without waiting, and clears it. RT_OK; RT_AGAIN: not all
 * of it, rt_local_client_finish must come next; RT_ENOENT: nobody listens; RT_EPERM: another user's
 * process does; RT_ECLOSED: the server went away. */
RT_MUST_CHECK int rt_local_client_start(rt_local_client *c, const char *path);
/* Waits for room and writes the rest. RT_OK; RT_EPERM; RT_ECLOSED: the server went away or did not
 * read in time, and has not got this line. */
RT_MUST_CHECK int rt_local_client_finish(rt_local_client *c, const rt_waits *waits);
/* Why the last call failed, as text for a message. */
void rt_local_client_explain(const rt_local_client *c, char *why, size_t why_len);

#endif
