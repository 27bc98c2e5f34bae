/* Engine.IO protocol 4, server side: sessions over polling and WebSocket, upgrade, heartbeat.
 *
 * The public header of the layer. Below it is the owner of the connections (net/, or a test). Above
 * it is the app, which sends and gets messages (socketio/). It does no I/O: bytes and the time go
 * in, callbacks come out.
 *
 * Ownership: rt_eio owns its sessions. A session lives until the rt_eio_reap after its on_close;
 * its handle may be used until on_close returns. Thread: the loop's. Must not know: libuv and fds,
 * rooms, Frappe.
 *
 * A session (docs/protocol.md has the tests to it):
 *
 *      handshake          probe `2probe`            `5`
 *   ──────────► POLLING ◄───────────────► PROBING ──────► WEBSOCKET
 *      │            │ close()                │ ws gone       │
 *      │ ws=direct  ▼                        ▼               │
 *      └───────► CLOSING (queue drains   POLLING             │
 *                   │  to the next poll, 30 s)               │
 *                   ▼                                        ▼
 *                 CLOSED ◄────────────────────────────────────
 */
#ifndef RT_ENGINEIO_ENGINEIO_H
#define RT_ENGINEIO_ENGINEIO_H

#include "base/counters.h"
#include "base/figures.h"
#include "base/msg.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/timers.h"
#include "base/unfinished.h"
#include "engineio/port.h"
#include "wire/http.h"

#include <stdint.h>

/* Defaults, as the reference server's. */
#define RT_EIO_PING_INTERVAL_MS 25000
#define RT_EIO_PING_TIMEOUT_MS 20000
#define RT_EIO_UPGRADE_TIMEOUT_MS 10000
#define RT_EIO_MAX_PAYLOAD 1000000
#define RT_EIO_DRAIN_MS 30000
#define RT_EIO_COMPRESS_MIN 1024 /* bytes of a polling answer */
/* Ours. */
#define RT_EIO_NOOP_MS 100                    /* while probing, a poll waits no longer */
#define RT_EIO_OWED_MAX (8u << 20)            /* bytes; a client that is owed more is slow */
#define RT_EIO_SESSIONS_MAX 200000            /* open at a time */
#define RT_EIO_NEWCOMERS_MAX 20000            /* sessions that are not let in yet */
#define RT_EIO_NEWCOMER_BYTES_MAX (32u << 20) /* that they may take together */
#define RT_EIO_HANDSHAKES_PER_SECOND 200      /* of one address; ten times that at once */
#define RT_EIO_NEWCOMERS_PART 5 /* one address may have so large a part of the newcomers */
#define RT_EIO_PEERS_MAX 65536  /* addresses that are kept account of */
#define RT_EIO_CONNECTIONS_PER_PEER_MAX 10000 /* of one address */
#define RT_EIO_UNFINISHED_TIMEOUT_MS 60000    /* for the rest of what has come in part */
#define RT_EIO_UNFINISHED_MAX (32u << 20)     /* bytes of all that has come in part */
#define RT_EIO_SLICE_PACKETS_MAX 64           /* of one client in a turn; the rest waits a turn */
#define RT_EIO_SLICE_BYTES_MAX (256u << 10)   /* the same for their bytes */
#define RT_EIO_PACKET_BYTES 16384             /* so many of a packet are paid for as one more */
#define RT_EIO_BURST_S 4               /* seconds of packets_per_second that one may save up */
#define RT_EIO_ANSWERS_MAX (64u << 10) /* bytes of answers to a POST that no poll fetches */
#define RT_EIO_COMPRESS_MAX (1u << 20) /* bytes; a larger answer would stop the loop: plain */
#define RT_EIO_PING_LATE_PART 10       /* a late ping takes at most this part of the timeout */

/* Why a session ended: what clients are told, and a sentence. The last two are for the layer above,
 * whose conversations end while the session goes on. */
