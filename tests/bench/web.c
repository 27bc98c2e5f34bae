/* The web process of the benchmarks: it answers who is behind a cookie, and yes to all else.
 *
 *     web PORT      prints "up" once it listens; ends with its stdin
 *
 * `sid=u17` is u17@example.com, a System User. Keep-alive and pipelining, no body in a request. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 8192

typedef struct peer {
    int fd;
    size_t n;
    char in[REQUEST_MAX];
} peer;

static int epoll;

static size_t answer(const char *head, const char *end, char *out, size_t max) {
    char body[256];
    const char *sid = memmem(head, (size_t)(end - head), "sid=u", 5);
    int n;
    if (memmem(head, (size_t)(end - head), "get_user_info", 13) && sid)
        n = snprintf(body, sizeof body,
                     "{\"message\":{\"user\":\"u%d@example.com\",\"user_type\":\"System User\","
                     "\"installed_apps\":[\"frappe\"]}}",
                     atoi(sid + 5));
    else
        n = snprintf(body, sizeof body, "{\"message\":true}");
    return (size_t)snprintf(out, max,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s",
                            n, body);
}

static void end_peer(peer *p) {
    close(p->fd);
    free(p);
}

static void serve(peer *p) {
    ssize_t got = recv(p->fd, p->in + p->n, sizeof p->in - p->n, 0);
    if (got <= 0) {
        end_peer(p);
        return;
    }
    p->n += (size_t)got;
    char out[REQUEST_MAX];
    size_t at = 0, out_n = 0;
    char *end;
    while (out_n + 512 < sizeof out && (end = memmem(p->in + at, p->n - at, "\r\n\r\n", 4))) {
        out_n += answer(p->in + at, end, out + out_n, sizeof out - out_n);
        at = (size_t)(end + 4 - p->in);
    }
    memmove(p->in, p->in + at, p->n - at);
    p->n -= at;
    if (send(p->fd, out, out_n, MSG_NOSIGNAL) != (ssize_t)out_n || p->n == sizeof p->in)
        end_peer(p);
}

static void greet(int listener) {
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    peer *p = fd >= 0 ? malloc(sizeof *p) : NULL;
    if (!p)
        return;
    p->fd = fd;
    p->n = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

int main(int argc, char **argv) {
    int one = 1;
    struct sockaddr_in on = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    on.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&on, sizeof on) != 0 || listen(listener, 4096) != 0) {
        perror("web");
        return 1;
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
    ev = (struct epoll_event){.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &ev);
    puts("up");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                return 0; /* nothing is said on stdin: it ended */
            if (events[i].data.ptr == &listener)
                greet(listener);
            else
                serve(events[i].data.ptr);
        }
    }
}
