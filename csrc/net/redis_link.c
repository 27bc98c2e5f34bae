/* Keeping one connection to Redis up.
 *
 *     WAITING --timer--> RESOLVING --addresses--> CONNECTING --> GREETING --hello answered-->
 * STANDS ^                   |                    |  ^    |          |                          |
 *        |                   |                    |  +----+ next     |                          |
 *        +------- lost ------+--------------------+-- none left -----+--------------------------+
 *
 * Addresses that need no resolver, and Unix sockets, go from WAITING to CONNECTING at once. */
#include "net/redis_link.h"

#include "base/alloc.h"
#include "base/random.h"
#include "base/status.h"
#include "net/fds.h"
#include "net/redis.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 3000  /* for one address */
#define GREETING_MS 5000 /* TLS, AUTH, SELECT and hello */
#define KEEPALIVE_S 15   /* a peer that vanished is noticed after twice that */
#define DRAIN_READS 256  /* of 16 KB in one turn: then the browsers get theirs, then the rest */

/* Lives from socket() until libuv's close callback; by then the link may have its next one. */
typedef struct rt_redis_wire {
    uv_poll_t poll;
    rt_redis_link *link;
    int fd;
} rt_redis_wire;

static void try_addresses(rt_redis_link *l);

static void set_error(rt_redis_link *l, const char *text) {
    snprintf(l->error, sizeof l->error, "%s", text);
}

/* ---- letting go ---- */

static void handle_gone(rt_redis_link *l) {
    if (--l->handles == 0)
        l->ops->gone(l->arg);
}

static void on_timer_closed(uv_handle_t *handle) {
    handle_gone(handle->data);
}

static void on_wire_closed(uv_handle_t *handle) {
    rt_redis_wire *w = handle->data;
    handle_gone(w->link);
    rt_free(w);
}

/* The descriptor belongs to the wire while connecting, to the io from then on. */
static void drop_socket(rt_redis_link *l) {
    rt_redis_wire *w = l->wire;
    if (!w)
        return;
    l->wire = NULL;
    l->generation++;
    uv_close((uv_handle_t *)&w->poll, on_wire_closed);
    if (l->io.redis) {
        rt_fds_forget(w->fd);
        rt_redis_io_close(&l->io);
    } else if (w->fd >= 0) {
        rt_fds_close(w->fd);
    }
}

static void drop_addresses(rt_redis_link *l) {
    if (l->found)
        uv_freeaddrinfo(l->found);
    l->found = l->next = NULL;
}