#define RT_EIO_REASON_LIST(X)                                                                      \
    X(RT_EIO_TRANSPORT_CLOSE, "transport close", "Sessions whose client closed the connection.")   \
    X(RT_EIO_TRANSPORT_ERROR, "transport error",                                                   \
      "Sessions whose connection broke, or whose client broke a rule of the transport.")           \
    X(RT_EIO_PING_TIMEOUT, "ping timeout", "Sessions whose client did not answer a ping in time.") \
    X(RT_EIO_PARSE_ERROR, "parse error", "Sessions whose client sent no Engine.IO packet.")        \
    X(RT_EIO_FORCED_CLOSE, "forced close", "Sessions closed by the rules of a layer above.")       \
    X(RT_EIO_SERVER_SHUTDOWN, "server shutting down", "Sessions closed because the server stops.") \
    X(RT_EIO_SLOW_CLIENT, "slow client", "Sessions whose client was owed too much.")               \
    X(RT_EIO_NO_MEMORY, "out of memory", "Sessions closed because memory ran out.")                \
    X(RT_EIO_CROWDED_OUT, "crowded out", "Sessions not logged in that made room for newer ones.")  \
    X(RT_EIO_CLIENT_LEFT, "client namespace disconnect",                                           \
      "Always 0 here: a client that leaves a namespace keeps its session.")                        \
    X(RT_EIO_SERVER_LEFT, "server namespace disconnect",                                           \
      "Always 0 here: a socket put out of a namespace keeps its session.")
enum rt_eio_reason { RT_EIO_REASON_LIST(RT_COUNTER_ENUM) RT_EIO_REASONS };
const char *rt_eio_reason_text(enum rt_eio_reason reason);

enum rt_eio_cors {
    RT_EIO_CORS_OFF,     /* no CORS headers; OPTIONS is a bad handshake method */
    RT_EIO_CORS_ANY,     /* "*" */
    RT_EIO_CORS_REFLECT, /* the request's Origin, with credentials */
    RT_EIO_CORS_ASK,     /* reflect if rt_eio_app.allow_origin says so */
};

typedef struct rt_eio_opts {
    uint32_t ping_interval_ms;
    uint32_t ping_timeout_ms;
    uint32_t upgrade_timeout_ms;
    uint32_t drain_ms;
    uint32_t max_payload; /* bytes of one POST body or WebSocket message */
    uint32_t max_owed;    /* bytes */
    uint32_t max_sessions;
    uint32_t max_newcomers;            /* sessions that are not let in yet ... */
    uint32_t max_newcomer_bytes;       /* ... and what they take together */
    uint32_t unfinished_timeout_ms;    /* for the rest of a message or a body ... */
    uint32_t max_unfinished;           /* ... and bytes of all that have come in part */
    uint32_t handshakes_per_second;    /* of one address */
    uint32_t max_connections_per_peer; /* of one address */
    uint32_t max_peers;
    uint32_t packets_per_second; /* of one client, all that it sends; 0: any number */
    uint32_t compress_min; /* bytes of a polling answer from which it is compressed; 0: never */
    enum rt_eio_cors cors;
    bool allow_upgrades;
    bool allow_polling;
    bool allow_websocket;
    bool allow_jsonp;   /* polling by script tags: any page can read what they get */
    const char *cookie; /* name of the cookie with the sid; NULL: none */
} rt_eio_opts;

/* The defaults above; cors off, both transports, upgrades on, JSONP off. */
void rt_eio_opts_default(rt_eio_opts *opts);

