/* The health of the server, for probes over HTTP and over the local socket. */
#include "server/instance.h"

rt_health rt_instance_health(const rt_instance *in) {
    rt_redis_figures redis = {.subscribed = true};
    if (in->redis)
        rt_redis_get_figures(in->redis, &redis);
    return (rt_health){.degraded = redis.subscribed ? NULL : "redis is away"};
}
