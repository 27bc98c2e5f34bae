/* The floor: what the kernel costs, and as good as nothing else. A bare epoll loop that knows one
 * site and answers with fixed texts: no login, no check of anything, no heartbeat, no JSON. One
 * write per socket and read of Redis.
 *
 *     floor PORT REDIS_PORT SITE      prints "up" once it listens and is subscribed
 *
 * Websockets of the load generator alone: its key is known, so the accept header is a constant.
 * Rooms: `website` is everybody, `user:uN@...` the client whose cookie is `sid=uN`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 100000
#define REDIS_READ (64u << 10)
#define BATCH_MAX (2u << 20)

typedef struct client {
    int fd;
    unsigned user; /* CLIENTS_MAX until its request came */
    unsigned at;   /* where it is in `all` */
    char *owed;    /* what the kernel did not take, or, in a turn of unicast, what is to be sent */
    size_t owed_n;
    struct client *pending;
} client;

static const char *site;
static int epoll, redis, listener;
static client *all[CLIENTS_MAX], *users[CLIENTS_MAX + 1];
static unsigned count;

/* --- writing --- */

static void drop(client *c) {
    all[c->at] = all[--count];
    all[c->at]->at = c->at;
    users[c->user] = NULL;
    close(c->fd);
    free(c->owed);
    free(c);
}

static void owe(client *c, const char *bytes, size_t n) {
    c->owed = realloc(c->owed, c->owed_n + n);
    if (!c->owed)
        abort();
    memcpy(c->owed + c->owed_n, bytes, n);
    c->owed_n += n;
}

static void watch(client *c, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Returns what was not written; a broken socket shows at its next read. */
static size_t write_some(client *c, const char *bytes, size_t n) {
    ssize_t wrote = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    return wrote < 0 ? n : n - (size_t)wrote;
}

static void send_to(client *c, const char *bytes, size_t n) {
    size_t left = c->owed_n ? n : write_some(c, bytes, n);
    if (left == 0)
        return;
    if (c->owed_n == 0)
        watch(c, EPOLLIN | EPOLLOUT);
    owe(c, bytes + n - left, left);
}

static void pay(client *c) {
    size_t left = write_some(c, c->owed, c->owed_n);
    memmove(c->owed, c->owed + c->owed_n - left, left);
    c->owed_n = left;
    if (left == 0)
        watch(c, EPOLLIN);
}

/* --- events --- */

static char batch[BATCH_MAX];
static size_t batch_n;
static client *pending;

static size_t put_frame(char *out, const char *message, size_t n) {
    char text[128];
    size_t head_n = (size_t)snprintf(text, sizeof text, "42/%s,[\"bench\",", site);
    size_t len = head_n + n + 1, at = 0;
    out[at++] = (char)0x81;
    int bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;
    out[at++] = (char)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
    while (bytes--)
        out[at++] = (char)(len >> (bytes * 8));
    memcpy(out + at, text, head_n);
    memcpy(out + at + head_n, message, n);
    out[at + head_n + n] = ']';
    return at + len;
}

/* All members of `website` owe the same bytes: one buffer serves them. */
static void flush_batch(void) {
    for (unsigned i = 0; batch_n && i < count; i++)
        send_to(all[i], batch, batch_n);
    batch_n = 0;
}

static void to_user(unsigned user, const char *message, size_t n) {
    static char frame[BATCH_MAX];
    client *c = user < CLIENTS_MAX ? users[user] : NULL;
    if (!c)
        return;
    if (!c->owed_n) {
        c->pending = pending;
        pending = c;
    }
    owe(c, frame, put_frame(frame, message, n));
}

static void flush_pending(void) {
    for (client *c; (c = pending); pending = c->pending) {
        pay(c);
        if (c->owed_n)
            watch(c, EPOLLIN | EPOLLOUT);
    }
}

/* The envelope has one form: its parts are where the generator puts them. */
static void on_envelope(const char *p, size_t n) {
    static const char before[] = "{\n \"event\": \"bench\",\n \"message\": ";
    size_t from = sizeof before - 1;
    const char *room = p + n - 2;
    while (room[-1] != '"' || room[-2] != ' ')
        room--;
    size_t after = strlen(",\n \"namespace\": \"\",\n \"room\": \"") + strlen(site);
    size_t message_n = (size_t)(room - p) - after - from;
    if (room[0] == 'u') {
        to_user((unsigned)atoi(room + 6), p + from, message_n);
        return;
    }
    if (batch_n + message_n + 256 > BATCH_MAX)
        flush_batch();
    batch_n += put_frame(batch + batch_n, p + from, message_n);
}

static void on_redis(void) {
    static char in[16u << 20];
    static size_t in_n;
    static const char head[] = "*3\r\n$7\r\nmessage\r\n$6\r\nevents\r\n$";
    ssize_t got = recv(redis, in + in_n, REDIS_READ, 0);
    if (got <= 0)
        exit(1);
    in_n += (size_t)got;
    size_t at = 0;
    while (in_n - at > sizeof head + 8) {
        char *text;
        size_t n = strtoul(in + at + sizeof head - 1, &text, 10);
        text += 2;
        if ((size_t)(text - in) + n + 2 > in_n)
            break;
        on_envelope(text, n);
        at = (size_t)(text - in) + n + 2;
    }
    memmove(in, in + at, in_n - at);
    in_n -= at;
    flush_batch();
    flush_pending();
}

/* --- clients --- */

static void on_request(client *c, const char *in) {
    char out[512];
    const char *sid = strstr(in, "sid=u");
    const char *open = "{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":9999999,"
                       "\"pingTimeout\":9999999,\"maxPayload\":1000000}";
    c->user = sid ? (unsigned)atoi(sid + 5) % CLIENTS_MAX : 0;
    users[c->user] = c;
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                     "\x81%c0%s",
                     (int)strlen(open) + 1, open);
    send_to(c, out, (size_t)n);
}

