/* The commands of the local socket, one row each. */
#include "base/status.h"
#include "json/scan.h"
#include "json/write.h"
#include "server/instance.h"

typedef int do_command(rt_instance *in, const rt_local_request *request, rt_buf *answer);

static int do_stats(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    (void)request;
    return rt_instance_put_stats(in, answer);
}

static int do_figures(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    (void)request;
    return rt_instance_put_figures(in, answer);
}

static int do_metrics(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    rt_buf text = RT_BUF_INIT;
    (void)request;
    int status = rt_instance_put_prometheus(in, &text);
    if (status == RT_OK) {
        rt_buf_putc(answer, '{');
        rt_json_put_member_str(answer, RT_LIT("text"), rt_buf_slice(&text));
        status = rt_buf_putc(answer, '}');
    }
    rt_buf_fini(&text);
    return status;
}

static int do_health(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    rt_health health = rt_instance_health(in);
    (void)request;
    rt_buf_puts(answer, RT_LIT("{\"ok\":true"));
    if (health.degraded)
        rt_json_put_member_str(answer, RT_LIT("degraded"), rt_slice_of(health.degraded));
    else
        rt_json_put_member_raw(answer, RT_LIT("degraded"), RT_LIT("null"));
    return rt_buf_putc(answer, '}');
}

static int refuse(rt_buf *answer, rt_slice why) {
    rt_buf_putc(answer, '{');
    rt_json_put_member_str(answer, RT_LIT("error"), why);
    int status = rt_buf_putc(answer, '}');
    return status == RT_OK ? RT_EINVAL : status;
}

/* Drops what is cached about a user of a site, or about the whole site if no user is given. */
static int do_forget(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    rt_slice line = request->line;
    rt_buf text = RT_BUF_INIT; /* the site, then the user */
    rt_slice user = rt_json_get(line, RT_LIT("user"));
    int status = rt_json_str_decode(rt_json_get(line, RT_LIT("site")), &text);
    size_t site_len = text.n;
    if (status == RT_OK && user.n > 0)
        status = rt_json_str_decode(user, &text);
    if (status == RT_OK && site_len > 0) {
        rt_slice both = rt_buf_slice(&text);
        rt_frappe_forget(in->frappe, rt_slice_make(both.p, site_len),
                         rt_slice_from(both, site_len));
        status = rt_buf_puts(answer, RT_LIT("{\"ok\":true}"));
    } else if (status != RT_ENOMEM) {
        status = refuse(answer, RT_LIT("forget needs a site and may have a user, both strings"));
    }
    rt_buf_fini(&text);
    return status;
}

static int do_host(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    (void)answer; /* the welcome or the refusal is sent there, in order with other lines */
    rt_instance_attach_host(in, request->peer, request->line);
    return RT_OK;
}

static int do_hosts(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    (void)request;
    rt_buf_puts(answer, RT_LIT("{\"hosts\":"));
    rt_hosts_put(in->hosts, true, answer);
    return rt_buf_putc(answer, '}');
}

static int do_reload(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    (void)request;
    if (in->around.reload_handlers() == RT_OK)
        return rt_buf_puts(answer, RT_LIT("{\"ok\":true}"));
    return rt_buf_puts(answer, RT_LIT("{\"error\":\"no handler hosts are supervised here\"}"));
}

static const struct {
    const char *name;
    do_command *run;
} commands[] = {
    {"figures", do_figures}, {"forget", do_forget},   {"health", do_health}, {"host", do_host},
    {"hosts", do_hosts},     {"metrics", do_metrics}, {"reload", do_reload}, {"stats", do_stats},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int refuse_unknown(rt_buf *answer) {
    rt_buf why = RT_BUF_INIT;
    rt_buf_puts(&why, RT_LIT("there is no such command; the commands are"));
    for (size_t i = 0; i < COMMANDS; i++)
        rt_buf_printf(&why, "%s %s", i ? "," : "", commands[i].name);
    int status = why.err == RT_OK ? refuse(answer, rt_buf_slice(&why)) : why.err;
    rt_buf_fini(&why);
    return status;
}

int rt_instance_do_command(rt_instance *in, const rt_local_request *request, rt_buf *answer) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (rt_json_str_is(request->command, rt_slice_of(commands[i].name)))
            return commands[i].run(in, request, answer);
    return refuse_unknown(answer);
}
