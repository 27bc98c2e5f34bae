/* A client: one Engine.IO session. Parses its packets, collects attachments, finds the socket.
 *
 * A packet that the protocol does not allow closes the client's session and affects nobody else, as
 * a decode error does in the reference (docs/protocol.md). */
#include "base/alloc.h"
#include "json/scan.h"
#include "socketio/state.h"

int rt_sio_client_on_open(void *io_, rt_eio_session *session) {
    rt_sio *io = io_;
    rt_sio_client *c = rt_eio_user(session);
    c->session = session;
    rt_list_init(&c->sockets);
    rt_timer_init(&c->connect_timer);
    rt_timer_arm(&io->connect_due, &c->connect_timer, io->now(io->now_ctx));
    io->clients++;
    return RT_OK;
}

/* It is no more the client's; the caller frees it. */
static rt_sio_incoming *take_incoming(rt_sio_client *c) {
    rt_sio_incoming *in = c->incoming;
    c->incoming = NULL;
    if (in)
        rt_unfinished_done(rt_eio_unfinished(c->session), &in->unfinished);
    return in;
}

static void free_incoming(rt_sio_incoming *in) {
    if (!in)
        return;
    rt_buf_fini(&in->bytes);
    rt_free(in);
}

void rt_sio_client_on_close(void *io_, rt_eio_session *session, enum rt_eio_reason reason) {
    rt_sio *io = io_;
    rt_sio_client *c = rt_eio_user(session);
    rt_sio_batch_flush(io);
    c->gone = true;
    rt_timer_disarm(&c->connect_timer);
    free_incoming(take_incoming(c));
    while (!rt_list_empty(&c->sockets))
        rt_sio_socket_end(RT_OF(rt_list_first(&c->sockets), rt_sio_socket, node), reason);
    if (io->app.on_client_gone && c->user)
        io->app.on_client_gone(io->app.ctx, c->user);
    c->user = NULL;
    io->clients--;
}

static void bad_packet(rt_sio *io, rt_sio_client *c) {
    rt_sio_tally(io, RT_SIO_BAD_PACKETS);
    rt_eio_close(c->session, RT_EIO_FORCED_CLOSE);
}

static void on_connect(rt_sio *io, rt_sio_client *c, const rt_sio_packet *p) {
    rt_sio_socket *s = rt_sio_socket_find(c, p->ns);
    if (s) {
        /* A client may repeat its CONNECT after a short loss of connection. A refusal is final for
         * it, so answer again. If the first answer is still to come, it serves both. */
        rt_sio_tally(io, RT_SIO_CONNECTS_AGAIN);
        if (s->state == RT_SIO_IN)
            rt_sio_socket_greet(s);
        return;
    }
    if (c->socket_count >= io->opts.max_sockets_per_client || p->ns.n > RT_SIO_NAMESPACE_MAX) {
        rt_sio_tally(io, RT_SIO_NAMESPACES_OVER_MAX);
        bad_packet(io, c);
        return;
    }
    s = rt_sio_socket_new(io, c, p->ns);
    if (!s) {
        rt_sio_client_no_memory(io, c);
        return;
    }
    io->app.on_connect(io->app.ctx, s, p->data);
}

static void on_event(rt_sio_socket *s, const rt_sio_packet *p, const rt_slice *attachments) {
    rt_sio *io = s->ns->io;
    rt_sio_event ev = {
        .wants_ack = p->has_id,
        .ack_id = p->id,
        .attachments = attachments,
        .attachment_count = p->attachments,
    };
    rt_sio_tally(io, RT_SIO_EVENTS_IN);
    if (rt_sio_packet_event(p->data, &ev.name, &ev.args))
        io->app.on_event(io->app.ctx, s, &ev);
}

static void on_ack(rt_sio_socket *s, const rt_sio_packet *p, const rt_slice *attachments) {
    rt_sio *io = s->ns->io;
    if (!p->has_id || p->data.n == 0) {
        rt_sio_tally(io, RT_SIO_ACKS_UNKNOWN);
        return;
    }
    rt_sio_event answer = {
        .args = rt_sio_packet_elements(p->data),
        .attachments = attachments,
        .attachment_count = p->attachments,
    };
    rt_sio_acks_answer(s, p->id, &answer);
}

