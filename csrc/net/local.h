/* The local socket: a Unix stream socket for the processes of this host and user. They send lines;
 * what a line means is the callback's business, which may answer with lines. What is owed to a peer
 * is written once, when the turn ends.
 *
 * When we close first, nothing is lost that a peer's send has handed to the kernel: reading is
 * shut, what has come is read, then the socket is closed. A later send fails at the peer, which
 * takes another way.
 *
 * Ownership: new/close/free; peers free themselves. Thread: the loop's, or before it runs.
 * Must not know: JSON, Frappe. */
#ifndef RT_NET_LOCAL_H
#define RT_NET_LOCAL_H

#include "base/counters.h"
#include "base/figures.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/loop.h"

#define RT_LOCAL_LINE_MAX (16u << 20) /* bytes of one line; a longer one closes its connection */
#define RT_LOCAL_HELD_MAX (64u << 20) /* bytes of unfinished lines, all connections together */
#define RT_LOCAL_OWED_MAX (1u << 20)  /* bytes of answers that one peer has not read */
#define RT_LOCAL_PEERS_MAX 4096       /* connections; one more closes the one idle longest */
#define RT_LOCAL_READS 16             /* of RT_READ_BUFFER, per connection and turn */
#define RT_LOCAL_KEPT (64u << 10)    /* bytes of memory an adopted peer keeps for what it is owed */
#define RT_LOCAL_ACCEPT_PAUSE_MS 200 /* without descriptors, connections wait in the backlog */

#define RT_LOCAL_COUNTERS(X)                                                                       \
    X(RT_LOCAL_ACCEPTED, "accepted", "Local connections accepted.")                                \
    X(RT_LOCAL_ACCEPT_FAILED, "accept_failed",                                                     \
      "Times that accepting paused because no file descriptors were left.")                        \
    X(RT_LOCAL_REFUSED_USER, "refused_user",                                                       \
      "Local connections refused because they were another user's.")                               \
    X(RT_LOCAL_LINES, "lines", "Lines received from local processes.")                             \
    X(RT_LOCAL_BYTES_IN, "bytes_in", "Bytes read from local processes.")                           \
    X(RT_LOCAL_LINE_OVER_MAX, "line_over_max",                                                     \
      "Local connections closed because a line was too long.")                                     \
    X(RT_LOCAL_HELD_OVER_MAX, "held_over_max",                                                     \
      "Local connections closed because unfinished lines took too much memory.")                   \
    X(RT_LOCAL_OWED_OVER_MAX, "owed_over_max",                                                     \
      "Local connections closed because they did not read their answers.")                         \
    X(RT_LOCAL_PEERS_OVER_MAX, "peers_over_max",                                                   \
      "Times that a new local connection found too many others.")
RT_COUNTERS_DECLARE(rt_local, RT_LOCAL_COUNTERS)

typedef struct rt_local rt_local;
typedef struct rt_local_peer rt_local_peer;

/* A line that is not empty, without its end; it lives until the call returns. */
typedef void rt_local_line(void *arg, rt_local_peer *peer, rt_slice line);

/* Listens on `path`, mode 0600; a stale file is replaced. RT_OK, RT_ENOMEM, or RT_EIO with errno
 * and `why` (EADDRINUSE: a server listens there). Waits up to `lock_ms` for another server's start;
 * 0 while the loop runs (EWOULDBLOCK: one is starting). */
RT_MUST_CHECK int rt_local_new(rt_loop *loop, const char *path, unsigned lock_ms,
                               rt_local_line *on_line, void *arg, rt_local **out, char *why,
                               size_t why_len);
/* Takes in what was sent so far, closes everything, removes the file if it is still ours. */
void rt_local_close(rt_local *l);
/* When the loop has ended. NULL is fine. */
void rt_local_free(rt_local *l);

/* From within the line callback: owes the peer `line` and a newline, written with the other answers
 * of this read. A peer that does not read what it asked for is closed. */
void rt_local_answer(rt_local_peer *peer, rt_slice line);

size_t rt_local_owed(const rt_local_peer *peer); /* bytes that it has not taken */
/* Closes it, once the kernel has taken what it can of what is owed. */
void rt_local_end(rt_local_peer *peer);

/* A peer with limits and callbacks of its own. It is not closed to make room for others. */
typedef struct rt_local_role {
    rt_local_line *on_line; /* from its next line on */
    /* A write has left no more than `low` bytes owed. */
    void (*on_room)(void *arg, rt_local_peer *peer);
    /* Once, when it is closed, whoever closes it: also from inside rt_local_answer. */
    void (*on_gone)(void *arg, rt_local_peer *peer);
    size_t owed_max;
    size_t low;
    unsigned reads; /* in place of RT_LOCAL_READS */
} rt_local_role;
void rt_local_adopt(rt_local_peer *peer, const rt_local_role *role, void *arg); /* role: borrowed */

typedef struct rt_local_figures {
    uint32_t peers;
    size_t held; /* bytes of unfinished lines */
    rt_local_counters counters;
} rt_local_figures;
void rt_local_get_figures(const rt_local *l, rt_local_figures *out);
/* `l` may be NULL: no local socket is open, and all is 0. */
void rt_local_show_figures(const rt_local *l, const rt_figures *to);

#endif
