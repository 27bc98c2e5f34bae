/* Opens and closes the local socket, and passes its lines on. */
#include "base/log.h"
#include "base/status.h"
#include "net/listen.h"
#include "server/instance.h"
#include "config/local_path.h"

#include <errno.h>
#include <string.h>

RT_COUNTERS_DEFINE(rt_local_line, RT_LOCAL_LINE_COUNTERS)

_Static_assert(RT_LOCAL_LINE_MAX >= RT_FRAPPE_ENVELOPE_MAX,
               "an envelope that Redis may carry fits a line");

static void count(rt_instance *in, int which) {
    in->local_lines.v[which]++;
}

static void answer_command(rt_instance *in, rt_local_peer *peer, const rt_local_request *request) {
    rt_buf answer = RT_BUF_INIT;
    count(in, RT_LOCAL_LINE_COMMANDS);
    int status = rt_instance_do_command(in, request, &answer);
    if (status == RT_EINVAL)
        count(in, RT_LOCAL_LINE_BAD_COMMANDS);
    if (answer.err == RT_OK && answer.n > 0)
        rt_local_answer(peer, rt_buf_slice(&answer));
    else if (answer.err != RT_OK)
        rt_local_answer(peer, RT_LIT("{\"error\":\"out of memory\"}"));
    rt_buf_fini(&answer);
}

static void on_line(void *arg, rt_local_peer *peer, rt_slice line) {
    rt_instance *in = arg;
    rt_local_request request = rt_local_parse(line);
    request.peer = peer;
    if (request.command.n > 0) {
        answer_command(in, peer, &request);
    } else if (rt_frappe_envelope(in->frappe, line) == RT_OK) {
        count(in, RT_LOCAL_LINE_ENVELOPES);
        rt_forward_envelope(&in->forward, line);
    } else {
        count(in, RT_LOCAL_LINE_BAD); /* rt_frappe_envelope has counted and logged the reason */
    }
}

static const char *advice(int code) {
    switch (code) {
    case EADDRINUSE:
        return "another server listens there, and serves the processes of this host";
    case EEXIST:
        return "a file that is not a socket is in the way: move it, or set frappe_rt_local_socket";
    case ENOENT:
    case ENOTDIR:
        return "create its folder, or set frappe_rt_local_socket";
    default:
        return "allow this user to write to its folder, or set frappe_rt_local_socket";
    }
}

static void arm_retry(rt_instance *in) {
    rt_local_opening *o = &in->local_opening;
    rt_alarm_arm(&in->loop.timers.alarms, &o->retry, in->loop.now + o->retry_ms);
    o->retry_ms = o->retry_ms * 2 < RT_LOCAL_RETRY_MAX_MS ? o->retry_ms * 2 : RT_LOCAL_RETRY_MAX_MS;
}

static int try_to_open(rt_instance *in, const char *path, unsigned lock_ms, char *why,
                       size_t why_len) {
    int status = rt_local_new(&in->loop, path, lock_ms, on_line, in, &in->local, why, why_len);
    if (status == RT_OK) {
        rt_log(RT_LOG_INFO, "local", "processes of this host publish at %s", path);
        return status;
    }
    int saved = errno;
    in->local_opening.failed++;
    arm_retry(in);
    errno = saved;
    return status;
}

static void on_retry_due(rt_alarm *retry) {
    rt_instance *in = RT_OF(retry, rt_instance, local_opening.retry);
    char path[RT_LOCAL_PATH_SIZE], why[512];
    if (rt_local_path(&in->config, path, why, sizeof why) == RT_OK)
        try_to_open(in, path, 0, why, sizeof why);
}

void rt_instance_init_local(rt_instance *in) {
    rt_alarm_init(&in->local_opening.retry, on_retry_due);
    in->local_opening.retry_ms = RT_LOCAL_RETRY_FIRST_MS;
}

void rt_instance_open_local(rt_instance *in) {
    char path[RT_LOCAL_PATH_SIZE], why[512];
    int status = rt_local_path(&in->config, path, why, sizeof why);
    if (status == RT_ENOENT)
        return;
    if (status != RT_OK) {
        rt_log(RT_LOG_WARN, "local", "no local socket: %s", why);
        return;
    }
    status = try_to_open(in, path, RT_LISTEN_LOCK_MS, why, sizeof why);
    int code = errno;
    if (status == RT_EIO)
        rt_log(RT_LOG_WARN, "local", "no local socket: %s (%s); %s", why, advice(code),
               code == EADDRINUSE
                   ? "this server takes it over when that one ends"
                   : "trying again; until then other processes publish through Redis");
    else if (status != RT_OK)
        rt_log(RT_LOG_WARN, "local", "no local socket: %s; trying again", rt_status_text(status));
}

void rt_instance_close_local(rt_instance *in) {
    rt_alarm_disarm(&in->local_opening.retry);
    if (in->local)
        rt_local_close(in->local);
}
