/* Serves requests outside /socket.io/: a health check, and a 404 that says what this server is. */
#include "server/instance.h"
#include "wire/reply.h"

typedef void handle_route(const rt_instance *in, rt_answer *answer);

/* Frappe's own server answers `ok`, and probes compare the first line with that. */
static void health(const rt_instance *in, rt_answer *answer) {
    rt_health is = rt_instance_health(in);
    rt_buf_puts(&answer->body, RT_LIT("ok"));
    if (is.degraded)
        rt_buf_printf(&answer->body, "\ndegraded: %s\n", is.degraded);
}

#define METHOD(method) (1u << (method))
#define READING (METHOD(RT_HTTP_GET) | METHOD(RT_HTTP_HEAD))

static const struct {
    rt_slice path;
    unsigned methods;
    handle_route *handle;
} routes[] = {
    {RT_LIT("/health"), READING, health},
};
#define ROUTES (sizeof routes / sizeof routes[0])

/* RFC 9110, section 15.5.6: the answer lists the methods that the path allows. */
static void refuse_method(unsigned methods, rt_answer *answer) {
    static const char *const names[] = {[RT_HTTP_GET] = "GET", [RT_HTTP_HEAD] = "HEAD"};
    rt_buf allow = RT_BUF_INIT;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (methods & METHOD(i))
            rt_buf_printf(&allow, "%s%s", allow.n ? ", " : "", names[i]);
    answer->status = 405;
    rt_reply_header(&answer->headers, RT_LIT("Allow"), rt_buf_slice(&allow));
    rt_buf_puts(&answer->body, RT_LIT("method not allowed\n"));
    if (allow.err)
        answer->headers.err = allow.err;
    rt_buf_fini(&allow);
}

void rt_instance_route(void *arg, const rt_http_request *req, rt_answer *answer) {
    for (size_t i = 0; i < ROUTES; i++) {
        if (!rt_slice_eq(req->path, routes[i].path))
            continue;
        if (routes[i].methods & METHOD(req->method))
            routes[i].handle(arg, answer);
        else
            refuse_method(routes[i].methods, answer);
        return;
    }
    answer->status = 404;
    rt_buf_puts(&answer->body, RT_LIT("frappe_rt: realtime server; Socket.IO is at /socket.io/\n"));
}