#define RT_EIO_COUNTERS(X)                                                                         \
    X(RT_EIO_SESSIONS_OPENED, "sessions_opened", "Engine.IO sessions opened.")                     \
    X(RT_EIO_SESSIONS_CLOSED, "sessions_closed", "Engine.IO sessions closed.")                     \
    X(RT_EIO_UPGRADES, "upgrades", "Sessions that went from polling to WebSocket.")                \
    X(RT_EIO_UPGRADES_FAILED, "upgrades_failed",                                                   \
      "WebSockets that did not finish their session's upgrade.")                                   \
    X(RT_EIO_POLLS, "polls", "GET requests of polling clients.")                                   \
    X(RT_EIO_POSTS, "posts", "POST requests of polling clients.")                                  \
    X(RT_EIO_COMPRESSED, "polls_compressed", "Answers to polls sent compressed.")                  \
    X(RT_EIO_COMPRESS_TOO_BIG, "polls_too_big_to_compress",                                        \
      "Answers to polls sent uncompressed because they were too big.")                             \
    X(RT_EIO_PACKETS_IN, "packets_in", "Engine.IO packets received.")                              \
    X(RT_EIO_PACKETS_OUT, "packets_out",                                                           \
      "Blocks of packets handed to sessions; a batch of events counts once.")                      \
    X(RT_EIO_REFUSED_TRANSPORT, "refused_transport_unknown",                                       \
      "Requests refused: unknown transport.")                                                      \
    X(RT_EIO_REFUSED_SID, "refused_session_unknown", "Requests refused: unknown session.")         \
    X(RT_EIO_REFUSED_METHOD, "refused_handshake_method",                                           \
      "Handshakes refused: the method was not GET.")                                               \
    X(RT_EIO_REFUSED_REQUEST, "refused_bad_request", "Requests refused: bad parameters.")          \
    X(RT_EIO_REFUSED_FORBIDDEN, "refused_forbidden", "Handshakes refused by the application.")     \
    X(RT_EIO_REFUSED_VERSION, "refused_protocol_version",                                          \
      "Handshakes refused: unsupported protocol version.")                                         \
    X(RT_EIO_REFUSED_FULL, "refused_sessions_max",                                                 \
      "Handshakes refused because there were too many sessions.")                                  \
    X(RT_EIO_REFUSED_TOO_BIG, "refused_payload_too_big",                                           \
      "Request bodies and WebSocket messages refused as too big.")                                 \
    X(RT_EIO_REFUSED_OVERLAP, "refused_overlapping_request",                                       \
      "Polls and posts refused because the session had one open.")                                 \
    X(RT_EIO_REFUSED_MEDIA_TYPE, "refused_media_type",                                             \
      "Posts refused because they were application/octet-stream.")                                 \
    X(RT_EIO_REFUSED_SESSION_METHOD, "refused_session_method",                                     \
      "Requests in a session refused: neither GET nor POST.")                                      \
    X(RT_EIO_REFUSED_WEBSOCKET, "refused_second_websocket",                                        \
      "WebSockets refused because the session had one.")                                           \
    X(RT_EIO_SLICED, "turns_shared", "Times that packets of a client waited for the next turn.")   \
    X(RT_EIO_PACED, "packets_paced",                                                               \
      "Times that a client had sent more than it may, and more was read later.")                   \
    X(RT_EIO_POSTS_PAUSED, "posts_paused",                                                         \
      "Times that packets of a post waited until a poll fetched the answers to others.")           \
    X(RT_EIO_DRAINS_TIMED_OUT, "drains_timed_out",                                                 \
      "Closed polling sessions whose client did not fetch the rest in time.")                      \
    X(RT_EIO_HANDSHAKES_NO_MEMORY, "handshakes_no_memory",                                         \
      "Handshakes refused because memory ran out.")                                                \
    X(RT_EIO_UNFINISHED_LATE, "unfinished_timed_out",                                              \
      "Clients closed because the rest of a message did not come in time.")                        \
    X(RT_EIO_UNFINISHED_OVER_MAX, "unfinished_over_max",                                           \
      "Clients closed because messages that had come in part took too much memory.")               \
    X(RT_EIO_REFUSED_OFTEN, "refused_handshakes_often",                                            \
      "Handshakes refused with 429 because one address made too many in a short time.")            \
    X(RT_EIO_REFUSED_NEWCOMERS, "refused_newcomers_max",                                           \
      "Handshakes refused with 429 because too many of one address waited for their login.")       \
    X(RT_EIO_REFUSED_CONNECTIONS, "refused_connections_per_peer",                                  \
      "Connections closed at once because one address had too many.")                              \
    X(RT_EIO_PEERS_OVER_MAX, "peers_over_max",                                                     \
      "Handshakes and connections charged to no address because there were too many addresses.")   \
    X(RT_EIO_HANDSHAKE_TOO_BIG, "refused_handshake_too_big",                                       \
      "Handshakes refused because their login fields were too big, answered with 431.")            \
    X(RT_EIO_BAD_FRAMES, "bad_websocket_frames",                                                   \
      "WebSockets closed because a frame broke the protocol.")
