/* The life of a session: opened, given packets, sent to, switched to a WebSocket, ended. */
#include "engineio/session.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/prefetch.h"
#include "json/write.h"

static int insert(rt_eio *e, rt_eio_session *s) {
    int status = rt_random_id(&e->random, s->sid);
    if (status != RT_OK)
        return status;
    return rt_map_put(&e->by_sid, rt_slice_make(s->sid, RT_ID_LEN), s);
}

static rt_eio_polling *polling_new(const rt_eio *e, rt_eio_session *s) {
    rt_eio_polling *p = rt_alloc0(sizeof *p);
    if (!p)
        return NULL;
    p->session = s;
    p->paid = rt_eio_pace_start(e);
    rt_list_init(&p->pending);
    rt_outq_init(&p->queue);
    return p;
}

/* The copy that is kept of the request. NULL: *status says why. */
static rt_eio_handshake *copy_handshake(const rt_eio *e, const rt_http_request *req, int *status) {
    rt_http_header headers[RT_HTTP_HEADERS_MAX];
    rt_http_request kept = *req;
    *status = RT_OK;
    if (e->app.keep) {
        kept.headers = headers;
        kept.header_count = 0;
        *status = e->app.keep(e->app.keep_ctx, req, headers, &kept);
    }
    if (*status != RT_OK) {
        *status = RT_EHTTP_HEADERS;
        return NULL;
    }
    *status = RT_ENOMEM;
    return rt_eio_handshake_new(&kept);
}

/* A session that is new takes part in the budget of those, with all that it takes. */
static void list_newcomer(rt_eio_session *s, rt_eio_peer *peer) {
    rt_eio_handshake *h = s->handshake;
    size_t bytes = sizeof *s + s->eio->app.user_size + h->size;
    h->session = s;
    rt_eio_newcomers_add(&s->eio->newcomers, &h->newcomer,
                         bytes + (s->polling ? sizeof *s->polling : 0));
    if (peer)
        rt_eio_peers_add(peer, &h->newcomer);
}

static void no_newcomer(rt_eio_session *s) {
    rt_eio *e = s->eio;
    if (!s->handshake)
        return;
    rt_eio_newcomers_remove(&e->newcomers, &s->handshake->newcomer);
    rt_eio_peers_remove(&e->peers, &s->handshake->newcomer, rt_eio_now(e));
}

static void crowd_out(const rt_eio_newcomer *n) {
    rt_eio_session_end(RT_OF(n, rt_eio_handshake, newcomer)->session, RT_EIO_CROWDED_OUT);
}

static void make_room(rt_eio *e) {
    const rt_eio_newcomer *oldest;
    while ((oldest = rt_eio_newcomers_over(&e->newcomers)))
        crowd_out(oldest);
}

/* One address takes but a part of what all may have. Its own silent ones make room. */
static int make_room_of(rt_eio *e, rt_eio_peer *peer) {
    uint32_t most = e->newcomers.max / RT_EIO_NEWCOMERS_PART;
    while (peer->newcomers && peer->newcomers >= most) {
        const rt_list *oldest = rt_list_first(&peer->silent);
        if (!oldest) {
            rt_eio_count(e, RT_EIO_REFUSED_NEWCOMERS);
            return RT_AGAIN;
        }
        crowd_out(RT_OF(oldest, rt_eio_newcomer, own));
    }
    return RT_OK;
}

/* Who is charged for the handshake; *peer may become NULL: nobody. Of a connection without an
 * address the first one is free: nearly all have no other. RT_OK; RT_AGAIN: it must wait. */
static int charge(rt_eio *e, rt_eio_port *port, const rt_http_request *req, rt_eio_peer **peer) {
    char address[RT_EIO_ADDRESS_LEN];
    *peer = NULL;
    if (!port->ops->address)
        return RT_OK;
    port->ops->address(port, req, address);
    bool first = !port->shaken;
    port->shaken = true;
    if (first && address[0] == RT_EIO_ADDRESS_CONNECTION)
        return RT_OK;
    *peer = rt_eio_peers_get(&e->peers, address, rt_eio_now(e));
    if (!*peer) {
        rt_eio_count(e, RT_EIO_PEERS_OVER_MAX);
        return RT_OK;
    }
    if (!rt_eio_peers_pay(&e->peers, *peer, rt_eio_now(e))) {
        rt_eio_count(e, RT_EIO_REFUSED_OFTEN);
        return RT_AGAIN;
    }
    return make_room_of(e, *peer);
}

