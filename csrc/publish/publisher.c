/* PUBLISH on a connection of our own, with replies off after the first.
 *
 *     no connection --connect, AUTH, SELECT--> greeted --PUBLISH, reply read--> checked
 *           ^                                                                      |
 *           |  end seen by MSG_PEEK, write failed                                  | CLIENT REPLY
 * OFF
 *           +------------------------------- silent <------------------------------+ + PUBLISH
 *
 * The reply to the first PUBLISH of a connection is read, to notice a Redis that refuses (no
 * AUTH, no right to the channel). From the second on, replies are off. */
#include "publish/publisher.h"

#include "base/alloc.h"
#include "base/shown.h"
#include "base/status.h"
#include "net/redis_io.h"
#include "net/sigpipe.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct rt_publisher {
    rt_redis_url url;
    rt_redis_io io;
    struct ssl_ctx_st *tls;
    int fd;                /* of `io`, or -1 */
    int connecting;        /* not yet `io`'s, or -1 */
    bool silent;           /* CLIENT REPLY OFF has been sent */
    uint64_t retry_at;     /* no new connection before this time; 0: no limit */
    int refused;           /* status of the last connect, for calls before retry_at */
    uint64_t deadline;     /* of the current operation */
    const rt_waits *waits; /* of the current send */
    char error[256];
};

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int rt_publisher_new(const char *url, rt_publisher **out, char *why, size_t why_len) {
    rt_publisher *p = rt_alloc0(sizeof *p);
    if (!p)
        return RT_ENOMEM;
    int rc = rt_redis_url_parse(url, &p->url, why, why_len);
    if (rc != RT_OK) {
        rt_free(p);
        return rc;
    }
    rt_redis_io_init(&p->io);
    p->fd = p->connecting = -1;
    *out = p;
    return RT_OK;
}

static void drop(rt_publisher *p) {
    rt_redis_io_close(&p->io);
    p->fd = -1;
    p->silent = false;
}

static void free_all(rt_publisher *p) {
    rt_redis_io_free_tls(p->tls);
    rt_free(p);
}

void rt_publisher_free(rt_publisher *p) {
    if (!p)
        return;
    drop(p);
    free_all(p);
}

void rt_publisher_close_copy(rt_publisher *p) {
    if (p->fd >= 0)
        rt_redis_io_close_copy(&p->io);
    if (p->connecting >= 0)
        close(p->connecting);
    p->fd = p->connecting = -1;
}

/* Another thread may have been waiting inside when the process forked. The state is consistent:
 * nothing changes during a wait. */
void rt_publisher_forget(rt_publisher *p) {
    if (!p)
        return;
    if (p->connecting >= 0)
        close(p->connecting);
    rt_redis_io_forget(&p->io);
    free_all(p);
}

static int fail(rt_publisher *p, int status, const char *what, const char *text) {
    snprintf(p->error, sizeof p->error, "%s%s", what, text);
    rt_shown_clean(p->error); /* Redis may have said it */
    return status;
}

/* poll(2) between the callbacks of p->waits; keeps errno. */
static int poll_outside(const rt_publisher *p, struct pollfd *pfd, nfds_t count, int ms) {
    rt_waits_begin(p->waits);
    int n = poll(pfd, count, ms);
    int error = errno;
    rt_waits_end(p->waits);
    errno = error;
    return n;
}

/* RT_OK, RT_AGAIN when the deadline has passed, RT_EIO. */
static int wait_for(rt_publisher *p, int fd, short events) {
    for (;;) {
        uint64_t now = now_ms();
        struct pollfd pfd = {.fd = fd, .events = events};
        int left = now < p->deadline ? (int)(p->deadline - now) : 0;
        int n = poll_outside(p, &pfd, 1, left);
        if (n > 0)
            return RT_OK;
        if (n == 0)
            return fail(p, RT_AGAIN, "", rt_redis_io_why_late(&p->io));
        if (errno != EINTR)
            return fail(p, RT_EIO, "poll: ", strerror(errno));
    }
}

/* A connected descriptor, or -1 with p->error. */
static int connect_to(rt_publisher *p, const struct sockaddr *address, socklen_t len) {
    int error = 0;
    socklen_t error_len = sizeof error;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    p->connecting = fd;
    if (fd < 0) {
        fail(p, RT_EIO, "", strerror(errno));
        return -1;
    }
    int rc = connect(fd, address, len);
    while (rc != 0 && errno == EAGAIN && now_ms() < p->deadline) {
        poll_outside(p, NULL, 0, 1); /* a full Unix backlog; nothing signals room in it */
        rc = connect(fd, address, len);
    }
    if (rc != 0 && errno != EINPROGRESS) {
        error = errno;
    } else if (wait_for(p, fd, POLLOUT) != RT_OK) {
        error = -1; /* wait_for has set p->error */
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0) {
        error = errno;
    }
    p->connecting = -1;
    if (error == 0)
        return fd;
    if (error > 0)
        fail(p, RT_ECLOSED, "", strerror(error));
    close(fd);
    return -1;
}

static int connect_unix(rt_publisher *p) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, p->url.path, sizeof address.sun_path);
    return connect_to(p, (const struct sockaddr *)&address, sizeof address);
}

