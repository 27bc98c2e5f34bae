/* Events the server wants acknowledged: each waits with a deadline, at most so many per socket. */
#include "base/alloc.h"
#include "socketio/state.h"

typedef struct rt_sio_ack_wait {
    rt_list node; /* in rt_sio_socket.acks */
    rt_timer timer;
    uint64_t deadline; /* ms */
    uint64_t id;
    rt_sio_ack_fn *done;
    void *arg;
} rt_sio_ack_wait;

static void settle(rt_sio_ack_wait *w, int status, const rt_sio_event *answer) {
    rt_sio_ack_fn *done = w->done;
    void *arg = w->arg;
    rt_list_unlink(&w->node);
    rt_timer_disarm(&w->timer);
    rt_free(w);
    done(arg, status, answer);
}

static void timed_out(rt_timerq *q, rt_timer *t) {
    rt_sio_tally(q->arg, RT_SIO_ACKS_TIMED_OUT);
    settle(RT_OF(t, rt_sio_ack_wait, timer), RT_AGAIN, &(rt_sio_event){0});
}

/* A queue has one duration for all its timers. The usual time has a queue of its own; any other is
 * put together from powers of four, the largest that fits next, at most three of each. */
static void arm(rt_sio *io, rt_sio_ack_wait *w, uint64_t now) {
    uint64_t left = w->deadline - now;
    int step = 0;
    while (step + 1 < RT_SIO_ACK_STEPS && (uint64_t)4 << 2 * step <= left)
        step++;
    rt_timer_arm(left == io->opts.ack_timeout_ms ? &io->ack_due : &io->ack_steps[step], &w->timer,
                 now);
}

static void step_over(rt_timerq *q, rt_timer *t) {
    rt_sio *io = q->arg;
    rt_sio_ack_wait *w = RT_OF(t, rt_sio_ack_wait, timer);
    uint64_t now = io->now(io->now_ctx);
    if (now >= w->deadline)
        timed_out(q, t);
    else
        arm(io, w, now);
}

void rt_sio_acks_init(rt_sio *io, rt_timers *timers) {
    rt_timerq_init(&io->ack_due, timers, io->opts.ack_timeout_ms, timed_out, io);
    for (int i = 0; i < RT_SIO_ACK_STEPS; i++)
        rt_timerq_init(&io->ack_steps[i], timers, 1u << 2 * i, step_over, io);
}

void rt_sio_acks_fini(rt_sio *io) {
    rt_timerq_fini(&io->ack_due);
    for (int i = 0; i < RT_SIO_ACK_STEPS; i++)
        rt_timerq_fini(&io->ack_steps[i]);
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
    w->id = s->ns->next_ack++;
    w->done = done;
    w->arg = arg;
    rt_list_init(&w->node);
    rt_list_push(&s->acks, &w->node);
    rt_timer_init(&w->timer);
    uint32_t most = io->opts.ack_timeout_ms;
    uint64_t now = io->now(io->now_ctx);
    w->deadline = now + (timeout_ms < most ? timeout_ms : most);
    arm(io, w, now);
    rt_sio_tally(io, RT_SIO_EVENTS_OUT);
    rt_sio_socket_send(s, &(rt_sio_out){.type = count ? RT_SIO_BINARY_EVENT : RT_SIO_EVENT,
                                        .ns = rt_sio_ns_name(s->ns),
                                        .has_id = true,
                                        .id = w->id,
                                        .event = event,
                                        .args = args,
                                        .attachments = attachments,
                                        .attachment_count = count});
    return RT_OK;
}
