/* The credential in a request head. */
#include "frappe/credential.h"

#include "base/status.h"
#include "wire/cookie.h"

int rt_credential_read(const rt_http_request *req, rt_credential *out) {
    rt_slice header = rt_http_header_get(req, RT_LIT("Authorization"));
    if (header.n > 0) {
        *out = (rt_credential){RT_CREDENTIAL_HEADER, header};
        return RT_OK;
    }
    rt_slice cookies = rt_http_header_get(req, RT_LIT("Cookie"));
    if (cookies.n == 0)
        return RT_ENOENT;
    rt_slice sid;
    if (!rt_cookie_get(cookies, RT_LIT("sid"), &sid) || sid.n == 0)
        return RT_EINVAL;
    *out = (rt_credential){RT_CREDENTIAL_SID, sid};
    return RT_OK;
}
