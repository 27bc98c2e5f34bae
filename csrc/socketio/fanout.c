/* Sending: an event is encoded once and referenced by every socket it goes to.
 *
 * Room batch: when a second event goes to the same room in the same turn with nothing else queued
 * in between, it opens a message with room to spare, which all members reference; further events
 * are appended to it, and cost no work per socket (15 % at 16 events per turn). Anything that is
 * queued to any socket, and every join or leave, seals it, or order and membership would break. A
 * transport that looks at the bytes seals it too (base/msg.h). */
#include "socketio/state.h"

#define BATCH_BYTES 16384

void rt_sio_seal(rt_sio *io) {
    if (io->batch.msg)
        rt_msg_seal(io->batch.msg);
    rt_msg_rele(io->batch.msg);
    io->batch = (rt_sio_batch){NULL, NULL, 0};
}

rt_msg *rt_sio_event_msg(rt_sio *io, const rt_sio_out *o, size_t spare) {
    size_t n = rt_sio_out_len(o);
    rt_msg *m = n + spare <= UINT32_MAX ? rt_msg_new(n + spare) : NULL;
    if (!m) {
        rt_sio_tally(io, RT_SIO_NO_MEMORY);
        return NULL;
    }
    rt_sio_out_put(o, m->data);
    m->len = (uint32_t)n;
    return m;
}

static uint32_t to_members(const rt_sio_room *r, rt_msg *m, const rt_sio_socket *except) {
    uint32_t sent = 0;
    /* Sending may end a session, and with it memberships: the last member moves to its place. Going
     * backwards, what moves has been served already. */
    for (uint32_t i = r->count; i-- > 0;) {
        if (i >= r->count)
            continue;
        rt_sio_socket *s = r->members[i].socket;
        if (s == except || s->state != RT_SIO_IN)
            continue;
        rt_eio_send(s->client->session, m);
        sent++;
    }
    return sent;
}

/* Appends to the open batch of this room. False: there is none, or no room in it. */
static bool append(rt_sio *io, const rt_sio_room *r, const rt_sio_out *o) {
    rt_msg *m = io->batch.msg;
    if (io->batch.room != r || !m || m->cap - m->len < rt_sio_out_len(o))
        return false;
    m->len = (uint32_t)(rt_sio_out_put(o, m->data + m->len) - m->data);
    rt_sio_tally(io, RT_SIO_BATCHED);
    return true;
}

static uint32_t to_room(rt_sio *io, rt_sio_room *r, const rt_sio_out *o,
                        const rt_sio_socket *except) {
    if (!except && append(io, r, o))
        return io->batch.sent;
    bool again = !except && r->count > 1 && io->batch.room == r;
    rt_sio_seal(io);
    rt_msg *m = rt_sio_event_msg(io, o, again ? BATCH_BYTES : 0);
    if (!m)
        return 0;
    r->pins++; /* a session that ends while being sent to must not take the room away */
    uint32_t sent = to_members(r, m, except);
    r->pins--;
    if (!except && r->count)
        io->batch = (rt_sio_batch){r, again ? rt_msg_hold(m) : NULL, sent};
    rt_sio_room_settle(r);
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
    return rt_sio_note_sent(io, to_room(io, r, &o, except));
}

uint32_t rt_sio_emit_ns(rt_sio_ns *ns, rt_slice event, rt_slice args, const rt_sio_socket *except) {
    rt_sio *io = ns->io;
    rt_sio_out o = event_out(ns, event, args);
    rt_sio_seal(io);
    rt_msg *m = rt_sio_event_msg(io, &o, 0);
    if (!m)
        return 0;
    uint32_t sent = 0;
    for (uint32_t i = ns->count; i-- > 0;) {
        if (i >= ns->count || ns->sockets[i] == except)
            continue;
        rt_eio_send(ns->sockets[i]->client->session, m);
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
