/* Socket.IO protocol 5, server side: namespaces, sockets, rooms, fan-out, acknowledgements.
 *
 * The layer's public header. It sits on engineio and speaks to one app (Frappe's rules, or a
 * conformance program) through a table of callbacks.
 *
 *   client  = one Engine.IO session          socket = one client in one namespace
 *   room    = a set of sockets of one namespace; exists while it has members
 *
 * Ownership: rt_sio owns all of them. A socket handle may be used until on_disconnect returns, a
 * namespace or room handle until the call that looked it up returns. Thread: the loop's.
 * Must not know: polling or WebSocket, headers, users, Redis, Python.
 *
 * JSON crosses this border as text: `event` is a JSON string with its quotes, `args` the elements
 * of the argument array without its brackets ("" for none, `1,{"a":2}` for two); both must have
 * passed rt_json_check or come from rt_json_put_str. */
#ifndef RT_SOCKETIO_SOCKETIO_H
#define RT_SOCKETIO_SOCKETIO_H

#include "base/counters.h"
#include "engineio/engineio.h"

#define RT_SIO_CONNECT_TIMEOUT_MS 45000 /* the reference's */
#define RT_SIO_ATTACHMENTS_MAX 10       /* the reference's since 4.2.6 of its parser */
#define RT_SIO_BINARY_BYTES_MAX 1000000 /* of one packet's attachments together */
#define RT_SIO_SOCKETS_PER_CLIENT_MAX 32
#define RT_SIO_ROOMS_PER_SOCKET_MAX 1000
#define RT_SIO_ROOM_NAME_MAX 1024      /* bytes */
#define RT_SIO_NAMESPACE_MAX 300       /* bytes, the leading slash included */
#define RT_SIO_ACKS_PER_SOCKET_MAX 100 /* server acks waiting for an answer */
#define RT_SIO_ACK_TIMEOUT_MS 30000

typedef struct rt_sio_opts {
    uint32_t connect_timeout_ms;
    uint32_t ack_timeout_ms;
    uint32_t max_attachments;
    uint32_t max_binary_bytes;
    uint32_t max_sockets_per_client;
    uint32_t max_rooms_per_socket;
} rt_sio_opts;
void rt_sio_opts_default(rt_sio_opts *opts);

#define RT_SIO_COUNTERS(X)                                                                         \
    X(RT_SIO_CONNECTS, "connects")                                                                 \
    X(RT_SIO_CONNECTS_AGAIN, "connects_again")                                                     \
    X(RT_SIO_CONNECTS_REFUSED, "connects_refused")                                                 \
    X(RT_SIO_CONNECT_TIMEOUTS, "connect_timeouts")                                                 \
    X(RT_SIO_DISCONNECTS, "disconnects")                                                           \
    X(RT_SIO_EVENTS_IN, "events_in")                                                               \
    X(RT_SIO_EVENTS_OUT, "events_out")                                                             \
    X(RT_SIO_DELIVERIES, "deliveries")                                                             \
    X(RT_SIO_EVENTS_TO_NOBODY, "events_to_nobody")                                                 \
    X(RT_SIO_VOLATILE_SKIPPED, "volatile_skipped")                                                 \
    X(RT_SIO_BATCHED, "events_batched")                                                            \
    X(RT_SIO_ACKS_IN, "acks_in")                                                                   \
    X(RT_SIO_ACKS_TIMED_OUT, "acks_timed_out")                                                     \
    X(RT_SIO_ACKS_UNKNOWN, "acks_unknown")                                                         \
    X(RT_SIO_BAD_PACKETS, "bad_packets")                                                           \
    X(RT_SIO_ROOMS_OVER_MAX, "rooms_over_max")                                                     \
    X(RT_SIO_NAMESPACES_OVER_MAX, "namespaces_over_max")                                           \
    X(RT_SIO_ATTACHMENTS_OVER_MAX, "attachments_over_max")                                         \
    X(RT_SIO_BINARY_OVER_MAX, "binary_over_max")                                                   \
    X(RT_SIO_ACKS_OVER_MAX, "acks_over_max")                                                       \
    X(RT_SIO_NO_MEMORY, "no_memory")
RT_COUNTERS_DECLARE(rt_sio, RT_SIO_COUNTERS)

typedef struct rt_sio rt_sio;
typedef struct rt_sio_socket rt_sio_socket;
typedef struct rt_sio_ns rt_sio_ns;

