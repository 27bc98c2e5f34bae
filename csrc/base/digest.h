/* SHA-1 and base64: what the WebSocket handshake (RFC 6455, 4.2.2) and binary packets in polling
 * need. SHA-1 is used as the protocol demands, never for secrecy.
 *
 * Ownership: caller's memory. Thread: any. */
#ifndef RT_BASE_DIGEST_H
#define RT_BASE_DIGEST_H

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

void rt_sha1(rt_slice bytes, uint8_t out[20]);

/* Characters that encode n bytes, padding included. */
#define RT_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes RT_BASE64_LEN(in.n) characters, no NUL. */
void rt_base64_encode(rt_slice in, char *out);
/* RFC 4648 section 5 alphabet, no padding: for ids. Writes (n * 4 + 2) / 3 characters. */
void rt_base64url_encode(rt_slice in, char *out);
/* Appends the decoded bytes. Accepts up to two `=` at the end or none, and both alphabets, as
 * Node's decoder does; any other character, or a length that no bytes have, is RT_EINVAL and
 * appends nothing. Else RT_OK or the buffer's error. */
RT_MUST_CHECK int rt_base64_decode(rt_slice in, rt_buf *out);

#endif
