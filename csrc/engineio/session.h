/* What the files of engineio share and nobody else sees: server, session, HTTP exchange, probe.
 *
 * A file calls only those above it in this list, or to its left:
 *
 *     compress.c frame.c handshake.c payload.c   bytes
 *     pace.c                                     how much a client may send
 *     newcomers.c peers.c                        who is not let in yet, and from where
 *     exchange.c poll_answer.c websocket.c       a request and its answer; a WebSocket
 *     session.c                                  the life of a session
 *     polling.c websocket_read.c                 what clients send
 *     request.c engineio.c                       the HTTP interface; the server
 *
 * Most clients are idle WebSockets. So a WebSocket has no object but its port, and a session that
 * is one has no polling fields.
 *
 * Ownership: a session is in rt_eio.open until it ends, then in rt_eio.ended until the reap. An
 * exchange is freed when it is answered or its connection has gone; a probe when it becomes the
 * transport or its WebSocket goes. Thread: the loop's. */
#ifndef RT_ENGINEIO_SESSION_H
#define RT_ENGINEIO_SESSION_H

#include "base/map.h"
#include "base/outq.h"
#include "base/random.h"
#include "base/status.h"
#include "base/unfinished.h"
#include "engineio/compress.h"
#include "engineio/engineio.h"
#include "engineio/handshake.h"
#include "engineio/peers.h"
#include "wire/ws.h"

enum rt_eio_state {
    RT_EIO_POLLING,
    RT_EIO_PROBING, /* polling, and a WebSocket has sent `2probe` */
    RT_EIO_WEBSOCKET,
    RT_EIO_CLOSING, /* polling: on_close was called, the queue waits for the next poll */
    RT_EIO_CLOSED,
};

struct rt_eio {
    rt_eio_opts opts;
    rt_timers *timers;
    rt_eio_app app;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    rt_random random;
    rt_map by_sid;
    rt_list open;    /* sessions, with those that close */
    rt_list pending; /* rt_eio_polling that got messages in this turn */
    rt_list ended;   /* sessions to free */
    rt_eio_newcomers newcomers;
    rt_eio_peers peers;
    rt_unfinished_all unfinished; /* messages and bodies that have come in part */
    rt_timerq ping_due;
    rt_timerq pong_due;       /* counted from the ping's own deadline */
    rt_timerq pong_again_due; /* counted from a later time, once for each ping */
    rt_timerq drain_due;
    rt_timerq probe_due;
    rt_timerq noop_due;
    /* The last polling payload of this turn, in each coding: others may have the same message. */
    rt_msg *payload_source;
    rt_msg *payload[RT_CODINGS];
    rt_eio_compressor *compressor; /* NULL before its first use */
    uint32_t websockets;
    uint32_t polls;
    uint64_t closed[RT_EIO_REASONS];
    rt_eio_counters counters;
};

#define RT_EIO_JSONP_INDEX_MAX 10 /* digits; more are cut off */

typedef struct rt_eio_exchange rt_eio_exchange;

/* A WebSocket that may become the transport of a polling session. */
typedef struct rt_eio_probe {
    rt_eio_port *port;
    rt_eio_session *session;
    rt_timer due;  /* in probe_due */
    rt_timer noop; /* in noop_due, after `2probe` */
} rt_eio_probe;

/* A WebSocket's message that has come in part. */
typedef struct rt_eio_partial {
    rt_ws ws;
    rt_unfinished unfinished;
    rt_eio *eio;
    rt_eio_port *port;
} rt_eio_partial;

/* What a session needs while it polls: until it ends or switches to a WebSocket. */
typedef struct rt_eio_polling {
    rt_eio_session *session;
    rt_list pending; /* in rt_eio.pending */
    rt_outq queue;   /* messages for the next poll */
    rt_eio_exchange *poll;
    rt_eio_exchange *post;
    rt_eio_probe *probe;
    uint32_t paid;    /* pace.c */
    uint32_t answers; /* the part of queue.taken that packets of POSTs have caused */
} rt_eio_polling;

