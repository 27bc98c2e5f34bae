/* Sending: an event is encoded once and referenced by every socket it goes to.
 *
 * Room batch: an event to a room is held until something else happens or the turn ends, and the
 * next ones to the same room are written behind it. So a run of events is one message, and costs
 * each socket one visit, one entry in its queue and one piece of a write, however many they are.
 * Anything that is queued to any socket, and every join, leave and acceptance, sends what is held
 * first, or order and membership would break. */
#include "base/prefetch.h"
#include "socketio/state.h"

#define BATCH_BYTES 65536u
#define AHEAD 4 /* deliveries: a few hundred instructions, as long as a fetch from memory takes */

rt_msg *rt_sio_event_msg(rt_sio *io, const rt_sio_out *o) {
    rt_msg *m = rt_sio_out_msg(o);
    if (!m)
        rt_sio_tally(io, RT_SIO_NO_MEMORY);
    return m;
}

/* Each step looks where the one before it has fetched. */
static void fetch_ahead(const rt_sio_member *members, uint32_t i) {
    if (i < 3 * AHEAD)
        return;
    rt_prefetch(members[i - 3 * AHEAD].socket, RT_CACHE_LINE);
    rt_prefetch(members[i - 2 * AHEAD].socket->session, RT_CACHE_LINE);
    rt_eio_expect(members[i - AHEAD].socket->session);
}

static uint32_t to_members(rt_sio_room *r, rt_msg *m, const rt_sio_socket *except) {
    uint32_t sent = 0;
    /* Sending may end a session, and with it memberships: the last member moves to its place. Going
     * backwards, what moves has been served already. */
    for (uint32_t i = r->count; i-- > 0;) {
        if (i >= r->count)
            continue;
        const rt_sio_member *members = rt_sio_room_members(r);
        rt_sio_socket *s = members[i].socket;
        fetch_ahead(members, i);
        if (s == except || s->state != RT_SIO_IN)
            continue;
        rt_eio_send(s->session, m);
        sent++;
    }
    return sent;
}

bool rt_sio_holds(void *io) {
    return ((const rt_sio *)io)->batch.room != NULL;
}

void rt_sio_release(void *arg) {
    rt_sio *io = arg;
    rt_sio_batch batch = io->batch;
    if (!batch.room)
        return;
    io->batch = (rt_sio_batch){NULL, NULL};
    rt_msg *shrunk = batch.msg->cap > batch.msg->len ? rt_msg_resize(batch.msg, 0) : NULL;
    rt_msg *m = shrunk ? shrunk : batch.msg;
    to_members(batch.room, m, NULL);
    rt_msg_rele(m);
    batch.room->pins--;
    rt_sio_room_settle(batch.room);
}

/* Writes the event behind what is held for the room. False: nothing is held for it, or there is no
 * room behind it, nor memory for more. */
static bool append(rt_sio_batch *batch, const rt_sio_room *r, const rt_sio_out *o) {
    size_t n = rt_sio_out_len(o);
    if (batch->room != r || batch->msg->len + n > BATCH_BYTES)
        return false;
    if (batch->msg->cap - batch->msg->len < n) {
        size_t room = 4 * (size_t)batch->msg->cap + n;
        rt_msg *grown = rt_msg_resize(batch->msg, room < BATCH_BYTES ? room : BATCH_BYTES);
        if (!grown)
            return false;
        batch->msg = grown;
    }
    rt_msg *m = batch->msg;
    m->len = (uint32_t)(rt_sio_out_put(o, m->data + m->len) - m->data);
    return true;
}

static uint32_t hold(rt_sio *io, rt_sio_room *r, const rt_sio_out *o) {
    rt_msg *m = rt_sio_event_msg(io, o);
    if (!m)
        return 0;
    r->pins++;
    io->batch = (rt_sio_batch){r, m};
    return r->count - r->asking;
}

