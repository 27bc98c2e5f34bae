/* The insides of engineio, shared by its files alone: server, session, HTTP exchange, WebSocket.
 *
 * Most clients are idle WebSockets: what they do not need is not in the session, and a WebSocket
 * has no object of its own, only its port.
 *
 * Ownership: a session is in rt_eio.open until it ends, then in rt_eio.ended until the reap. An
 * exchange is freed when it is answered, a probe when it is decided. Thread: the loop's. */
#ifndef RT_ENGINEIO_SESSION_H
#define RT_ENGINEIO_SESSION_H

#include "base/map.h"
#include "base/outq.h"
#include "base/random.h"
#include "base/status.h"
#include "engineio/compress.h"
#include "engineio/engineio.h"
#include "engineio/handshake.h"
#include "wire/ws.h"

enum rt_eio_state {
    RT_EIO_POLLING,
    RT_EIO_PROBING, /* polling, and a WebSocket has sent `2probe` */
    RT_EIO_WEBSOCKET,
    RT_EIO_CLOSING, /* polling: on_close was called, the queue still drains to the next poll */
    RT_EIO_CLOSED,
};

struct rt_eio {
    rt_eio_opts opts;
    rt_eio_app app;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    rt_random random;
    rt_map by_sid;
    rt_list open;    /* sessions, closing ones included */
    rt_list pending; /* rt_eio_polling that were sent something this turn */
    rt_list ended;   /* sessions to free */
    rt_timerq ping_due;
    rt_timerq pong_due;       /* counted from the ping's own deadline */
    rt_timerq pong_again_due; /* the same, counted again from a later moment */
    rt_timerq drain_due;
    rt_timerq probe_due;
    rt_timerq noop_due;
    /* The last polling payload built, so that a room of polling clients shares one, and the same
     * compressed. */
    rt_msg *payload_source;
    rt_msg *payload[RT_CODINGS];
    rt_eio_compressor *compressor; /* NULL before its first use */
    uint32_t websockets;
    uint32_t polls;
    uint64_t closed[RT_EIO_REASONS];
    rt_eio_counters counters;
};

#define RT_EIO_JSONP_INDEX_MAX 10 /* digits; the rest is cut off */

typedef struct rt_eio_exchange rt_eio_exchange;

/* A WebSocket that may become the transport of a polling session. */
typedef struct rt_eio_probe {
    rt_eio_port *port;
    rt_eio_session *session;
    rt_timer due;  /* in probe_due */
    rt_timer noop; /* in noop_due, once it has spoken */
} rt_eio_probe;

/* What a session needs while it polls: until it ends or switches to a WebSocket. */
typedef struct rt_eio_polling {
    rt_eio_session *session;
    rt_list pending;  /* in rt_eio.pending */
    rt_outq queue;    /* packets that no transport has taken */
    uint32_t counted; /* messages at the front of the queue that queued_bytes covers */
    uint32_t queued_bytes;
    rt_eio_exchange *poll;
    rt_eio_exchange *post;
    rt_eio_probe *probe;
} rt_eio_polling;

/* First what a message to a WebSocket needs: one line of the processor's cache. */
struct rt_eio_session {
    rt_eio *eio;
    rt_eio_port *port; /* the transport, in state WEBSOCKET */
    uint8_t state;
    bool opened;        /* on_open returned RT_OK */
    bool awaiting_pong; /* heartbeat is in pong_due or pong_again_due */
    bool pong_extended; /* another packet has extended the current pong deadline */
    char sid[RT_ID_LEN];
    rt_list node;            /* in open or ended */
    rt_timer heartbeat;      /* in ping_due, pong_due, pong_again_due or drain_due */
    rt_eio_polling *polling; /* never NULL in the states that poll */
    rt_eio_handshake *handshake;
    max_align_t user[]; /* app.user_size bytes */
};

/* An HTTP request that is being read or waits for its answer. */
struct rt_eio_exchange {
    bool keep_alive;
    bool read_whole; /* the request has ended */
    bool jsonp;      /* a script tag's GET, a form's POST */
    char jsonp_index[RT_EIO_JSONP_INDEX_MAX + 1];
    enum rt_coding coding; /* the answer may have */
    rt_eio *eio;
    rt_eio_port *port;
    rt_eio_session *session; /* NULL once the session has let go */
    rt_buf body;
    rt_buf headers; /* more header lines of the answer: CORS, cookie, coding */
};

static inline uint64_t rt_eio_now(const rt_eio *e) {
    return e->now(e->now_ctx);
}

static inline void rt_eio_count(rt_eio *e, int counter) {
    e->counters.v[counter]++;
}

/* The app sends what it holds back, which may end any session. */
static inline void rt_eio_flush_app(rt_eio *e) {
    if (e->app.flush)
        e->app.flush(e->app.ctx);
}

/* --- session.c --- */

/* A new session in state POLLING or WEBSOCKET, in the table, its heartbeat running; NULL with
 * *status set. on_open has not been called. */