/* The first cache line is what a message to a WebSocket needs. */
struct rt_eio_session {
    rt_eio *eio;
    rt_eio_port *port; /* the transport, in state WEBSOCKET */
    uint8_t state;
    bool opened;            /* on_open returned RT_OK */
    bool awaiting_pong : 1; /* heartbeat is in pong_due or pong_again_due */
    bool pong_extended : 1; /* another packet has extended the pong's deadline */
    bool held_back : 1;     /* packets it has sent wait for their turn: the pong may be one */
    char sid[RT_ID_LEN];
    rt_list node;                /* in open or ended */
    rt_timer heartbeat;          /* in ping_due, pong_due, pong_again_due or drain_due */
    rt_eio_polling *polling;     /* never NULL in the states that poll */
    rt_eio_handshake *handshake; /* while it is a newcomer */
    max_align_t user[];          /* app.user_size bytes */
};

/* An HTTP request that is being read or waits for its answer. */
struct rt_eio_exchange {
    bool keep_alive;
    bool read_whole; /* the request has ended */
    bool jsonp;      /* a script tag's GET, a form's POST */
    char jsonp_index[RT_EIO_JSONP_INDEX_MAX + 1];
    enum rt_coding coding; /* that the answer may have */
    rt_eio *eio;
    rt_eio_port *port;
    rt_eio_session *session; /* whose poll or post it is; else NULL */
    rt_buf body;
    rt_unfinished unfinished; /* the body, until it is whole */
    size_t fed;               /* bytes of a POST's body that are done; more than there are: all */
    rt_alarm again;           /* the packets that follow have their turn */
    rt_buf headers;           /* header lines of the answer: CORS, cookie, coding */
};

static inline uint64_t rt_eio_now(const rt_eio *e) {
    return e->now(e->now_ctx);
}

static inline void rt_eio_count(rt_eio *e, int counter) {
    e->counters.v[counter]++;
}

/* Lets the app send what it holds back. Any session may end by it. */
static inline void rt_eio_flush_app(rt_eio *e) {
    if (e->app.flush)
        e->app.flush(e->app.ctx);
}

/* --- session.c --- */

/* A new session in state POLLING or WEBSOCKET, in the table, its heartbeat started; older newcomers
 * may end to make room for it. NULL: *status says why. Call rt_eio_session_open next. */
RT_MUST_CHECK rt_eio_session *rt_eio_session_new(rt_eio *e, rt_eio_port *port,
                                                 const rt_http_request *req, bool websocket,
                                                 int *status);
void rt_eio_session_free(rt_eio_session *s); /* once it has ended */
/* Calls on_open; after an error the session has ended. */
RT_MUST_CHECK int rt_eio_session_open(rt_eio_session *s);
/* Ends it now: lets go of its transports, calls on_close. Its memory waits for the reap. */
void rt_eio_session_end(rt_eio_session *s, enum rt_eio_reason reason);
/* Handles one packet from the client. False: the session has ended or is closing. */
bool rt_eio_session_packet(rt_eio_session *s, bool binary, rt_slice packet);
/* Writes the open packet: `0` and the JSON of the handshake. */
RT_MUST_CHECK int rt_eio_session_put_open(const rt_eio_session *s, rt_buf *out);
/* Sends a text packet of engineio's own. */
void rt_eio_session_send_text(rt_eio_session *s, rt_slice packet);
/* `5` came: s->port is the WebSocket, polling is over, the queue moves. */
void rt_eio_session_switch(rt_eio_session *s);
/* Answers the waiting poll with what is queued, if there are both. When the answer cannot be made
 * or queued its events are lost, so the session ends: its client would never know. */
void rt_eio_session_flush(rt_eio_session *s);

/* --- pace.c --- */

/* What is left of a client's share of this turn. */
typedef struct rt_eio_slice {
    uint32_t packets;
    size_t bytes;
} rt_eio_slice;

void rt_eio_slice_begin(rt_eio_slice *slice);
/* Takes one packet off, which the session pays for; NULL: a probe. False: it was the last for now.
 */
bool rt_eio_slice_spend(rt_eio_slice *slice, rt_eio_session *s, size_t bytes);
/* For a new client: all the credit that there can be. */
uint32_t rt_eio_pace_start(const rt_eio *e);
/* When the session has paid for what it has sent, and may send more; 0: it has. */
uint64_t rt_eio_pace_again(const rt_eio_session *s);
/* Tells the app that it has not. That may end any session. */
void rt_eio_pace_tell(rt_eio_session *s);

