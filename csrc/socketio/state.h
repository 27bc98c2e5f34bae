/* What the files of socketio share and nobody else sees: server, client, socket, namespace, room.
 *
 * A file calls only those above it in this list, or to its left:
 *
 *     encode.c packet.c placeholder.c   packets
 *     namespace.c room.c                sets of sockets
 *     batch.c                           events that are held for a room
 *     membership.c emit.c               joining and leaving; sending to one socket
 *     ack.c fanout.c                    acknowledgements; sending to many
 *     socket.c client.c socketio.c      the life of a socket, a client, the server
 *
 * Ownership: a client is part of its session (rt_eio_user). A socket is in the list of its client
 * until it closes, then in rt_sio.closed until the reap. A namespace lives while a socket,
 * connected or asking, is in it; a room while it has members or pins. Thread: the loop's. */
#ifndef RT_SOCKETIO_STATE_H
#define RT_SOCKETIO_STATE_H

#include "base/buf.h"
#include "base/map.h"
#include "base/random.h"
#include "base/status.h"
#include "socketio/packet.h"
#include "socketio/socketio.h"

typedef struct rt_sio_client rt_sio_client;
typedef struct rt_sio_room rt_sio_room;

/* A run of events to one room in one turn, not sent yet (batch.c). */
typedef struct rt_sio_batch {
    rt_sio_room *room; /* pinned; NULL: no events are held */
    rt_msg *msg;
} rt_sio_batch;

struct rt_sio {
    rt_sio_opts opts;
    rt_sio_app app;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    rt_random random;
    rt_map namespaces; /* by name */
    rt_list closed;    /* sockets to free */
    rt_timerq connect_due;
    rt_alarms *alarms;      /* the loop's */
    rt_sio_moved_fn *moved; /* may be NULL */
    void *moved_arg;
    uint32_t stamp; /* of the last event to a target (fanout.c) */
    rt_sio_batch batch;
    uint32_t clients, sockets, rooms;
    rt_sio_counters counters;
};

/* A binary packet whose attachments are still coming. */
typedef struct rt_sio_incoming {
    rt_unfinished unfinished;
    rt_sio_client *client;
    rt_buf bytes; /* the packet's text, then the attachments */
    size_t text_len;
    unsigned expected, have;
    size_t ends[]; /* end of each attachment in bytes */
} rt_sio_incoming;

struct rt_sio_client {
    rt_eio_session *session;
    rt_list sockets;
    rt_timer connect_timer;
    rt_sio_incoming *incoming;
    void *user;
    uint32_t socket_count;
    bool gone; /* the session has ended */
};

enum rt_sio_state { RT_SIO_ASKING, RT_SIO_IN, RT_SIO_OUT };

typedef struct rt_sio_membership {
    rt_sio_room *room;
    uint32_t at; /* index of this socket in room->members */
} rt_sio_membership;

/* The first cache line is what a delivery reads. */
struct rt_sio_socket {
    rt_eio_session *session; /* of its client */
    uint8_t state;
    uint8_t bits;   /* the app's */
    uint32_t stamp; /* of the last event to a target that was for it, or excepted it */
    uint32_t at;    /* index in ns->sockets, while IN */
    char id[RT_ID_LEN];
    rt_list node; /* in its client's sockets or rt_sio.closed */
    rt_sio_ns *ns;
    void *user;
    rt_sio_membership *memberships;
    uint32_t room_count, room_cap;
    rt_list acks; /* rt_sio_ack_wait.node */
};

struct rt_sio_ns {
    rt_sio *io;
    rt_map rooms;
    rt_sio_socket **sockets; /* the connected ones */
    uint32_t count, cap;
    uint32_t users; /* sockets, with those that ask or are not freed yet */
    uint64_t next_ack;
    uint32_t name_len;
    char name[];
};

typedef struct rt_sio_member {
    rt_sio_socket *socket;
    uint32_t at; /* index of this room in socket->memberships */
} rt_sio_member;

struct rt_sio_room {
    rt_sio_ns *ns;
    union {
        rt_sio_member one;   /* while cap is 0: the only member, as in most users' rooms */
        rt_sio_member *many; /* `cap` entries */
    };
    uint32_t count, cap;
    uint32_t asking; /* members that are not let in yet; they get no events */
    uint32_t pins;   /* it must stay: a caller or a batch still refers to it */
    uint32_t name_len;
    char name[];
};

static inline void rt_sio_tally(rt_sio *io, int counter) {
    io->counters.v[counter]++;
}

/* Counts an event that was sent to so many sockets; returns that number. */
static inline uint32_t rt_sio_tally_sent(rt_sio *io, uint32_t sent) {
    rt_sio_tally(io, sent ? RT_SIO_EVENTS_OUT : RT_SIO_EVENTS_TO_NOBODY);
    io->counters.v[RT_SIO_DELIVERIES] += sent;
    return sent;
}

