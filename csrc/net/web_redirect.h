/* Inside net/ only: which URLs the web client asks, and where a redirect may lead it. The requests
 * carry a user's credentials, so they never go to another host or port than the one asked.
 *
 * Ownership: results are the caller's (rt_free). Thread: any. Must not know: curl. */
#ifndef RT_NET_WEB_REDIRECT_H
#define RT_NET_WEB_REDIRECT_H

#include "base/status.h"
#include "wire/url.h"

/* An absolute http or https URL without spaces, control characters or user information, whose path
 * nobody can read as a part of the host. */
RT_MUST_CHECK bool rt_web_url_parse(rt_slice text, rt_url *url);

/* What to ask instead of `at` when its answer says Location: `to` (made absolute). `host_header` is
 * the value of the Host header sent, or empty. Followed are: the same host and port; https on the
 * same host, on the same port or 443; and the name given in the Host header, by which the server
 * asked speaks of itself: then the server asked is asked again, with the new path. RT_OK and a new
 * text, RT_EINVAL: do not follow, RT_ENOMEM. */
RT_MUST_CHECK int rt_web_redirect(const char *at, const char *to, rt_slice host_header, char **out);

#endif