rt_eio_session *rt_eio_session_new(rt_eio *e, rt_eio_port *port, const rt_http_request *req,
                                   bool websocket, int *status) {
    rt_eio_peer *peer;
    *status = charge(e, port, req, &peer);
    if (*status != RT_OK)
        return NULL;
    make_room(e);
    *status = RT_ELIMIT;
    if (e->by_sid.count >= e->opts.max_sessions)
        return NULL;
    rt_eio_handshake *handshake = copy_handshake(e, req, status);
    if (!handshake)
        return NULL;
    *status = RT_ENOMEM;
    rt_eio_session *s = rt_alloc0(sizeof *s + e->app.user_size);
    if (!s) {
        rt_eio_handshake_free(handshake);
        return NULL;
    }
    s->handshake = handshake;
    if (!websocket)
        s->polling = polling_new(e, s);
    if (!(websocket || s->polling))
        goto fail;
    *status = insert(e, s);
    if (*status != RT_OK)
        goto fail;
    s->eio = e;
    s->state = websocket ? RT_EIO_WEBSOCKET : RT_EIO_POLLING;
    e->websockets += websocket;
    rt_list_init(&s->node);
    rt_list_push(&e->open, &s->node);
    rt_timer_init(&s->heartbeat);
    rt_timer_arm(&e->ping_due, &s->heartbeat, rt_eio_now(e));
    list_newcomer(s, peer);
    rt_eio_count(e, RT_EIO_SESSIONS_OPENED);
    return s;

fail:
    rt_eio_session_free(s);
    return NULL;
}

void rt_eio_session_free(rt_eio_session *s) {
    rt_eio_handshake_free(s->handshake);
    rt_free(s->polling);
    rt_free(s);
}

static void abort_exchange(rt_eio_exchange *x) {
    if (x)
        rt_eio_exchange_abort(x);
}

int rt_eio_session_open(rt_eio_session *s) {
    int status = s->eio->app.on_open(s->eio->app.ctx, s);
    s->opened = status == RT_OK;
    if (!s->opened)
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
    return status;
}

int rt_eio_session_put_open(const rt_eio_session *s, rt_buf *out) {
    const rt_eio_opts *o = &s->eio->opts;
    bool upgrades = s->state == RT_EIO_POLLING && o->allow_upgrades && o->allow_websocket;
    return rt_buf_printf(out,
                         "0{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%u,"
                         "\"pingTimeout\":%u,\"maxPayload\":%u}",
                         RT_ID_LEN, s->sid, upgrades ? "\"websocket\"" : "", o->ping_interval_ms,
                         o->ping_timeout_ms, o->max_payload);
}

/* Some clients stay away after a `1`. When the client is not to blame, the poll breaks off instead,
 * and all come back. */
static void end_poll(rt_eio_session *s, enum rt_eio_reason reason) {
    if (reason != RT_EIO_SERVER_SHUTDOWN && reason != RT_EIO_CROWDED_OUT)
        rt_eio_poll_answer(s, RT_LIT("1"));
    else
        abort_exchange(s->polling->poll);
}

static void let_polling_go(rt_eio_session *s, enum rt_eio_reason reason) {
    rt_eio_polling *p = s->polling;
    rt_list_unlink(&p->pending);
    if (p->probe)
        rt_eio_ws_close(p->probe->port, 0);
    end_poll(s, reason);
    abort_exchange(p->post);
    rt_outq_fini(&p->queue);
}

static void let_transports_go(rt_eio_session *s, enum rt_eio_reason reason) {
    if (s->port)
        rt_eio_ws_close(s->port, 0);
    if (s->polling)
        let_polling_go(s, reason);
}