/* An event from a client. Slices are valid until the callback returns. */
typedef struct rt_sio_event {
    rt_slice name; /* raw JSON: a string with its quotes, or a number */
    rt_slice args; /* raw elements after the name, without brackets */
    bool wants_ack;
    uint64_t ack_id;             /* meaningful when wants_ack */
    const rt_slice *attachments; /* what the placeholders in args stand for */
    unsigned attachment_count;
} rt_sio_event;

/* Calls up. Any of them may disconnect the socket it is about, or others. */
typedef struct rt_sio_app {
    void *ctx;
    /* A client asks for a namespace. Answer with rt_sio_accept or rt_sio_refuse, inside the call or
     * later, unless on_disconnect comes first. `auth` is the CONNECT payload, an object, or empty.
     * Events that arrive before the answer are closed on, as the reference does. */
    void (*on_connect)(void *ctx, rt_sio_socket *s, rt_slice auth);
    void (*on_event)(void *ctx, rt_sio_socket *s, const rt_sio_event *ev);
    /* Once for every on_connect that was not refused. The socket is in no room any more, but
     * rt_sio_socket_user, _ns_name and _client still answer. */
    void (*on_disconnect)(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason);
    /* Called for each room a socket leaves because it disconnects, before on_disconnect, when the
     * socket is already out of it; may be NULL. */
    void (*on_left)(void *ctx, rt_sio_socket *s, rt_slice room);
    /* The client's session has ended and all its sockets are gone; frees rt_sio_client_user. */
    void (*on_client_gone)(void *ctx, void *client_user);
} rt_sio_app;

rt_sio *rt_sio_new(const rt_sio_opts *opts, const rt_sio_app *app, rt_timers *timers,
                   uint64_t (*now)(void *ctx), void *now_ctx); /* NULL: out of memory */
void rt_sio_free(rt_sio *io); /* after rt_eio_close_all and rt_eio_free */
/* What to hand to rt_eio_new; allow_origin is left NULL. */
rt_eio_app rt_sio_engine_app(rt_sio *io);
/* Once per turn, next to rt_eio_reap. */
void rt_sio_reap(rt_sio *io);

/* --- sockets --- */

/* Lets the socket in: joins nothing, answers `40/ns,{"sid":".."}`. Rooms joined before this call
 * are kept: join the connect-time rooms first, so that no event falls between. */
void rt_sio_accept(rt_sio_socket *s);
/* Answers `44/ns,{"message":".."}`; the handle is dead afterwards. */
void rt_sio_refuse(rt_sio_socket *s, rt_slice message);
/* DISCONNECT packet, then on_disconnect. The engine stays open. */
void rt_sio_disconnect(rt_sio_socket *s);
/* Drops the whole client without a packet: it will come back by itself. */
void rt_sio_drop_client(rt_sio_socket *s, enum rt_eio_reason reason);

void *rt_sio_socket_user(const rt_sio_socket *s); /* the app's, NULL at first */
void rt_sio_socket_set_user(rt_sio_socket *s, void *user);
/* Eight bits of the app's, 0 at first. */
uint8_t rt_sio_socket_bits(const rt_sio_socket *s);
void rt_sio_socket_set_bits(rt_sio_socket *s, uint8_t bits);
void *rt_sio_client_user(const rt_sio_socket *s); /* shared by the sockets of one client */
void rt_sio_client_set_user(rt_sio_socket *s, void *user);
rt_slice rt_sio_socket_id(const rt_sio_socket *s);
rt_slice rt_sio_socket_ns_name(const rt_sio_socket *s); /* with the leading slash */
rt_sio_ns *rt_sio_socket_ns(const rt_sio_socket *s);
bool rt_sio_socket_connected(const rt_sio_socket *s); /* accepted, and not gone */
/* The handshake request of its session, or NULL when it was dropped. */
const rt_http_request *rt_sio_socket_handshake(const rt_sio_socket *s);
void rt_sio_socket_drop_handshake(rt_sio_socket *s);

/* --- rooms --- */

/* RT_OK (also when it is in already), RT_ELIMIT (rooms per socket, name length), RT_ENOMEM. */
int rt_sio_join(rt_sio_socket *s, rt_slice room);
/* True when it was in. */
bool rt_sio_leave(rt_sio_socket *s, rt_slice room);
bool rt_sio_in_room(const rt_sio_socket *s, rt_slice room);
/* The members, in no order: *socket is set to the i-th; false when i is past the last. O(1); joins
 * and leaves between calls change the numbering. */
bool rt_sio_room_member(const rt_sio_ns *ns, rt_slice room, uint32_t i, rt_sio_socket **socket);
uint32_t rt_sio_room_size(const rt_sio_ns *ns, rt_slice room);
/* The rooms of a socket, in no order, the same way. */
bool rt_sio_socket_room(const rt_sio_socket *s, uint32_t i, rt_slice *room);
/* From now on `moved` hears of every room that a connected socket joins or leaves, but not of those
 * it leaves by disconnecting. NULL: nobody does. It may not join, leave or close anything. */
