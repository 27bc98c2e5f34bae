/* What a handshake says about itself: which site it is for, whether its page may talk to this
 * server, and which credential it carries. Functions over a request head.
 *
 * Ownership: results are slices of the request. Thread: the loop's.
 * Must not know: sockets, questions. */
#ifndef RT_FRAPPE_SITE_H
#define RT_FRAPPE_SITE_H

#include "base/buf.h"
#include "frappe/ports.h"
#include "wire/http.h"

typedef struct rt_route {
    rt_slice site;      /* the site's name, without a trailing dot; empty: none could be found */
    const char *source; /* where the name came from, for people */
    rt_slice host;      /* host name of the Host header; empty when missing or malformed */
    rt_slice origin;    /* the Origin header; empty when missing */
    bool same_host;     /* Origin's host name equals Host's */
    bool listed;        /* the Origin is one of those allowed by configuration */
    bool elsewhere;     /* no Origin, and the browser says that it is another site's page */
} rt_route;

/* X-Frappe-Site-Name, else `default_site` for localhost, else Origin's host name, else Host's. */
void rt_site_route(const rt_http_request *req, rt_slice origin, rt_slice default_site,
                   const rt_frappe_ports *ports, rt_route *out);

/* Same host, or listed, or no Origin at all: browsers leave it out on same-origin polling, and apps
 * that are no browser do as they like. Never without a Host. */
bool rt_site_origin_ok(const rt_route *route);

/* A name fit to be sent on in headers and to stand for a folder: host name characters, no leading
 * dot, no "..". */
bool rt_site_is_name(rt_slice name);

/* True when `ns` is "/" and the site, in the spelling of DNS. */
bool rt_site_is_namespace(rt_slice site, rt_slice ns);

enum rt_credential_kind { RT_CREDENTIAL_SID = 'c', RT_CREDENTIAL_HEADER = 'a' };

typedef struct rt_credential {
    enum rt_credential_kind kind;
    rt_slice value; /* of the sid cookie, or of the Authorization header, as sent */
} rt_credential;

/* RT_OK; RT_ENOENT: neither Cookie nor Authorization is there; RT_EINVAL: a Cookie without a sid.
 */
int rt_site_credential(const rt_http_request *req, rt_credential *out);

/* Appends text from outside so that it can be shown: cut after 120 bytes, control characters and
 * bytes that are no UTF-8 replaced. */
void rt_site_put_shown(rt_buf *b, rt_slice text);

#endif
