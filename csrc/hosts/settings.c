/* The configuration that hosts need: sent with the welcome, and again after each change. */
#include "json/write.h"
#include "hosts/state.h"

void rt_host_put_settings(const rt_hosts *h, rt_buf *b) {
    rt_json_put_member_str(b, RT_LIT("web"), rt_buf_slice(&h->web));
    rt_json_put_member_u64(b, RT_LIT("threads"), h->threads);
}

static int store(rt_hosts *h, const rt_hosts_opts *opts) {
    rt_buf web = RT_BUF_INIT;
    if (rt_buf_puts(&web, opts->web) != RT_OK) {
        rt_buf_fini(&web);
        return RT_ENOMEM;
    }
    rt_buf_fini(&h->web);
    h->web = web;
    h->threads = opts->threads;
    return RT_OK;
}

int rt_hosts_set_opts(rt_hosts *h, const rt_hosts_opts *opts) {
    if (h->threads == opts->threads && rt_slice_eq(rt_buf_slice(&h->web), opts->web))
        return RT_OK;
    int status = store(h, opts);
    if (status != RT_OK || !h->attached)
        return status;
    rt_host_put_settings(h, rt_host_start_line(h, RT_LIT("config")));
    rt_host_say(h, h->attached);
    return RT_OK;
}
