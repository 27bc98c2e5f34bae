/* Socket.IO protocol 5, server side: namespaces, sockets, rooms, fan-out, acknowledgements.
 *
 * The public header of the layer. Below it is engineio. Above it is one app (Frappe's rules, or a
 * conformance program), which it calls through a table of callbacks.
 *
 *   client  = one Engine.IO session          socket = one client in one namespace
 *   room    = a set of sockets of one namespace; exists while it has members
 *
 * Ownership: rt_sio owns all of them. A socket handle may be used until on_disconnect returns, a
 * namespace or room handle until the call that looked it up returns. Thread: the loop's.
 * Must not know: polling or WebSocket, headers, users, Redis, Python.
 *
 * JSON is passed as text. `event` is a JSON string with its quotes. `args` are the elements of the
 * argument array without its brackets: "" for none, `1,{"a":2}` for two. Both must have passed
 * rt_json_check or come from rt_json_put_str. */
#ifndef RT_SOCKETIO_SOCKETIO_H
#define RT_SOCKETIO_SOCKETIO_H

#include "base/counters.h"
#include "base/status.h"
#include "base/figures.h"
#include "engineio/engineio.h"

#define RT_SIO_CONNECT_TIMEOUT_MS 45000 /* the reference's; not while the app decides */
#define RT_SIO_ATTACHMENTS_MAX 10       /* the reference's, since version 4.2.6 of its parser */
#define RT_SIO_BINARY_BYTES_MAX 1000000 /* all attachments of one packet */
#define RT_SIO_SOCKETS_PER_CLIENT_MAX 32
#define RT_SIO_ROOMS_PER_SOCKET_MAX 1000
#define RT_SIO_ROOM_NAME_MAX 1024      /* bytes */
#define RT_SIO_NAMESPACE_MAX 300       /* bytes, with the leading slash */
#define RT_SIO_ACKS_PER_SOCKET_MAX 100 /* events that wait for the client's ack */
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
    X(RT_SIO_CONNECTS, "connects", "Sockets let into a namespace.")                                \
    X(RT_SIO_CONNECTS_AGAIN, "connects_again",                                                     \
      "CONNECT packets for a namespace that the client was in already.")                           \
    X(RT_SIO_CONNECTS_REFUSED, "connects_refused", "Sockets refused with CONNECT_ERROR.")          \
    X(RT_SIO_CONNECT_TIMEOUTS, "connect_timeouts",                                                 \
      "Clients closed because they joined no namespace in time.")                                  \
    X(RT_SIO_DISCONNECTS, "disconnects", "Sockets that ended, let in or not.")                     \
    X(RT_SIO_EVENTS_IN, "events_in", "Events received from clients.")                              \
    X(RT_SIO_EVENTS_OUT, "events_out", "Events sent, each counted once for all its receivers.")    \
    X(RT_SIO_DELIVERIES, "deliveries", "Events delivered, counted for each receiver.")             \
    X(RT_SIO_EVENTS_TO_NOBODY, "events_to_nobody", "Events for which nobody was there.")           \
    X(RT_SIO_VOLATILE_SKIPPED, "volatile_skipped",                                                 \
      "Deliveries of volatile events skipped because the client was not ready.")                   \
    X(RT_SIO_BATCHED, "events_batched", "Events written behind the one before to the same room.")  \
    X(RT_SIO_ACKS_IN, "acks_in", "Acknowledgements received that somebody waited for.")            \
    X(RT_SIO_ACKS_TIMED_OUT, "acks_timed_out",                                                     \
      "Acknowledgements given up because they took too long.")                                     \
    X(RT_SIO_ACKS_UNKNOWN, "acks_unknown", "Acknowledgements received that nobody waited for.")    \
    X(RT_SIO_BAD_PACKETS, "bad_packets",                                                           \
      "Clients closed because a packet broke the protocol or a limit.")                            \
    X(RT_SIO_ROOMS_OVER_MAX, "rooms_over_max", "Rooms not joined: too many, or a name too long.")  \
    X(RT_SIO_NAMESPACES_OVER_MAX, "namespaces_over_max",                                           \
      "Clients closed: too many namespaces, or a name too long.")                                  \
    X(RT_SIO_ATTACHMENTS_OVER_MAX, "attachments_over_max",                                         \
      "Packets not sent because they had too many attachments.")                                   \
    X(RT_SIO_BINARY_OVER_MAX, "binary_over_max",                                                   \
      "Clients closed because a packet's attachments were too big.")                               \
    X(RT_SIO_ACKS_OVER_MAX, "acks_over_max",                                                       \
      "Acknowledgements not asked for because a socket owed too many.")                            \
    X(RT_SIO_NO_MEMORY, "no_memory", "Events lost and clients dropped because memory ran out.")