rt_eio_session *rt_eio_session_new(rt_eio *e, const rt_http_request *req, bool websocket,
                                   int *status);
void rt_eio_session_free(rt_eio_session *s); /* once it has ended */
/* Calls on_open; on an error the session ends. */
int rt_eio_session_open(rt_eio_session *s);
/* Ends it now: transports are let go, on_close is called, memory waits for the reap. */
void rt_eio_session_end(rt_eio_session *s, enum rt_eio_reason reason);
/* One Engine.IO packet from the client. False: the session has ended, or takes no more. */
bool rt_eio_session_packet(rt_eio_session *s, bool binary, rt_slice packet);
/* The handshake's JSON, after the `0`. */
int rt_eio_session_put_open(const rt_eio_session *s, rt_buf *out);
/* Queues a text packet of ours. */
void rt_eio_session_send_text(rt_eio_session *s, rt_slice packet);
/* Upgrade: `5` came, and s->port is the WebSocket. */
void rt_eio_session_switch(rt_eio_session *s);
/* Answers the waiting poll with what is queued, if there are both. When the answer cannot be made
 * or queued its events are lost, so the session ends: its client would never know. */
void rt_eio_session_flush(rt_eio_session *s);

/* --- polling.c --- */

/* A GET of the session's client: answered at once or when there is something to say. */
void rt_eio_polling_get(rt_eio_session *s, rt_eio_exchange *x);
/* A POST's head; its body follows. */
void rt_eio_polling_post(rt_eio_session *s, rt_eio_exchange *x);
/* The body is whole: packets are handed up, then `ok` goes out. */
void rt_eio_polling_post_end(rt_eio_exchange *x);

/* --- poll_answer.c --- */

/* Answers a GET with a payload, compressed and wrapped as it asked; frees the exchange. */
void rt_eio_poll_reply(rt_eio_exchange *x, rt_slice payload);
/* Drops the payloads of this turn: the messages of the next are others. */
void rt_eio_poll_forget(rt_eio *e);
/* Answers the waiting poll with what is queued, if there are both. RT_OK, or RT_ENOMEM: the answer
 * could not be made or queued, and what had left the queue for it is lost. */
int rt_eio_poll_flush(rt_eio_session *s);
/* Answers the waiting poll, if any, with one literal payload (`1`, `6`). */
void rt_eio_poll_answer(rt_eio_session *s, rt_slice payload);

/* --- exchange.c --- */

rt_eio_exchange *rt_eio_exchange_new(rt_eio *e, rt_eio_port *port, const rt_http_request *req);
/* Answers and frees. `body` may be NULL; its reference is not taken. False: the answer could not be
 * made or queued, and the connection was dropped. */
bool rt_eio_exchange_reply(rt_eio_exchange *x, int status, const char *content_type, rt_msg *body);
/* The same with a copy of text. */
void rt_eio_exchange_reply_text(rt_eio_exchange *x, int status, const char *content_type,
                                rt_slice text);
/* `{"code":N,"message":".."}` for the six Engine.IO errors; an empty message stands for the usual
 * one. */
void rt_eio_exchange_refuse(rt_eio_exchange *x, int code, rt_slice message);
/* The usual message of one of those errors; counts the refusal. */
rt_slice rt_eio_refusal(rt_eio *e, int code);
/* Drops the connection without an answer, and frees. */
void rt_eio_exchange_abort(rt_eio_exchange *x);
/* Its session, if any, forgets it. */
void rt_eio_exchange_detach(rt_eio_exchange *x);
/* Detaches and frees; the connection has gone or goes on without us. */
void rt_eio_exchange_free(rt_eio_exchange *x);

/* --- websocket.c --- */

/* Answers 101 and makes the connection a WebSocket. False: it has been closed. */
bool rt_eio_ws_accept(rt_eio_port *port, const rt_http_request *req, const rt_buf *extra_headers);
/* Without memory for it the WebSocket is closed. */
void rt_eio_ws_start_probe(rt_eio_port *port, rt_eio_session *s);
/* Sends a close frame (code 0: without payload) and lets the connection go. */
void rt_eio_ws_close(rt_eio_port *port, uint16_t code);
/* The same for one that came too late: its session has a WebSocket already, or takes none. */
void rt_eio_ws_refuse(rt_eio *e, rt_eio_port *port);
/* Lets go of a connection that is closed already or must vanish at once. */
void rt_eio_ws_drop(rt_eio_port *port);
int rt_eio_ws_send(rt_eio_port *port, rt_msg *frames);
int rt_eio_ws_send_text(rt_eio_port *port, rt_slice packet);
/* Makes it the transport of a session; a probe of it ends. */
void rt_eio_ws_join(rt_eio_port *port, rt_eio_session *s);
/* The session that it is the transport of, or NULL. */
rt_eio_session *rt_eio_ws_transported(const rt_eio_port *port);

#endif
