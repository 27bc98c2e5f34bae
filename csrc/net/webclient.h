/* HTTP GETs to the web process: libcurl's multi interface on the loop, keep-alive connections. The
 * caller decides how many are in flight.
 *
 * Ownership: new/close/free. curl is initialised at first use (OpenSSL's start-up costs 3 MB).
 * Thread: the loop's. Must not know: sites, users, what is asked or answered. */
#ifndef RT_NET_WEBCLIENT_H
#define RT_NET_WEBCLIENT_H

#include "base/counters.h"
#include "base/figures.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/loop.h"

#define RT_WEB_CONNECTIONS 16    /* kept open for later requests */
#define RT_WEB_TIMEOUT_MS 120000 /* one request, connecting included; as gunicorn in a bench */
#define RT_WEB_CONNECT_MS 3000
#define RT_WEB_ALIVE_S 10              /* TCP keep-alive: finds a peer that has vanished */
#define RT_WEB_ANSWER_MAX (256u << 10) /* bytes of one answer's body; more is "no answer" */
#define RT_WEB_REDIRECTS 3             /* followed on the same host only: credentials are sent */

#define RT_WEB_COUNTERS(X)                                                                         \
    X(RT_WEB_REQUESTS, "requests", "Requests to the web process taken on.")                        \
    X(RT_WEB_ANSWERED, "answered", "Requests that the web process answered, whatever the status.") \
    X(RT_WEB_FAILED, "failed", "Requests without an answer of the web process.")                   \
    X(RT_WEB_TIMEOUTS, "timeouts", "Requests that the web process did not answer in time.")        \
    X(RT_WEB_TOO_BIG, "answers_too_big", "Requests whose answer was too big.")                     \
    X(RT_WEB_CANCELLED, "cancelled", "Requests cancelled because nobody waited for them any more.")
RT_COUNTERS_DECLARE(rt_web, RT_WEB_COUNTERS)

typedef struct rt_web_opts {
    uint32_t connections;
    uint32_t timeout_ms;
    uint32_t connect_ms;
    uint32_t answer_max;
} rt_web_opts;
void rt_web_opts_default(rt_web_opts *opts);

typedef struct rt_web_answer {
    int status; /* HTTP status, or 0: no answer */
    rt_slice body;
    const char *error;       /* for status 0 */
    uint32_t retry_after_ms; /* Retry-After; 0: none */
} rt_web_answer;
typedef void rt_web_done(void *arg, const rt_web_answer *answer);

typedef struct rt_web rt_web;
typedef struct rt_web_call rt_web_call;

RT_MUST_CHECK rt_web *rt_web_new(rt_loop *loop, const rt_web_opts *opts);
/* Cancels everything, no `done` comes any more; frees itself when its handles are closed. */
void rt_web_close(rt_web *w);

/* GET `url` (absolute, http or https, NUL-terminated). `headers` are whole lines "Name: value",
 * NUL-terminated, copied; a "Host: x" line replaces curl's. A line with CR or LF is RT_EINVAL.
 * `done` comes exactly once, never from inside this call, unless cancelled. RT_OK, RT_EINVAL,
 * RT_EIO (no libcurl: logged), RT_ENOMEM. */
RT_MUST_CHECK int rt_web_get(rt_web *w, const char *url, const char *const *headers,
                             unsigned header_count, rt_web_done *done, void *arg,
                             rt_web_call **call);
/* `done` will not come. */
void rt_web_cancel(rt_web_call *call);

typedef struct rt_web_figures {
    uint32_t in_flight;
    rt_web_counters counters;
} rt_web_figures;
void rt_web_get_figures(const rt_web *w, rt_web_figures *out);
void rt_web_show_figures(const rt_web *w, const rt_figures *to);

#endif
