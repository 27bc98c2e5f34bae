/* A client's credential: the sid cookie, or an Authorization header.
 *
 * Ownership: slices of the request. Thread: any. Must not know: whose it is. */
#ifndef RT_FRAPPE_CREDENTIAL_H
#define RT_FRAPPE_CREDENTIAL_H

#include "base/status.h"
#include "wire/http.h"

enum rt_credential_kind { RT_CREDENTIAL_SID = 'c', RT_CREDENTIAL_HEADER = 'a' };

typedef struct rt_credential {
    enum rt_credential_kind kind;
    rt_slice value; /* of the sid cookie, or of the Authorization header, as sent */
} rt_credential;

/* The header wins over the cookie. RT_OK; RT_ENOENT: no Cookie and no Authorization header;
 * RT_EINVAL: a Cookie header without a sid. */
RT_MUST_CHECK int rt_credential_read(const rt_http_request *req, rt_credential *out);

#endif
