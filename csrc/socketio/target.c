/* An event to whomever a target names: encoded once, and given once to each socket, which a stamp
 * on the socket remembers for as long as it takes. */
#include "socketio/state.h"

typedef struct spread {
    rt_msg *msg;
    uint32_t stamp;
    bool only_ready;
    uint32_t sent;
} spread;

/* After four thousand million events a stamp could be taken for an old one of the same number. */
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

static void give(spread *p, rt_sio_socket *s) {
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

/* Backwards, and the room pinned, for the same reasons as in fanout.c. */
static void give_room(spread *p, const rt_sio_ns *ns, rt_slice name) {
    rt_sio_room *r = rt_sio_room_find(ns, name);
    if (!r)
        return;
    r->pins++;
    for (uint32_t i = r->count; i-- > 0;)
        if (i < r->count)
            give(p, rt_sio_room_members(r)[i].socket);
    r->pins--;
    rt_sio_room_settle(r);
}

static void give_all(spread *p, const rt_sio_ns *ns) {
    for (uint32_t i = ns->count; i-- > 0;)
        if (i < ns->count)
            give(p, ns->sockets[i]);
}

/* One room and nothing special: its events of one turn share their bytes. */
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
    rt_sio_out o = {.type = count ? RT_SIO_BINARY_EVENT : RT_SIO_EVENT,
                    .ns = rt_sio_ns_name(ns),
                    .event = event,
                    .args = args,
                    .attachments = attachments,
                    .attachment_count = count};
    rt_sio_release(io);
    spread p = {rt_sio_event_msg(io, &o), next_stamp(io), to->only_ready, 0};
    if (!p.msg)
        return 0;
    for (uint32_t i = 0; i < to->except_count; i++)
        to->except[i]->stamp = p.stamp;
    for (uint32_t i = 0; i < to->socket_count; i++)
        give(&p, to->sockets[i]);
    for (uint32_t i = 0; i < to->room_count; i++)
        give_room(&p, ns, to->rooms[i]);
    if (to->everybody)
        give_all(&p, ns);
    rt_msg_rele(p.msg);
    return rt_sio_note_sent(io, p.sent);
}
