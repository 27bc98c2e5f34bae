/* What a client that does not take binary frames is sent: packets as text.
 *
 * A queue holds WebSocket frames (the form in which a message is built once for everybody). A
 * polling payload is the same packets with 0x1e between them, binary ones as `b` and base64
 * (Engine.IO protocol, "Payload encoding"); a WebSocket that asked for `b64` gets the same packets
 * in text frames.
 *
 * Ownership: results are new references. Thread: the loop's. Must not know: sessions, HTTP. */
#ifndef RT_ENGINEIO_PAYLOAD_H
#define RT_ENGINEIO_PAYLOAD_H

#include "base/buf.h"
#include "base/msg.h"
#include "base/outq.h"

/* The whole queue as one payload; NULL: out of memory. Seals what is in the queue. */
rt_msg *rt_eio_payload_encode(const rt_outq *q);

/* The same frames with binary ones turned into text; the message itself when it holds none. NULL:
 * out of memory. Seals it. */
rt_msg *rt_eio_payload_as_text_frames(rt_msg *frames);

/* `___eio[INDEX]("...");` around a payload, for clients that poll with script tags. */
rt_msg *rt_eio_payload_jsonp(rt_slice index, rt_slice payload);

/* The payload inside the form field `d` of such a client's POST. It comes with each newline as
 * `\n` and each `\n` as `\\n`, since forms change newlines. RT_OK, RT_EINVAL (no such field) or
 * RT_ENOMEM. */
int rt_eio_payload_from_form(rt_slice body, rt_buf *out);

#endif
