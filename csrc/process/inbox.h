/* What other threads hand to the server thread: a locked list and a wake-up.
 *
 * The lock also guards the pointer to the loop, so that a publish never meets one that is being
 * freed. From the word to stop on, nothing more is taken in.
 *
 * Whoever forks has the server thread stand still meanwhile, in rt_inbox_take, between two
 * callbacks: otherwise the child may inherit a lock that the thread held in a library (OpenSSL's
 * and those of a sanitizer's allocator are not released by fork) and hang on it.
 *
 *   RUNNING ──rt_inbox_before_fork──► ASKED ──the thread takes──► HELD ──after_fork──► RUNNING
 *      ▲                                │
 *      └── the thread has ended, or time is up: the fork goes on all the same ────────────┘
 *
 * Ownership: items are made by the sender and freed by the taker. Thread: any.
 * Must not know: what an item means. */
#ifndef RT_PROCESS_INBOX_H
#define RT_PROCESS_INBOX_H

#include "frappe/envelope.h"
#include "net/loop.h"

#include <time.h>

#define RT_INBOX_MAX_BYTES (64u << 20) /* publishes waiting for the thread */

enum rt_inbox_kind { RT_INBOX_PUBLISH, RT_INBOX_STATS, RT_INBOX_RELOAD, RT_INBOX_STOP };

typedef struct rt_inbox_item {
    struct rt_inbox_item *next;
    enum rt_inbox_kind kind;
    size_t bytes;         /* RT_INBOX_PUBLISH: of the whole item */
    void *ask;            /* RT_INBOX_STATS: rt_stats_ask; RT_INBOX_RELOAD: rt_config, malloced */
    uint32_t patience_ms; /* RT_INBOX_STOP */
    rt_event event;       /* RT_INBOX_PUBLISH; its text is in `data` */
    char data[];
} rt_inbox_item;

void rt_inbox_init(void);

/* Opens the inbox of a loop: from now on puts succeed. */
void rt_inbox_open(rt_loop *loop);
/* Puts fail from now on, and the loop may be freed; what is left comes back. */
rt_inbox_item *rt_inbox_close(void);
/* Whether puts succeed. */
bool rt_inbox_is_open(void);
/* RT_OK (the item is the inbox's now), RT_ENOENT, RT_ELIMIT. RT_INBOX_STOP is the last item that is
 * taken in. */
int rt_inbox_put(rt_inbox_item *item);
/* Everything put so far, oldest first. The server thread's alone; returns after a fork that is
 * under way. False: the inbox is no longer that of `loop`, which nobody waits for any more. */
bool rt_inbox_take(const rt_loop *loop, rt_inbox_item **items);
/* The server thread's last word: a fork need not wait for it. */
void rt_inbox_thread_ended(const rt_loop *loop);

/* --- for fork.c --- */
void rt_inbox_before_fork(const struct timespec *until);
void rt_inbox_after_fork(void);
void rt_inbox_in_child(void);

#endif
