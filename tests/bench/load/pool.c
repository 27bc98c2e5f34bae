/* All clients: how many there shall be, how many may be on their way at one time, and those that
 * come back after they were dropped. */
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define RETRY_NS 5000000 /* a refused client comes back after this */

load L;
static uint32_t *off; /* clients that wait for their turn to connect, the next one last */
static uint32_t off_n;
static uint64_t retry_at;

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fail(const char *why) {
    if (L.failures++ == 0)
        L.failure = why;
}

void pool_init(uint32_t capacity) {
    L.clients = calloc(capacity, sizeof *L.clients);
    off = calloc(capacity, sizeof *off);
    if (!L.clients || !off)
        abort();
    for (uint32_t i = 0; i < capacity; i++)
        L.clients[i] = (client){.fd = -1, .id = i};
}

static bool is_opening(const client *c) {
    return c->state != CLIENT_OFF && c->state != CLIENT_UP;
}

void pool_changed(client *c, enum client_state state) {
    L.opening -= is_opening(c);
    L.up -= c->state == CLIENT_UP;
    c->state = (uint8_t)state;
    L.opening += is_opening(c);
    L.up += state == CLIENT_UP;
    if (state == CLIENT_UP && L.up == L.count && L.come_back)
        L.came_back = now_ns();
}

void pool_dropped(client *c) {
    if (c->state == CLIENT_OFF)
        return;
    if (!L.come_back)
        fail("a client was dropped");
    else if (c->state == CLIENT_CONNECTING)
        retry_at = now_ns() + RETRY_NS;
    pool_changed(c, CLIENT_OFF);
    client_close(c);
    off[off_n++] = c->id;
}

/* Brings the number of wanted clients to `count`. */
void pool_want(uint32_t count, int transport) {
    while (L.count > count) {
        client *c = &L.clients[--L.count];
        pool_changed(c, CLIENT_OFF);
        client_close(c);
    }
    off_n = 0;
    L.transport = transport;
    for (uint32_t i = count; i-- > L.count;) {
        L.clients[i].transport = (uint8_t)transport;
        off[off_n++] = i;
    }
    L.count = count;
}

void pool_open_more(void) {
    if (off_n == 0 || L.opening >= L.opening_max || now_ns() < retry_at)
        return;
    while (off_n && L.opening < L.opening_max) {
        if (!client_connect(&L.clients[off[off_n - 1]])) {
            fail("no more sockets: raise the limit on open files");
            return;
        }
        off_n--;
    }
}

/* Who sleeps too long comes too late to connect again. */
static int sleep_ms(int timeout_ms) {
    return off_n && L.come_back && timeout_ms > 5 ? 5 : timeout_ms;
}

void pool_turn(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(L.epoll, events, EVENTS, sleep_ms(timeout_ms));
    for (int i = 0; i < n; i++) {
        void *who = events[i].data.ptr;
        if (who == &L.redis)
            publisher_on_event(events[i].events);
        else if (who == &L.timer)
            publisher_on_timer();
        else if (who == &L.epoll)
            command_on_input();
        else
            client_on_event(who, events[i].events);
    }
    pool_open_more();
    publisher_pump();
}