RT_COUNTERS_DECLARE(rt_eio, RT_EIO_COUNTERS)

typedef struct rt_eio rt_eio;
typedef struct rt_eio_session rt_eio_session;
typedef struct rt_eio_peer rt_eio_peer;

/* Calls up. Each of them may close any session. */
typedef struct rt_eio_app {
    void *ctx;
    size_t user_size; /* bytes of each session for the app (rt_eio_user), zero at first */
    /* A new session. RT_OK, or an error: it ends at once. */
    RT_MUST_CHECK int (*on_open)(void *ctx, rt_eio_session *s);
    void (*on_message)(void *ctx, rt_eio_session *s, bool binary, rt_slice bytes);
    /* Exactly once for each on_open that returned RT_OK. The handle is invalid afterwards. */
    void (*on_close)(void *ctx, rt_eio_session *s, enum rt_eio_reason reason);
    /* The client has sent more than opts.packets_per_second; what follows is read later. May be
     * NULL. */
    void (*on_paced)(void *ctx, rt_eio_session *s);
    /* Send what is held back: the turn ends, or a poll is about to be answered. May be NULL. */
    void (*flush)(void *ctx);
    /* Whether anything is held back. May be NULL. */
    bool (*has_pending)(void *ctx);
    /* May this Origin get CORS headers? Asked only under RT_EIO_CORS_ASK; may be NULL otherwise. */
    bool (*allow_origin)(void *allow_origin_ctx, const rt_http_request *req, rt_slice origin);
    void *allow_origin_ctx;
    /* May this handshake go on? An empty slice: yes. Otherwise the message of error 4
     * (`Forbidden`), valid until the answer is built. May be NULL. */
    rt_slice (*forbid)(void *ctx, const rt_http_request *req);
    /* What is kept of a handshake until rt_eio_drop_handshake: fills `kept`, which begins as the
     * request without its headers; `headers` has room for all of them. Slices of the request.
     * RT_OK, or RT_ELIMIT: the handshake is refused as too big. NULL: the whole request is kept. */
    RT_MUST_CHECK int (*keep)(void *keep_ctx, const rt_http_request *req, rt_http_header *headers,
                              rt_http_request *kept);
    void *keep_ctx;
} rt_eio_app;

/* `now` is the clock, in monotonic ms: the same time that rt_timers_run is given. NULL: out of
 * memory. */
RT_MUST_CHECK rt_eio *rt_eio_new(const rt_eio_opts *opts, const rt_eio_app *app, rt_timers *timers,
                                 uint64_t (*now)(void *ctx), void *now_ctx);
/* Changes opts.max_owed, also for open sessions. */
void rt_eio_set_max_owed(rt_eio *e, uint32_t max_owed);
/* Changes opts.max_newcomers and opts.max_newcomer_bytes. */
void rt_eio_set_newcomers(rt_eio *e, uint32_t max, uint32_t max_bytes);
/* Changes opts.handshakes_per_second and opts.max_connections_per_peer. */
void rt_eio_set_peers(rt_eio *e, uint32_t handshakes_per_second, uint32_t max_connections);
/* Changes opts.max_unfinished. */
void rt_eio_set_max_unfinished(rt_eio *e, uint32_t max_bytes);
/* The same for opts.packets_per_second. */
void rt_eio_set_packets_per_second(rt_eio *e, uint32_t packets);
/* Ends every session. A WebSocket gets a close frame, a waiting poll `1` or, when the server shuts
 * down, no answer. */
void rt_eio_close_all(rt_eio *e, enum rt_eio_reason reason);
/* After rt_eio_close_all, when no port is left. */
void rt_eio_free(rt_eio *e);

/* --- from the connection --- */

/* A connection from that address (port.h) has come. RT_OK: once it has gone, hand *peer back; NULL:
 * nobody is charged. RT_ELIMIT: the address has too many. */
RT_MUST_CHECK int rt_eio_connected(rt_eio *e, const char *address, rt_eio_peer **peer);
void rt_eio_disconnected(rt_eio *e, rt_eio_peer *peer); /* NULL is fine */

