/* Events that the server wants acknowledged. Each waits with its own deadline; a socket has a
 * limit. */
#include "base/alloc.h"
#include "socketio/state.h"

typedef struct rt_sio_ack_wait {
    rt_list node; /* in rt_sio_socket.acks */
    rt_alarm due;
    rt_sio *io;
    uint64_t id;
    rt_sio_ack_fn *done;
    void *arg;
} rt_sio_ack_wait;

static void settle(rt_sio_ack_wait *w, int status, const rt_sio_event *answer) {
    rt_sio_ack_fn *done = w->done;
    void *arg = w->arg;
    rt_list_unlink(&w->node);
    rt_alarm_disarm(&w->due);
    rt_free(w);
    done(arg, status, answer);
}

static void timed_out(rt_alarm *due) {
    rt_sio_ack_wait *w = RT_OF(due, rt_sio_ack_wait, due);
    rt_sio_tally(w->io, RT_SIO_ACKS_TIMED_OUT);
    settle(w, RT_AGAIN, &(rt_sio_event){0});
}

void rt_sio_acks_drop(rt_sio_socket *s) {
    while (!rt_list_empty(&s->acks))
        settle(RT_OF(rt_list_first(&s->acks), rt_sio_ack_wait, node), RT_ECLOSED,
               &(rt_sio_event){0});
}

void rt_sio_acks_answer(rt_sio_socket *s, uint64_t id, const rt_sio_event *answer) {
    rt_sio *io = s->ns->io;
    for (rt_list *at = s->acks.next; at != &s->acks; at = at->next) {
        rt_sio_ack_wait *w = RT_OF(at, rt_sio_ack_wait, node);
        if (w->id != id)
            continue;
        rt_sio_tally(io, RT_SIO_ACKS_IN);
        settle(w, RT_OK, answer);
        return;
    }
    rt_sio_tally(io, RT_SIO_ACKS_UNKNOWN);
}

static uint32_t waiting(const rt_sio_socket *s) {
    uint32_t n = 0;
    for (const rt_list *at = s->acks.next; at != &s->acks; at = at->next)
        n++;
    return n;
}

int rt_sio_emit_ack(rt_sio_socket *s, rt_slice event, rt_slice args, rt_sio_ack_fn *done,
                    void *arg) {
    return rt_sio_emit_ack_binary(s, event, args, NULL, 0, done, arg);
}

int rt_sio_emit_ack_binary(rt_sio_socket *s, rt_slice event, rt_slice args,
                           const rt_slice *attachments, unsigned count, rt_sio_ack_fn *done,
                           void *arg) {
    return rt_sio_emit_ack_within(s, s->ns->io->opts.ack_timeout_ms, event, args, attachments,
                                  count, done, arg);
}

int rt_sio_emit_ack_within(rt_sio_socket *s, uint32_t timeout_ms, rt_slice event, rt_slice args,
                           const rt_slice *attachments, unsigned count, rt_sio_ack_fn *done,
                           void *arg) {
    rt_sio *io = s->ns->io;
    if (s->state != RT_SIO_IN)
        return RT_ECLOSED;
    if (count > RT_SIO_ATTACHMENTS_MAX)
        return RT_ELIMIT;
    if (waiting(s) >= RT_SIO_ACKS_PER_SOCKET_MAX) {
        rt_sio_tally(io, RT_SIO_ACKS_OVER_MAX);
        return RT_ELIMIT;
    }
    rt_sio_ack_wait *w = rt_alloc0(sizeof *w);
    if (!w)
        return RT_ENOMEM;
    w->io = io;
    w->id = s->ns->next_ack++;
    w->done = done;
    w->arg = arg;
    rt_list_init(&w->node);
    rt_list_push(&s->acks, &w->node);
    uint32_t most = io->opts.ack_timeout_ms;
    rt_alarm_init(&w->due, timed_out);
    rt_alarm_arm(io->alarms, &w->due,
                 io->now(io->now_ctx) + (timeout_ms < most ? timeout_ms : most));
    rt_sio_tally(io, RT_SIO_EVENTS_OUT);
    rt_sio_out o = rt_sio_event_out(s->ns, event, args, attachments, count);
    o.has_id = true;
    o.id = w->id;
    rt_sio_emit_packet(s, &o);
    return RT_OK;
}
