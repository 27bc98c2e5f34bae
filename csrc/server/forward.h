/* Passing local publishes on to the other servers at the same Redis, ours or Node.
 *
 *     this server alone ──250 ms──► not known ──► the next event is published, the answer awaited:
 *            ▲                                      │
 *            └── nobody else has heard it ──────────┤
 *                                                   └── somebody has ──► shared: all are published
 *
 * Redis answers PUBLISH with the number of its receivers, and that is the whole of how it is known
 * whether others listen. Each envelope begins with this server's mark, by which it knows its own
 * when they come back through its subscription; to everybody else that is a member to ignore.
 *
 * Ownership: caller's memory; the queue is ours. Thread: the loop's; never blocks it.
 * Must not know: who published, rooms. */
#ifndef RT_SERVER_FORWARD_H
#define RT_SERVER_FORWARD_H

#include "base/counters.h"
#include "base/list.h"
#include "base/random.h"
#include "base/status.h"
#include "net/loop.h"
#include "net/redis.h"
#include "frappe/envelope.h"

#define RT_FORWARD_ALONE_MS 250          /* for so long an answer "nobody else" is believed */
#define RT_FORWARD_IN_FLIGHT 200         /* publishes whose answers are awaited */
#define RT_FORWARD_QUEUE_MAX (16u << 20) /* bytes waiting for Redis */

#define RT_FORWARD_COUNTERS(X)                                                                     \
    X(RT_FORWARD_SENT, "sent", "Events published to Redis for other servers.")                     \
    X(RT_FORWARD_NOT_NEEDED, "not_needed",                                                         \
      "Events not passed on because no other server listened.")                                    \
    X(RT_FORWARD_OWN_IGNORED, "own_ignored",                                                       \
      "Own events that came back from Redis and were ignored.")                                    \
    X(RT_FORWARD_LOST_QUEUE_FULL, "lost_queue_full",                                               \
      "Events not passed on because too many bytes waited for Redis.")                             \
    X(RT_FORWARD_LOST_REDIS_AWAY, "lost_redis_away",                                               \
      "Events not passed on because Redis was away.")                                              \
    X(RT_FORWARD_LOST_REFUSED, "lost_refused", "Events not passed on because Redis refused them.") \
    X(RT_FORWARD_LOST_NO_MEMORY, "lost_no_memory", "Events not passed on because memory ran out.")
RT_COUNTERS_DECLARE(rt_forward, RT_FORWARD_COUNTERS)

typedef struct rt_forward {
    rt_loop *loop;
    rt_redis *redis;
    bool off;    /* nothing is forwarded */
    bool always; /* also when nobody else seems to listen */
    rt_loop_hook hook;
    rt_list queue;
    size_t bytes;         /* in `queue` */
    unsigned in_flight;   /* publishes at Redis, not answered yet */
    bool shared;          /* the last answer: others listen */
    uint64_t alone_until; /* ms; the last answer: nobody else does */
    char mark[64];        /* `"frappe_rt_from":"<id>",` */
    size_t mark_len;
    rt_forward_counters counters;
} rt_forward;

/* `mode` is auto, on or off; no `redis` is off. RT_OK, or RT_EIO: the system gives no random bytes.
 */
RT_MUST_CHECK int rt_forward_init(rt_forward *f, rt_loop *loop, rt_redis *redis, const char *mode);
/* Before rt_redis_close. What waits is lost: it is counted, and the log says how much. All zero is
 * fine. */
void rt_forward_fini(rt_forward *f);
/* Something waits for Redis, or for its answer. */
bool rt_forward_owes(const rt_forward *f);

/* Events that this server has delivered: taken apart, or as an envelope it has accepted. */
void rt_forward_event(rt_forward *f, const rt_event *e);
void rt_forward_envelope(rt_forward *f, rt_slice json);

/* An envelope from the channel is one that this very server has forwarded. Counts it. */
bool rt_forward_is_own(rt_forward *f, rt_slice envelope);

#endif
