/* The public face: listeners, connections, and which request goes where.
 *
 * `/socket.io/` goes to engineio; every other path to the app's route function.
 *
 * Ownership: new/close; it owns its connections, and frees a closed one at the end of the turn.
 * Thread: the loop's.
 * Must not know: sites, users, rooms. */
#ifndef RT_NET_FRONT_H
#define RT_NET_FRONT_H

#include "base/buf.h"
#include "base/counters.h"
#include "base/status.h"
#include "base/figures.h"
#include "engineio/engineio.h"
#include "net/addresses.h"
#include "net/loop.h"

/* Defaults of rt_front_opts. */
#define RT_FRONT_HEAD_MS 10000  /* for a request head, from its first byte or the connection */
#define RT_FRONT_BODY_MS 30000  /* for a request body */
#define RT_FRONT_IDLE_MS 65000  /* between requests; above the 60 s that proxies keep upstreams */
#define RT_FRONT_WRITE_MS 30000 /* for the rest of an answer when the peer does not read */
#define RT_FRONT_LINGER_MS 2000 /* for the peer to take some more of our last bytes, or close */
#define RT_FRONT_CONNECTIONS_MAX 200000
#define RT_FRONT_PIPELINED_MAX 16384     /* bytes held back behind an open request */
#define RT_FRONT_BUDGET_MAX (256u << 20) /* bytes of memory for all that clients are owed */
/* Not options. */
#define RT_FRONT_WRITE_CAP (256u << 10) /* bytes per connection and turn */
#define RT_FRONT_LISTENERS_MAX 8
#define RT_FRONT_ANSWERS_MAX                                                                       \
    (64u << 10) /* bytes a WebSocket's own input has it owed, then unread */

#define RT_FRONT_COUNTERS(X)                                                                       \
    X(RT_FRONT_ACCEPTED, "accepted", "Connections accepted.")                                      \
    X(RT_FRONT_ACCEPT_FAILED, "accept_failed",                                                     \
      "Connections turned away because no file descriptors were left.")                            \
    X(RT_FRONT_REFUSED_FULL, "refused_connections_max",                                            \
      "Connections closed at once because there were too many.")                                   \
    X(RT_FRONT_REQUESTS, "requests", "HTTP requests received.")                                    \
    X(RT_FRONT_BAD_REQUESTS, "bad_requests",                                                       \
      "Requests that were not HTTP/1.1, answered with 400.")                                       \
    X(RT_FRONT_HEAD_OVER_MAX, "head_over_max",                                                     \
      "Requests whose head was too big, answered with 431.")                                       \
    X(RT_FRONT_TARGET_OVER_MAX, "target_over_max",                                                 \
      "Requests whose target was too long, answered with 414.")                                    \
    X(RT_FRONT_NO_MEMORY, "no_memory",                                                             \
      "Connections closed or answered with 503 because memory ran out.")                           \
    X(RT_FRONT_BYTES_IN, "bytes_in", "Bytes read from connections.")                               \
    X(RT_FRONT_BYTES_OUT, "bytes_out", "Bytes written to connections.")                            \
    X(RT_FRONT_WRITES, "writes", "Writes to connections.")                                         \
    X(RT_FRONT_WRITES_BLOCKED, "writes_blocked",                                                   \
      "Writes after which a connection was still owed something.")                                 \
    X(RT_FRONT_TIMED_OUT_HEAD, "timed_out_head",                                                   \
      "Connections closed because a request's head took too long.")                                \
    X(RT_FRONT_TIMED_OUT_BODY, "timed_out_body",                                                   \
      "Connections closed because a request's body took too long.")                                \
    X(RT_FRONT_TIMED_OUT_IDLE, "timed_out_idle",                                                   \
      "Connections closed because no further request came.")                                       \
    X(RT_FRONT_TIMED_OUT_WRITE, "timed_out_write",                                                 \
      "Connections closed because the peer did not take its answer.")                              \
    X(RT_FRONT_TIMED_OUT_LINGER, "timed_out_linger",                                               \
      "Connections closed because the peer did not close after our last byte.")                    \
    X(RT_FRONT_PIPELINED_OVER_MAX, "pipelined_over_max",                                           \
      "Connections closed because too much was sent behind an open request.")                      \
    X(RT_FRONT_SLOW, "closed_slow", "WebSockets closed because they were owed too much.")          \
    X(RT_FRONT_OVER_BUDGET, "closed_over_budget",                                                  \
      "Clients closed because all of them together were owed too much.")                           \
    X(RT_FRONT_READS_PAUSED, "reads_paused",                                                       \
      "Times that a WebSocket was not read from because it did not take its answers.")             \
    X(RT_FRONT_PINGS_PASSED_OVER, "pings_passed_over",                                             \
      "WebSocket pings without an answer because another came before it.")
RT_COUNTERS_DECLARE(rt_front, RT_FRONT_COUNTERS)

typedef struct rt_front_opts {
    rt_slice path;      /* "/socket.io/": prefix of the raw target */
    uint32_t max_owed;  /* bytes owed to one WebSocket before it is called slow */
    size_t owed_budget; /* bytes of memory for all that clients are owed */
    uint32_t max_connections;
    uint32_t max_pipelined; /* bytes held back behind an open request */
    uint32_t head_ms, body_ms, idle_ms, write_ms, linger_ms;
    rt_trusted proxies;  /* that tell the address of the client by X-Forwarded-For */
    bool listeners_lent; /* another process listens on them, too: close, but do not shut down */
} rt_front_opts;
void rt_front_opts_default(rt_front_opts *opts);

/* What a request outside `path` gets; the front sends it, of HEAD the head alone. An error of a
 * buffer closes the connection. */
typedef struct rt_answer {
    int status;       /* 200 unless the route says another */
    const char *type; /* plain text unless the route says another, which outlives the call */
    rt_buf headers;   /* further ones, written by wire/reply.h */
    rt_buf body;
} rt_answer;
/* Fills the answer. A body that comes with the request is read by nobody. */
typedef void rt_front_route(void *ctx, const rt_http_request *req, rt_answer *answer);

typedef struct rt_front rt_front;

/* NULL: out of memory. */
RT_MUST_CHECK rt_front *rt_front_new(rt_loop *loop, rt_eio *eio, const rt_front_opts *opts,
                                     rt_front_route *route, void *route_ctx);
/* Takes a listening, non-blocking socket. RT_OK, RT_ELIMIT, RT_EIO, RT_ENOMEM: the descriptor stays
 * the caller's. */
RT_MUST_CHECK int rt_front_listen(rt_front *f, int fd);
void rt_front_set_max_owed(rt_front *f, uint32_t max_owed);
void rt_front_set_owed_budget(rt_front *f, size_t bytes);
void rt_front_stop_listening(rt_front *f);
/* Before the end: nothing more is accepted or read, and what is owed is written from now on. */
void rt_front_finish(rt_front *f);
/* Whether something is still on its way, here or in the kernel. */
bool rt_front_owes(const rt_front *f);
/* Writes what is owed once more, then closes all connections. Sessions must be closed already. */
void rt_front_close(rt_front *f);
/* After the loop has ended. */
void rt_front_free(rt_front *f);

typedef struct rt_front_figures {
    uint32_t connections;
    uint32_t blocked;  /* connections whose peer does not read fast enough */
    uint64_t owed_max; /* bytes owed to the worst of them */
    rt_front_counters counters;
} rt_front_figures;
uint32_t rt_front_connections(const rt_front *f);
void rt_front_get_figures(const rt_front *f, rt_front_figures *out);
void rt_front_show_figures(const rt_front *f, const rt_figures *to);

#endif
