/* `redis://[user[:password]@]host[:port][/db]`, `rediss://` the same over TLS,
 * `unix:///path[?db=n]`.
 *
 * Ownership: caller's memory, fixed sizes. Thread: any. */
#ifndef RT_NET_REDIS_URL_H
#define RT_NET_REDIS_URL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct rt_redis_url {
    char host[256]; /* empty for a Unix socket */
    char path[108]; /* Unix socket path, or empty */
    char user[128];
    char password[512];
    int port; /* 6379 when absent */
    int db;
    bool tls;
} rt_redis_url;

/* RT_OK, or RT_EINVAL with a message for people in `why` (no password in it). Percent escapes in
 * user and password are decoded. A bare `host:port` is taken as redis://. */
RT_MUST_CHECK int rt_redis_url_parse(const char *text, rt_redis_url *out, char *why,
                                     size_t why_len);
/* The URL without user and password, for logs. */
void rt_redis_url_show(const rt_redis_url *url, char *out, size_t n);

#endif
