/* What is served outside /socket.io/: a health check, and a word to whoever looks in with a
 * browser. */
#include "server/instance.h"

int rt_instance_route(void *arg, const rt_http_request *req, rt_buf *body, const char **type) {
    const rt_instance *in = arg;
    (void)type;
    if (req->method != RT_HTTP_GET && req->method != RT_HTTP_HEAD) {
        rt_buf_puts(body, RT_LIT("method not allowed\n"));
        return 405;
    }
    if (rt_slice_eq(req->path, RT_LIT("/health"))) {
        rt_redis_figures redis = {0};
        if (in->redis)
            rt_redis_get_figures(in->redis, &redis);
        /* Frappe's own server says `ok`; probes compare the first line. */
        bool away = in->redis && !redis.subscribed;
        rt_buf_puts(body, away ? RT_LIT("ok\ndegraded: redis is away\n") : RT_LIT("ok"));
        return 200;
    }
    rt_buf_puts(body, RT_LIT("frappe_rt: realtime server; Socket.IO is at /socket.io/\n"));
    return 404;
}
