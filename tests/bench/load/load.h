/* The load generator: many Socket.IO clients in one thread, and the publisher that feeds them
 * through Redis. It takes one command a line on stdin and answers each with one JSON object a line.
 *
 *     client.c   what one client says and hears: handshake, WebSocket, polling
 *     wire.c     the bytes: HTTP answers, frames, the number of an event
 *     pool.c     all clients: connecting, dropping, coming back
 *     publish.c  the publisher, its pace, and the check that each delivery came once and in order
 *     command.c  the commands of stdin
 *
 * Ownership: everything is static or of the pool; nothing is shared. Thread: one. It must know
 * nothing of frappe_rt: it talks to every contender alike. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_MAX (256u << 10)
#define KEEP_MAX (64u << 10) /* of an unfinished input; a larger frame is skipped, not kept */
#define RING 8192            /* events that may be on their way */

enum client_state { CLIENT_OFF, CLIENT_CONNECTING, CLIENT_OPENING, CLIENT_JOINING, CLIENT_UP };
enum { WEBSOCKET, POLLING };

typedef struct client {
    int fd;
    uint32_t id;
    uint8_t state, transport;
    bool upgraded; /* the 101 came */
    bool heard;    /* polling: the answer to a POST is the next one */
    uint32_t next; /* number of the event it must get next, or the lowest it may get */
    uint64_t skip; /* bytes of a large frame that are passed over */
    uint32_t skip_number;
    uint32_t pongs; /* answers to `ping` events */
    uint32_t kept_n;
    char *kept;   /* unfinished input, or NULL */
    char sid[40]; /* polling: of the engine */
} client;

typedef struct load {
    int epoll;
    int timer; /* of the paced publisher */
    int redis;
    uint16_t server_port, redis_port;
    char site[64];
    int transport;
    client *clients;
    uint32_t count, up; /* wanted, and through with their CONNECT */
    uint32_t opening, opening_max;
    bool come_back;     /* a client that is dropped connects again */
    uint64_t came_back; /* ns of CLOCK_MONOTONIC: the last one was up again */
    uint64_t connections_made;
    const char *failure; /* the first thing that went wrong in this command */
    uint32_t failures;
} load;

extern load L;

uint64_t now_ns(void);
void fail(const char *why);

/* wire.c */
typedef struct http_answer {
    int code;
    char *body;
    size_t body_n, used;
} http_answer;
/* False: not all there yet. A chunked body is joined in place. */
bool http_take(char *p, size_t n, http_answer *out);
typedef struct frame {
    int opcode;
    char *payload;
    uint64_t payload_n;
    size_t head_n;
} frame;
/* False: the head is not all there yet. */
bool frame_take(char *p, size_t n, frame *out);
/* A masked frame of at most 125 bytes into `out` (132 bytes); returns its length. */
size_t frame_put(char *out, int opcode, const char *text, size_t n);
/* The value of "n" of an event, or -1. */
int64_t event_number(const char *p, size_t n);

/* client.c */
bool client_connect(client *c);
void client_on_event(client *c, uint32_t events);
void client_emit(client *c, const char *arguments);
void client_close(client *c);

/* pool.c */
void pool_init(uint32_t capacity);
void pool_changed(client *c, enum client_state state); /* counts, and goes on with the next one */
void pool_dropped(client *c);
void pool_want(uint32_t count, int transport);
void pool_open_more(void);
void pool_turn(int timeout_ms); /* one round of epoll */

/* publish.c */
enum pace { PACE_WINDOW, PACE_BURST, PACE_RATE };
typedef struct job {
    enum pace pace;
    uint32_t amount; /* window, events of a burst, or events a second */
    uint32_t ms;     /* for how long to publish */
    uint32_t events; /* or how many, where not 0 */
    uint32_t size;   /* bytes of padding in an event */
    uint32_t rooms;  /* 0: all clients; 1: a client's user room; N: one of its N own rooms */
} job;
void publisher_connect(void);
void publisher_on_event(uint32_t events);
void publisher_on_timer(void);
void publisher_delivered(client *c, int64_t number);
void publisher_pump(void);
void publisher_run(const job *j);

/* command.c */
void command_on_input(void);

#endif