RT_COUNTERS_DECLARE(rt_sio, RT_SIO_COUNTERS)

typedef struct rt_sio rt_sio;
typedef struct rt_sio_socket rt_sio_socket;
typedef struct rt_sio_ns rt_sio_ns;

/* An event from a client. Slices are valid until the callback returns. */
typedef struct rt_sio_event {
    rt_slice name; /* raw JSON: a string with its quotes, or a number */
    rt_slice args; /* raw elements after the name, without brackets */
    bool wants_ack;
    uint64_t ack_id;             /* if wants_ack */
    const rt_slice *attachments; /* the bytes that the placeholders in args stand for */
    unsigned attachment_count;
} rt_sio_event;

/* Calls up. Each of them may disconnect any socket. */
typedef struct rt_sio_app {
    void *ctx;
    /* A client asks for a namespace. Answer with rt_sio_accept or rt_sio_refuse, in the call or
     * later, unless on_disconnect comes first. `auth` is the CONNECT payload, an object, or empty.
     * An event that comes before the answer closes the client, as in the reference. */
    void (*on_connect)(void *ctx, rt_sio_socket *s, rt_slice auth);
    void (*on_event)(void *ctx, rt_sio_socket *s, const rt_sio_event *ev);
    /* The client of this socket has sent more than it may: what follows is read later. May be NULL.
     */
    void (*on_paced)(void *ctx, rt_sio_socket *s);
    /* Once for every on_connect that was not refused. The socket is no longer in any room;
     * rt_sio_socket_user, _socket_ns_name and _client_user still work. */
    void (*on_disconnect)(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason);
    /* For each room that a socket leaves by disconnecting, before on_disconnect. The socket is out
     * of all its rooms already. May be NULL. */
    void (*on_left)(void *ctx, rt_sio_socket *s, rt_slice room);
    /* The session of a client has ended and its sockets are gone. Frees rt_sio_client_user. */
    void (*on_client_gone)(void *ctx, void *client_user);
} rt_sio_app;

RT_MUST_CHECK rt_sio *rt_sio_new(const rt_sio_opts *opts, const rt_sio_app *app, rt_timers *timers,
                                 uint64_t (*now)(void *ctx),
                                 void *now_ctx); /* NULL: out of memory */
void rt_sio_free(rt_sio *io);                    /* after rt_eio_close_all and rt_eio_free */
/* The table for rt_eio_new; allow_origin is NULL. */
rt_eio_app rt_sio_engine_app(rt_sio *io);
/* Once per turn, next to rt_eio_reap. */
void rt_sio_reap(rt_sio *io);

/* --- sockets --- */

/* Lets the socket in and answers `40/ns,{"sid":".."}`. Join the first rooms before this call, so
 * that the socket misses no event. */
void rt_sio_accept(rt_sio_socket *s);
/* Answers `44/ns,{"message":".."}`. The handle is invalid afterwards. */
void rt_sio_refuse(rt_sio_socket *s, rt_slice message);
/* Sends a DISCONNECT packet, then calls on_disconnect. The session stays open. */
void rt_sio_disconnect(rt_sio_socket *s);
/* Drops the whole client without a packet: it comes back by itself. */
void rt_sio_drop_client(rt_sio_socket *s, enum rt_eio_reason reason);

void *rt_sio_socket_user(const rt_sio_socket *s); /* the app's, NULL at first */
void rt_sio_socket_set_user(rt_sio_socket *s, void *user);
/* Eight bits for the app, 0 at first. */
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

/* RT_OK (also if it is in the room already), RT_ELIMIT (rooms of the socket, length of the name),
 * RT_ENOMEM, RT_ECLOSED. */
RT_MUST_CHECK int rt_sio_join(rt_sio_socket *s, rt_slice room);
/* True: it was in the room. */
bool rt_sio_leave(rt_sio_socket *s, rt_slice room);
bool rt_sio_in_room(const rt_sio_socket *s, rt_slice room);
/* The i-th member, in no order; false: i is past the last. O(1). A join or leave between two calls
 * changes the numbers. */
RT_MUST_CHECK bool rt_sio_room_member(const rt_sio_ns *ns, rt_slice room, uint32_t i,
                                      rt_sio_socket **socket);
uint32_t rt_sio_room_size(const rt_sio_ns *ns, rt_slice room);
/* The i-th room of a socket, in the same way. */
RT_MUST_CHECK bool rt_sio_socket_room(const rt_sio_socket *s, uint32_t i, rt_slice *room);
/* Calls `moved` from now on for every room that a connected socket joins or leaves, except those it
 * leaves by disconnecting. NULL: no calls. `moved` may not join, leave or close anything. */
