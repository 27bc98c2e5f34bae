/* Inside net/ only: one connection to Redis on the loop, kept up for ever. It resolves the name,
 * tries the addresses in turn, greets (TLS, AUTH, SELECT), hands over every reply, and after a loss
 * starts again with backoff and jitter.
 *
 * Ownership: caller's memory, until `gone` is called. Thread: the loop's.
 * Must not know: which commands are sent. */
#ifndef RT_NET_REDIS_LINK_H
#define RT_NET_REDIS_LINK_H

#include "base/status.h"
#include "net/loop.h"
#include "net/redis_io.h"

typedef struct rt_redis_link_ops {
    /* Collect (rt_redis_io_command) what comes first on a new connection. RT_OK or RT_ENOMEM. */
    RT_MUST_CHECK int (*hello)(void *arg, rt_redis_io *io);
    /* A reply, AUTH's and SELECT's excepted; it lives until the call returns. When it shows that
     * the hello was answered well, call rt_redis_link_stands. */
    void (*reply)(void *arg, const redisReply *reply);
    /* The connection, or the attempt to make one, has failed; the next comes by itself. */
    void (*lost)(void *arg, bool stood, const char *why);
    /* After rt_redis_link_close: the memory is the caller's again. */
    void (*gone)(void *arg);
} rt_redis_link_ops;

enum rt_redis_link_state {
    RT_LINK_WAITING,
    RT_LINK_RESOLVING,
    RT_LINK_CONNECTING,
    RT_LINK_GREETING,
    RT_LINK_STANDS,
    RT_LINK_CLOSED,
};

typedef struct rt_redis_link {
    rt_loop *loop;
    const rt_redis_url *url;
    struct ssl_ctx_st **tls;
    const rt_redis_link_ops *ops;
    void *arg;
    enum rt_redis_link_state state;
    rt_redis_io io;
    struct rt_redis_wire *wire; /* the socket watched, or NULL */
    unsigned generation;        /* counts sockets: changed after a callback, ours is gone */
    unsigned greeting;          /* replies to AUTH and SELECT still to come */
    unsigned failures;          /* in a row; decides how long to wait */
    uint64_t stood_at;          /* ms */
    uint64_t heard_at;          /* ms; when bytes last came */
    uv_timer_t timer;           /* the next attempt, or the end of patience with this one */
    uv_getaddrinfo_t resolving;
    struct addrinfo *found, *next; /* addresses of the name, and the one to try next */
    unsigned handles;              /* of libuv, that still call back */
    char error[256];
} rt_redis_link;

/* `url` and `tls` (see rt_redis_io_open) are the caller's and outlive the link. */
void rt_redis_link_start(rt_redis_link *l, rt_loop *loop, const rt_redis_url *url,
                         struct ssl_ctx_st **tls, const rt_redis_link_ops *ops, void *arg);
void rt_redis_link_close(rt_redis_link *l);
void rt_redis_link_stands(rt_redis_link *l);
/* Gives this connection up; `lost` is called. */
void rt_redis_link_fail(rt_redis_link *l, const char *why);
/* Commands were collected in l->io: write them when the socket can take them, never at once. */
void rt_redis_link_flush(rt_redis_link *l);

#endif
