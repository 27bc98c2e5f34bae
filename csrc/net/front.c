/* Listeners, the turn's end, and the deadlines of all connections. */
#define _GNU_SOURCE /* accept4 */
#include "net/front.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/prefetch.h"
#include "base/status.h"
#include "net/conn.h"
#include "net/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 128

RT_COUNTERS_DEFINE(rt_front, RT_FRONT_COUNTERS)

void rt_front_opts_default(rt_front_opts *opts) {
    *opts = (rt_front_opts){
        .path = RT_LIT("/socket.io/"),
        .max_owed = RT_EIO_OWED_MAX,
        .owed_budget = RT_FRONT_BUDGET_MAX,
        .max_connections = RT_FRONT_CONNECTIONS_MAX,
        .max_pipelined = RT_FRONT_PIPELINED_MAX,
        .head_ms = RT_FRONT_HEAD_MS,
        .body_ms = RT_FRONT_BODY_MS,
        .idle_ms = RT_FRONT_IDLE_MS,
        .write_ms = RT_FRONT_WRITE_MS,
        .linger_ms = RT_FRONT_LINGER_MS,
    };
    rt_slice bad;
    if (rt_trusted_read(&opts->proxies, RT_LIT(RT_TRUSTED_DEFAULT), &bad) != RT_OK)
        opts->proxies.count = 0; /* trust nobody */
}

/* --- deadlines --- */

static void close_late(rt_timerq *q, rt_timer *t, int counter) {
    rt_front_count(q->arg, counter);
    rt_conn_close(RT_OF(t, rt_conn, timer), true);
}

static void on_head_due(rt_timerq *q, rt_timer *t) {
    close_late(q, t, RT_FRONT_TIMED_OUT_HEAD);
}

static void on_body_due(rt_timerq *q, rt_timer *t) {
    close_late(q, t, RT_FRONT_TIMED_OUT_BODY);
}

static void on_idle_due(rt_timerq *q, rt_timer *t) {
    close_late(q, t, RT_FRONT_TIMED_OUT_IDLE);
}

static void on_write_due(rt_timerq *q, rt_timer *t) {
    close_late(q, t, RT_FRONT_TIMED_OUT_WRITE);
}

static void on_linger_due(rt_timerq *q, rt_timer *t) {
    (void)q;
    rt_conn_lingered(RT_OF(t, rt_conn, timer));
}

/* --- the turn's end --- */

static void free_closed(rt_front *f) {
    while (!rt_list_empty(&f->closed)) {
        rt_conn *c = RT_OF(rt_list_first(&f->closed), rt_conn, node);
        rt_list_unlink(&c->node);
        rt_conn_free(c);
    }
}

static rt_conn *pop_pending(rt_front *f) {
    rt_conn *c = f->pending;
    f->pending = c->pending == c ? NULL : c->pending;
    c->pending = NULL;
    return c;
}

/* A failed write ends a session, which may send to others: go on until nobody is pending. */
static void at_turn_end(void *arg) {
    rt_front *f = arg;
    do {
        rt_eio_flush(f->eio);
        while (!rt_list_empty(&f->resume))
            rt_conn_resume(RT_OF(rt_list_first(&f->resume), rt_conn_held, resume)->conn);
        rt_eio_flush(f->eio);
        while (f->pending) {
            rt_conn *c = pop_pending(f);
            if (f->pending)
                rt_prefetch(f->pending, RT_EIO_PORT_HOT);
            rt_conn_flush(c);
        }
        rt_budget_keep(f);
    } while (!rt_list_empty(&f->resume) || rt_eio_has_pending(f->eio));
    free_closed(f);
}

/* --- accepting --- */

static int open_spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: the connection would stay in the backlog and wake us for ever. The spare one
 * is given up to take it and close it. */
static void turn_away(rt_front *f, int listener) {
    rt_front_count(f, RT_FRONT_ACCEPT_FAILED);
    if (rt_log_allowed(&f->accept_gate, f->loop->now, 10000))
        rt_log(RT_LOG_ERROR, "net",
               "no file descriptors left: connections are turned away; raise the limit "
               "(ulimit -n, LimitNOFILE=)");
    if (f->spare_fd >= 0)
        close(f->spare_fd);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    f->spare_fd = open_spare();
}

/* A client's own address has so many connections at most. A proxy's has those of all, and a Unix
 * socket has no address. False: one too many. */
static bool charge(rt_front *f, int fd, const struct sockaddr_storage *from) {
    char address[RT_ADDRESS_LEN];
    if (!rt_address_of(from, address) || rt_trusted_has(&f->opts.proxies, address))
        return true;
    rt_address_cut(address);
    return rt_charges_add(&f->charges, f->eio, fd, address) == RT_OK;
}

static void take(rt_front *f, int fd, const struct sockaddr_storage *from) {
    if (f->connections >= f->opts.max_connections) {
        rt_front_count(f, RT_FRONT_REFUSED_FULL);
        close(fd);
    } else if (!charge(f, fd, from)) {
        close(fd);
    } else {
        rt_front_count(f, RT_FRONT_ACCEPTED);
        rt_conn_new(f, fd);
    }
}

static void on_listener(uv_poll_t *poll, int status, int events) {
    (void)events;
    rt_front *f = poll->data;
    rt_loop_enter(f->loop);
    int listener;
    if (status < 0 || uv_fileno((uv_handle_t *)poll, &listener) != 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof from;
        int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                turn_away(f, listener);
            return;
        }
        take(f, fd, &from);
    }
}

