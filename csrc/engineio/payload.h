/* Packets as text, for clients that take no binary frames.
 *
 * A queue holds WebSocket frames, since a message is framed once for all its receivers. A polling
 * payload is the packets of these frames with 0x1e between them, binary ones as `b` and base64
 * (Engine.IO protocol, "Payload encoding"). A WebSocket that asked for `b64` gets these packets in
 * text frames.
 *
 * Ownership: results are new references. Thread: the loop's. Must not know: sessions, HTTP. */
#ifndef RT_ENGINEIO_PAYLOAD_H
#define RT_ENGINEIO_PAYLOAD_H

#include "base/buf.h"
#include "base/msg.h"
#include "base/outq.h"
#include "base/status.h"

/* The whole queue, which is not empty, as one payload; NULL: out of memory. */
RT_MUST_CHECK rt_msg *rt_eio_payload_encode(const rt_outq *q);

/* The same frames, binary ones made text; the message itself if none is. NULL: out of memory. */
RT_MUST_CHECK rt_msg *rt_eio_payload_as_text_frames(rt_msg *frames);

/* `___eio[INDEX]("...");` around a payload, for clients that poll with script tags. */
RT_MUST_CHECK rt_msg *rt_eio_payload_jsonp(rt_slice index, rt_slice payload);

/* The payload in the form field `d` of such a client's POST. Forms change newlines, so the client
 * writes a newline as `\n` and `\n` as `\\n`. RT_OK, RT_EINVAL (no such field) or RT_ENOMEM. */
RT_MUST_CHECK int rt_eio_payload_from_form(rt_slice body, rt_buf *out);

#endif
