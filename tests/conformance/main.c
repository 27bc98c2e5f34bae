/* A bare Engine.IO or Socket.IO server on the loopback addresses. */
#include "base/log.h"
#include "base/status.h"
#include "net/front.h"
#include "net/listen.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FREE_PORT_TRIES 20 /* a port that is free on one address may be taken on the other */

typedef struct program {
    program_opts opts;
    rt_loop loop;
    rt_eio *eio;
    rt_sio *sio; /* NULL: Engine.IO alone */
    rt_front *front;
    rt_loop_hook reap_hook;
    int fds[2]; /* 127.0.0.1, and ::1 where the machine has it */
    int fd_count;
} program;

static rt_loop *signalled; /* the loop that a signal ends */

static void on_log(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    fprintf(stderr, PROGRAM ": %s: %s\n", part, text);
}

/* --- listening --- */

static bool listen_on(program *p, const char *host, int *port) {
    int count;
    char why[256];
    if (rt_listen_tcp(host, port, &p->fds[p->fd_count], 1, &count, why, sizeof why) != RT_OK)
        return false;
    p->fd_count += count;
    return true;
}

static void stop_listening(program *p) {
    while (p->fd_count)
        close(p->fds[--p->fd_count]);
}

/* Both loopback addresses, since a client may take `localhost` for either. */
static bool listen_once(program *p, int *port) {
    if (!listen_on(p, "127.0.0.1", port))
        return false;
    if (listen_on(p, "::1", port) || errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)
        return true;
    int saved = errno;
    stop_listening(p);
    errno = saved;
    return false;
}

static bool open_port(program *p) {
    for (int tries = p->opts.port ? 1 : FREE_PORT_TRIES; tries > 0; tries--) {
        int port = p->opts.port;
        if (listen_once(p, &port)) {
            p->opts.port = port;
            return true;
        }
    }
    fprintf(stderr,
            PROGRAM ": cannot listen on port %d (%s); give a free port, or 0 to have one chosen\n",
            p->opts.port, strerror(errno));
    return false;
}

/* --- life --- */

static void on_signal(int number) {
    (void)number;
    rt_loop_wake(signalled);
}

/* A signal came. Later ones are ignored: none may wake a loop that is gone. */
static void on_wake(void *arg) {
    program *p = arg;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    rt_front_stop_listening(p->front);
    rt_eio_close_all(p->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_front_close(p->front);
    rt_eio_close_all(p->eio, RT_EIO_SERVER_SHUTDOWN); /* what a last pipelined request opened */
    rt_loop_remove_hook(&p->loop, &p->reap_hook);
    rt_loop_stop(&p->loop);
}

static void reap(void *arg) {
    program *p = arg;
    if (p->sio)
        rt_sio_reap(p->sio);
    rt_eio_reap(p->eio);
}

static void elsewhere(void *ctx, const rt_http_request *req, rt_answer *answer) {
    (void)req;
    answer->status = 404;
    rt_buf_printf(&answer->body, "nothing here; look under %s\n", ((program *)ctx)->opts.path);
}

static bool origin_listed(void *ctx, const rt_http_request *req, rt_slice origin) {
    (void)req;
    rt_slice left = rt_slice_of(((program *)ctx)->opts.origins);
    while (left.n) {
        size_t n = rt_slice_find(left, ',');
        if (rt_slice_eq(rt_slice_trim(rt_slice_make(left.p, n)), origin))
            return true;
        left = rt_slice_from(left, n + 1);
    }
    return false;
}

static bool build_app(program *p, rt_eio_app *app) {
    *app = echo_app();
    if (p->opts.socketio) {
        rt_sio_opts so;
        rt_sio_app replies = replies_app();
        rt_sio_opts_default(&so);
        so.connect_timeout_ms = p->opts.connect_timeout_ms;
        if (p->opts.engine.max_payload > so.max_binary_bytes)
            so.max_binary_bytes = p->opts.engine.max_payload;
        p->sio = rt_sio_new(&so, &replies, &p->loop.timers, rt_loop_now, &p->loop);
        if (!p->sio)
            return false;
        *app = rt_sio_engine_app(p->sio);
    }
    app->allow_origin = origin_listed;
    app->allow_origin_ctx = p;
    return true;
}

static bool build(program *p) {
    rt_eio_app app;
    rt_front_opts fo;
    if (!build_app(p, &app))
        return false;
    p->eio = rt_eio_new(&p->opts.engine, &app, &p->loop.timers, rt_loop_now, &p->loop);
    if (!p->eio)
        return false;
    rt_front_opts_default(&fo);
    fo.path = rt_slice_of(p->opts.path);
    fo.max_owed = p->opts.engine.max_owed;
    p->front = rt_front_new(&p->loop, p->eio, &fo, elsewhere, p);
    if (!p->front)
        return false;
    p->reap_hook.at_turn_end = reap;
    p->reap_hook.arg = p;
    rt_loop_add_hook(&p->loop, &p->reap_hook);
    while (p->fd_count) {
        if (rt_front_listen(p->front, p->fds[p->fd_count - 1]) != RT_OK)
            return false;
        p->fd_count--;
    }
    return true;
}

static void watch_signals(program *p) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    signalled = &p->loop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Whoever started this waits for the line, perhaps at the other end of a pipe. */
static void say_where(const program *p) {
    printf(PROGRAM ": %s listens on http://localhost:%d%s\n",
           p->opts.socketio ? "socketio" : "engineio", p->opts.port, p->opts.path);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static program p;
    int status;
    if (!program_opts_read(&p.opts, argc, argv, &status))
        return status;
    rt_log_set_sink(on_log, RT_LOG_WARN);
    if (!open_port(&p))
        return 1;
    if (rt_loop_init(&p.loop, on_wake, &p) != RT_OK || !build(&p)) {
        fputs(PROGRAM ": cannot start: out of memory or descriptors\n", stderr);
        return 1;
    }
    watch_signals(&p);
    say_where(&p);
    rt_loop_run(&p.loop);
    rt_eio_free(p.eio);
    if (p.sio)
        rt_sio_free(p.sio);
    rt_front_free(p.front);
    rt_loop_fini(&p.loop);
    return 0;
}
