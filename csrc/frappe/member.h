/* What this layer keeps for each socket (rt_sio_socket_user). It is small, because most sockets are
 * idle.
 *
 * Ownership: rt_member_new/free. A ticket belongs to its member; whoever unlinks it frees it.
 * Thread: the loop's. Must not know: what follows from an answer. */
#ifndef RT_FRAPPE_MEMBER_H
#define RT_FRAPPE_MEMBER_H

#include "base/status.h"
#include "frappe/ask.h"
#include "frappe/frappe.h"
#include "socketio/socketio.h"

enum rt_want {
    RT_WANT_IN,       /* to be let in */
    RT_WANT_DOCTYPE,  /* doctype_subscribe */
    RT_WANT_DOC,      /* doc_subscribe */
    RT_WANT_OPEN_DOC, /* doc_open */
    RT_WANT_ANSWER,   /* rt_frappe_permission */
    RT_WANT_NOTHING,  /* a note: how the client names a document it has open */
};

/* A request of a socket that waits for an answer, or a note about an open document. */
typedef struct rt_ticket {
    rt_waiter waiter;
    struct rt_ticket *next; /* of the same socket */
    rt_sio_socket *socket;
    rt_frappe_allowed_fn *done; /* RT_WANT_ANSWER: called with the answer */
    void *arg;
    uint16_t room_len;
    uint16_t doctype_len; /* the room is a prefix, the doctype, a slash, the name */
    uint16_t json_len;
    uint8_t want; /* enum rt_want */
    char text[];  /* the room; then JSON from the client: the docname or the CONNECT payload */
} rt_ticket;

typedef struct rt_member {
    rt_identity *identity; /* NULL until it is let in */
    rt_ticket *tickets;
    uint32_t told : 12; /* low bits of the second in which it was last told of a limit */
} rt_member;

RT_MUST_CHECK rt_member *rt_member_new(uint64_t now); /* NULL: out of memory */
void rt_member_free(rt_member *m);                    /* its tickets stop waiting */

static inline rt_member *rt_member_of(const rt_sio_socket *s) {
    return rt_sio_socket_user(s);
}

/* Whether the socket may be sent frappe_rt_limit now: once in RT_FRAPPE_TELL_MS. The time is kept
 * in 12 bits and wraps, so in one of 4096 such periods the answer is wrongly no. */
RT_MUST_CHECK bool rt_member_may_tell(rt_member *m, uint64_t now);

/* A document or doctype in a client's words. */
typedef struct rt_subject_name {
    rt_slice room;      /* its room: prefix, doctype, and for a document a slash and the name */
    size_t doctype_len; /* bytes */
    rt_slice docname;   /* as JSON, as the client sent it; empty for a doctype */
} rt_subject_name;

/* A new ticket at the head of m->tickets; NULL: out of memory. `name` NULL: it needs none. */
RT_MUST_CHECK rt_ticket *rt_ticket_new(rt_member *m, rt_sio_socket *s, enum rt_want want,
                                       const rt_subject_name *name);
/* The same for RT_WANT_IN. */
RT_MUST_CHECK rt_ticket *rt_ticket_new_in(rt_member *m, rt_sio_socket *s, rt_slice payload);
void rt_ticket_free(rt_ticket *t); /* takes it off first */
/* The ticket of that want and room, or NULL. */
rt_ticket *rt_ticket_find(const rt_member *m, enum rt_want want, rt_slice room);
uint32_t rt_ticket_waiting(const rt_member *m); /* how many wait for a permission */
static inline rt_slice rt_ticket_room(const rt_ticket *t) {
    return rt_slice_make(t->text, t->room_len);
}
static inline rt_slice rt_ticket_docname(const rt_ticket *t) {
    return rt_slice_make(t->text + t->room_len, t->json_len);
}
static inline rt_slice rt_ticket_payload(const rt_ticket *t) {
    return rt_slice_make(t->text + t->room_len, t->json_len);
}

#endif
