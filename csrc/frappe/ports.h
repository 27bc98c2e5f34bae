/* What Frappe's rules need from the outside world: the web process, Redis, configuration that may
 * change, the clock.
 *
 * Ownership: arguments are borrowed for the call, answers for the callback. Thread: the loop's, in
 * both directions. A callback never runs inside the call that asked. */
#ifndef RT_FRAPPE_PORTS_H
#define RT_FRAPPE_PORTS_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

/* A GET to the web process that serves `site`. */
typedef struct rt_frappe_request {
    rt_slice site;
    rt_slice path;          /* "/api/method/frappe.realtime.get_user_info", query included */
    rt_slice sid;           /* value of the sid cookie as the client sent it, or empty */
    rt_slice authorization; /* header value, or empty */
    rt_slice secret;        /* X-Frappe-Socket-Secret, or empty */
} rt_frappe_request;

typedef struct rt_frappe_answer {
    int status;              /* HTTP status, or 0: no answer (refused, timeout, broken, too big) */
    rt_slice body;           /* at most the web client's answer limit */
    const char *error;       /* for status 0: what went wrong, for the log */
    uint32_t retry_after_ms; /* the web process's wish; 0: none */
} rt_frappe_answer;

typedef void rt_frappe_answer_fn(void *arg, const rt_frappe_answer *answer);
/* found: false when the key does not exist; status: RT_OK, or why Redis did not answer. */
typedef void rt_frappe_redis_fn(void *arg, int status, bool found, rt_slice value);

typedef struct rt_frappe_ports {
    void *ctx;
    /* RT_OK and a handle for web_cancel in *call; else why it cannot be sent now, as RT_ENOMEM.
     * `done` is called exactly once, unless cancelled. */
    RT_MUST_CHECK int (*web_get)(void *ctx, const rt_frappe_request *req, rt_frappe_answer_fn *done,
                                 void *arg, void **call);
    void (*web_cancel)(void *ctx, void *call);
    /* GET key. RT_OK: `done` will be called exactly once; else never (RT_ECLOSED: not connected).
     */
    RT_MUST_CHECK int (*redis_get)(void *ctx, rt_slice key, rt_frappe_redis_fn *done, void *arg);
    /* PUBLISH; best effort. */
    RT_MUST_CHECK int (*redis_publish)(void *ctx, rt_slice channel, rt_slice message);
    /* The origins that the current configuration allows for `site` besides its own host: a list for
     * rt_origins_name, borrowed until the next call. Called when a page of another host connects;
     * must not block. `site` may be any text. */
    rt_slice (*allowed_origins)(void *ctx, rt_slice site);
    uint64_t (*now)(void *ctx); /* monotonic ms */
} rt_frappe_ports;

#endif
