/* Room batch: a run of events to one room becomes one message.
 *
 * An event to a room is held until something else happens or the turn ends; the next ones to the
 * same room are written behind it. However many they are, the run costs each socket one visit, one
 * entry in its queue and one piece of a write.
 *
 * Whatever else is queued to any socket, and every join, leave and acceptance, first sends what is
 * held. Otherwise the order of events, or who gets them, would be wrong. */
#include "socketio/state.h"

#define BATCH_BYTES 65536u

bool rt_sio_batch_pending(void *io) {
    return ((const rt_sio *)io)->batch.room != NULL;
}

void rt_sio_batch_flush(void *arg) {
    rt_sio *io = arg;
    rt_sio_batch batch = io->batch;
    if (!batch.room)
        return;
    io->batch = (rt_sio_batch){NULL, NULL};
    rt_msg *shrunk = batch.msg->cap > batch.msg->len ? rt_msg_resize(batch.msg, 0) : NULL;
    rt_msg *m = shrunk ? shrunk : batch.msg;
    rt_sio_room_send(batch.room, m, NULL);
    rt_msg_rele(m);
    batch.room->pins--;
    rt_sio_room_settle(batch.room);
}

/* Writes the event behind those that are held for the room. False: none are, or the message is as
 * long as it may be, or there is no memory for a longer one. */
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

static uint32_t begin(rt_sio *io, rt_sio_room *r, const rt_sio_out *o) {
    rt_msg *m = rt_sio_event_msg(io, o);
    if (!m)
        return 0;
    r->pins++;
    io->batch = (rt_sio_batch){r, m};
    return r->count - r->asking;
}

uint32_t rt_sio_batch_add(rt_sio *io, rt_sio_room *r, const rt_sio_out *o) {
    if (append(&io->batch, r, o)) {
        rt_sio_tally(io, RT_SIO_BATCHED);
        return r->count - r->asking;
    }
    rt_sio_batch_flush(io);
    return r->count ? begin(io, r, o) : 0;
}