typedef void rt_sio_moved_fn(void *arg, rt_sio_socket *s, rt_slice room, bool joined);
void rt_sio_watch_rooms(rt_sio *io, rt_sio_moved_fn *moved, void *arg);

/* --- namespaces --- */
rt_sio_ns *rt_sio_ns_find(const rt_sio *io, rt_slice name); /* with the slash; NULL: nobody is in */
rt_slice rt_sio_ns_name(const rt_sio_ns *ns);
/* Its connected sockets, numbered as rt_sio_room_member numbers; a new one is the last. */
uint32_t rt_sio_ns_size(const rt_sio_ns *ns);
rt_sio_socket *rt_sio_ns_socket(const rt_sio_ns *ns, uint32_t i); /* NULL past the last */
/* Each namespace that has sockets; *cursor starts at 0; NULL at the end. */
rt_sio_ns *rt_sio_ns_next(const rt_sio *io, size_t *cursor);

/* --- sending --- */

/* To a room of a namespace, encoded once; `except` (may be NULL) gets nothing. Returns how many
 * sockets it went to. Consecutive events to one room in one turn share their bytes. */
uint32_t rt_sio_emit_room(rt_sio_ns *ns, rt_slice room, rt_slice event, rt_slice args,
                          const rt_sio_socket *except);
/* To every connected socket of the namespace. */
uint32_t rt_sio_emit_ns(rt_sio_ns *ns, rt_slice event, rt_slice args, const rt_sio_socket *except);
/* Whom an event is for. Each socket gets it once, be it named by several rooms. */
typedef struct rt_sio_target {
    const rt_slice *rooms;
    uint32_t room_count;
    rt_sio_socket *const *sockets; /* these too, all of the one namespace */
    uint32_t socket_count;
    bool everybody;  /* the whole namespace */
    bool only_ready; /* "volatile": not to those who could not take it at once */
    rt_sio_socket *const *except;
    uint32_t except_count;
} rt_sio_target;
uint32_t rt_sio_emit_to(rt_sio_ns *ns, const rt_sio_target *to, rt_slice event, rt_slice args,
                        const rt_slice *attachments, unsigned count);
/* Whether an event, or with an empty `event` an acknowledgement, may be sent so: names that are the
 * library's own, and placeholders without an attachment, make a client close. `array` holds the
 * arguments, with its brackets. */
bool rt_sio_sound(rt_slice event, rt_slice array, unsigned attachments);
void rt_sio_emit(rt_sio_socket *s, rt_slice event, rt_slice args);
/* An event with binary attachments, whose placeholders are in `args`. */
int rt_sio_emit_binary(rt_sio_socket *s, rt_slice event, rt_slice args, const rt_slice *attachments,
                       unsigned count);
/* Answers an event that wants_ack. */
void rt_sio_ack(rt_sio_socket *s, uint64_t id, rt_slice args);
int rt_sio_ack_binary(rt_sio_socket *s, uint64_t id, rt_slice args, const rt_slice *attachments,
                      unsigned count);
/* An event the client shall acknowledge. `done` is called exactly once: RT_OK with the answer, or
 * RT_ECLOSED (socket gone) or RT_AGAIN (no answer in time) with an empty one. RT_ELIMIT: too many
 * waiting, or too many attachments; then `done` is not called. */
typedef void rt_sio_ack_fn(void *arg, int status, const rt_sio_event *answer);
int rt_sio_emit_ack(rt_sio_socket *s, rt_slice event, rt_slice args, rt_sio_ack_fn *done,
                    void *arg);
int rt_sio_emit_ack_binary(rt_sio_socket *s, rt_slice event, rt_slice args,
                           const rt_slice *attachments, unsigned count, rt_sio_ack_fn *done,
                           void *arg);
/* The same with a time of its own, at most rt_sio_opts.ack_timeout_ms. */
int rt_sio_emit_ack_within(rt_sio_socket *s, uint32_t timeout_ms, rt_slice event, rt_slice args,
                           const rt_slice *attachments, unsigned count, rt_sio_ack_fn *done,
                           void *arg);

/* --- figures --- */
typedef struct rt_sio_figures {
    uint32_t clients, sockets, namespaces, rooms;
    rt_sio_counters counters;
} rt_sio_figures;
void rt_sio_get_figures(const rt_sio *io, rt_sio_figures *out);

#endif
