/* Query strings and application/x-www-form-urlencoded text.
 *
 * Ownership: none; results are raw slices of the input. Thread: any. */
#ifndef RT_WIRE_QUERY_H
#define RT_WIRE_QUERY_H

#include "base/buf.h"
#include "base/status.h"

/* The raw (still percent-encoded) value of the last parameter called `name`; true when it is there.
 * A parameter without '=' has an empty value. Names are compared as they stand. */
RT_MUST_CHECK bool rt_query_get(rt_slice query, rt_slice name, rt_slice *value);

/* Appends the percent-decoded text; '+' is a space when `form` is true. An incomplete or non-hex
 * escape is kept as it stands, as Node's querystring does. */
int rt_query_decode(rt_slice raw, bool form, rt_buf *out);
/* Appends the percent-encoded text: everything but A-Z a-z 0-9 - _ . ~ is escaped. */
int rt_query_encode(rt_slice text, rt_buf *out);

#endif
