/* Handler hosts on the local socket: attaches them, and carries lines both ways. */
#include "base/status.h"
#include "server/instance.h"
#include "server/web_address.h"

static void on_line(void *host, rt_local_peer *peer, rt_slice line) {
    (void)peer;
    rt_host_line(host, line);
}

static void on_room(void *host, rt_local_peer *peer) {
    (void)peer;
    rt_host_room(host);
}

static void on_gone(void *host, rt_local_peer *peer) {
    (void)peer;
    rt_host_gone(host);
}

/* The local socket's limit is above the host's own limit, so that only the latter is ever reached.
 */
static const rt_local_role role = {
    .on_line = on_line,
    .on_room = on_room,
    .on_gone = on_gone,
    .owed_max = RT_HOST_OWED_MAX + RT_HOST_LINE_MAX,
    .low = RT_HOST_TELL_LOW,
    .reads = 1, /* so that clients do not notice a host that floods */
};

static void say(void *peer, rt_slice line) {
    rt_local_answer(peer, line);
}

static size_t owed(const void *peer) {
    return rt_local_owed(peer);
}

static void end(void *peer) {
    rt_local_end(peer);
}

const rt_host_link rt_host_socket_link = {say, owed, end};

void rt_instance_attach_host(rt_instance *in, rt_local_peer *peer, rt_slice line) {
    rt_host *host;
    rt_buf answer = RT_BUF_INIT;
    if (rt_host_attach(in->hosts, line, &host, &answer) == RT_OK) {
        rt_local_adopt(peer, &role, host);
        rt_host_begin(host, peer);
    } else {
        if (answer.err == RT_OK)
            rt_local_answer(peer, rt_buf_slice(&answer));
        rt_local_end(peer);
    }
    rt_buf_fini(&answer);
}

int rt_instance_tell_hosts(rt_instance *in) {
    rt_buf web = RT_BUF_INIT;
    rt_web_address_put(&in->config, &web);
    rt_hosts_opts opts = {.web = rt_buf_slice(&web),
                          .threads = (uint32_t)in->config.worker_threads};
    int status = web.err == RT_OK ? rt_hosts_set_opts(in->hosts, &opts) : web.err;
    rt_buf_fini(&web);
    return status;
}
