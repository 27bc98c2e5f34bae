/* WebSocket (RFC 6455) as a server reads and writes it, without I/O.
 *
 * The parser takes bytes in any split, unmasks in place and hands out whole messages; a message
 * that arrives in one piece is not copied. It checks everything the RFC demands of a server:
 * masking, reserved bits and opcodes, control frame rules, fragment order, UTF-8 (fail fast, across
 * fragments), close payloads, and a size limit. No extension is ever negotiated.
 *
 * Ownership: caller's memory for the parser, which is small enough to live in every connection;
 * message memory is allocated on demand and freed with each message. Thread: the loop's.
 * Must not know: fds, sessions, Engine.IO. */
#ifndef RT_WIRE_WS_H
#define RT_WIRE_WS_H

#include "base/buf.h"
#include "base/msg.h"
#include "base/status.h"
#include "base/utf8.h"

#include <stdint.h>

enum rt_ws_opcode {
    RT_WS_CONT = 0x0,
    RT_WS_TEXT = 0x1,
    RT_WS_BINARY = 0x2,
    RT_WS_CLOSE = 0x8,
    RT_WS_PING = 0x9,
    RT_WS_PONG = 0xa,
};

typedef struct rt_ws_events {
    /* Whole messages and control frames. Return RT_OK to go on; anything else stops rt_ws_feed,
     * which returns it (the way to close from inside a callback). RT_AGAIN stops it for now. */
    RT_MUST_CHECK int (*on_message)(void *arg, bool binary, rt_slice bytes);
    RT_MUST_CHECK int (*on_ping)(void *arg, rt_slice payload);
    RT_MUST_CHECK int (*on_pong)(void *arg, rt_slice payload);
    /* A valid close frame; code 1005 when it had none. Nothing is parsed after it. */
    RT_MUST_CHECK int (*on_close)(void *arg, uint16_t code, rt_slice reason);
} rt_ws_events;

typedef struct rt_ws {
    rt_buf *message; /* the current message so far, when it has to be kept; else NULL */
    uint64_t left;   /* payload bytes of the current frame still due */
    uint32_t max_message;
    uint8_t head[14]; /* frame header as far as it came */
    uint8_t head_len;
    uint8_t opcode;     /* of the current frame */
    uint8_t msg_opcode; /* of the fragmented message under way, 0 when none */
    uint8_t mask_at;    /* position in the mask, 0-3 */
    bool fin;
    bool in_payload;
    bool closed; /* a close frame came */
    uint8_t control_len;
    rt_utf8 utf8;
    size_t unread;    /* bytes at the end of what was fed that RT_AGAIN has left as they are */
    uint8_t *control; /* 125 bytes, only while a split control frame is under way; else NULL */
} rt_ws;

void rt_ws_init(rt_ws *ws, uint32_t max_message);
void rt_ws_fini(rt_ws *ws);

/* Consumes all bytes (unmasking them in place: `bytes` is written to). RT_OK; RT_EWS_PROTOCOL,
 * RT_EWS_UTF8, RT_EWS_TOO_BIG, RT_ENOMEM; or what a callback returned. After RT_AGAIN, the last
 * ws->unread bytes are fed again later; after any other error nothing may be. */
RT_MUST_CHECK int rt_ws_feed(rt_ws *ws, char *bytes, size_t n, const rt_ws_events *events,
                             void *arg);

/* True between two messages: a new parser could take over. */
bool rt_ws_at_rest(const rt_ws *ws);

/* The close code to send for a feed error: 1002, 1007, 1009, 1011 (out of memory), else 1000. */
uint16_t rt_ws_close_code(int status);

/* --- writing: server frames are never masked and never fragmented --- */

#define RT_WS_HEAD_MAX 10

/* Bytes of the header of a frame with n bytes of payload. */
size_t rt_ws_head_len(size_t n);
/* Writes it; returns rt_ws_head_len(n). */
size_t rt_ws_put_head(char *out, enum rt_ws_opcode opcode, size_t n);
/* A message holding one frame; NULL: out of memory. */
RT_MUST_CHECK rt_msg *rt_ws_frame(enum rt_ws_opcode opcode, rt_slice payload);
/* A close frame; code 0: without a payload. A reason of more than 123 bytes is cut between two
 * characters. */
RT_MUST_CHECK rt_msg *rt_ws_close_frame(uint16_t code, rt_slice reason);

/* Walks a run of frames we wrote ourselves: takes the first one off `*frames`. False at the end. */
RT_MUST_CHECK bool rt_ws_next_frame(rt_slice *frames, enum rt_ws_opcode *opcode, rt_slice *payload);

/* --- handshake --- */

#define RT_WS_ACCEPT_LEN 28

/* True for a Sec-WebSocket-Key: base64 of 16 bytes (24 characters). */
bool rt_ws_key_valid(rt_slice key);
/* Sec-WebSocket-Accept for a key (RFC 6455, 4.2.2); no NUL. */
void rt_ws_accept(rt_slice key, char out[RT_WS_ACCEPT_LEN]);

#endif