/* Tries every address: `localhost` may be ::1 first while Redis listens on 127.0.0.1 only. */
static int connect_tcp(rt_publisher *p) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    char port[8];
    int fd = -1;
    int one = 1;
    snprintf(port, sizeof port, "%d", p->url.port);
    rt_waits_begin(p->waits);
    int rc = getaddrinfo(p->url.host, port, &hints, &all);
    rt_waits_end(p->waits);
    if (rc != 0) {
        fail(p, RT_EIO, "", gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next)
        fd = connect_to(p, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(all);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Writes the output buffer. RT_OK; RT_ECLOSED: the connection is dead; RT_AGAIN: too slow. */
static int write_out(rt_publisher *p) {
    int rc;
    while ((rc = rt_redis_io_write(&p->io)) == RT_AGAIN) {
        rc = wait_for(p, p->fd, rt_redis_io_events(&p->io));
        if (rc != RT_OK)
            return rc;
        /* During the TLS handshake, reading drives it. */
        if (p->io.tls && (rc = rt_redis_io_read(&p->io)) != RT_OK)
            break;
    }
    return rc == RT_OK ? RT_OK : fail(p, rc, "", p->io.error);
}

/* Reads one reply: RT_OK; RT_EIO: it is an error; RT_ECLOSED; RT_AGAIN. */
static int read_reply(rt_publisher *p) {
    redisReply *reply = NULL;
    int rc;
    while ((rc = rt_redis_io_reply(&p->io, &reply)) == RT_AGAIN) {
        if ((rc = wait_for(p, p->fd, POLLIN)) != RT_OK)
            return rc;
        if ((rc = rt_redis_io_read(&p->io)) != RT_OK)
            break;
    }
    if (rc != RT_OK)
        return fail(p, rc, "", p->io.error);
    if (reply->type == REDIS_REPLY_ERROR)
        rc = fail(p, RT_EIO, "Redis refuses: ", reply->str);
    freeReplyObject(reply);
    return rc;
}

static int greet(rt_publisher *p) {
    unsigned count;
    int rc = rt_redis_io_greeting(&p->io, &p->url, &count);
    if (rc == RT_OK && count > 0)
        rc = write_out(p);
    while (rc == RT_OK && count-- > 0)
        rc = read_reply(p);
    return rc;
}

static int open_connection(rt_publisher *p) {
    p->deadline = now_ms() + RT_PUBLISHER_CONNECT_MS;
    int fd = p->url.path[0] ? connect_unix(p) : connect_tcp(p);
    if (fd < 0)
        return RT_ECLOSED;
    int rc = rt_redis_io_open(&p->io, fd, &p->url, &p->tls);
    if (rc != RT_OK)
        return fail(p, rc, "", p->io.error);
    p->fd = fd;
    return greet(p);
}

static int put_publish(rt_publisher *p, rt_slice channel, rt_slice payload) {
    rt_slice words[] = {RT_LIT("PUBLISH"), channel, payload};
    return rt_redis_io_command(&p->io, words, 3);
}

static int publish_first(rt_publisher *p, rt_slice channel, rt_slice payload) {
    int rc = open_connection(p);
    if (rc == RT_OK) {
        p->deadline = now_ms() + RT_PUBLISHER_WRITE_MS;
        rc = put_publish(p, channel, payload);
    }
    if (rc == RT_OK)
        rc = write_out(p);
    return rc == RT_OK ? read_reply(p) : rc;
}

static int publish_next(rt_publisher *p, rt_slice channel, rt_slice payload) {
    static const rt_slice off[] = {RT_LIT("CLIENT"), RT_LIT("REPLY"), RT_LIT("OFF")};
    p->deadline = now_ms() + RT_PUBLISHER_WRITE_MS;
    int rc = p->silent ? RT_OK : rt_redis_io_command(&p->io, off, 3);
    if (rc == RT_OK)
        rc = put_publish(p, channel, payload);
    if (rc == RT_OK)
        rc = write_out(p);
    p->silent = true;
    return rc;
}

/* With replies off there is nothing to read. Input means that the connection has ended, or must
 * end because of a reply we did not ask for. */
static bool is_alive(const rt_publisher *p) {
    char byte;
    return !rt_redis_io_has_input(&p->io) && recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

static int publish(rt_publisher *p, rt_slice channel, rt_slice payload) {
    if (p->fd >= 0 && is_alive(p)) {
        int rc = publish_next(p, channel, payload);
        if (rc != RT_ECLOSED)
            return rc;
    }
    drop(p);
    if (now_ms() < p->retry_at)
        return p->refused;
    return publish_first(p, channel, payload);
}

int rt_publisher_send(rt_publisher *p, rt_slice channel, rt_slice payload, const rt_waits *waits,
                      char *why, size_t why_len) {
    rt_sigpipe sigpipe = {.blocked = false};
    char shown[400];
    p->waits = waits;
    if (p->url.tls) /* OpenSSL writes without MSG_NOSIGNAL */
        rt_sigpipe_block(&sigpipe);
    int rc = publish(p, channel, payload);
    if (rc == RT_OK) {
        p->retry_at = 0;
    } else if (rc == RT_ENOMEM) {
        drop(p);
        snprintf(why, why_len, "out of memory");
    } else {
        rc = rc == RT_EIO || rc == RT_ELIMIT ? RT_EIO : RT_ECLOSED;
        if (now_ms() >= p->retry_at)
            p->retry_at = now_ms() + RT_PUBLISHER_RETRY_MS;
        p->refused = rc;
        drop(p);
        rt_redis_url_show(&p->url, shown, sizeof shown);
        snprintf(why, why_len, "%s: %s", shown, p->error);
    }
    p->waits = NULL;
    rt_sigpipe_unblock(&sigpipe);
    return rc;
}
