/* The publisher: envelopes as Frappe writes them, through Redis, in one of three paces.
 *
 *     window W   closed loop: W events are on their way, a new one leaves when one has arrived
 *     burst K    closed loop: K events in one write, and the next K when all have arrived, so that
 *                the server has exactly K events in a turn of its loop
 *     rate R     open loop: evenly paced by a timer; a latency counts from when the event was due
 *
 * An event has arrived when each client that shall get it has got it. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define OUT_MAX (4u << 20)
#define PATIENCE_NS 5000000000u /* without an arrival, while events are on their way ... */
#define GIVEN_UP_NS 500000000   /* ... and once something is known to be wrong */
#define LATE_NS 1000000         /* an event that leaves this much after it was due is late */

/* Latencies: 64 classes to a power of two, 1.6 % wide. */
#define CLASSES (64 * 40)

static struct {
    uint32_t remaining, target;
    uint64_t since; /* when it left, or was due */
} ring[RING];

static struct {
    const job *j;
    bool open; /* may publish more */
    uint32_t first, next, arrived;
    uint64_t began, ends;
    uint64_t deliveries, late;
    uint64_t classes[CLASSES];
    uint64_t latest;
} run;

static char out[OUT_MAX];
static size_t out_n, out_at;
static char *padding;
static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

