/* What a request claims: which site it is for, and which page it comes from. Functions over a
 * request head.
 *
 * Ownership: results are slices of the request. Thread: the loop's.
 * Must not know: sockets, questions. */
#ifndef RT_FRAPPE_CLAIM_H
#define RT_FRAPPE_CLAIM_H

#include "frappe/ports.h"
#include "wire/http.h"

typedef struct rt_claim {
    rt_slice site;      /* the site's name, without a trailing dot; empty: not found */
    const char *source; /* which header or key named it, for messages */
    rt_slice host;      /* host name of the Host header; empty when missing or malformed */
    rt_slice origin;    /* the Origin header; empty when missing */
    bool same_host;     /* Origin's host name equals Host's */
    bool listed;        /* the Origin is one of those allowed by configuration */
    bool elsewhere;     /* no Origin, but Sec-Fetch-Site says: another site's page */
} rt_claim;

/* X-Frappe-Site-Name, else `default_site` for localhost, else Origin's host name, else Host's. */
void rt_claim_read(const rt_http_request *req, rt_slice origin, rt_slice default_site,
                   const rt_frappe_ports *ports, rt_claim *out);

/* True for the same host, for a listed Origin, and without an Origin: browsers leave it out when
 * they poll their own host, and other programs often send none. False without a Host. */
bool rt_claim_origin_ok(const rt_claim *c);

#endif