void rt_redis_link_close(rt_redis_link *l) {
    if (l->state == RT_LINK_CLOSED)
        return;
    if (l->state == RT_LINK_RESOLVING)
        uv_cancel((uv_req_t *)&l->resolving); /* its callback comes in any case */
    l->state = RT_LINK_CLOSED;
    drop_socket(l);
    drop_addresses(l);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

/* ---- losing and trying again ---- */

static void start_attempt(rt_redis_link *l);

static void on_retry(uv_timer_t *timer) {
    start_attempt(timer->data);
}

/* Doubles with each failure up to the maximum; of that a random part between the half and the
 * whole, so that all servers of a host do not come back in one instant. */
static uint64_t retry_delay(unsigned failures) {
    uint64_t ms = RT_REDIS_RETRY_FIRST_MS;
    uint16_t dice = 0;
    rt_random random;
    while (failures-- > 0 && ms < RT_REDIS_RETRY_MAX_MS)
        ms *= 2;
    if (ms > RT_REDIS_RETRY_MAX_MS)
        ms = RT_REDIS_RETRY_MAX_MS;
    rt_random_init(&random);
    if (rt_random_bytes(&random, &dice, sizeof dice) != RT_OK)
        return ms;
    return ms / 2 + (ms / 2) * dice / UINT16_MAX;
}

/* After a connection that stood for a moment the waiting times start again from the shortest, so
 * that a Redis that restarts is soon found. After one that was closed at once they do not. */
void rt_redis_link_fail(rt_redis_link *l, const char *why) {
    char text[sizeof l->error];
    bool stood = l->state == RT_LINK_STANDS;
    if (l->state == RT_LINK_CLOSED)
        return;
    snprintf(text, sizeof text, "%s", why); /* `why` may be what is dropped now */
    if (stood && uv_now(&l->loop->uv) - l->stood_at >= RT_REDIS_STOOD_MS)
        l->failures = 0;
    drop_socket(l);
    drop_addresses(l);
    l->state = RT_LINK_WAITING;
    uv_timer_start(&l->timer, on_retry, retry_delay(l->failures), 0);
    l->failures++;
    l->ops->lost(l->arg, stood, text);
}

void rt_redis_link_stands(rt_redis_link *l) {
    if (l->state != RT_LINK_GREETING)
        return;
    l->state = RT_LINK_STANDS;
    l->stood_at = uv_now(&l->loop->uv);
    uv_timer_stop(&l->timer);
}

/* ---- talking ---- */

static void on_reply(rt_redis_link *l, const redisReply *reply) {
    if (l->greeting == 0) {
        l->ops->reply(l->arg, reply);
    } else if (reply->type == REDIS_REPLY_STATUS) {
        l->greeting--;
    } else {
        char why[sizeof l->error];
        bool said = reply->type == REDIS_REPLY_ERROR;
        snprintf(why, sizeof why, "Redis refuses: %s", said ? reply->str : "unexpected answer");
        rt_redis_link_fail(l, why);
    }
}

/* All replies that are complete. False when the connection did not survive them. */
static bool read_replies(rt_redis_link *l) {
    unsigned generation = l->generation;
    redisReply *reply;
    int rc;
    while ((rc = rt_redis_io_reply(&l->io, &reply)) == RT_OK) {
        on_reply(l, reply);
        freeReplyObject(reply);
        if (generation != l->generation)
            return false;
    }
    if (rc == RT_AGAIN)
        return true;
    rt_redis_link_fail(l, l->io.error);
    return false;
}

/* Everything Redis has sent, so that it never takes us for a slow subscriber. A sender who is
 * faster than we are must not hold the loop for ever, hence the bound. */
static bool drain(rt_redis_link *l) {
    for (unsigned reads = 0; reads < DRAIN_READS; reads++) {
        int waiting = 0;
        if (rt_redis_io_read(&l->io) != RT_OK) {
            rt_redis_link_fail(l, l->io.error);
            return false;
        }
        l->heard_at = uv_now(&l->loop->uv);
        if (!read_replies(l))
            return false;
        if (ioctl(l->wire->fd, FIONREAD, &waiting) != 0 || waiting <= 0)
            return true;
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(rt_redis_link *l, int events) {
    int rc = uv_poll_start(&l->wire->poll, events, on_poll);
    if (rc != 0)
        rt_redis_link_fail(l, uv_strerror(rc));
}

void rt_redis_link_flush(rt_redis_link *l) {
    if (l->state == RT_LINK_STANDS)
        watch(l, UV_READABLE | UV_WRITABLE);
}

static void talk(rt_redis_link *l, int events) {
    if ((events & UV_READABLE) && !drain(l))
        return;
    int rc = rt_redis_io_write(&l->io);
    if (rc != RT_OK && rc != RT_AGAIN) {
        rt_redis_link_fail(l, l->io.error);
        return;
    }
    watch(l, rt_redis_io_events(&l->io) & POLLOUT ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_greeting_late(uv_timer_t *timer) {
    rt_redis_link *l = timer->data;
    rt_redis_link_fail(l, rt_redis_io_why_late(&l->io));
}

static void set_options(int fd) {
    static const int on = 1, idle = KEEPALIVE_S, gap = KEEPALIVE_S / 3;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap, sizeof gap);
}

static void greet(rt_redis_link *l) {
    rt_redis_wire *w = l->wire;
    l->state = RT_LINK_GREETING;
    drop_addresses(l);
    uv_timer_start(&l->timer, on_greeting_late, GREETING_MS, 0);
    uv_poll_stop(&w->poll); /* the io may close the descriptor, and must not be polled then */
    if (!l->url->path[0])
        set_options(w->fd);
    int rc = rt_redis_io_open(&l->io, w->fd, l->url, l->tls);
    if (rc != RT_OK) {
        rt_fds_forget(w->fd);
        w->fd = -1;
    }
    if (rc == RT_OK)
        rc = rt_redis_io_greeting(&l->io, l->url, &l->greeting);
    if (rc == RT_OK)
        rc = l->ops->hello(l->arg, &l->io);
    if (rc == RT_OK)
        talk(l, 0);
    else
        rt_redis_link_fail(l, l->io.error);
}

/* ---- connecting ---- */

static void next_address(rt_redis_link *l, const char *why) {
    set_error(l, why);
    drop_socket(l);
    try_addresses(l);
}

static void on_connect_late(uv_timer_t *timer) {
    next_address(timer->data, "no connection in time");
}

static void finish_connect(rt_redis_link *l) {
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(l->wire->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error)
        next_address(l, strerror(error));
    else
        greet(l);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    rt_redis_wire *w = poll->data;
    rt_redis_link *l = w->link;
    l->loop->now = uv_now(&l->loop->uv);
    if (l->state == RT_LINK_CONNECTING)
        finish_connect(l);
    else if (status < 0)
        rt_redis_link_fail(l, uv_strerror(status));
    else
        talk(l, events);
}

/* A socket on its way to `address`, watched. False with l->error. */
static bool open_wire(rt_redis_link *l, const struct sockaddr *address, socklen_t len) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rt_redis_wire *w = fd >= 0 ? rt_alloc0(sizeof *w) : NULL;
    if (!w || rt_fds_add(fd) != RT_OK)
        goto fail_fd;
    if (connect(fd, address, len) != 0 && errno != EINPROGRESS)
        goto fail_recorded;
    if (uv_poll_init(&l->loop->uv, &w->poll, fd) != 0)
        goto fail_recorded;
    w->poll.data = w;
    w->link = l;
    w->fd = fd;
    l->wire = w;
    l->handles++;
    return true;

fail_recorded:
    set_error(l, strerror(errno));
    rt_fds_close(fd);
    rt_free(w);
    return false;
fail_fd:
    set_error(l, fd >= 0 ? "out of memory" : strerror(errno));
    if (fd >= 0)
        close(fd);
    rt_free(w);
    return false;
}

static void connect_to(rt_redis_link *l, const struct sockaddr *address, socklen_t len) {
    l->state = RT_LINK_CONNECTING;
    if (!open_wire(l, address, len)) {
        try_addresses(l);
        return;
    }
    uv_timer_start(&l->timer, on_connect_late, CONNECT_MS, 0);
    watch(l, UV_READABLE | UV_WRITABLE);
}

static void try_addresses(rt_redis_link *l) {
    struct addrinfo *a = l->next;
    if (!a) {
        rt_redis_link_fail(l, l->error);
        return;
    }
    l->next = a->ai_next;
    connect_to(l, a->ai_addr, a->ai_addrlen);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found) {
    rt_redis_link *l = req->data;
    bool closed = l->state == RT_LINK_CLOSED;
    if (!closed) {
        l->loop->now = uv_now(&l->loop->uv);
        l->found = l->next = found;
        set_error(l, status == 0 ? "the name has no address" : uv_strerror(status));
        try_addresses(l);
    } else if (found) {
        uv_freeaddrinfo(found);
    }
    handle_gone(l);
}

static void resolve(rt_redis_link *l) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];
    snprintf(port, sizeof port, "%d", l->url->port);
    l->state = RT_LINK_RESOLVING;
    l->resolving.data = l;
    int rc = uv_getaddrinfo(&l->loop->uv, &l->resolving, on_resolved, l->url->host, port, &hints);
    if (rc == 0)
        l->handles++;
    else
        rt_redis_link_fail(l, uv_strerror(rc));
}

static void start_attempt(rt_redis_link *l) {
    const rt_redis_url *url = l->url;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    l->loop->now = uv_now(&l->loop->uv);
    if (url->path[0]) {
        memcpy(path.sun_path, url->path, sizeof path.sun_path);
        connect_to(l, (const struct sockaddr *)&path, sizeof path);
    } else if (uv_ip4_addr(url->host, url->port, &v4) == 0) {
        connect_to(l, (const struct sockaddr *)&v4, sizeof v4);
    } else if (uv_ip6_addr(url->host, url->port, &v6) == 0) {
        connect_to(l, (const struct sockaddr *)&v6, sizeof v6);
    } else {
        resolve(l);
    }
}

void rt_redis_link_start(rt_redis_link *l, rt_loop *loop, const rt_redis_url *url,
                         struct ssl_ctx_st **tls, const rt_redis_link_ops *ops, void *arg) {
    memset(l, 0, sizeof *l);
    l->loop = loop;
    l->url = url;
    l->tls = tls;
    l->ops = ops;
    l->arg = arg;
    l->state = RT_LINK_WAITING;
    rt_redis_io_init(&l->io);
    uv_timer_init(&loop->uv, &l->timer);
    l->timer.data = l;
    l->handles = 1;
    uv_timer_start(&l->timer, on_retry, 0, 0);
}