/* Calls on_close once, though a session may close, drain and then end. */
static void tell_closed(rt_eio_session *s, enum rt_eio_reason reason) {
    if (!s->opened)
        return;
    s->opened = false;
    s->eio->closed[reason]++;
    rt_eio_count(s->eio, RT_EIO_SESSIONS_CLOSED);
    s->eio->app.on_close(s->eio->app.ctx, s, reason);
}

void rt_eio_session_end(rt_eio_session *s, enum rt_eio_reason reason) {
    if (s->state == RT_EIO_CLOSED)
        return;
    rt_eio *e = s->eio;
    e->websockets -= s->state == RT_EIO_WEBSOCKET;
    s->state = RT_EIO_CLOSED;
    no_newcomer(s);
    rt_map_del(&e->by_sid, rt_slice_make(s->sid, RT_ID_LEN));
    rt_timer_disarm(&s->heartbeat);
    rt_list_unlink(&s->node);
    rt_list_push(&e->ended, &s->node);
    let_transports_go(s, reason);
    tell_closed(s, reason);
}

/* Any packet shows that the client lives. Per ping, only the first one extends the deadline: a
 * client that never answers a ping is gone after twice the timeout. */
static void note_liveness(rt_eio_session *s) {
    rt_eio *e = s->eio;
    if (s->pong_extended || !s->awaiting_pong)
        return;
    s->pong_extended = true;
    rt_timer_arm(&e->pong_again_due, &s->heartbeat, rt_eio_now(e));
}

static bool bad_packet(rt_eio_session *s) {
    rt_eio_session_end(s, RT_EIO_PARSE_ERROR);
    return false;
}

static void deliver(rt_eio_session *s, bool binary, rt_slice bytes) {
    rt_eio *e = s->eio;
    if (s->handshake) {
        rt_eio_newcomers_spoke(&e->newcomers, &s->handshake->newcomer);
        rt_eio_peers_spoke(&s->handshake->newcomer);
    }
    e->app.on_message(e->app.ctx, s, binary, bytes);
}

/* A binary message as text, `b` and base64: in a polling payload and, as in the reference, in a
 * text frame. */
static bool base64_message(rt_eio_session *s, rt_slice text) {
    rt_buf bytes;
    rt_buf_init(&bytes, 0);
    int status = rt_base64_decode(text, &bytes);
    if (status == RT_OK)
        deliver(s, true, rt_buf_slice(&bytes));
    rt_buf_fini(&bytes);
    if (status != RT_OK)
        return bad_packet(s);
    return s->opened;
}

bool rt_eio_session_packet(rt_eio_session *s, bool binary, rt_slice packet) {
    rt_eio *e = s->eio;
    if (!s->opened)
        return false;
    rt_eio_count(e, RT_EIO_PACKETS_IN);
    if (!binary && packet.n == 0)
        return bad_packet(s);
    if (binary || packet.p[0] != '3')
        note_liveness(s);
    if (binary) {
        deliver(s, true, packet);
        return s->opened;
    }
    switch (packet.p[0]) {
    case '4':
        deliver(s, false, rt_slice_from(packet, 1));
        return s->opened;
    case 'b':
        return base64_message(s, rt_slice_from(packet, 1));
    case '3':
        s->awaiting_pong = false;
        rt_timer_arm(&e->ping_due, &s->heartbeat, rt_eio_now(e));
        return true;
    case '2': /* only the server pings in version 4 */
        rt_eio_session_end(s, RT_EIO_TRANSPORT_ERROR);
        return false;
    case '1':
        if (s->state == RT_EIO_WEBSOCKET)
            return true; /* as in the reference: a WebSocket closes by a close frame */
        rt_eio_poll_answer(s, RT_LIT("6"));
        rt_eio_session_end(s, RT_EIO_TRANSPORT_CLOSE);
        return false;
    case '0':
    case '5':
    case '6':
        return true;
    default:
        return bad_packet(s);
    }
}

