/* The server's own connections to Redis: a subscriber to one channel and a command connection,
 * hiredis on the loop. Reconnects with backoff and jitter for ever; says so once, not each time.
 *
 * Each connection's readable event drains everything Redis has sent before the loop goes on, so
 * that Redis never sees us as a slow subscriber, whatever the browsers do.
 *
 * Ownership: new/close. Thread: the loop's. Must not know: what the messages mean. */
#ifndef RT_NET_REDIS_H
#define RT_NET_REDIS_H

#include "base/counters.h"
#include "base/figures.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/loop.h"

#define RT_REDIS_RETRY_FIRST_MS 100
#define RT_REDIS_RETRY_MAX_MS 5000
#define RT_REDIS_STOOD_MS 500    /* a connection that stood so long starts the waiting times anew */
#define RT_REDIS_COMMAND_MS 5000 /* without a byte for so long, commands are failed */
#define RT_REDIS_COMMANDS_MAX 1000       /* commands waiting for answers */
#define RT_REDIS_MESSAGE_MAX (64u << 20) /* bytes of one reply; more closes the connection */

#define RT_REDIS_COUNTERS(X)                                                                       \
    X(RT_REDIS_MESSAGES, "messages", "Messages received on the events channel.")                   \
    X(RT_REDIS_CONNECTS, "connects", "Connections to Redis made.")                                 \
    X(RT_REDIS_DISCONNECTS, "disconnects", "Connections to Redis lost.")                           \
    X(RT_REDIS_CONNECT_FAILURES, "connect_failures", "Tries to connect to Redis that failed.")     \
    X(RT_REDIS_COMMANDS, "commands", "Commands sent to Redis.")                                    \
    X(RT_REDIS_COMMANDS_FAILED, "commands_failed", "Commands that Redis refused or did not answer.")
RT_COUNTERS_DECLARE(rt_redis, RT_REDIS_COUNTERS)

typedef void rt_redis_message(void *arg, rt_slice payload);
/* A GET's answer: status RT_OK, RT_ECLOSED (connection lost) or RT_EIO (an error reply). */
typedef void rt_redis_reply(void *arg, int status, bool found, rt_slice value);
/* A PUBLISH's answer: status as above; how many subscribers Redis has given the message to. */
typedef void rt_redis_published(void *arg, int status, long long receivers);

typedef struct rt_redis rt_redis;

/* `url` as redis_url.h has it. RT_EINVAL with `why`; it does not wait for the connection. */
RT_MUST_CHECK int rt_redis_new(rt_loop *loop, const char *url, const char *channel,
                               rt_redis_message *on_message, void *arg, rt_redis **out, char *why,
                               size_t why_len);
/* Pending replies get RT_ECLOSED now; frees itself when its handles are closed. */
void rt_redis_close(rt_redis *r);

/* RT_OK: `done` (which for a PUBLISH may be NULL) comes exactly once, never from inside this call.
 * RT_ECLOSED: not connected now. RT_ELIMIT, RT_ENOMEM. RT_AGAIN, of a PUBLISH alone: the first
 * connection is still being made. */
RT_MUST_CHECK int rt_redis_get(rt_redis *r, rt_slice key, rt_redis_reply *done, void *arg);
RT_MUST_CHECK int rt_redis_publish(rt_redis *r, rt_slice channel, rt_slice payload,
                                   rt_redis_published *done, void *arg);

typedef struct rt_redis_figures {
    bool subscribed;
    bool connected;   /* the command connection */
    uint64_t away_ms; /* time since the subscription was lost; 0 while subscribed */
    uint64_t gaps;    /* times the subscription was lost after it once stood */
    rt_redis_counters counters;
} rt_redis_figures;
void rt_redis_get_figures(const rt_redis *r, rt_redis_figures *out);
void rt_redis_show_figures(const rt_redis *r, const rt_figures *to);

#endif
