/* Sending to one socket: events, acknowledgements, and any other packet. */
#include "socketio/state.h"

void rt_sio_emit_packet(rt_sio_socket *s, const rt_sio_out *o) {
    rt_sio *io = s->ns->io;
    rt_sio_batch_flush(io);
    if (rt_sio_client_of(s)->gone)
        return;
    rt_msg *m = rt_sio_out_msg(o);
    if (!m) {
        rt_sio_client_no_memory(io, rt_sio_client_of(s));
        return;
    }
    rt_eio_send(s->session, m);
    rt_msg_rele(m);
}

static int too_many_attachments(const rt_sio_socket *s) {
    rt_sio_tally(s->ns->io, RT_SIO_ATTACHMENTS_OVER_MAX);
    return RT_ELIMIT;
}

static void send_event(rt_sio_socket *s, rt_slice event, rt_slice args, const rt_slice *attachments,
                       unsigned count) {
    rt_sio_out o = rt_sio_event_out(s->ns, event, args, attachments, count);
    rt_sio_tally_sent(s->ns->io, 1);
    rt_sio_emit_packet(s, &o);
}

void rt_sio_emit(rt_sio_socket *s, rt_slice event, rt_slice args) {
    if (s->state == RT_SIO_IN)
        send_event(s, event, args, NULL, 0);
}

int rt_sio_emit_binary(rt_sio_socket *s, rt_slice event, rt_slice args, const rt_slice *attachments,
                       unsigned count) {
    if (s->state != RT_SIO_IN)
        return RT_ECLOSED;
    if (count > RT_SIO_ATTACHMENTS_MAX)
        return too_many_attachments(s);
    send_event(s, event, args, attachments, count);
    return RT_OK;
}

static void send_ack(rt_sio_socket *s, uint64_t id, rt_slice args, const rt_slice *attachments,
                     unsigned count) {
    rt_sio_emit_packet(s, &(rt_sio_out){.type = count ? RT_SIO_BINARY_ACK : RT_SIO_ACK,
                                        .ns = rt_sio_ns_name(s->ns),
                                        .has_id = true,
                                        .id = id,
                                        .args = args,
                                        .attachments = attachments,
                                        .attachment_count = count});
}

void rt_sio_ack(rt_sio_socket *s, uint64_t id, rt_slice args) {
    if (s->state == RT_SIO_IN)
        send_ack(s, id, args, NULL, 0);
}

int rt_sio_ack_binary(rt_sio_socket *s, uint64_t id, rt_slice args, const rt_slice *attachments,
                      unsigned count) {
    if (s->state != RT_SIO_IN)
        return RT_ECLOSED;
    if (count > RT_SIO_ATTACHMENTS_MAX)
        return too_many_attachments(s);
    send_ack(s, id, args, attachments, count);
    return RT_OK;
}