void publisher_connect(void) {
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(L.redis_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    L.redis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(L.redis, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("load: redis");
        exit(1);
    }
    setsockopt(L.redis, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(L.redis, F_SETFL, O_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &L.redis};
    epoll_ctl(L.epoll, EPOLL_CTL_ADD, L.redis, &ev);
    L.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ev = (struct epoll_event){.events = EPOLLIN, .data.ptr = &L.timer};
    epoll_ctl(L.epoll, EPOLL_CTL_ADD, L.timer, &ev);
    padding = malloc(OUT_MAX);
    if (!padding)
        abort();
    memset(padding, 'x', OUT_MAX);
}

/* Replies are `:1`: how many subscribers there are. */
void publisher_on_event(uint32_t events) {
    char replies[65536];
    (void)events;
    ssize_t n = recv(L.redis, replies, sizeof replies, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        fprintf(stderr, "load: Redis closed the connection\n");
        exit(1);
    }
    if (n > 0 && memmem(replies, (size_t)n, ":0\r", 3))
        fail("Redis has no subscriber");
    if (n > 0 && memchr(replies, '-', (size_t)n))
        fail("Redis refused an event");
}

static void write_out(void) {
    while (out_at < out_n) {
        ssize_t n = send(L.redis, out + out_at, out_n - out_at, MSG_NOSIGNAL);
        if (n < 0)
            return; /* full: the next turn goes on */
        out_at += (size_t)n;
    }
    out_at = out_n = 0;
}

static size_t put_room(char *room, size_t max, uint32_t target, const job *j) {
    if (j->rooms == 0)
        return (size_t)snprintf(room, max, "website");
    if (j->rooms == 1)
        return (size_t)snprintf(room, max, "user:u%u@example.com", target);
    return (size_t)snprintf(room, max, "task_progress:r%u-%u", target,
                            (uint32_t)(next_random() % j->rooms));
}

static bool publish(uint64_t since) {
    const job *j = run.j;
    char room[64];
    uint32_t slot = run.next % RING;
    if (ring[slot].remaining || out_n + j->size + 1024 > OUT_MAX)
        return false;
    ring[slot].target = (uint32_t)(next_random() % L.count);
    ring[slot].remaining = j->rooms ? 1 : L.count;
    ring[slot].since = since;
    size_t room_n = put_room(room, sizeof room, ring[slot].target, j);
    static const char form[] = "{\n \"event\": \"bench\",\n \"message\": {\n  \"n\": \"%08u\",\n"
                               "  \"pad\": \"%.*s\"\n },\n \"namespace\": \"%s\",\n"
                               " \"room\": \"%s\"\n}";
    int envelope_n =
        (int)(sizeof form - 1 - strlen("%08u%.*s%s%s") + 8 + j->size + strlen(L.site) + room_n);
    char *at = out + out_n;
    at += sprintf(at, "*3\r\n$7\r\nPUBLISH\r\n$6\r\nevents\r\n$%d\r\n", envelope_n);
    int put = sprintf(at, form, run.next, (int)j->size, padding, L.site, room);
    if (put != envelope_n)
        abort();
    memcpy(at + put, "\r\n", 2);
    out_n = (size_t)(at + put + 2 - out);
    run.next++;
    return true;
}

static uint32_t published(void) {
    return run.next - run.first;
}

static uint32_t under_way(void) {
    return published() - run.arrived;
}

static bool may_publish(uint64_t now) {
    const job *j = run.j;
    run.open = run.open && !L.failures && (j->events ? published() < j->events : now < run.ends);
    return run.open;
}

void publisher_pump(void) {
    if (!run.j)
        return;
    uint64_t now = now_ns();
    if (run.j->pace == PACE_WINDOW) {
        while (under_way() < run.j->amount && may_publish(now) && publish(now)) {
        }
    } else if (run.j->pace == PACE_BURST && under_way() == 0) {
        for (uint32_t i = 0; i < run.j->amount && (i || may_publish(now)); i++)
            publish(now);
    }
    write_out();
}

static uint64_t due(uint32_t n) {
    return run.began + n * 1000000000ull / run.j->amount;
}

static void arm_timer(void) {
    uint64_t at = due(published());
    struct itimerspec when = {.it_value = {(time_t)(at / 1000000000), (long)(at % 1000000000)}};
    timerfd_settime(L.timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void publisher_on_timer(void) {
    uint64_t fired;
    if (read(L.timer, &fired, sizeof fired) < 0 || !run.j || run.j->pace != PACE_RATE)
        return;
    uint64_t now = now_ns();
    while (may_publish(now) && due(published()) <= now) {
        uint64_t since = due(published());
        if (!publish(since)) {
            fail("too many events are on their way for this rate");
            break;
        }
        run.late += now - since > LATE_NS;
    }
    write_out();
    if (run.open)
        arm_timer();
}

/* --- arriving --- */

static unsigned class_of(uint64_t ns) {
    if (ns < 64)
        return (unsigned)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
    unsigned at = 64 + shift * 64 + (unsigned)(ns >> shift) - 64;
    return at < CLASSES ? at : CLASSES - 1;
}

static double class_ms(unsigned at) {
    if (at < 64)
        return at / 1e6;
    unsigned shift = (at - 64) / 64;
    return (double)(((uint64_t)(at % 64) + 64) << shift) / 1e6;
}

static double percentile(double share) {
    uint64_t below = (uint64_t)((double)run.deliveries * share), sum = 0;
    for (unsigned i = 0; i < CLASSES; i++) {
        sum += run.classes[i];
        if (sum > below)
            return class_ms(i);
    }
    return 0;
}

void publisher_delivered(client *c, int64_t number) {
    uint32_t n = (uint32_t)number;
    uint32_t slot = n % RING;
    if (!run.j || n - run.first >= published() || ring[slot].remaining == 0) {
        fail("an event came that nobody waited for");
        return;
    }
    if (run.j->rooms ? ring[slot].target != c->id || n < c->next : n != c->next)
        fail("an event came twice, out of order, or to the wrong client");
    c->next = n + 1;
    uint64_t latency = now_ns() - ring[slot].since;
    run.classes[class_of(latency)]++;
    if (latency > run.latest)
        run.latest = latency;
    run.deliveries++;
    if (--ring[slot].remaining == 0)
        run.arrived++;
}

/* --- a run --- */

/* What the server wrote apart: a write to an idle socket arrives as one segment over loopback. */
static uint64_t count_segments(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < L.count; i++) {
        struct tcp_info info;
        socklen_t n = sizeof info;
        if (getsockopt(L.clients[i].fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0)
            sum += info.tcpi_data_segs_in;
    }
    return sum;
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void publisher_run(const job *j) {
    uint32_t next = run.next;
    memset(&run, 0, sizeof run);
    memset(ring, 0, sizeof ring);
    run.first = run.next = next;
    for (uint32_t i = 0; i < L.count; i++)
        L.clients[i].next = next;
    uint64_t segments = count_segments();
    double cpu = cpu_seconds();
    run.began = now_ns();
    run.ends = run.began + j->ms * 1000000ull;
    run.open = true;
    run.j = j;
    if (j->pace == PACE_RATE)
        arm_timer();
    publisher_pump();
    uint64_t had = 0, heard_at = run.began;
    while (run.open || under_way()) {
        pool_turn(100);
        uint64_t now = now_ns();
        may_publish(now);
        if (had != run.deliveries || under_way() == 0)
            heard_at = now;
        had = run.deliveries;
        if (now > heard_at + (L.failures ? GIVEN_UP_NS : PATIENCE_NS)) {
            fail("deliveries are missing");
            break;
        }
    }
    double seconds = (double)(now_ns() - run.began) / 1e9;
    cpu = cpu_seconds() - cpu;
    segments = count_segments() - segments;
    uint64_t expected = (uint64_t)published() * (j->rooms ? 1 : L.count);
    printf("{\"events\": %u, \"deliveries\": %lu, \"missing\": %ld, \"seconds\": %.6f, "
           "\"load_cpu\": %.6f, \"segments\": %lu, \"late\": %lu, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, ",
           published(), run.deliveries, (long)(expected - run.deliveries), seconds, cpu, segments,
           run.late, percentile(0.5), percentile(0.99), (double)run.latest / 1e6);
    run.j = NULL;
}
