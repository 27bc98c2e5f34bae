/* Joining and leaving rooms.
 *
 * A membership is an entry of the room and an entry of the socket. Each has the index of the other,
 * so it is removed without a search. */
#include "base/alloc.h"
#include "socketio/state.h"

/* A browser of Frappe is in three rooms: its user's, everybody's, and that of its user type. */
#define FIRST_ROOMS 3

static bool grow_socket(rt_sio_socket *s) {
    if (s->room_count < s->room_cap)
        return true;
    uint32_t cap = s->room_cap ? s->room_cap * 2 : FIRST_ROOMS;
    rt_sio_membership *grown = rt_realloc(s->memberships, cap * sizeof *grown);
    if (!grown)
        return false;
    s->memberships = grown;
    s->room_cap = cap;
    return true;
}

/* Index of the room in the socket's memberships, or room_count. */
static uint32_t membership_of(const rt_sio_socket *s, const rt_sio_room *r) {
    uint32_t i = 0;
    while (i < s->room_count && s->memberships[i].room != r)
        i++;
    return i;
}

static int enter(rt_sio_socket *s, rt_sio_room *r) {
    if (!rt_sio_room_grow(r) || !grow_socket(s))
        return RT_ENOMEM;
    r->asking += s->state == RT_SIO_ASKING;
    s->memberships[s->room_count] = (rt_sio_membership){r, r->count};
    rt_sio_room_members(r)[r->count] = (rt_sio_member){s, s->room_count};
    s->room_count++;
    r->count++;
    return RT_OK;
}

static void tell_moved(rt_sio_socket *s, rt_slice room, bool joined) {
    const rt_sio *io = s->ns->io;
    if (io->moved && s->state == RT_SIO_IN)
        io->moved(io->moved_arg, s, room, joined);
}

void rt_sio_watch_rooms(rt_sio *io, rt_sio_moved_fn *moved, void *arg) {
    io->moved = moved;
    io->moved_arg = arg;
}

int rt_sio_join(rt_sio_socket *s, rt_slice name) {
    rt_sio *io = s->ns->io;
    rt_sio_batch_flush(io);
    if (s->state == RT_SIO_OUT)
        return RT_ECLOSED;
    rt_sio_room *r = rt_sio_room_find(s->ns, name);
    if (r && membership_of(s, r) < s->room_count)
        return RT_OK;
    if (name.n > RT_SIO_ROOM_NAME_MAX || s->room_count >= io->opts.max_rooms_per_socket) {
        rt_sio_tally(io, RT_SIO_ROOMS_OVER_MAX);
        return RT_ELIMIT;
    }
    if (!r)
        r = rt_sio_room_new(s->ns, name);
    if (!r)
        return RT_ENOMEM;
    int status = enter(s, r);
    rt_sio_room_settle(r);
    if (status == RT_OK)
        tell_moved(s, name, true);
    return status;
}

static void remove_membership(rt_sio_socket *s, uint32_t at) {
    rt_sio_membership last = s->memberships[--s->room_count];
    if (at == s->room_count)
        return;
    s->memberships[at] = last;
    rt_sio_room_members(last.room)[last.at].at = at;
}

bool rt_sio_leave(rt_sio_socket *s, rt_slice name) {
    rt_sio_batch_flush(s->ns->io);
    rt_sio_room *r = rt_sio_room_find(s->ns, name);
    uint32_t i = r ? membership_of(s, r) : s->room_count;
    if (i == s->room_count)
        return false;
    r->asking -= s->state == RT_SIO_ASKING;
    rt_sio_room_remove(r, s->memberships[i].at);
    remove_membership(s, i);
    tell_moved(s, name, false);
    rt_sio_room_settle(r);
    return true;
}

void rt_sio_stop_asking(rt_sio_socket *s) {
    for (uint32_t i = 0; s->state == RT_SIO_ASKING && i < s->room_count; i++)
        s->memberships[i].room->asking--;
}

void rt_sio_leave_all(rt_sio_socket *s, bool tell) {
    rt_sio *io = s->ns->io;
    rt_sio_membership *left = s->memberships;
    uint32_t count = s->room_count;
    s->memberships = NULL;
    s->room_count = s->room_cap = 0;
    for (uint32_t i = 0; i < count; i++) {
        left[i].room->pins++;
        rt_sio_room_remove(left[i].room, left[i].at);
    }
    for (uint32_t i = 0; i < count; i++) {
        rt_sio_room *r = left[i].room;
        if (tell && io->app.on_left)
            io->app.on_left(io->app.ctx, s, rt_sio_room_name(r));
        r->pins--;
        rt_sio_room_settle(r);
    }
    rt_free(left);
}

bool rt_sio_in_room(const rt_sio_socket *s, rt_slice name) {
    const rt_sio_room *r = rt_sio_room_find(s->ns, name);
    return r && membership_of(s, r) < s->room_count;
}

bool rt_sio_socket_room(const rt_sio_socket *s, uint32_t i, rt_slice *room) {
    if (i >= s->room_count)
        return false;
    *room = rt_sio_room_name(s->memberships[i].room);
    return true;
}
