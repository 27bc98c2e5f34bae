/* Fan-out: an event to many sockets, encoded once and referenced by each of them.
 *
 * A target may name a socket more than once. Each event to a target has a number, the stamp; a
 * socket that has been sent the event, or is excepted, bears its stamp. */
#include "socketio/state.h"

/* --- to a room or a namespace --- */

/* Not batched: a batch goes to all members. */
static uint32_t send_except(rt_sio *io, rt_sio_room *r, const rt_sio_out *o,
                            const rt_sio_socket *except) {
    rt_sio_batch_flush(io);
    rt_msg *m = rt_sio_event_msg(io, o);
    if (!m)
        return 0;
    uint32_t sent = rt_sio_room_send(r, m, except);
    rt_msg_rele(m);
    return sent;
}

uint32_t rt_sio_emit_room(rt_sio_ns *ns, rt_slice room, rt_slice event, rt_slice args,
                          const rt_sio_socket *except) {
    rt_sio *io = ns->io;
    rt_sio_room *r = rt_sio_room_find(ns, room);
    if (!r || r->count == 0)
        return rt_sio_tally_sent(io, 0);
    rt_sio_out o = rt_sio_event_out(ns, event, args, NULL, 0);
    r->pins++; /* sending may end the session of the last member, and the room with it */
    uint32_t sent = except ? send_except(io, r, &o, except) : rt_sio_batch_add(io, r, &o);
    r->pins--;
    rt_sio_room_settle(r);
    return rt_sio_tally_sent(io, sent);
}

uint32_t rt_sio_emit_ns(rt_sio_ns *ns, rt_slice event, rt_slice args, const rt_sio_socket *except) {
    rt_sio *io = ns->io;
    rt_sio_out o = rt_sio_event_out(ns, event, args, NULL, 0);
    rt_sio_batch_flush(io);
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
    return rt_sio_tally_sent(io, sent);
}

/* --- to a target --- */

typedef struct spread {
    rt_msg *msg;
    uint32_t stamp;
    bool only_ready;
    uint32_t sent;
} spread;

/* The counter wraps after 2^32 events. Clear old stamps then, so that none equals a new one. */
static uint32_t next_stamp(rt_sio *io) {
    if (++io->stamp)
        return io->stamp;
    size_t cursor = 0;
    const rt_sio_ns *ns;
    while ((ns = rt_sio_ns_next(io, &cursor)))
        for (uint32_t i = 0; i < ns->count; i++)
            ns->sockets[i]->stamp = 0;
    return io->stamp = 1;
}

static void send_once(spread *p, rt_sio_socket *s) {
    if (s->state != RT_SIO_IN || s->stamp == p->stamp || rt_sio_client_of(s)->gone)
        return;
    s->stamp = p->stamp;
    if (p->only_ready && !rt_eio_ready(s->session)) {
        rt_sio_tally(s->ns->io, RT_SIO_VOLATILE_SKIPPED);
        return;
    }
    rt_eio_send(s->session, p->msg);
    p->sent++;
}

/* Backwards, and with the room pinned, for the reasons given at rt_sio_room_send. */
static void send_once_to_room(spread *p, const rt_sio_ns *ns, rt_slice name) {
    rt_sio_room *r = rt_sio_room_find(ns, name);
    if (!r)
        return;
    r->pins++;
    for (uint32_t i = r->count; i-- > 0;)
        if (i < r->count)
            send_once(p, rt_sio_room_members(r)[i].socket);
    r->pins--;
    rt_sio_room_settle(r);
}

static void send_once_to_all(spread *p, const rt_sio_ns *ns) {
    for (uint32_t i = ns->count; i-- > 0;)
        if (i < ns->count)
            send_once(p, ns->sockets[i]);
}

/* One room and nothing else: such an event is batched. */
static bool is_plain(const rt_sio_target *to, unsigned attachments) {
    return to->room_count == 1 && to->socket_count == 0 && !to->everybody && !to->only_ready &&
           to->except_count == 0 && attachments == 0;
}

uint32_t rt_sio_emit_to(rt_sio_ns *ns, const rt_sio_target *to, rt_slice event, rt_slice args,
                        const rt_slice *attachments, unsigned count) {
    rt_sio *io = ns->io;
    if (is_plain(to, count))
        return rt_sio_emit_room(ns, to->rooms[0], event, args, NULL);
    if (count > RT_SIO_ATTACHMENTS_MAX) {
        rt_sio_tally(io, RT_SIO_ATTACHMENTS_OVER_MAX);
        return 0;
    }
    rt_sio_out o = rt_sio_event_out(ns, event, args, attachments, count);
    rt_sio_batch_flush(io);
    spread p = {rt_sio_event_msg(io, &o), next_stamp(io), to->only_ready, 0};
    if (!p.msg)
        return 0;
    for (uint32_t i = 0; i < to->except_count; i++)
        to->except[i]->stamp = p.stamp;
    for (uint32_t i = 0; i < to->socket_count; i++)
        send_once(&p, to->sockets[i]);
    for (uint32_t i = 0; i < to->room_count; i++)
        send_once_to_room(&p, ns, to->rooms[i]);
    if (to->everybody)
        send_once_to_all(&p, ns);
    rt_msg_rele(p.msg);
    return rt_sio_tally_sent(io, p.sent);
}