/* A session that ends while it is sent to must not take the room away: the caller pins it. */
static uint32_t to_room(rt_sio *io, rt_sio_room *r, const rt_sio_out *o,
                        const rt_sio_socket *except) {
    if (!except && append(&io->batch, r, o)) {
        rt_sio_tally(io, RT_SIO_BATCHED);
        return r->count - r->asking;
    }
    rt_sio_release(io);
    if (!except)
        return r->count ? hold(io, r, o) : 0;
    rt_msg *m = rt_sio_event_msg(io, o);
    if (!m)
        return 0;
    uint32_t sent = to_members(r, m, except);
    rt_msg_rele(m);
    return sent;
}

uint32_t rt_sio_note_sent(rt_sio *io, uint32_t sent) {
    rt_sio_tally(io, sent ? RT_SIO_EVENTS_OUT : RT_SIO_EVENTS_TO_NOBODY);
    io->counters.v[RT_SIO_DELIVERIES] += sent;
    return sent;
}

static rt_sio_out event_out(const rt_sio_ns *ns, rt_slice event, rt_slice args) {
    return (rt_sio_out){
        .type = RT_SIO_EVENT, .ns = rt_sio_ns_name(ns), .event = event, .args = args};
}

uint32_t rt_sio_emit_room(rt_sio_ns *ns, rt_slice room, rt_slice event, rt_slice args,
                          const rt_sio_socket *except) {
    rt_sio *io = ns->io;
    rt_sio_room *r = rt_sio_room_find(ns, room);
    if (!r || r->count == 0)
        return rt_sio_note_sent(io, 0);
    rt_sio_out o = event_out(ns, event, args);
    r->pins++;
    uint32_t sent = to_room(io, r, &o, except);
    r->pins--;
    rt_sio_room_settle(r);
    return rt_sio_note_sent(io, sent);
}

uint32_t rt_sio_emit_ns(rt_sio_ns *ns, rt_slice event, rt_slice args, const rt_sio_socket *except) {
    rt_sio *io = ns->io;
    rt_sio_out o = event_out(ns, event, args);
    rt_sio_release(io);
    rt_msg *m = rt_sio_event_msg(io, &o);
    if (!m)
        return 0;
    uint32_t sent = 0;
    for (uint32_t i = ns->count; i-- > 0;) {
        if (i >= ns->count || ns->sockets[i] == except)
            continue;
        rt_eio_send(ns->sockets[i]->session, m);
        sent++;
    }
    rt_msg_rele(m);
    return rt_sio_note_sent(io, sent);
}

static int too_many_attachments(const rt_sio_socket *s) {
    rt_sio_tally(s->ns->io, RT_SIO_ATTACHMENTS_OVER_MAX);
    return RT_ELIMIT;
}

void rt_sio_emit(rt_sio_socket *s, rt_slice event, rt_slice args) {
    rt_sio_emit_binary(s, event, args, NULL, 0);
}

int rt_sio_emit_binary(rt_sio_socket *s, rt_slice event, rt_slice args, const rt_slice *attachments,
                       unsigned count) {
    if (s->state != RT_SIO_IN)
        return RT_ECLOSED;
    if (count > RT_SIO_ATTACHMENTS_MAX)
        return too_many_attachments(s);
    rt_sio_out o = event_out(s->ns, event, args);
    if (count)
        o.type = RT_SIO_BINARY_EVENT;
    o.attachments = attachments;
    o.attachment_count = count;
    rt_sio_note_sent(s->ns->io, 1);
    rt_sio_socket_send(s, &o);
    return RT_OK;
}

void rt_sio_ack(rt_sio_socket *s, uint64_t id, rt_slice args) {
    rt_sio_ack_binary(s, id, args, NULL, 0);
}

int rt_sio_ack_binary(rt_sio_socket *s, uint64_t id, rt_slice args, const rt_slice *attachments,
                      unsigned count) {
    if (s->state != RT_SIO_IN)
        return RT_ECLOSED;
    if (count > RT_SIO_ATTACHMENTS_MAX)
        return too_many_attachments(s);
    rt_sio_socket_send(s, &(rt_sio_out){.type = count ? RT_SIO_BINARY_ACK : RT_SIO_ACK,
                                        .ns = rt_sio_ns_name(s->ns),
                                        .has_id = true,
                                        .id = id,
                                        .args = args,
                                        .attachments = attachments,
                                        .attachment_count = count});
    return RT_OK;
}