static void queue(rt_eio_session *s, rt_msg *frames) {
    rt_eio_polling *p = s->polling;
    if (rt_outq_push(&p->queue, frames) != RT_OK) {
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
        return;
    }
    if (!rt_list_linked(&p->pending))
        rt_list_push(&s->eio->pending, &p->pending);
}

void rt_eio_send(rt_eio_session *s, rt_msg *frames) {
    if (!s->opened)
        return;
    rt_eio_count(s->eio, RT_EIO_PACKETS_OUT);
    if (s->state != RT_EIO_WEBSOCKET)
        queue(s, frames);
    else if (rt_eio_ws_send(s->port, frames) == RT_ENOMEM)
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
}

void rt_eio_session_flush(rt_eio_session *s) {
    if (rt_eio_poll_flush(s) != RT_OK)
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
}

void rt_eio_expect(const rt_eio_session *s) {
    rt_prefetch(s->port, RT_EIO_PORT_HOT);
}

void rt_eio_session_send_text(rt_eio_session *s, rt_slice packet) {
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, packet);
    if (!m) {
        rt_eio_session_end(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_eio_send(s, m);
    rt_msg_rele(m);
}

void rt_eio_session_switch(rt_eio_session *s) {
    rt_eio *e = s->eio;
    rt_eio_polling *p = s->polling;
    rt_eio_poll_answer(s, RT_LIT("1"));
    /* As in the reference, an open POST is cut off: it must not affect the session any more. A
     * client that follows the protocol has none, since it pauses polling before it sends `5`. */
    abort_exchange(p->post);
    s->state = RT_EIO_WEBSOCKET;
    e->websockets++;
    rt_eio_count(e, RT_EIO_UPGRADES);
    rt_list_unlink(&p->pending);
    /* The answer to a ping that went out on polling comes by the WebSocket: start its timeout
     * again. */
    if (s->awaiting_pong)
        rt_timer_arm(&e->pong_again_due, &s->heartbeat, rt_eio_now(e));
    while (!rt_outq_empty(&p->queue)) {
        int status = rt_eio_ws_send(s->port, rt_outq_at(&p->queue, 0));
        rt_outq_pop(&p->queue);
        if (status != RT_OK) {
            rt_eio_session_end(s, status == RT_ENOMEM ? RT_EIO_NO_MEMORY : RT_EIO_TRANSPORT_ERROR);
            return;
        }
    }
    rt_free(p);
    s->polling = NULL;
}

void rt_eio_close(rt_eio_session *s, enum rt_eio_reason reason) {
    if (!s->opened)
        return;
    const rt_eio_polling *p = s->polling;
    if (s->state == RT_EIO_WEBSOCKET || (p->poll && rt_outq_empty(&p->queue))) {
        rt_eio_session_end(s, reason);
        return;
    }
    /* The client hears of it at its next poll, after what is queued. */
    rt_eio *e = s->eio;
    s->state = RT_EIO_CLOSING;
    if (p->probe)
        rt_eio_ws_close(p->probe->port, 0);
    rt_timer_arm(&e->drain_due, &s->heartbeat, rt_eio_now(e));
    rt_eio_session_flush(s);
    tell_closed(s, reason);
}

bool rt_eio_ready(const rt_eio_session *s) {
    if (!s->opened)
        return false;
    return s->state == RT_EIO_WEBSOCKET ? s->port->ops->owed(s->port) == 0
                                        : s->polling->poll != NULL;
}

void *rt_eio_user(rt_eio_session *s) {
    return s->user;
}

rt_slice rt_eio_sid(const rt_eio_session *s) {
    return rt_slice_make(s->sid, RT_ID_LEN);
}

bool rt_eio_is_websocket(const rt_eio_session *s) {
    return s->state == RT_EIO_WEBSOCKET;
}

const rt_http_request *rt_eio_handshake_of(const rt_eio_session *s) {
    return s->handshake ? &s->handshake->request : NULL;
}

void rt_eio_drop_handshake(rt_eio_session *s) {
    no_newcomer(s);
    rt_eio_handshake_free(s->handshake);
    s->handshake = NULL;
}
