/* HTTP/1.1 requests as a server reads them: llhttp behind a small push parser with limits.
 *
 * Feed bytes in; events come out through callbacks, in this order for each request:
 * on_head once (request line and headers complete), on_body zero or more times, on_end once.
 * Then, unless the request was an upgrade, the next request may follow in the same bytes.
 *
 * A request that is not sound is refused as RT_EHTTP_SYNTAX before on_head: any version but 1.0 and
 * 1.1, no Host in 1.1 or two of them, Content-Length twice or beside Transfer-Encoding, any
 * Transfer-Encoding but `chunked` (RFC 9112, sections 3.2, 6.1 and 6.3). Trailers are dropped.
 *
 * Ownership: new/free; the request head lives inside the parser until on_end returns.
 * Thread: the loop's. Must not know: fds, timers, what a path or header means. */
#ifndef RT_WIRE_HTTP_H
#define RT_WIRE_HTTP_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

/* Limits, as the reference server's runtime has them (Node: 16 KiB of header, 2000 lines; fewer
 * lines here, a browser sends about 20). */
#define RT_HTTP_HEAD_MAX 16384 /* bytes of request line and headers, or between two body bytes */
#define RT_HTTP_HEADERS_MAX 100
#define RT_HTTP_TARGET_MAX 8192

enum rt_http_method {
    RT_HTTP_OTHER,
    RT_HTTP_GET,
    RT_HTTP_POST,
    RT_HTTP_OPTIONS,
    RT_HTTP_HEAD,
    RT_HTTP_PUT,
    RT_HTTP_DELETE,
    RT_HTTP_PATCH
};

typedef struct rt_http_header {
    rt_slice name;  /* as sent */
    rt_slice value; /* trimmed */
} rt_http_header;

/* A request head: all slices are valid until on_end has returned. */
typedef struct rt_http_request {
    enum rt_http_method method;
    rt_slice target; /* raw, e.g. "/socket.io/?EIO=4&transport=polling"; may be "*", an absolute
                        URL or, of CONNECT (method OTHER), "host:port" */
    rt_slice path;   /* target up to '?' */
    rt_slice query;  /* after '?', without it; empty when absent */
    const rt_http_header *headers;
    unsigned header_count;
    bool keep_alive;      /* as the client asked; never after CONNECT */
    bool upgrade;         /* HTTP/1.1, `Connection: upgrade` and an Upgrade header are there */
    bool has_body;        /* Content-Length above 0, or chunked */
    bool expect_continue; /* `Expect: 100-continue` */
} rt_http_request;

/* The first header of that name (case-insensitive), or an empty slice. */
rt_slice rt_http_header_get(const rt_http_request *req, rt_slice name);
/* True when the comma-separated header `name` holds `token` (case-insensitive). */
bool rt_http_header_has_token(const rt_http_request *req, rt_slice name, rt_slice token);

typedef struct rt_http_events {
    /* Each returns RT_OK to go on, or anything else to stop the parser for good: rt_http_feed then
     * returns that value and must not be called again. */
    RT_MUST_CHECK int (*on_head)(void *arg, const rt_http_request *req);
    RT_MUST_CHECK int (*on_body)(void *arg, rt_slice bytes);
    RT_MUST_CHECK int (*on_end)(void *arg);
} rt_http_events;

typedef struct rt_http rt_http;

RT_MUST_CHECK rt_http *rt_http_new(const rt_http_events *events,
                                   void *arg); /* NULL: out of memory */
void rt_http_free(rt_http *h);                 /* not from inside a callback */

/* Consumes bytes up to and including the end of one request, then returns, so that the caller can
 * hold pipelined requests back. `*used` is always set.
 *   RT_AGAIN: everything was consumed, the request is not complete.
 *   RT_OK:    one request is complete (on_end was called); bytes from *used on belong to the next
 *             request, or, after an upgrade request, to the new protocol; a caller that ignores
 *             the upgrade goes on feeding.
 *   negative: RT_EHTTP_*, RT_ENOMEM or what a callback returned; the connection is to be closed. */
RT_MUST_CHECK int rt_http_feed(rt_http *h, rt_slice bytes, size_t *used);

/* True between the first byte of a request and its end. */
bool rt_http_busy(const rt_http *h);

#endif