/* Handles a packet that is complete with its attachments. */
static void dispatch(rt_sio *io, rt_sio_client *c, const rt_sio_packet *p,
                     const rt_slice *attachments) {
    if (p->type == RT_SIO_CONNECT) {
        on_connect(io, c, p);
        return;
    }
    rt_sio_socket *s = rt_sio_socket_find(c, p->ns);
    if (!s || p->type == RT_SIO_CONNECT_ERROR ||
        (s->state != RT_SIO_IN && p->type != RT_SIO_DISCONNECT)) {
        bad_packet(io, c);
        return;
    }
    switch (p->type) {
    case RT_SIO_EVENT:
    case RT_SIO_BINARY_EVENT:
        on_event(s, p, attachments);
        return;
    case RT_SIO_ACK:
    case RT_SIO_BINARY_ACK:
        on_ack(s, p, attachments);
        return;
    default:
        rt_sio_socket_end(s, RT_EIO_CLIENT_LEFT);
    }
}

/* The rest of the attachments has not come in time, or others need the memory more. */
static void drop_incoming(rt_unfinished *u) {
    rt_eio_close(RT_OF(u, rt_sio_incoming, unfinished)->client->session, RT_EIO_FORCED_CLOSE);
}

static void note_incoming(const rt_sio *io, rt_sio_client *c) {
    rt_sio_incoming *in = c->incoming;
    rt_unfinished_grow(rt_eio_unfinished(c->session), &in->unfinished, sizeof *in + in->bytes.cap,
                       io->now(io->now_ctx));
}

static void start_incoming(rt_sio *io, rt_sio_client *c, rt_slice text, const rt_sio_packet *p) {
    rt_sio_incoming *in = rt_alloc0(sizeof *in + p->attachments * sizeof in->ends[0]);
    if (!in)
        goto fail;
    in->client = c;
    rt_unfinished_item_init(&in->unfinished, drop_incoming);
    rt_buf_init(&in->bytes, 0);
    if (rt_buf_puts(&in->bytes, text) != RT_OK)
        goto fail;
    in->text_len = text.n;
    in->expected = p->attachments;
    c->incoming = in;
    note_incoming(io, c);
    return;

fail:
    rt_free(in);
    rt_sio_client_no_memory(io, c);
}

/* The last attachment has come. The buffer no longer moves, so slices of it are safe now. */
static void finish_incoming(rt_sio *io, rt_sio_client *c) {
    rt_sio_incoming *in = take_incoming(c);
    rt_slice attachments[RT_SIO_ATTACHMENTS_MAX];
    size_t at = in->text_len;
    for (unsigned i = 0; i < in->have; i++) {
        attachments[i] = rt_slice_make(in->bytes.p + at, in->ends[i] - at);
        at = in->ends[i];
    }
    rt_sio_packet p;
    int status =
        rt_sio_packet_parse(rt_slice_make(in->bytes.p, in->text_len), io->opts.max_attachments, &p);
    if (status == RT_OK)
        dispatch(io, c, &p, attachments);
    free_incoming(in);
}

static void on_binary(rt_sio *io, rt_sio_client *c, rt_slice bytes) {
    rt_sio_incoming *in = c->incoming;
    if (!in) {
        bad_packet(io, c);
        return;
    }
    if (in->bytes.n - in->text_len + bytes.n > io->opts.max_binary_bytes) {
        rt_sio_tally(io, RT_SIO_BINARY_OVER_MAX);
        bad_packet(io, c);
        return;
    }
    if (rt_buf_puts(&in->bytes, bytes) != RT_OK) {
        rt_sio_client_no_memory(io, c);
        return;
    }
    in->ends[in->have++] = in->bytes.n;
    if (in->have == in->expected)
        finish_incoming(io, c);
    else
        note_incoming(io, c);
}

static void on_text(rt_sio *io, rt_sio_client *c, rt_slice text) {
    rt_sio_packet p;
    if (c->incoming || rt_sio_packet_parse(text, io->opts.max_attachments, &p) != RT_OK ||
        !(p.attachments == 0 || rt_sio_placeholders_valid(p.data, p.attachments))) {
        bad_packet(io, c);
        return;
    }
    if (p.attachments)
        start_incoming(io, c, text, &p);
    else
        dispatch(io, c, &p, NULL);
}

void rt_sio_client_on_message(void *io, rt_eio_session *session, bool binary, rt_slice bytes) {
    rt_sio_client *c = rt_eio_user(session);
    if (binary)
        on_binary(io, c, bytes);
    else
        on_text(io, c, bytes);
}

/* One of its sockets stands for it. */
void rt_sio_client_on_paced(void *io_, rt_eio_session *session) {
    const rt_sio *io = io_;
    const rt_sio_client *c = rt_eio_user(session);
    if (!io->app.on_paced)
        return;
    for (const rt_list *at = c->sockets.next; at != &c->sockets; at = at->next) {
        rt_sio_socket *s = RT_OF(at, rt_sio_socket, node);
        if (s->state != RT_SIO_IN)
            continue;
        io->app.on_paced(io->app.ctx, s);
        return;
    }
}
