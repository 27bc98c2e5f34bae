/* Commands, one a line; each is answered with one line of JSON.
 *
 *     connect N websocket|polling OPENING   bring the clients to N, OPENING on their way at a time
 *     join ROOMS                            each client joins that many rooms of its own
 *     back N                                be ready for a restart; answers when all are up again
 *     run PACE AMOUNT MS EVENTS SIZE ROOMS  publish, see load.h
 *     quit
 *
 * Every answer has "failures" and "failure", the first one's text. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define WAIT_NS 120000000000u /* for all clients to be up */
#define JOINS_AT_ONCE 50      /* what a client says in one go; then it waits for a pong */

static char line[512];
static size_t line_n;

static void answer_end(void) {
    printf("\"failures\": %u, \"failure\": \"%s\"}\n", L.failures, L.failure ? L.failure : "");
    fflush(stdout);
    L.failures = 0;
    L.failure = NULL;
}

static void wait_for_up(void) {
    uint64_t end = now_ns() + WAIT_NS;
    while (L.up < L.count && L.failures == 0) {
        pool_turn(100);
        if (now_ns() > end)
            fail("not all clients could connect");
    }
}

static void do_connect(const char *arguments) {
    unsigned count, opening;
    char transport[16];
    if (sscanf(arguments, "%u %15s %u", &count, transport, &opening) != 3)
        abort();
    uint64_t began = now_ns();
    L.opening_max = opening;
    pool_want(count, strcmp(transport, "polling") == 0 ? POLLING : WEBSOCKET);
    pool_open_more();
    wait_for_up();
    printf("{\"clients\": %u, \"seconds\": %.6f, ", L.up, (double)(now_ns() - began) / 1e9);
    answer_end();
}

static void wait_for_pongs(void) {
    uint64_t end = now_ns() + WAIT_NS;
    for (uint32_t i = 0; i < L.count; i++)
        while (!L.clients[i].pongs && L.failures == 0) {
            pool_turn(100);
            if (now_ns() > end)
                fail("a ping event was not answered");
        }
}

static void do_join(const char *arguments) {
    unsigned rooms = (unsigned)atoi(arguments);
    char text[96];
    for (unsigned from = 0; from < rooms; from += JOINS_AT_ONCE) {
        for (uint32_t i = 0; i < L.count; i++) {
            L.clients[i].pongs = 0;
            for (unsigned k = from; k < rooms && k < from + JOINS_AT_ONCE; k++) {
                snprintf(text, sizeof text, "[\"task_subscribe\",\"r%u-%u\"]", i, k);
                client_emit(&L.clients[i], text);
            }
            client_emit(&L.clients[i], "[\"ping\"]");
            pool_turn(0);
        }
        wait_for_pongs();
        uint64_t pause = now_ns() + 600000000u; /* servers bound how much one client says */
        while (from + JOINS_AT_ONCE < rooms && now_ns() < pause)
            pool_turn(10);
    }
    printf("{\"rooms\": %u, ", rooms * L.count);
    answer_end();
}

static void do_back(const char *arguments) {
    L.opening_max = (uint32_t)atoi(arguments);
    L.come_back = true;
    L.came_back = 0;
    printf("{\"ready\": %u, ", L.up);
    answer_end();
    uint64_t end = now_ns() + WAIT_NS;
    while (!L.came_back && now_ns() < end)
        pool_turn(5);
    L.come_back = false;
    if (!L.came_back)
        fail("not all clients came back");
    printf("{\"at_ns\": %lu, ", L.came_back);
    answer_end();
}

static void do_run(const char *arguments) {
    static const char *const paces[] = {"window", "burst", "rate"};
    job j = {0};
    char pace[16];
    if (sscanf(arguments, "%15s %u %u %u %u %u", pace, &j.amount, &j.ms, &j.events, &j.size,
               &j.rooms) != 6)
        abort();
    while (strcmp(paces[j.pace], pace) != 0)
        j.pace++;
    publisher_run(&j);
    answer_end();
}

static void execute(const char *command) {
    static const struct {
        const char *name;
        void (*run)(const char *arguments);
    } commands[] = {
        {"connect ", do_connect}, {"join ", do_join}, {"back ", do_back}, {"run ", do_run}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        size_t n = strlen(commands[i].name);
        if (strncmp(command, commands[i].name, n) == 0) {
            commands[i].run(command + n);
            return;
        }
    }
    exit(strcmp(command, "quit") == 0 ? 0 : 1);
}

static void listen_to_stdin(bool listen) {
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &L.epoll};
    epoll_ctl(L.epoll, listen ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, 0, &ev);
}

/* A command turns the loop itself; the next one waits for its end. */
void command_on_input(void) {
    ssize_t n = read(0, line + line_n, sizeof line - 1 - line_n);
    if (n <= 0)
        exit(0);
    line_n += (size_t)n;
    listen_to_stdin(false);
    for (char *end; (end = memchr(line, '\n', line_n));) {
        *end = 0;
        execute(line);
        size_t used = (size_t)(end + 1 - line);
        memmove(line, end + 1, line_n - used);
        line_n -= used;
    }
    listen_to_stdin(true);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: load SERVER_PORT REDIS_PORT SITE CAPACITY\n");
        return 2;
    }
    L.server_port = (uint16_t)atoi(argv[1]);
    L.redis_port = (uint16_t)atoi(argv[2]);
    snprintf(L.site, sizeof L.site, "%s", argv[3]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    L.epoll = epoll_create1(EPOLL_CLOEXEC);
    listen_to_stdin(true);
    pool_init((uint32_t)atoi(argv[4]));
    publisher_connect();
    for (;;)
        pool_turn(1000);
}