/* After the request the first frame is the CONNECT; nothing else is answered. */
static void on_client(client *c) {
    char in[4096], out[160];
    ssize_t n = recv(c->fd, in, sizeof in - 1, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    in[n] = 0;
    if (in[0] == 'G') {
        on_request(c, in);
    } else if (n > 8 && in[6] == '4' && in[7] == '0') {
        int len = snprintf(out + 2, sizeof out - 2, "40/%s,{\"sid\":\"x\"}", site);
        out[0] = (char)0x81;
        out[1] = (char)len;
        send_to(c, out, (size_t)len + 2);
    }
}

static void greet(void) {
    int one = 1, fd;
    while (count < CLIENTS_MAX &&
           (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        client *c = calloc(1, sizeof *c);
        if (!c)
            abort();
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        c->user = CLIENTS_MAX;
        c->at = count;
        all[count++] = c;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
    }
}

/* --- start --- */

static void must(int rc, const char *what) {
    if (rc < 0) {
        perror(what);
        exit(1);
    }
}

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void add(int fd, void *who) {
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = who};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
}

static void subscribe(const char *port) {
    struct sockaddr_in to = loopback(port);
    char confirmed[128];
    redis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(redis, (struct sockaddr *)&to, sizeof to), "redis");
    must((int)send(redis, "SUBSCRIBE events\r\n", 18, 0), "redis");
    must((int)recv(redis, confirmed, sizeof confirmed, 0), "redis");
    add(redis, &redis);
}

static void listen_on(const char *port) {
    int one = 1;
    struct sockaddr_in on = loopback(port);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(bind(listener, (struct sockaddr *)&on, sizeof on), "bind");
    must(listen(listener, 4096), "listen");
    add(listener, &listener);
}

static void turn(void) {
    struct epoll_event events[1024];
    int n = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < n; i++) {
        void *who = events[i].data.ptr;
        if (who == &redis)
            on_redis();
        else if (who == &listener)
            greet();
        else if (events[i].events & EPOLLOUT)
            pay(who);
        else
            on_client(who);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: floor PORT REDIS_PORT SITE\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    site = argv[3];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    subscribe(argv[2]);
    listen_on(argv[1]);
    puts("up");
    fflush(stdout);
    for (;;)
        turn();
}