typedef void rt_sio_moved_fn(void *arg, rt_sio_socket *s, rt_slice room, bool joined);
void rt_sio_watch_rooms(rt_sio *io, rt_sio_moved_fn *moved, void *arg);

/* --- namespaces --- */
rt_sio_ns *rt_sio_ns_find(const rt_sio *io, rt_slice name); /* with the slash; NULL: nobody is in */
rt_slice rt_sio_ns_name(const rt_sio_ns *ns);
/* Its connected sockets, numbered as for rt_sio_room_member. A new one is the last. */
uint32_t rt_sio_ns_size(const rt_sio_ns *ns);
rt_sio_socket *rt_sio_ns_socket(const rt_sio_ns *ns, uint32_t i); /* NULL past the last */
/* The next namespace that has sockets; NULL at the end. *cursor is 0 at first. */
rt_sio_ns *rt_sio_ns_next(const rt_sio *io, size_t *cursor);

/* --- sending --- */

/* Sends to a room of a namespace, except to `except` (may be NULL). Encodes once. Returns to how
 * many sockets. Consecutive events to one room in one turn share one message. */
uint32_t rt_sio_emit_room(rt_sio_ns *ns, rt_slice room, rt_slice event, rt_slice args,
                          const rt_sio_socket *except);
/* Sends to every connected socket of the namespace, in the same way. */
uint32_t rt_sio_emit_ns(rt_sio_ns *ns, rt_slice event, rt_slice args, const rt_sio_socket *except);
/* Whom an event is for. A socket that is named more than once gets it once. */
typedef struct rt_sio_target {
    const rt_slice *rooms;
    uint32_t room_count;
    rt_sio_socket *const *sockets; /* these too; all of the same namespace */
    uint32_t socket_count;
    bool everybody;  /* the whole namespace */
    bool only_ready; /* "volatile": only to those that can be sent to at once */
    rt_sio_socket *const *except;
    uint32_t except_count;
} rt_sio_target;
uint32_t rt_sio_emit_to(rt_sio_ns *ns, const rt_sio_target *to, rt_slice event, rt_slice args,
                        const rt_slice *attachments, unsigned count);
/* Whether a client would accept this event, or with an empty `event` this acknowledgement. It
 * closes on a reserved name, and on a placeholder without an attachment. `array` is the argument
 * array with its brackets. */
bool rt_sio_sound(rt_slice event, rt_slice array, unsigned attachments);
/* The next four send to one socket; to one that is not connected they send nothing. */
void rt_sio_emit(rt_sio_socket *s, rt_slice event, rt_slice args);
/* An event with binary attachments, whose placeholders are in `args`. RT_OK, RT_ECLOSED, or
 * RT_ELIMIT: there are too many. */
RT_MUST_CHECK int rt_sio_emit_binary(rt_sio_socket *s, rt_slice event, rt_slice args,
                                     const rt_slice *attachments, unsigned count);
/* Acknowledges an event that wants_ack. */
void rt_sio_ack(rt_sio_socket *s, uint64_t id, rt_slice args);
RT_MUST_CHECK int rt_sio_ack_binary(rt_sio_socket *s, uint64_t id, rt_slice args,
                                    const rt_slice *attachments, unsigned count);
/* An event that the client shall acknowledge. Calls `done` exactly once: with RT_OK and the answer,
 * or with an empty one and RT_ECLOSED (the socket has gone) or RT_AGAIN (no answer in time).
 * Returns RT_ELIMIT when too many wait or there are too many attachments; then `done` is not
 * called. */
typedef void rt_sio_ack_fn(void *arg, int status, const rt_sio_event *answer);
RT_MUST_CHECK int rt_sio_emit_ack(rt_sio_socket *s, rt_slice event, rt_slice args,
                                  rt_sio_ack_fn *done, void *arg);
RT_MUST_CHECK int rt_sio_emit_ack_binary(rt_sio_socket *s, rt_slice event, rt_slice args,
                                         const rt_slice *attachments, unsigned count,
                                         rt_sio_ack_fn *done, void *arg);
/* The same with another timeout, at most rt_sio_opts.ack_timeout_ms. */
RT_MUST_CHECK int rt_sio_emit_ack_within(rt_sio_socket *s, uint32_t timeout_ms, rt_slice event,
                                         rt_slice args, const rt_slice *attachments, unsigned count,
                                         rt_sio_ack_fn *done, void *arg);

/* --- figures --- */
typedef struct rt_sio_figures {
    uint32_t clients, sockets, namespaces, rooms;
    rt_sio_counters counters;
} rt_sio_figures;
void rt_sio_get_figures(const rt_sio *io, rt_sio_figures *out);
void rt_sio_show_figures(const rt_sio *io, const rt_figures *to);

#endif
