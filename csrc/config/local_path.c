/* Derives the path of the local socket from the configuration. */
#include "config/local_path.h"

#include "base/status.h"
#include "base/utf8.h"
#include "json/write.h"

#include <limits.h>
#include <stdio.h>

#define DEFAULT_PATH "config/frappe_rt.sock" /* in the bench */

static bool is_off(rt_slice value) {
    static const char *const words[] = {"off", "false", "no", "0"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rt_slice_eq_nocase(value, rt_slice_of(words[i])))
            return true;
    return false;
}

static void describe_no_bench(const char *local_socket, char *why, size_t why_len) {
    snprintf(why, why_len,
             "no bench was found, and frappe_rt_local_socket (%s) is not an absolute path: change "
             "into a bench, give --bench, or set an absolute path",
             *local_socket ? local_socket : "not set");
}

int rt_local_path(const rt_config *c, char out[RT_LOCAL_PATH_SIZE], char *why, size_t why_len) {
    const char *value = *c->local_socket ? c->local_socket : DEFAULT_PATH;
    if (is_off(rt_slice_of(c->local_socket))) {
        snprintf(why, why_len, "frappe_rt_local_socket is %s", c->local_socket);
        return RT_ENOENT;
    }
    if (*value != '/' && !c->bench) {
        describe_no_bench(c->local_socket, why, why_len);
        return *c->local_socket ? RT_EINVAL : RT_ENOENT;
    }
    const char *folder = *value == '/' ? "" : c->bench;
    int n = snprintf(out, RT_LOCAL_PATH_SIZE, "%s%s%s", folder, *folder ? "/" : "", value);
    if (n < RT_LOCAL_PATH_SIZE)
        return RT_OK;
    snprintf(why, why_len,
             "%s%s%s has %d bytes, and the path of a Unix socket can have at most %d: set "
             "frappe_rt_local_socket to a shorter path",
             folder, *folder ? "/" : "", value, n, RT_LOCAL_PATH_SIZE - 1);
    return RT_EINVAL;
}

int rt_local_put_path(const rt_config *c, rt_buf *out) {
    char path[RT_LOCAL_PATH_SIZE], why[PATH_MAX + 200];
    bool found = rt_local_path(c, path, why, sizeof why) == RT_OK;
    rt_slice text = rt_slice_of(found ? path : why);
    if (!rt_utf8_valid(text)) { /* JSON cannot hold it */
        found = false;
        text = RT_LIT(
            "the path of the local socket is not valid UTF-8: set frappe_rt_local_socket to a "
            "path that is");
    }
    return rt_json_put_member_str(out, found ? RT_LIT("local_socket") : RT_LIT("no_local_socket"),
                                  text);
}
