/* Connects to the local socket when needed, and writes lines to it. */
#define _GNU_SOURCE /* struct ucred */
#include "publish/local_client.h"

#include "base/status.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FOREIGN "another user's process listens there, and only this user's or root's may"

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void rt_local_client_init(rt_local_client *c) {
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static void drop(rt_local_client *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void rt_local_client_clear(rt_local_client *c) {
    c->sent = 0;
    if (c->line.cap > RT_LOCAL_KEPT)
        rt_buf_fini(&c->line);
    else
        rt_buf_clear(&c->line);
}

void rt_local_client_fini(rt_local_client *c) {
    drop(c);
    rt_buf_fini(&c->line);
}

void rt_local_client_forget(rt_local_client *c) {
    drop(c);
    rt_local_client_clear(c);
    c->absent_until = 0;
}

/* Skips the socket for `ms`. */
static int absent_for(rt_local_client *c, uint32_t ms, int status, const char *why, int code) {
    drop(c);
    rt_local_client_clear(c);
    c->absent_until = now_ms() + ms;
    c->why = why;
    c->why_errno = code;
    return status;
}

static int absent(rt_local_client *c, int status, const char *why, int code) {
    return absent_for(c, RT_LOCAL_ABSENT_MS, status, why, code);
}

/* A wait was in vain. A stopped server costs each publisher such a wait after each pause, so the
 * pauses grow. */
static int stalled(rt_local_client *c) {
    uint32_t pause = c->pause_ms * 2;
    if (pause < RT_LOCAL_ABSENT_MS)
        pause = RT_LOCAL_ABSENT_MS;
    c->pause_ms = pause < RT_LOCAL_PAUSE_MAX_MS ? pause : RT_LOCAL_PAUSE_MAX_MS;
    return absent_for(c, c->pause_ms, RT_ECLOSED, "the server does not read, it may be stuck", 0);
}

/* A write proves nothing: the kernel takes it, whether somebody reads or not. */
static void look_if_read(rt_local_client *c) {
    int unread = 0;
    if (ioctl(c->fd, SIOCOUTQ, &unread) == 0 && unread == 0)
        c->pause_ms = 0;
}

/* Whoever listens gets every event. In a folder that others may write to, it may be anybody. */
static bool is_trusted(int fd) {
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* RT_OK; RT_ENOENT; RT_EPERM; RT_AGAIN, without a descriptor: the server's backlog is full. */
static int open_connection(rt_local_client *c) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, c->path, sizeof address.sun_path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    c->absent_until = 0;
    c->sent = 0;
    if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return is_trusted(c->fd) ? RT_OK : absent(c, RT_EPERM, FOREIGN, 0);
    if (errno != EAGAIN)
        return absent(c, RT_ENOENT, NULL, errno);
    drop(c);
    return RT_AGAIN;
}

/* One write. RT_OK: all is written; RT_AGAIN; RT_ECLOSED. */
static int write_some(rt_local_client *c) {
    ssize_t n;
    do {
        n = send(c->fd, c->line.p + c->sent, c->line.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? RT_AGAIN : RT_ECLOSED;
    c->sent += (size_t)n;
    if (c->sent < c->line.n)
        return RT_AGAIN;
    rt_local_client_clear(c);
    return RT_OK;
}

/* The server has closed. It drops a line without an end, so the whole line can be sent again, to
 * the server that listens now, if any. */
static int write_anew(rt_local_client *c) {
    drop(c);
    int status = open_connection(c);
    if (status == RT_OK)
        status = write_some(c);
    return status == RT_ECLOSED ? absent(c, RT_ECLOSED, "the server closed the connection", 0)
                                : status;
}

static void set_path(rt_local_client *c, const char *path) {
    if (strcmp(c->path, path) == 0)
        return;
    drop(c);
    c->absent_until = 0;
    c->pause_ms = 0;
    snprintf(c->path, sizeof c->path, "%s", path);
}

int rt_local_client_start(rt_local_client *c, const char *path) {
    set_path(c, path);
    if (c->fd < 0) {
        if (c->absent_until && now_ms() < c->absent_until) {
            rt_local_client_clear(c);
            return RT_ENOENT;
        }
        return write_anew(c);
    }
    if (c->pause_ms)
        look_if_read(c);
    int status = write_some(c);
    return status == RT_ECLOSED ? write_anew(c) : status;
}

/* Waits until a retry is worthwhile; false: the time is over. Nothing signals room in a backlog,
 * hence the wait of one millisecond. */
static bool wait_until(const rt_local_client *c, uint64_t deadline, const rt_waits *waits) {
    struct pollfd pfd = {.fd = c->fd, .events = POLLOUT};
    uint64_t now = now_ms();
    if (now >= deadline)
        return false;
    rt_waits_begin(waits);
    poll(&pfd, 1, c->fd < 0 ? 1 : (int)(deadline - now));
    rt_waits_end(waits);
    return true;
}

int rt_local_client_finish(rt_local_client *c, const rt_waits *waits) {
    uint64_t deadline = now_ms() + RT_LOCAL_WAIT_MS;
    bool anew = false;
    int status = RT_AGAIN;
    while (status == RT_AGAIN) {
        if (!wait_until(c, deadline, waits))
            return stalled(c);
        status = c->fd >= 0 ? write_some(c) : write_anew(c);
        if (status == RT_ECLOSED && !anew && c->fd >= 0) {
            anew = true;
            status = write_anew(c);
        }
    }
    if (status == RT_ECLOSED && c->fd >= 0)
        return absent(c, RT_ECLOSED, "the server closed the connection", 0);
    return status == RT_ENOENT ? RT_ECLOSED : status;
}

void rt_local_client_explain(const rt_local_client *c, char *why, size_t why_len) {
    snprintf(why, why_len, "%s: %s%s", c->path, c->why ? c->why : strerror(c->why_errno),
             !c->why && c->why_errno == EACCES
                 ? "; only root and the user whom the server runs as may use it"
                 : "");
}
