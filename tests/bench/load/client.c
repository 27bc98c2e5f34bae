/* One client: handshake over WebSocket or polling, CONNECT to the site, and what comes after. */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_PER_ADDRESS 10000 /* of 28 000 ports: those of closed connections rest a minute */

static char input[KEEP_MAX + READ_MAX];

/* --- sending --- */

/* What a client says is short, and its socket empty: it always fits. */
static void say(client *c, const char *bytes, size_t n) {
    if (c->state != CLIENT_OFF && send(c->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
        pool_dropped(c);
}

static void say_frame(client *c, int opcode, const char *text, size_t n) {
    char out[132];
    say(c, out, frame_put(out, opcode, text, n));
}

#define HEADERS                                                                                    \
    "Host: %s:%d\r\nOrigin: http://%s:%d\r\nCookie: sid=u%u\r\nUser-Agent: bench/1.0 (X11; Linux)" \
    "\r\nAccept: */*\r\nAccept-Language: en\r\n"

static void request_websocket(client *c) {
    char out[640];
    int n = snprintf(out, sizeof out,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" HEADERS
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     L.site, L.server_port, L.site, L.server_port, c->id);
    say(c, out, (size_t)n);
}

static void request_poll(client *c) {
    char out[640];
    int n = snprintf(
        out, sizeof out, "GET /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\n" HEADERS "\r\n",
        c->sid[0] ? "&sid=" : "", c->sid, L.site, L.server_port, L.site, L.server_port, c->id);
    c->heard = false;
    say(c, out, (size_t)n);
}

static void request_post(client *c, const char *packet) {
    char out[900];
    int n = snprintf(out, sizeof out,
                     "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n" HEADERS
                     "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n\r\n%s",
                     c->sid, L.site, L.server_port, L.site, L.server_port, c->id, strlen(packet),
                     packet);
    c->heard = true;
    say(c, out, (size_t)n);
}

/* Over WebSocket only: a poll in flight would have to come back first. */
void client_emit(client *c, const char *arguments) {
    char text[126];
    int n = snprintf(text, sizeof text, "42/%s,%s", L.site, arguments);
    say_frame(c, 1, text, (size_t)n);
}

/* --- hearing --- */

static void join(client *c) {
    char text[80];
    int n = snprintf(text, sizeof text, "40/%s,", L.site);
    pool_changed(c, CLIENT_JOINING);
    if (c->transport == POLLING)
        request_post(c, text);
    else
        say_frame(c, 1, text, (size_t)n);
}

static void keep_sid(client *c, const char *p, size_t n) {
    const char *at = memmem(p, n, "\"sid\":\"", 7);
    const char *end = at ? memchr(at + 7, '"', n - (size_t)(at + 7 - p)) : NULL;
    if (!end || (size_t)(end - at - 7) >= sizeof c->sid) {
        fail("no engine id in the handshake");
        return;
    }
    memcpy(c->sid, at + 7, (size_t)(end - at - 7));
    c->sid[end - at - 7] = 0;
}

/* One packet of Engine.IO; of a large one perhaps the beginning alone. */
static void hear(client *c, const char *p, size_t n) {
    size_t prefix = 3 + strlen(L.site) + 1;
    if (n >= 2 && p[0] == '4' && p[1] == '2') {
        int64_t number = event_number(p + 2, n - 2);
        if (number >= 0)
            publisher_delivered(c, number);
        else if (n > prefix && memmem(p + prefix, n - prefix, "\"pong\"", 6))
            c->pongs++;
        else
            fail("an event that nobody published");
    } else if (n >= 2 && p[0] == '4' && p[1] == '0') {
        pool_changed(c, CLIENT_UP);
    } else if (n >= 1 && p[0] == '0') {
        if (c->transport == POLLING)
            keep_sid(c, p, n);
        join(c);
    } else if (n >= 1 && p[0] == '2') {
        if (c->transport == POLLING)
            request_post(c, "3");
        else
            say_frame(c, 1, "3", 1);
    } else if (n >= 2 && p[0] == '4' && p[1] == '4') {
        fail("the login was refused");
    }
}

static void hear_payload(client *c, char *p, size_t n) {
    for (char *end = p + n; p < end;) {
        char *sep = memchr(p, 0x1e, (size_t)(end - p));
        size_t len = (size_t)((sep ? sep : end) - p);
        hear(c, p, len);
        p += len + 1;
    }
}

/* Returns the bytes used. */
static size_t hear_polls(client *c, char *p, size_t n) {
    size_t at = 0;
    http_answer a;
    while (c->state != CLIENT_OFF && at < n && http_take(p + at, n - at, &a)) {
        at += a.used;
        if (a.code != 200) {
            fail("a poll was not answered with 200");
            pool_dropped(c);
            break;
        }
        bool posted = c->heard;
        c->heard = false;
        if (!posted)
            hear_payload(c, a.body, a.body_n);
        if (!c->heard && c->state != CLIENT_OFF)
            request_poll(c);
    }
    return at;
}

static bool take_upgrade(client *c, char *p, size_t n, size_t *used) {
    http_answer a;
    if (!http_take(p, n, &a))
        return false;
    if (a.code != 101) {
        fail("the upgrade was refused");
        pool_dropped(c);
        return false;
    }
    c->upgraded = true;
    *used = (size_t)(a.body - p);
    return true;
}

static void hear_frame(client *c, const frame *f) {
    if (f->opcode == 1)
        hear(c, f->payload, f->payload_n);
    else if (f->opcode == 9)
        say_frame(c, 10, f->payload, f->payload_n);
    else if (f->opcode == 8)
        pool_dropped(c);
}

/* The rest of a frame too large to keep is passed over; it counts when its end is there. */
static size_t skip_some(client *c, size_t n) {
    size_t used = n < c->skip ? n : (size_t)c->skip;
    c->skip -= used;
    if (c->skip == 0)
        publisher_delivered(c, c->skip_number);
    return used;
}

static size_t hear_frames(client *c, char *p, size_t n) {
    size_t at = 0;
    frame f;
    if (!c->upgraded && !take_upgrade(c, p, n, &at))
        return at;
    if (c->skip)
        at += skip_some(c, n);
    while (c->state != CLIENT_OFF && at < n && frame_take(p + at, n - at, &f)) {
        size_t there = n - at - f.head_n;
        if (there >= f.payload_n) {
            hear_frame(c, &f);
            at += f.head_n + f.payload_n;
        } else if (f.payload_n > KEEP_MAX / 2 && there > 256) {
            c->skip = f.payload_n - there;
            c->skip_number = (uint32_t)event_number(f.payload, there);
            return n;
        } else {
            break;
        }
    }
    return at;
}

static void keep(client *c, const char *p, size_t n) {
    if (n > KEEP_MAX) {
        fail("an answer is larger than 64 KB");
        pool_dropped(c);
        return;
    }
    c->kept = n ? malloc(n) : NULL;
    c->kept_n = (uint32_t)n;
    if (n)
        memcpy(c->kept, p, n);
}

static void on_readable(client *c) {
    size_t before = c->kept_n;
    if (before) {
        memcpy(input, c->kept, before);
        free(c->kept);
        c->kept = NULL;
        c->kept_n = 0;
    }
    ssize_t got = recv(c->fd, input + before, READ_MAX, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            keep(c, input, before);
        else
            pool_dropped(c);
        return;
    }
    size_t n = before + (size_t)got;
    size_t used = c->transport == POLLING ? hear_polls(c, input, n) : hear_frames(c, input, n);
    if (c->state != CLIENT_OFF && used < n)
        keep(c, input + used, n - used);
}

/* --- the socket --- */

static void begin(client *c) {
    pool_changed(c, CLIENT_OPENING);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(L.epoll, EPOLL_CTL_MOD, c->fd, &ev);
    if (c->transport == POLLING)
        request_poll(c);
    else
        request_websocket(c);
}

void client_on_event(client *c, uint32_t events) {
    if (c->state == CLIENT_CONNECTING) {
        int error = 0;
        socklen_t n = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
        if (error)
            pool_dropped(c);
        else if (events & EPOLLOUT)
            begin(c);
    } else if (c->state != CLIENT_OFF) {
        on_readable(c);
    }
}

/* False: no socket could be made. A refused connection is told to the pool like a lost one. */
bool client_connect(client *c) {
    int one = 1;
    uint32_t turn = (uint32_t)(L.connections_made++ / CLIENTS_PER_ADDRESS) % 200;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000001 + (turn << 8))};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(L.server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(c->fd, (struct sockaddr *)&from, sizeof from);
    int rc = connect(c->fd, (struct sockaddr *)&to, sizeof to);
    if (rc < 0 && errno != EINPROGRESS && errno != ECONNREFUSED) {
        close(c->fd);
        return false;
    }
    pool_changed(c, CLIENT_CONNECTING);
    struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(L.epoll, EPOLL_CTL_ADD, c->fd, &ev);
    return true;
}

/* To what it was before it connected, its id excepted. */
void client_close(client *c) {
    close(c->fd);
    free(c->kept);
    *c = (client){.fd = -1, .id = c->id, .transport = c->transport};
}