/* The head of a request under the Engine.IO path; body and end follow. The answer comes through the
 * port, now or later. RT_OK, or an error: close the connection at once, without an answer. No call
 * may follow rt_eio_port_closed. */
RT_MUST_CHECK int rt_eio_request(rt_eio *e, rt_eio_port *port, const rt_http_request *req);
RT_MUST_CHECK int rt_eio_request_body(rt_eio *e, rt_eio_port *port, rt_slice bytes);
RT_MUST_CHECK int rt_eio_request_end(rt_eio *e, rt_eio_port *port);
/* WebSocket bytes, after ops.upgrade. They are unmasked in place. Returns how many were taken: the
 * others have not been touched, and are fed again in a later turn. */
size_t rt_eio_websocket_bytes(rt_eio *e, rt_eio_port *port, char *bytes, size_t n);
/* Before that time nothing more may be read from the WebSocket; 0: it may. Then
 * rt_eio_websocket_bytes is called, were it without bytes. */
uint64_t rt_eio_websocket_again(const rt_eio_port *port);
/* The connection has gone: by an error (`broken`) or by the end of the stream. Does nothing when up
 * is NULL. */
void rt_eio_port_closed(rt_eio *e, rt_eio_port *port, bool broken);
/* After a write the connection still owes more than max_owed: its session ends as a slow client. */
void rt_eio_port_slow(rt_eio *e, rt_eio_port *port);

/* --- from the loop --- */

/* Once per turn, before the connections are written: answers waiting polls, ends slow sessions. */
void rt_eio_flush(rt_eio *e);
/* What the polling session that is owed the most is owed (RT_OUTQ_ENTRY). O(sessions). */
size_t rt_eio_most_owed(const rt_eio *e);
/* Ends polling sessions that are owed so much, until all messages (rt_msg_memory) take no more than
 * the budget. Returns how many. */
uint32_t rt_eio_end_most_owed(rt_eio *e, size_t least, size_t budget);
/* Whether rt_eio_flush has something to do. */
bool rt_eio_has_pending(const rt_eio *e);
/* Once per turn, after all else: frees ended sessions. */
void rt_eio_reap(rt_eio *e);

/* --- from above --- */

/* Queues a message: complete WebSocket frames, text or binary, which sessions share. The queue has
 * a reference of its own. A session that is closing drops it, as in the reference. */
void rt_eio_send(rt_eio_session *s, rt_msg *frames);
/* Prefetches the connection of a session that is about to be sent to. */
void rt_eio_expect(const rt_eio_session *s);
/* Closes a session. A WebSocket gets a close frame, a polling client `1`, at its next poll within
 * the drain time. on_close comes before this returns. */
void rt_eio_close(rt_eio_session *s, enum rt_eio_reason reason);

/* Whether a message sent now leaves in this turn: the WebSocket is not blocked, or a poll waits. */
bool rt_eio_ready(const rt_eio_session *s);

/* Where the app, too, accounts for what has come in part. */
rt_unfinished_all *rt_eio_unfinished(const rt_eio_session *s);

/* The app's bytes of the session. They live as long as it: until the reap after on_close. */
void *rt_eio_user(rt_eio_session *s);
rt_slice rt_eio_sid(const rt_eio_session *s);
bool rt_eio_is_websocket(const rt_eio_session *s);

/* A copy of the handshake request, or of what rt_eio_app.keep chose. NULL after
 * rt_eio_drop_handshake. */
const rt_http_request *rt_eio_handshake_of(const rt_eio_session *s);
/* The app lets the client in and needs its handshake no more. Until then the session is a newcomer:
 * when there are too many, it makes room for newer ones. */
void rt_eio_drop_handshake(rt_eio_session *s);

/* --- figures --- */
typedef struct rt_eio_figures {
    uint32_t sessions, polling, websocket, pending_polls, newcomers, peers;
    size_t newcomer_bytes, unfinished_bytes;
    uint64_t closed[RT_EIO_REASONS];
    rt_eio_counters counters;
} rt_eio_figures;
void rt_eio_get_figures(const rt_eio *e, rt_eio_figures *out);
void rt_eio_show_figures(const rt_eio *e, const rt_figures *to);

#endif
