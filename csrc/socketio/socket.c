/* One client in one namespace: asks, is let in or refused, leaves.
 *
 *   CONNECT        rt_sio_accept            DISCONNECT, rt_sio_disconnect, session gone
 *  ────────► ASKING ────────────► IN ───────────────────────────────────► OUT
 *              │ rt_sio_refuse, DISCONNECT, session gone                   ▲
 *              └───────────────────────────────────────────────────────────┘
 */
#include "base/alloc.h"
#include "json/write.h"
#include "socketio/state.h"

rt_sio_socket *rt_sio_socket_new(rt_sio *io, rt_sio_client *c, rt_slice ns) {
    rt_sio_socket *s = rt_alloc0(sizeof *s);
    if (!s)
        return NULL;
    if (rt_random_id(&io->random, s->id) != RT_OK)
        goto fail;
    s->ns = rt_sio_ns_enter(io, ns);
    if (!s->ns)
        goto fail;
    s->session = c->session;
    rt_list_init(&s->acks);
    rt_list_init(&s->node);
    rt_list_push(&c->sockets, &s->node);
    c->socket_count++;
    io->sockets++;
    return s;

fail:
    rt_free(s);
    return NULL;
}

void rt_sio_socket_free(rt_sio_socket *s) {
    rt_sio_ns_exit(s->ns);
    rt_free(s);
}

rt_sio_socket *rt_sio_socket_find(const rt_sio_client *c, rt_slice ns) {
    for (rt_list *at = c->sockets.next; at != &c->sockets; at = at->next) {
        rt_sio_socket *s = RT_OF(at, rt_sio_socket, node);
        if (rt_slice_eq(rt_sio_ns_name(s->ns), ns))
            return s;
    }
    return NULL;
}

/* Unlinks it from its client and namespace. The caller leaves the rooms. */
static void withdraw(rt_sio_socket *s) {
    rt_sio *io = s->ns->io;
    rt_sio_stop_asking(s);
    if (s->state == RT_SIO_IN)
        rt_sio_ns_remove(s->ns, s);
    s->state = RT_SIO_OUT;
    rt_list_unlink(&s->node);
    rt_list_push(&io->closed, &s->node);
    rt_sio_client_of(s)->socket_count--;
    io->sockets--;
}

void rt_sio_socket_end(rt_sio_socket *s, enum rt_eio_reason reason) {
    rt_sio *io = s->ns->io;
    rt_sio_batch_flush(io);
    if (s->state == RT_SIO_OUT)
        return;
    withdraw(s);
    rt_sio_tally(io, RT_SIO_DISCONNECTS);
    rt_sio_acks_drop(s);
    rt_sio_leave_all(s, true);
    io->app.on_disconnect(io->app.ctx, s, reason);
}

void rt_sio_socket_greet(rt_sio_socket *s) {
    char data[8 + RT_ID_LEN + 2];
    memcpy(data, "{\"sid\":\"", 8);
    memcpy(data + 8, s->id, RT_ID_LEN);
    memcpy(data + 8 + RT_ID_LEN, "\"}", 2);
    rt_sio_emit_packet(s, &(rt_sio_out){.type = RT_SIO_CONNECT,
                                        .ns = rt_sio_ns_name(s->ns),
                                        .data = rt_slice_make(data, sizeof data)});
}

void rt_sio_accept(rt_sio_socket *s) {
    rt_sio *io = s->ns->io;
    rt_sio_batch_flush(io);
    if (s->state != RT_SIO_ASKING)
        return;
    if (rt_sio_ns_add(s->ns, s) != RT_OK) {
        rt_sio_client_no_memory(s->ns->io, rt_sio_client_of(s));
        return;
    }
    rt_sio_stop_asking(s);
    s->state = RT_SIO_IN;
    rt_timer_disarm(&rt_sio_client_of(s)->connect_timer);
    rt_sio_tally(io, RT_SIO_CONNECTS);
    rt_sio_socket_greet(s);
}

void rt_sio_refuse(rt_sio_socket *s, rt_slice message) {
    if (s->state != RT_SIO_ASKING)
        return;
    rt_sio_tally(s->ns->io, RT_SIO_CONNECTS_REFUSED);
    /* Withdraw first. Without memory for the answer the client is dropped, and then on_disconnect
     * must not come for this socket. */
    withdraw(s);
    rt_sio_leave_all(s, false);
    rt_buf data;
    rt_buf_init(&data, 0);
    rt_buf_putc(&data, '{');
    rt_json_put_member_str(&data, RT_LIT("message"), message);
    if (rt_buf_putc(&data, '}') == RT_OK)
        rt_sio_emit_packet(s, &(rt_sio_out){.type = RT_SIO_CONNECT_ERROR,
                                            .ns = rt_sio_ns_name(s->ns),
                                            .data = rt_buf_slice(&data)});
    else
        rt_sio_client_no_memory(s->ns->io, rt_sio_client_of(s));
    rt_buf_fini(&data);
}

void rt_sio_disconnect(rt_sio_socket *s) {
    if (s->state == RT_SIO_OUT)
        return;
    rt_sio_emit_packet(
        s, &(rt_sio_out){.type = RT_SIO_DISCONNECT, .ns = rt_sio_ns_name(s->ns), .no_data = true});
    rt_sio_socket_end(s, RT_EIO_SERVER_LEFT);
}

void rt_sio_drop_client(rt_sio_socket *s, enum rt_eio_reason reason) {
    rt_sio_batch_flush(s->ns->io);
    rt_eio_close(s->session, reason);
}

void *rt_sio_socket_user(const rt_sio_socket *s) {
    return s->user;
}

void rt_sio_socket_set_user(rt_sio_socket *s, void *user) {
    s->user = user;
}

uint8_t rt_sio_socket_bits(const rt_sio_socket *s) {
    return s->bits;
}

void rt_sio_socket_set_bits(rt_sio_socket *s, uint8_t bits) {
    s->bits = bits;
}

void *rt_sio_client_user(const rt_sio_socket *s) {
    return rt_sio_client_of(s)->user;
}

void rt_sio_client_set_user(rt_sio_socket *s, void *user) {
    rt_sio_client_of(s)->user = user;
}

rt_slice rt_sio_socket_id(const rt_sio_socket *s) {
    return rt_slice_make(s->id, RT_ID_LEN);
}

rt_slice rt_sio_socket_ns_name(const rt_sio_socket *s) {
    return rt_sio_ns_name(s->ns);
}

rt_sio_ns *rt_sio_socket_ns(const rt_sio_socket *s) {
    return s->ns;
}

bool rt_sio_socket_connected(const rt_sio_socket *s) {
    return s->state == RT_SIO_IN;
}

const rt_http_request *rt_sio_socket_handshake(const rt_sio_socket *s) {
    return rt_eio_handshake_of(s->session);
}

void rt_sio_socket_drop_handshake(rt_sio_socket *s) {
    rt_eio_drop_handshake(s->session);
}
