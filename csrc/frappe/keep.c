/* Chooses what is kept of a handshake. */
#include "frappe/keep.h"

#include "base/status.h"
#include "frappe/frappe.h"
#include "wire/cookie.h"

/* What claim.c and credential.c read, but for Cookie. */
static const rt_slice needed[] = {RT_LIT("Host"), RT_LIT("Origin"), RT_LIT("X-Frappe-Site-Name"),
                                  RT_LIT("Authorization"), RT_LIT("Sec-Fetch-Site")};

static size_t size_of(const rt_http_request *req) {
    size_t n = req->target.n;
    for (unsigned i = 0; i < req->header_count; i++)
        n += sizeof *req->headers + req->headers[i].name.n + req->headers[i].value.n;
    return n;
}

static void add(rt_http_header *headers, rt_http_request *kept, rt_slice name, rt_slice value) {
    if (value.n)
        headers[kept->header_count++] = (rt_http_header){name, value};
}

/* Of cookies the sid alone. Where there is none a byte stays: it makes a difference to the client
 * whether it sent cookies at all. */
static rt_slice cookie_of(const rt_http_request *req) {
    rt_slice all = rt_http_header_get(req, RT_LIT("Cookie"));
    rt_slice sid;
    return rt_cookie_pair(all, RT_LIT("sid"), &sid) ? sid : rt_slice_make(all.p, all.n > 0);
}

static void keep_needed(const rt_http_request *req, rt_http_header *headers,
                        rt_http_request *kept) {
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        add(headers, kept, needed[i], rt_http_header_get(req, needed[i]));
    add(headers, kept, RT_LIT("Cookie"), cookie_of(req));
    if (req->query.n > RT_FRAPPE_HANDSHAKE_QUERY_MAX) {
        kept->query = RT_EMPTY;
        kept->target = kept->path;
    }
}

int rt_keep(bool told, const rt_http_request *req, rt_http_header *headers, rt_http_request *kept) {
    if (told || size_of(req) <= RT_FRAPPE_HANDSHAKE_SMALL) {
        memcpy(headers, req->headers, req->header_count * sizeof *headers);
        kept->header_count = req->header_count;
        return RT_OK;
    }
    keep_needed(req, headers, kept);
    return size_of(kept) <= RT_FRAPPE_HANDSHAKE_MAX ? RT_OK : RT_ELIMIT;
}
