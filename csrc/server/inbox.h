/* What other threads hand to the server thread: a locked list and a wake-up.
 *
 * The lock also guards the pointer to the server, so that a publish never meets one that is being
 * freed. Ownership: items are malloced by the sender, freed by the taker.
 * Thread: any. Lock order at fork: after fork.h's, before net/fds.h's.
 *
 * Whoever forks has the server thread stand still in rt_inbox_take meanwhile, between two
 * callbacks: otherwise the child may inherit a lock that the thread held in a library (OpenSSL's
 * and those of a sanitizer's allocator are not released by fork) and hang on it.
 *
 *   RUNNING --rt_inbox_lock--> ASKED --the thread takes--> HELD --rt_inbox_unlock--> RUNNING
 *                                \-- RT_INBOX_HOLD_MS over: fork all the same --> RUNNING */
#ifndef RT_SERVER_INBOX_H
#define RT_SERVER_INBOX_H

#include "base/slice.h"
#include "net/loop.h"

#include <pthread.h>

#define RT_INBOX_HOLD_MS 200 /* how long a fork waits for a thread that is in a long turn */

enum rt_inbox_kind { RT_INBOX_PUBLISH, RT_INBOX_STATS, RT_INBOX_RELOAD, RT_INBOX_STOP };

typedef struct rt_inbox_item {
    struct rt_inbox_item *next;
    enum rt_inbox_kind kind;
    size_t bytes;
    void *ask; /* RT_INBOX_STATS: rt_stats_ask; RT_INBOX_RELOAD: rt_config, malloced */
    rt_slice site, room, event, message;
    char data[];
} rt_inbox_item;

/* Opens the inbox of a loop: from now on puts succeed. */
void rt_inbox_open(rt_loop *loop);
/* Puts fail from now on; what is left comes back. */
rt_inbox_item *rt_inbox_close(void);
bool rt_inbox_is_open(void);
/* RT_OK (the item is taken), RT_ENOENT, RT_ELIMIT. */
int rt_inbox_put(rt_inbox_item *item);
/* Everything put so far, oldest first. The server thread's alone; returns after a fork that is
 * under way. False: the inbox is no longer that of `loop`, which nobody waits for any more. */
bool rt_inbox_take(const rt_loop *loop, rt_inbox_item **items);

void rt_inbox_lock(void);             /* before fork; holds the thread */
void rt_inbox_unlock(void);           /* after fork, in the parent */
void rt_inbox_abandon_in_child(void); /* after fork, in the child */

#endif
