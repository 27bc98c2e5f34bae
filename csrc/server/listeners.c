/* Opens the sockets to listen on, or adopts those handed over. */
#include "server/listeners.h"

#include "base/status.h"
#include "net/fds.h"
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UDS_MODE 0666 /* the proxy in front may run as another user */

static int open_unix(rt_listeners *l, const rt_config *c, rt_server_address *where, char *why,
                     size_t why_len) {
    char reason[256];
    int status = rt_listen_unix(c->socketio_uds, UDS_MODE, RT_LISTEN_LOCK_MS, l->fds, &l->file,
                                reason, sizeof reason);
    l->count = status == RT_OK;
    snprintf(where->uds, sizeof where->uds, "%s", c->socketio_uds);
    if (status != RT_OK)
        snprintf(why, why_len, "cannot listen on Unix socket %s (set by socketio_uds)", reason);
    return status;
}

int rt_listeners_open(rt_listeners *l, const rt_config *c, rt_server_address *where, char *why,
                      size_t why_len) {
    *where = (rt_server_address){0};
    if (*c->socketio_uds)
        return open_unix(l, c, where, why, why_len);
    char reason[256];
    where->port = (int)c->socketio_port;
    snprintf(where->host, sizeof where->host, "%s", c->socketio_host);
    int status = rt_listen_tcp(c->socketio_host, &where->port, l->fds, RT_FRONT_LISTENERS_MAX,
                               &l->count, reason, sizeof reason);
    if (status == RT_OK)
        return RT_OK;
    int saved = errno;
    snprintf(why, why_len,
             "cannot listen on port %ld (%s); set socketio_port in "
             "sites/common_site_config.json or FRAPPE_SOCKETIO_PORT to a free port",
             c->socketio_port, reason);
    errno = saved;
    return status;
}

/* Checks that it is a listening stream socket. Makes it non-blocking and close-on-exec. */
static bool make_ours(int fd) {
    int kind = 0, listening = 0;
    socklen_t n = sizeof kind;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &n) != 0 || kind != SOCK_STREAM)
        return false;
    n = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || !listening)
        return false;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void describe(int fd, rt_server_address *where) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } at;
    socklen_t n = sizeof at;
    memset(&at, 0, sizeof at);
    if (getsockname(fd, &at.any, &n) != 0)
        return;
    if (at.any.sa_family == AF_UNIX) {
        snprintf(where->uds, sizeof where->uds, "%s",
                 at.un.sun_path[0] ? at.un.sun_path : "(unnamed)");
    } else if (at.any.sa_family == AF_INET) {
        where->port = ntohs(at.v4.sin_port);
        inet_ntop(AF_INET, &at.v4.sin_addr, where->host, sizeof where->host);
    } else if (at.any.sa_family == AF_INET6) {
        where->port = ntohs(at.v6.sin6_port);
        inet_ntop(AF_INET6, &at.v6.sin6_addr, where->host, sizeof where->host);
    }
}

static bool came_before(const int *fds, int at) {
    for (int i = 0; i < at; i++)
        if (fds[i] == fds[at])
            return true;
    return false;
}

static int adopt(rt_listeners *l, const int *fds, int at, char *why, size_t why_len) {
    if (came_before(fds, at)) {
        snprintf(why, why_len, "descriptor %d was handed over twice to listen on", fds[at]);
        return RT_EINVAL;
    }
    if (!make_ours(fds[at])) {
        snprintf(why, why_len,
                 "descriptor %d was handed over to listen on, but is not a listening stream socket",
                 fds[at]);
        return RT_EINVAL;
    }
    int fd = fcntl(fds[at], F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        int saved = errno;
        snprintf(why, why_len, "cannot duplicate descriptor %d: %s", fds[at], strerror(saved));
        errno = saved;
        return RT_EIO;
    }
    l->fds[l->count++] = fd;
    return RT_OK;
}

int rt_listeners_adopt(rt_listeners *l, const rt_handed *handed, rt_server_address *where,
                       char *why, size_t why_len) {
    int status = RT_OK;
    int count = handed->count;
    *where = (rt_server_address){0};
    if (count > RT_FRONT_LISTENERS_MAX) {
        snprintf(why, why_len,
                 "%d sockets were handed over to listen on, but at most %d are allowed", count,
                 RT_FRONT_LISTENERS_MAX);
        return RT_EINVAL;
    }
    for (int i = 0; i < count && status == RT_OK; i++)
        status = adopt(l, handed->fds, i, why, why_len);
    if (status == RT_OK)
        describe(handed->fds[0], where);
    return status;
}

int rt_taken_init(rt_taken *t, const rt_handed *handed) {
    for (t->count = 0; t->count < handed->count; t->count++) {
        if (rt_fds_add(handed->fds[t->count]) != RT_OK)
            return RT_ENOMEM;
        t->fds[t->count] = handed->fds[t->count];
    }
    return RT_OK;
}

void rt_taken_end(rt_taken *t) {
    while (t->count > 0) {
        int fd = t->fds[--t->count];
        if (t->ours)
            rt_fds_close_ours(fd);
        else
            rt_fds_forget(fd);
    }
}

void rt_listeners_close(rt_listeners *l, int from) {
    rt_unix_file_remove(&l->file);
    for (int i = from; i < l->count; i++)
        close(l->fds[i]);
}
