/* Hosts, origins and URLs, split but not interpreted.
 *
 * Ownership: none; results are slices of the input. Thread: any.
 * Must not know: which host is allowed to do what. */
#ifndef RT_WIRE_URL_H
#define RT_WIRE_URL_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

typedef struct rt_url {
    rt_slice scheme;   /* without "://"; empty when the text has none */
    rt_slice userinfo; /* before the last '@' of the authority; empty when absent */
    rt_slice host;     /* name or address; IPv6 without its brackets */
    uint16_t port;     /* 0 when absent or empty */
    rt_slice path;     /* all that follows the authority, query and fragment too; may be empty */
    bool ipv6;         /* the host was in brackets */
} rt_url;

/* `[scheme://][userinfo@]host[:port][/path]`. The authority ends at '/', '\', '?' or '#', as
 * browsers have it. RT_EINVAL: empty host, port not 0-65535, bad bracket, or a byte of the host
 * that no host name has (space, control, '<', '>', '"', '%', '^', '`', '{', '|', '}', '@', ','). */
RT_MUST_CHECK int rt_url_parse(rt_slice text, rt_url *url);

/* The host name of a Host header value (`name[:port]`, no scheme, no userinfo, no path). */
RT_MUST_CHECK int rt_url_host_header(rt_slice text, rt_url *url);

/* Host names compared as DNS does: ASCII case-insensitive, one trailing dot ignored. An
 * empty name equals nothing, so that two missing headers are no match. */
bool rt_host_eq(rt_slice a, rt_slice b);

#endif
