/* Any text as a Redis URL. */
#include "base/alloc.h"
#include "base/status.h"
#include "net/redis_url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

/* What is shown for logs is a URL again, of the same place, without the credentials. */
static void must_read_back(const rt_redis_url *url) {
    char shown[400];
    char why[200];
    rt_redis_url again;
    rt_redis_url_show(url, shown, sizeof shown);
    require(rt_redis_url_parse(shown, &again, why, sizeof why) == RT_OK);
    require(strcmp(url->host, again.host) == 0 && strcmp(url->path, again.path) == 0);
    require(url->port == again.port && url->db == again.db && url->tls == again.tls);
    require(!again.user[0] && !again.password[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[200] = "";
    rt_redis_url url;
    char *text = rt_alloc(size + 1); /* of its exact size, for the sanitizer's sake */
    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    int rc = rt_redis_url_parse(text, &url, why, sizeof why);
    require(rc == RT_OK || rc == RT_EINVAL);
    require((rc == RT_OK) == (why[0] == '\0'));
    if (rc == RT_OK) {
        require((url.host[0] == '\0') != (url.path[0] == '\0'));
        require(url.db >= 0 && url.db <= 65535);
        require(url.path[0] ? url.port == 0 && url.path[0] == '/'
                            : url.port >= 1 && url.port <= 65535);
        if (!strchr(text, '%')) /* a path is shown as it is, without escapes */
            must_read_back(&url);
    }
    rt_free(text);
    return 0;
}
