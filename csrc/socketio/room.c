/* Rooms: their members, and sending to all of them. */
#include "base/alloc.h"
#include "base/prefetch.h"
#include "socketio/state.h"

#define AHEAD 4 /* deliveries; they take about as long as one fetch from memory */

rt_sio_room *rt_sio_room_new(rt_sio_ns *ns, rt_slice name) {
    rt_sio_room *r = rt_alloc0(offsetof(rt_sio_room, name) + name.n);
    if (!r)
        return NULL;
    r->ns = ns;
    r->name_len = (uint32_t)name.n;
    memcpy(r->name, name.p, name.n);
    if (rt_map_put(&ns->rooms, rt_sio_room_name(r), r) != RT_OK) {
        rt_free(r);
        return NULL;
    }
    ns->io->rooms++;
    return r;
}

void rt_sio_room_settle(rt_sio_room *r) {
    if (r->count || r->pins)
        return;
    r->ns->io->rooms--;
    rt_map_del(&r->ns->rooms, rt_sio_room_name(r));
    if (r->cap)
        rt_free(r->many);
    rt_free(r);
}

bool rt_sio_room_grow(rt_sio_room *r) {
    if (r->count == 0 || r->count < r->cap)
        return true;
    uint32_t cap = r->cap ? r->cap * 2 : 2;
    rt_sio_member *many = rt_realloc(r->cap ? r->many : NULL, cap * sizeof *many);
    if (!many)
        return false;
    if (!r->cap)
        many[0] = r->one;
    r->many = many;
    r->cap = cap;
    return true;
}

rt_sio_room *rt_sio_room_find(const rt_sio_ns *ns, rt_slice name) {
    return rt_map_get(&ns->rooms, name);
}

void rt_sio_room_remove(rt_sio_room *r, uint32_t at) {
    rt_sio_member *members = rt_sio_room_members(r);
    rt_sio_member last = members[--r->count];
    if (at == r->count)
        return;
    members[at] = last;
    last.socket->memberships[last.at].at = at;
}

/* Prefetch in three stages: the socket, its session, its connection; each address comes from the
 * stage before. */
static void fetch_ahead(const rt_sio_member *members, uint32_t i) {
    if (i < 3 * AHEAD)
        return;
    rt_prefetch(members[i - 3 * AHEAD].socket, RT_CACHE_LINE);
    rt_prefetch(members[i - 2 * AHEAD].socket->session, RT_CACHE_LINE);
    rt_eio_expect(members[i - AHEAD].socket->session);
}

uint32_t rt_sio_room_send(rt_sio_room *r, rt_msg *m, const rt_sio_socket *except) {
    uint32_t sent = 0;
    /* Iterate backwards: sending may end a session, and swap-remove then moves the last member,
     * already served, into the gap. */
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

uint32_t rt_sio_room_size(const rt_sio_ns *ns, rt_slice name) {
    const rt_sio_room *r = rt_sio_room_find(ns, name);
    return r ? r->count : 0;
}

bool rt_sio_room_member(const rt_sio_ns *ns, rt_slice name, uint32_t i, rt_sio_socket **socket) {
    rt_sio_room *r = rt_sio_room_find(ns, name);
    if (!r || i >= r->count)
        return false;
    *socket = rt_sio_room_members(r)[i].socket;
    return true;
}
