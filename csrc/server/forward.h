/* Passes local publishes on to the other servers at the same Redis, ours or Node's.
 *
 *     ALONE ──250 ms──► UNKNOWN ──► publish the next event, wait for the answer
 *       ▲                             │
 *       └── no other receiver ────────┤
 *                                     └── another receiver ──► SHARED: publish every event
 *
 * Redis answers PUBLISH with the number of receivers; nothing else says whether others listen. Each
 * envelope begins with this server's mark. By it the server recognises its own events when they
 * come back through its subscription. Everybody else ignores that member.
 *
 * Ownership: caller's memory; the queue is freed by rt_forward_fini. Thread: the loop's; never
 * blocks it. Must not know: who published, rooms. */
#ifndef RT_SERVER_FORWARD_H
#define RT_SERVER_FORWARD_H

#include "base/counters.h"
#include "base/list.h"
#include "base/random.h"
#include "base/status.h"
#include "net/loop.h"
#include "net/redis.h"
#include "frappe/envelope.h"

#define RT_FORWARD_ALONE_MS 250          /* how long the answer "no other receiver" counts */
#define RT_FORWARD_IN_FLIGHT 200         /* publishes that wait for their answer */
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
    bool always; /* forward even if nobody else seems to listen */
    rt_loop_hook hook;
    rt_list queue;
    size_t bytes;         /* in `queue` */
    unsigned in_flight;   /* publishes that Redis has not answered yet */
    bool shared;          /* by the last answer, others listen */
    uint64_t alone_until; /* ms; until then nobody else listens, by the last answer */
    char mark[64];        /* `"frappe_rt_from":"<id>",` */
    size_t mark_len;
    rt_forward_counters counters;
} rt_forward;

/* `mode` is auto, on or off; without `redis` it is off. RT_OK; RT_EIO: the system has no random
 * bytes. */
RT_MUST_CHECK int rt_forward_init(rt_forward *f, rt_loop *loop, rt_redis *redis, const char *mode);
/* Call it before rt_redis_close. Events that still wait are lost, counted and logged. A struct of
 * zeros is fine. */
void rt_forward_fini(rt_forward *f);
/* Whether an event waits for Redis, or for its answer. */
bool rt_forward_owes(const rt_forward *f);

/* Forwards an event that this server has delivered: as its parts, or as the accepted envelope. */
void rt_forward_event(rt_forward *f, const rt_event *e);
void rt_forward_envelope(rt_forward *f, rt_slice json);

/* Whether an envelope from the channel was forwarded by this server. Counts it if so. */
bool rt_forward_is_own(rt_forward *f, rt_slice envelope);

#endif
