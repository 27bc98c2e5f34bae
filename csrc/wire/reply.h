/* HTTP/1.1 response heads, as bytes.
 *
 * Ownership: the caller's buffer. Thread: the owner's. Must not know: what is answered, or why. */
#ifndef RT_WIRE_REPLY_H
#define RT_WIRE_REPLY_H

#include "base/buf.h"

/* The standard phrase of a status, or "Unknown". */
const char *rt_http_reason(int status);

/* Appends "HTTP/1.1 <status> <reason>\r\n"; RT_EINVAL (sticky) outside 100 to 999. */
int rt_reply_start(rt_buf *b, int status);
/* Appends "<name>: <value>\r\n". A value with CR, LF or NUL, or a name that is no token, is
 * RT_EINVAL (sticky): response splitting must not be possible. */
int rt_reply_header(rt_buf *b, rt_slice name, rt_slice value);
/* Appends Content-Length, `Connection: keep-alive` or `close`, and the empty line. */
int rt_reply_end(rt_buf *b, size_t content_length, bool keep_alive);

#endif
