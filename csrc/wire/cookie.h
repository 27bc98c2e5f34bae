/* The Cookie request header (RFC 6265, section 4.2.1).
 *
 * Ownership: none. Thread: any. */
#ifndef RT_WIRE_COOKIE_H
#define RT_WIRE_COOKIE_H

#include "base/slice.h"
#include "base/status.h"

/* The raw value of the first cookie called `name` (case-sensitive), surrounding quotes removed;
 * true when it is there. */
RT_MUST_CHECK bool rt_cookie_get(rt_slice header, rt_slice name, rt_slice *value);
/* The same cookie as it stands in the header, `name=value`. */
RT_MUST_CHECK bool rt_cookie_pair(rt_slice header, rt_slice name, rt_slice *pair);

#endif
