/* A copy of the request that opened a session, kept until the layer above lets the client in: as
 * long as that, the session is a newcomer.
 *
 * Ownership: new/free; session.c fills and lists the newcomer. Thread: the loop's. Must not know:
 * what a session is. */
#ifndef RT_ENGINEIO_HANDSHAKE_H
#define RT_ENGINEIO_HANDSHAKE_H

#include "base/status.h"
#include "engineio/newcomers.h"
#include "wire/http.h"

typedef struct rt_eio_handshake {
    rt_eio_newcomer newcomer;
    struct rt_eio_session *session; /* whose it is */
    size_t size;                    /* bytes of this block */
    rt_http_request request;
    rt_http_header headers[];
} rt_eio_handshake;

RT_MUST_CHECK rt_eio_handshake *
rt_eio_handshake_new(const rt_http_request *req); /* NULL: out of memory */
void rt_eio_handshake_free(rt_eio_handshake *h);  /* NULL is fine */

#endif
