/* The queue from other threads to the server thread: a locked list and a wake-up.
 *
 * The lock also guards the pointer to the loop, so that a publish never uses one that is being
 * freed. After RT_INBOX_STOP the inbox takes nothing more.
 *
 * During a fork the server thread stands still in rt_inbox_take, between two callbacks.
 * Otherwise the child could inherit a lock that the thread held inside a library, and hang on
 * it: fork does not release those of OpenSSL or of a sanitizer's allocator.
 *
 *   RUNNING ──rt_inbox_before_fork──► ASKED ──the thread takes──► HELD ──after_fork──► RUNNING
 *      ▲                                │
 *      └── the thread has ended, or time is up: the fork goes on all the same ────────────┘
 *
 * Ownership: items are made by the sender and freed by the taker. Thread: any.
 * Must not know: what an item means. */
#ifndef RT_PROCESS_INBOX_H
#define RT_PROCESS_INBOX_H

#include "base/status.h"
#include "frappe/envelope.h"
#include "net/loop.h"

#include <time.h>

#define RT_INBOX_MAX_BYTES (64u << 20) /* bytes of publishes that the thread has not taken */

enum rt_inbox_kind { RT_INBOX_PUBLISH, RT_INBOX_STATS, RT_INBOX_RELOAD, RT_INBOX_STOP };

typedef struct rt_inbox_item {
    struct rt_inbox_item *next;
    enum rt_inbox_kind kind;
    size_t bytes;         /* RT_INBOX_PUBLISH: size of the whole item */
    void *ask;            /* RT_INBOX_STATS: rt_stats_ask; RT_INBOX_RELOAD: rt_config, malloced */
    uint32_t patience_ms; /* RT_INBOX_STOP */
    rt_event event;       /* RT_INBOX_PUBLISH; its text is in `data` */
    char data[];
} rt_inbox_item;

void rt_inbox_init(void);

/* Opens the inbox for a loop: puts succeed from now on. */
void rt_inbox_open(rt_loop *loop);
/* Closes it: puts fail from now on, and the loop may be freed. Returns the items that are left. */
RT_MUST_CHECK rt_inbox_item *rt_inbox_close(void);
/* Whether puts succeed. */
bool rt_inbox_is_open(void);
/* RT_OK (the inbox owns the item now); RT_ENOENT: closed; RT_ELIMIT: full. RT_INBOX_STOP is the
 * last item that it takes. */
RT_MUST_CHECK int rt_inbox_put(rt_inbox_item *item);
/* Takes everything put so far, oldest first. Server thread only; blocks while a fork is under
 * way. False: the inbox is no longer that of `loop`, and nobody waits for this thread any more. */
RT_MUST_CHECK bool rt_inbox_take(const rt_loop *loop, rt_inbox_item **items);
/* The server thread's last call: a fork need not wait for it any more. */
void rt_inbox_thread_ended(const rt_loop *loop);

/* --- for fork.c --- */
void rt_inbox_before_fork(const struct timespec *until);
void rt_inbox_after_fork(void);
void rt_inbox_in_child(void);

#endif