/* --- polling.c --- */

/* A GET: answered at once if anything is queued, else when something is. */
void rt_eio_polling_get(rt_eio_session *s, rt_eio_exchange *x);
/* The head of a POST. */
void rt_eio_polling_post(rt_eio_session *s, rt_eio_exchange *x);
/* Its body is whole: handles the packets, slice by slice, then answers `ok`. */
void rt_eio_polling_post_end(rt_eio_exchange *x);

/* --- poll_answer.c --- */

/* Answers a GET with a payload, compressed and wrapped as it asked. Frees the exchange. */
void rt_eio_poll_reply(rt_eio_exchange *x, rt_slice payload);
/* Drops the payloads that are kept for this turn: the messages of the next are others. */
void rt_eio_poll_forget(rt_eio *e);
/* Answers the waiting poll with what is queued, if there are both. RT_OK, or RT_ENOMEM: the answer
 * could not be made or queued, and what had left the queue for it is lost. */
RT_MUST_CHECK int rt_eio_poll_flush(rt_eio_session *s);
/* Answers the waiting poll, if any, with one literal payload (`1`, `6`). */
void rt_eio_poll_answer(rt_eio_session *s, rt_slice payload);

/* --- exchange.c --- */

RT_MUST_CHECK rt_eio_exchange *rt_eio_exchange_new(rt_eio *e, rt_eio_port *port,
                                                   const rt_http_request *req);
/* Answers and frees. `body` may be NULL; the caller keeps its reference. False: the answer could
 * not be made or queued, and the connection was closed. */
bool rt_eio_exchange_reply(rt_eio_exchange *x, int status, const char *content_type, rt_msg *body);
/* The same with a copy of the text. */
void rt_eio_exchange_reply_text(rt_eio_exchange *x, int status, const char *content_type,
                                rt_slice text);
/* Answers with one of the six Engine.IO errors, `{"code":N,"message":".."}`. An empty message
 * stands for the usual one. */
void rt_eio_exchange_refuse(rt_eio_exchange *x, int code, rt_slice message);
/* The usual message of one of these errors; counts the refusal. */
rt_slice rt_eio_refusal(rt_eio *e, int code);
/* Closes the connection without an answer, and frees. */
void rt_eio_exchange_abort(rt_eio_exchange *x);
/* It is no longer the poll or post of its session, if it was. */
void rt_eio_exchange_detach(rt_eio_exchange *x);
/* Detaches and frees; the connection has gone or is free for the next request. */
void rt_eio_exchange_free(rt_eio_exchange *x);

/* --- websocket.c --- */

/* Answers 101 and makes the connection a WebSocket. False: it has been closed. */
RT_MUST_CHECK bool rt_eio_ws_accept(rt_eio_port *port, const rt_http_request *req,
                                    const rt_buf *extra_headers);
/* Makes the WebSocket the probe of the session. Without memory for it the WebSocket is closed. */
void rt_eio_ws_start_probe(rt_eio_port *port, rt_eio_session *s);
/* Sends a close frame (code 0: without payload) and lets the connection go. */
void rt_eio_ws_close(rt_eio_port *port, uint16_t code);
/* The same for one that its session does not take; counts it. */
void rt_eio_ws_refuse(rt_eio *e, rt_eio_port *port);
/* The message that has come in part, if any, is no more; its memory goes. */
void rt_eio_partial_free(rt_eio_partial *p);
/* Lets the connection go at once, without a close frame. */
void rt_eio_ws_drop(rt_eio_port *port);
RT_MUST_CHECK int rt_eio_ws_send(rt_eio_port *port, rt_msg *frames);
RT_MUST_CHECK int rt_eio_ws_send_text(rt_eio_port *port, rt_slice packet);
/* Makes it the transport of the session; if it was a probe, that ends. */
void rt_eio_ws_join(rt_eio_port *port, rt_eio_session *s);
/* The session whose transport it is, or NULL. */
rt_eio_session *rt_eio_ws_transported(const rt_eio_port *port);

#endif
