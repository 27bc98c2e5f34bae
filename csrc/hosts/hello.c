/* Reads the first line of a host: who it is, and which events it takes. */
#include "hosts/state.h"

#include "json/scan.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>

int rt_host_refuse(rt_hosts *h, rt_buf *answer, int counter, const char *fmt, ...) {
    char why[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    rt_hosts_count(h, counter);
    rt_log(RT_LOG_WARN, "handlers", "a handler host is turned away: %s", why);
    rt_buf_putc(answer, '{');
    rt_json_put_member_str(answer, RT_LIT("error"), rt_slice_of(why));
    return rt_buf_putc(answer, '}') == RT_OK ? RT_EINVAL : answer->err;
}

/* Reads a short string of printable ASCII without spaces. False: it is anything else. */
static bool read_word(rt_slice value, char out[RT_HOST_ID_MAX + 1]) {
    rt_slice text;
    if (!rt_json_str_plain(value, &text) || text.n == 0 || text.n > RT_HOST_ID_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool is_set(rt_slice value) {
    return value.n > 0 && value.p[0] == 't';
}

static int read_events(rt_host *host, rt_slice events) {
    rt_json_iter it;
    rt_slice value;
    if (rt_json_type_of(events) != RT_JSON_ARRAY || rt_json_iter_init(&it, events) != RT_OK)
        return RT_EINVAL;
    rt_buf name = RT_BUF_INIT;
    int status = RT_OK;
    while (status == RT_OK && rt_json_next(&it, &value)) {
        rt_buf_clear(&name);
        status = rt_json_str_decode(value, &name);
        if (status == RT_OK)
            status = rt_host_add_event(host, rt_buf_slice(&name));
    }
    rt_buf_fini(&name);
    return status == RT_OK || status == RT_ENOMEM || status == RT_ELIMIT ? status : RT_EINVAL;
}

/* The names only serve people who ask which host runs an app. */
static int read_apps(rt_host *host, rt_slice apps) {
    rt_json_iter it;
    rt_slice name;
    if (apps.n == 0)
        return RT_OK;
    if (apps.n > RT_HOST_APPS_MAX || rt_json_type_of(apps) != RT_JSON_ARRAY ||
        rt_json_iter_init(&it, apps) != RT_OK)
        return RT_EINVAL;
    while (rt_json_next(&it, &name))
        if (rt_json_type_of(name) != RT_JSON_STRING)
            return RT_EINVAL;
    return rt_buf_puts(&host->apps, apps);
}

static int read_identity(rt_host *host, rt_slice line, rt_buf *answer) {
    rt_hosts *h = host->hosts;
    unsigned long long version = 0, pid = 0;
    rt_slice stated = rt_json_get(line, RT_LIT("version"));
    if (rt_slice_to_u64(stated, UINT32_MAX, &version) != RT_OK || version != RT_HOST_PROTOCOL)
        return rt_host_refuse(
            h, answer, RT_HOSTS_REFUSED,
            "it speaks version %.*s of the protocol, and this server version %d: run both from the "
            "same installation, and restart the older one",
            stated.n == 0 ? 4 : (int)(stated.n < 20 ? stated.n : 20), stated.n ? stated.p : "none",
            RT_HOST_PROTOCOL);
    if (!read_word(rt_json_get(line, RT_LIT("id")), host->id))
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "its id must be a string of 1 to %d ASCII characters without spaces",
                              RT_HOST_ID_MAX);
    if (rt_host_find(h, host->id))
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "a host with the id %s is already attached", host->id);
    if (rt_host_was_missed(h, host->id))
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "another host replaced %s before it attached", host->id);
    if (!read_word(rt_json_get(line, RT_LIT("language")), host->language))
        snprintf(host->language, sizeof host->language, "unnamed");
    if (!read_word(rt_json_get(line, RT_LIT("replaces")), host->replaces))
        host->replaces[0] = '\0';
    if (rt_slice_to_u64(rt_json_get(line, RT_LIT("pid")), INT32_MAX, &pid) == RT_OK)
        host->pid = pid;
    return RT_OK;
}

int rt_host_read_hello(rt_host *host, rt_slice line, rt_buf *answer) {
    rt_hosts *h = host->hosts;
    int status = read_identity(host, line, answer);
    if (status != RT_OK)
        return status;
    host->mirror = is_set(rt_json_get(line, RT_LIT("mirror")));
    host->connects = host->mirror || is_set(rt_json_get(line, RT_LIT("connects")));
    host->handshakes = is_set(rt_json_get(line, RT_LIT("handshakes")));
    status = read_apps(host, rt_json_get(line, RT_LIT("apps")));
    if (status == RT_EINVAL)
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "its apps must be an array of names, and together at most %d bytes",
                              RT_HOST_APPS_MAX);
    if (status == RT_OK)
        status = read_events(host, rt_json_get(line, RT_LIT("events")));
    if (status == RT_EINVAL)
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "its events must be an array of names, each of 1 to %d bytes",
                              RT_HOST_EVENT_NAME_MAX);
    if (status == RT_ELIMIT)
        return rt_host_refuse(h, answer, RT_HOSTS_REFUSED,
                              "it takes more than the %d events allowed", RT_HOST_EVENTS_MAX);
    return status;
}
