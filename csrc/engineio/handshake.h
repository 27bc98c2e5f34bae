/* A copy of the request that opened a session. It is kept until the layer above has read it.
 *
 * Ownership: new/free. Thread: the loop's. Must not know: sessions. */
#ifndef RT_ENGINEIO_HANDSHAKE_H
#define RT_ENGINEIO_HANDSHAKE_H

#include "base/status.h"
#include "wire/http.h"

typedef struct rt_eio_handshake rt_eio_handshake;

RT_MUST_CHECK rt_eio_handshake *
rt_eio_handshake_new(const rt_http_request *req); /* NULL: out of memory */
void rt_eio_handshake_free(rt_eio_handshake *h);  /* NULL is fine */
const rt_http_request *rt_eio_handshake_request(const rt_eio_handshake *h);

#endif