/* An event as a packet, binary if it has attachments. */
static inline rt_sio_out rt_sio_event_out(const rt_sio_ns *ns, rt_slice event, rt_slice args,
                                          const rt_slice *attachments, unsigned count) {
    return (rt_sio_out){.type = count ? RT_SIO_BINARY_EVENT : RT_SIO_EVENT,
                        .ns = rt_sio_ns_name(ns),
                        .event = event,
                        .args = args,
                        .attachments = attachments,
                        .attachment_count = count};
}

/* One event as a message. NULL: no memory, and that is counted. */
static inline rt_msg *rt_sio_event_msg(rt_sio *io, const rt_sio_out *o) {
    rt_msg *m = rt_sio_out_msg(o);
    if (!m)
        rt_sio_tally(io, RT_SIO_NO_MEMORY);
    return m;
}

static inline rt_sio_member *rt_sio_room_members(rt_sio_room *r) {
    return r->cap ? r->many : &r->one;
}

static inline rt_sio_client *rt_sio_client_of(const rt_sio_socket *s) {
    return rt_eio_user(s->session);
}

/* No memory for something that the client must not miss: drop it, it comes back by itself. */
static inline void rt_sio_client_no_memory(rt_sio *io, const rt_sio_client *c) {
    rt_sio_tally(io, RT_SIO_NO_MEMORY);
    rt_eio_close(c->session, RT_EIO_NO_MEMORY);
}

static inline rt_slice rt_sio_room_name(const rt_sio_room *r) {
    return rt_slice_make(r->name, r->name_len);
}

/* --- client.c --- */
RT_MUST_CHECK int rt_sio_client_on_open(void *io, rt_eio_session *s);
void rt_sio_client_on_message(void *io, rt_eio_session *s, bool binary, rt_slice bytes);
void rt_sio_client_on_close(void *io, rt_eio_session *s, enum rt_eio_reason reason);
void rt_sio_client_on_paced(void *io, rt_eio_session *session);

/* --- socket.c --- */
/* A socket that asks for a namespace; NULL: out of memory. */
RT_MUST_CHECK rt_sio_socket *rt_sio_socket_new(rt_sio *io, rt_sio_client *c, rt_slice ns);
/* Leaves its rooms and namespace, then calls on_disconnect. Its memory waits for the reap. */
void rt_sio_socket_end(rt_sio_socket *s, enum rt_eio_reason reason);
rt_sio_socket *rt_sio_socket_find(const rt_sio_client *c, rt_slice ns);
void rt_sio_socket_free(rt_sio_socket *s);
/* Sends the CONNECT answer. */
void rt_sio_socket_greet(rt_sio_socket *s);

/* --- namespace.c --- */
/* For a new socket: finds or makes the namespace, counts one user more. NULL: no memory. */
RT_MUST_CHECK rt_sio_ns *rt_sio_ns_enter(rt_sio *io, rt_slice name);
void rt_sio_ns_exit(rt_sio_ns *ns); /* one user less; the last one frees it */
RT_MUST_CHECK int rt_sio_ns_add(rt_sio_ns *ns, rt_sio_socket *s); /* to the connected ones */
void rt_sio_ns_remove(rt_sio_ns *ns, rt_sio_socket *s);

/* --- room.c --- */
RT_MUST_CHECK rt_sio_room *rt_sio_room_new(rt_sio_ns *ns,
                                           rt_slice name); /* empty; NULL: no memory */
rt_sio_room *rt_sio_room_find(const rt_sio_ns *ns, rt_slice name);
RT_MUST_CHECK bool rt_sio_room_grow(rt_sio_room *r); /* memory for one member more */
/* Removes the member at that index; the last one moves into its place. */
void rt_sio_room_remove(rt_sio_room *r, uint32_t at);
/* Frees it when nobody is in it and nobody pins it. */
void rt_sio_room_settle(rt_sio_room *r);
/* Sends to its connected members except one (may be NULL); returns to how many. The caller pins the
 * room, since sending may end sessions. */
uint32_t rt_sio_room_send(rt_sio_room *r, rt_msg *m, const rt_sio_socket *except);

/* --- membership.c --- */
/* Leaves every room of a socket that is OUT already; calls on_left if `tell`. */
void rt_sio_leave_all(rt_sio_socket *s, bool tell);
/* Call it before the socket leaves the state ASKING: its rooms no longer count it as asking. */
void rt_sio_stop_asking(rt_sio_socket *s);

/* --- ack.c --- */
void rt_sio_acks_answer(rt_sio_socket *s, uint64_t id, const rt_sio_event *answer);
void rt_sio_acks_drop(rt_sio_socket *s);

/* --- batch.c --- */
/* Holds the event for the room, behind those that are held for it already. Returns how many sockets
 * are to get it. */
uint32_t rt_sio_batch_add(rt_sio *io, rt_sio_room *r, const rt_sio_out *o);
/* Sends what is held. Call it before anything else is queued to a socket and before a room changes.
 * When memory runs out, clients may end by it, with their sockets. */
void rt_sio_batch_flush(void *io);
bool rt_sio_batch_pending(void *io);

/* --- emit.c --- */
/* Sends one packet to one socket. */
void rt_sio_emit_packet(rt_sio_socket *s, const rt_sio_out *o);

#endif
