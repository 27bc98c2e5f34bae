/* Copies a request head into one block: the struct, its header table, all its bytes. */
#include "engineio/handshake.h"

#include "base/alloc.h"

static rt_slice copy_slice(char **at, rt_slice from) {
    if (from.n == 0)
        return RT_EMPTY;
    memcpy(*at, from.p, from.n);
    rt_slice copy = rt_slice_make(*at, from.n);
    *at += from.n;
    return copy;
}

rt_eio_handshake *rt_eio_handshake_new(const rt_http_request *req) {
    size_t table = req->header_count * sizeof(rt_http_header);
    size_t bytes = req->target.n;
    for (unsigned i = 0; i < req->header_count; i++)
        bytes += req->headers[i].name.n + req->headers[i].value.n;
    rt_eio_handshake *h = rt_alloc(sizeof *h + table + bytes);
    if (!h)
        return NULL;
    char *at = (char *)h + sizeof *h + table;
    rt_eio_newcomer_init(&h->newcomer);
    h->session = NULL;
    h->size = sizeof *h + table + bytes;
    h->request = *req;
    h->request.headers = h->headers;
    h->request.target = copy_slice(&at, req->target);
    h->request.path = rt_slice_make(h->request.target.p, req->path.n);
    h->request.query = rt_slice_from(h->request.target, req->path.n + 1);
    for (unsigned i = 0; i < req->header_count; i++) {
        h->headers[i].name = copy_slice(&at, req->headers[i].name);
        h->headers[i].value = copy_slice(&at, req->headers[i].value);
    }
    return h;
}

void rt_eio_handshake_free(rt_eio_handshake *h) {
    rt_free(h);
}
