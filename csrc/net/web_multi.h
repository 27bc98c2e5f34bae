/* Inside net/ only: curl's multi interface on the loop, one uv_poll_t for each of curl's sockets
 * and one timer.
 *
 * Ownership: caller's memory, until `gone` is called. Thread: the loop's.
 * Must not know: what the easy handles ask. */
#ifndef RT_NET_WEB_MULTI_H
#define RT_NET_WEB_MULTI_H

#include "base/status.h"
#include "net/loop.h"

#include <curl/curl.h>

typedef struct rt_web_multi_ops {
    /* This handle has finished; it is still added. Never from inside a call of this header. */
    void (*finished)(void *arg, CURL *easy, CURLcode result);
    void (*gone)(void *arg);
} rt_web_multi_ops;

typedef struct rt_web_multi {
    rt_loop *loop;
    CURLM *curl; /* NULL until opened, and once closed */
    long connections;
    const rt_web_multi_ops *ops;
    void *arg;
    uv_timer_t timer; /* curl's */
    unsigned handles; /* of libuv, not yet closed */
} rt_web_multi;

/* `connections`: how many stay open for later requests. */
void rt_web_multi_init(rt_web_multi *m, rt_loop *loop, long connections,
                       const rt_web_multi_ops *ops, void *arg);
/* Needed before the first handle is added; rt_curl_load must have succeeded. RT_OK or RT_ENOMEM. */
RT_MUST_CHECK int rt_web_multi_open(rt_web_multi *m);
/* Every handle must have been removed. `gone` comes later. */
void rt_web_multi_close(rt_web_multi *m);
/* The options of a handle that concern its sockets. */
RT_MUST_CHECK bool rt_web_multi_prepare(CURL *easy);
RT_MUST_CHECK bool rt_web_multi_add(rt_web_multi *m, CURL *easy);
void rt_web_multi_remove(rt_web_multi *m, CURL *easy);

#endif