int rt_front_listen(rt_front *f, int fd) {
    if (f->listener_count == RT_FRONT_LISTENERS_MAX)
        return RT_ELIMIT;
    uv_poll_t *poll = rt_alloc0(sizeof *poll);
    if (!poll)
        return RT_ENOMEM;
    poll->data = f;
    int status = rt_fds_add(fd);
    if (status != RT_OK)
        goto fail_poll;
    status = RT_EIO;
    if (uv_poll_init(&f->loop->uv, poll, fd) != 0)
        goto fail_fd;
    uv_poll_start(poll, UV_READABLE, on_listener);
    f->listener_fds[f->listener_count] = fd;
    f->listeners[f->listener_count++] = poll;
    return RT_OK;

fail_fd:
    rt_fds_forget(fd);
fail_poll:
    rt_free(poll);
    return status;
}

static void free_handle(uv_handle_t *handle) {
    rt_free(handle);
}

void rt_front_set_max_owed(rt_front *f, uint32_t max_owed) {
    f->opts.max_owed = max_owed;
}

void rt_front_set_owed_budget(rt_front *f, size_t bytes) {
    f->opts.owed_budget = bytes;
}

void rt_front_stop_listening(rt_front *f) {
    void (*close_listener)(int) = f->opts.listeners_lent ? rt_fds_close_ours : rt_fds_close;
    while (f->listener_count) {
        uv_poll_t *poll = f->listeners[--f->listener_count];
        uv_close((uv_handle_t *)poll, free_handle);
        close_listener(f->listener_fds[f->listener_count]);
    }
}

/* --- life --- */

rt_front *rt_front_new(rt_loop *loop, rt_eio *eio, const rt_front_opts *opts, rt_front_route *route,
                       void *route_ctx) {
    rt_front *f = rt_alloc0(sizeof *f);
    if (!f)
        return NULL;
    if (rt_poller_init(&f->poller, loop, rt_conn_ready) != RT_OK) {
        rt_free(f);
        return NULL;
    }
    f->loop = loop;
    f->eio = eio;
    f->io = &rt_conn_sockets;
    f->opts = *opts;
    f->route = route;
    f->route_ctx = route_ctx;
    f->spare_fd = open_spare();
    rt_list_init(&f->open);
    rt_list_init(&f->closed);
    rt_list_init(&f->resume);
    rt_timerq_init(&f->head_due, &loop->timers, opts->head_ms, on_head_due, f);
    rt_timerq_init(&f->body_due, &loop->timers, opts->body_ms, on_body_due, f);
    rt_timerq_init(&f->idle_due, &loop->timers, opts->idle_ms, on_idle_due, f);
    rt_timerq_init(&f->write_due, &loop->timers, opts->write_ms, on_write_due, f);
    rt_timerq_init(&f->linger_due, &loop->timers, opts->linger_ms, on_linger_due, f);
    f->hook.at_turn_end = at_turn_end;
    f->hook.arg = f;
    rt_loop_add_hook(loop, &f->hook);
    return f;
}

void rt_front_finish(rt_front *f) {
    rt_front_stop_listening(f);
    for (rt_list *at = f->open.next; at != &f->open; at = at->next) {
        rt_eio_port *port = &RT_OF(at, rt_conn, node)->port;
        port->ops->close(port, true);
    }
    at_turn_end(f);
}

/* A close with unread input would destroy what the kernel has not sent yet. */
bool rt_front_owes(const rt_front *f) {
    for (const rt_list *at = f->open.next; at != &f->open; at = at->next) {
        const rt_conn *c = RT_OF(at, rt_conn, node);
        if (c->state == RT_CONN_FLUSHING || rt_conn_unsent(c) > 0)
            return true;
    }
    return false;
}

void rt_front_close(rt_front *f) {
    rt_front_stop_listening(f);
    at_turn_end(f);
    while (!rt_list_empty(&f->open))
        rt_conn_close(RT_OF(rt_list_first(&f->open), rt_conn, node), false);
    rt_poller_close(&f->poller);
    rt_loop_remove_hook(f->loop, &f->hook);
}

void rt_front_free(rt_front *f) {
    free_closed(f);
    if (f->spare_fd >= 0)
        close(f->spare_fd);
    rt_timerq_fini(&f->head_due);
    rt_timerq_fini(&f->body_due);
    rt_timerq_fini(&f->idle_due);
    rt_timerq_fini(&f->write_due);
    rt_timerq_fini(&f->linger_due);
    rt_charges_fini(&f->charges);
    rt_free(f);
}

uint32_t rt_front_connections(const rt_front *f) {
    return f->connections;
}

void rt_front_get_figures(const rt_front *f, rt_front_figures *out) {
    *out = (rt_front_figures){.connections = f->connections, .counters = f->counters};
    for (const rt_list *at = f->open.next; at != &f->open; at = at->next) {
        const rt_conn *c = RT_OF(at, rt_conn, node);
        if (!c->blocked)
            continue;
        out->blocked++;
        if (c->out.taken > out->owed_max)
            out->owed_max = c->out.taken;
    }
}

void rt_front_show_figures(const rt_front *front, const rt_figures *to) {
    rt_front_figures f;
    rt_front_get_figures(front, &f);
    rt_figures_gauge(to, "connections", f.connections, "Open connections of clients.");
    rt_figures_gauge(to, "connections_blocked", f.blocked,
                     "Connections whose peer does not read fast enough.");
    rt_figures_gauge(to, "owed_bytes_worst", f.owed_max,
                     "Bytes owed to the blocked connection that is owed most.");
    rt_figures_gauge(to, "owed_memory_bytes", rt_msg_memory(),
                     "Memory of all messages that wait for clients.");
    RT_FIGURES_OF(to, "net", rt_front, &f.counters);
}
