/* The Cookie request header, read as leniently as servers do: anything between semicolons that has
 * a '=' is a cookie. */
#include "wire/cookie.h"

static rt_slice unquoted(rt_slice value) {
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        return (rt_slice){value.p + 1, value.n - 2};
    return value;
}

bool rt_cookie_pair(rt_slice header, rt_slice name, rt_slice *pair) {
    while (header.n > 0) {
        size_t end = rt_slice_find(header, ';');
        *pair = rt_slice_trim((rt_slice){header.p, end});
        size_t eq = rt_slice_find(*pair, '=');
        if (eq < pair->n && rt_slice_eq(rt_slice_trim((rt_slice){pair->p, eq}), name))
            return true;
        header = rt_slice_from(header, end + 1);
    }
    *pair = RT_EMPTY;
    return false;
}

bool rt_cookie_get(rt_slice header, rt_slice name, rt_slice *value) {
    rt_slice pair;
    *value = RT_EMPTY;
    if (!rt_cookie_pair(header, name, &pair))
        return false;
    *value = unquoted(rt_slice_trim(rt_slice_from(pair, rt_slice_find(pair, '=') + 1)));
    return true;
}
