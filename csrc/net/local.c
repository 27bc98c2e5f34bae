/* Accepting the processes of this host, reading their lines, writing answers. */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "net/local.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "net/fds.h"
#include "net/lines.h"
#include "net/listen.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 128
#define SAY_MS 10000 /* between two log lines about the same trouble */

RT_COUNTERS_DEFINE(rt_local, RT_LOCAL_COUNTERS)

struct rt_local {
    rt_loop *loop;
    rt_local_line *on_line;
    void *arg;
    uv_poll_t *listener; /* freed in its close callback; NULL: closed */
    int listener_fd;
    rt_list open;    /* the one silent for longest comes first */
    rt_list adopted; /* peers that stay */
    rt_list owing;   /* to be written when the turn ends */
    rt_loop_hook hook;
    uint32_t peers;
    size_t held;
    rt_timerq pause_due;
    rt_timer pause; /* armed: no descriptors, not accepting */
    rt_log_gate accept_gate, user_gate;
    rt_unix_file file;
    rt_local_counters counters;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct rt_local_peer {
    uv_poll_t poll; /* first: its close callback frees the peer */
    rt_local *local;
    rt_list node;  /* in local->open or ->adopted */
    rt_list owing; /* in local->owing */
    rt_lines lines;
    rt_buf out;
    size_t written;            /* of `out` */
    const rt_local_role *role; /* NULL: adopted by nobody */
    void *role_arg;
    size_t held; /* as counted in local->held */
    int fd;
    bool closed;
    bool watches_write;
};

static void count(rt_local *l, int which) {
    l->counters.v[which]++;
}

/* ---- peers ---- */

static void on_peer_closed(uv_handle_t *handle) {
    rt_local_peer *p = (rt_local_peer *)handle;
    rt_lines_fini(&p->lines);
    rt_buf_fini(&p->out);
    rt_free(p);
}

static void peer_close(rt_local_peer *p) {
    rt_local *l = p->local;
    if (p->closed)
        return;
    p->closed = true;
    rt_list_unlink(&p->node);
    rt_list_unlink(&p->owing);
    l->peers--;
    l->held -= p->held;
    uv_close((uv_handle_t *)&p->poll, on_peer_closed);
    rt_fds_close(p->fd);
    if (p->role)
        p->role->on_gone(p->role_arg, p);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(rt_local_peer *p) {
    p->watches_write = rt_local_owed(p) > 0;
    int events = UV_READABLE | (p->watches_write ? UV_WRITABLE : 0);
    if (uv_poll_start(&p->poll, events, on_event) != 0)
        peer_close(p);
}

size_t rt_local_owed(const rt_local_peer *p) {
    return p->out.n - p->written;
}

/* The bytes written are taken off the front once they are more than half, or when room is short:
 * moving the rest each time would cost more than the writing. */
static void drop_written(rt_local_peer *p) {
    rt_buf_drop(&p->out, p->written);
    p->written = 0;
    if (p->out.n == 0 && (!p->role || p->out.cap > RT_LOCAL_KEPT))
        rt_buf_fini(&p->out);
}

/* False: it has been closed. */
static bool write_some(rt_local_peer *p) {
    ssize_t n = send(p->fd, p->out.p + p->written, rt_local_owed(p), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        peer_close(p);
        return false;
    }
    p->written += n > 0 ? (size_t)n : 0;
    if (p->written > p->out.n / 2)
        drop_written(p);
    return true;
}

static void peer_write(rt_local_peer *p) {
    rt_list_unlink(&p->owing);
    if (p->closed || (rt_local_owed(p) > 0 && !write_some(p)))
        return;
    if (p->role && rt_local_owed(p) <= p->role->low)
        p->role->on_room(p->role_arg, p);
    rt_list_unlink(&p->owing); /* more may be owed now: in the next turn */
    if (!p->closed && p->watches_write != (rt_local_owed(p) > 0))
        watch(p);
}

static void write_all(void *arg) {
    rt_local *l = arg;
    rt_list *node;
    while ((node = rt_list_first(&l->owing)))
        peer_write(RT_OF(node, rt_local_peer, owing));
}

void rt_local_answer(rt_local_peer *p, rt_slice line) {
    if (p->closed)
        return;
    if (p->written > 0 && p->out.n + line.n + 1 > p->out.max)
        drop_written(p);
    rt_buf_puts(&p->out, line);
    if (rt_buf_putc(&p->out, '\n') != RT_OK) {
        count(p->local, RT_LOCAL_OWED_OVER_MAX);
        peer_close(p);
    } else if (!p->watches_write && !rt_list_linked(&p->owing)) {
        rt_list_push(&p->local->owing, &p->owing);
    }
}

void rt_local_end(rt_local_peer *p) {
    if (!p->closed && (rt_local_owed(p) == 0 || write_some(p)))
        peer_close(p);
}

void rt_local_adopt(rt_local_peer *p, const rt_local_role *role, void *arg) {
    p->role = role;
    p->role_arg = arg;
    p->out.max = role->owed_max;
    rt_list_unlink(&p->node);
    rt_list_push(&p->local->adopted, &p->node);
}

static bool on_line(void *arg, rt_slice line) {
    rt_local_peer *p = arg;
    count(p->local, RT_LOCAL_LINES);
    if (line.n > 0 && p->role)
        p->role->on_line(p->role_arg, p, line);
    else if (line.n > 0)
        p->local->on_line(p->local->arg, p, line);
    return !p->closed;
}

/* True while there may be more to read. */
static bool feed(rt_local_peer *p, rt_slice bytes) {
    rt_local *l = p->local;
    l->counters.v[RT_LOCAL_BYTES_IN] += bytes.n;
    int status = rt_lines_feed(&p->lines, bytes, on_line, p);
    if (p->closed)
        return false;
    l->held += rt_lines_held(&p->lines) - p->held;
    p->held = rt_lines_held(&p->lines);
    bool over = status == RT_OK && l->held > RT_LOCAL_HELD_MAX;
    if (status == RT_ELIMIT)
        count(l, RT_LOCAL_LINE_OVER_MAX);
    if (over)
        count(l, RT_LOCAL_HELD_OVER_MAX);
    if (status == RT_OK && !over)
        return true;
    peer_close(p);
    return false;
}

/* Up to `reads` reads' worth of lines, then one write for all the answers. */
static void peer_read(rt_local_peer *p, unsigned reads) {
    char *buffer = p->local->loop->read_buffer;
    bool ended = false;
    if (!p->role) {
        rt_list_unlink(&p->node);
        rt_list_push(&p->local->open, &p->node);
    }
    while (!ended && reads-- > 0) {
        ssize_t n = recv(p->fd, buffer, RT_READ_BUFFER, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        ended = n <= 0;
        if (!ended && !feed(p, rt_slice_make(buffer, (size_t)n)))
            return;
        if (n < RT_READ_BUFFER)
            break; /* probably there is no more; if there is, the loop calls again */
    }
    peer_write(p);
    if (ended)
        peer_close(p);
}

static void on_event(uv_poll_t *poll, int status, int events) {
    rt_local_peer *p = (rt_local_peer *)poll;
    p->local->loop->now = uv_now(&p->local->loop->uv);
    if (status < 0) {
        peer_close(p);
        return;
    }
    if (events & UV_WRITABLE)
        peer_write(p);
    if ((events & UV_READABLE) && !p->closed)
        peer_read(p, p->role ? p->role->reads : RT_LOCAL_READS);
}

/* With reading shut the peer's sends fail, so what has come is all that will come. */
static void peer_retire(rt_local_peer *p) {
    shutdown(p->fd, SHUT_RD);
    while (!p->closed)
        peer_read(p, 1);
}

static void peer_new(rt_local *l, int fd) {
    rt_local_peer *p = rt_alloc0(sizeof *p);
    if (!p || rt_fds_add(fd) != RT_OK) {
        rt_free(p);
        close(fd);
        return;
    }
    p->local = l;
    p->fd = fd;
    rt_list_init(&p->node);
    rt_list_init(&p->owing);
    rt_lines_init(&p->lines, RT_LOCAL_LINE_MAX);
    rt_buf_init(&p->out, RT_LOCAL_OWED_MAX);
    if (uv_poll_init(&l->loop->uv, &p->poll, fd) != 0) {
        rt_fds_close(fd);
        rt_free(p);
        return;
    }
    l->peers++;
    rt_list_push(&l->open, &p->node);
    count(l, RT_LOCAL_ACCEPTED);
    watch(p);
    if (!p->closed)
        peer_read(p, 1); /* if its process has ended, all it sent is here */
}

/* ---- accepting ---- */

/* The file's mode keeps others out already; this holds also where somebody has changed it. */
static bool is_ours(int fd) {
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void admit(rt_local *l, int fd) {
    if (!is_ours(fd)) {
        count(l, RT_LOCAL_REFUSED_USER);
        if (rt_log_allowed(&l->user_gate, l->loop->now, SAY_MS))
            rt_log(RT_LOG_WARN, "local", "%s: a process of another user was turned away", l->path);
        close(fd);
        return;
    }
    if (l->peers >= RT_LOCAL_PEERS_MAX) {
        count(l, RT_LOCAL_PEERS_OVER_MAX);
        rt_list *idle = rt_list_first(&l->open);
        if (!idle) { /* all of them are adopted */
            close(fd);
            return;
        }
        peer_retire(RT_OF(idle, rt_local_peer, node));
    }
    peer_new(l, fd);
}

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_pause_due(rt_timerq *q, rt_timer *t) {
    rt_local *l = q->arg;
    (void)t;
    if (l->listener)
        uv_poll_start(l->listener, UV_READABLE, on_listener);
}

static void pause_accepting(rt_local *l) {
    count(l, RT_LOCAL_ACCEPT_FAILED);
    uv_poll_stop(l->listener);
    rt_timer_arm(&l->pause_due, &l->pause, l->loop->now);
    if (rt_log_allowed(&l->accept_gate, l->loop->now, SAY_MS))
        rt_log(RT_LOG_ERROR, "local",
               "no file descriptors left: local publishers wait; raise the limit (ulimit -n, "
               "LimitNOFILE=)");
}

/* False when nobody waits, or there is no descriptor left. */
static bool accept_one(rt_local *l) {
    int fd = accept4(l->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        admit(l, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE)
        pause_accepting(l);
    return false;
}

static void on_listener(uv_poll_t *poll, int status, int events) {
    rt_local *l = poll->data;
    (void)events;
    l->loop->now = uv_now(&l->loop->uv);
    for (int i = 0; status >= 0 && i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(l))
            return;
}

/* ---- life ---- */

static int watch_listener(rt_local *l) {
    l->listener = rt_alloc0(sizeof *l->listener);
    if (!l->listener)
        return RT_ENOMEM;
    int status = rt_fds_add(l->listener_fd);
    if (status == RT_OK && uv_poll_init(&l->loop->uv, l->listener, l->listener_fd) != 0) {
        rt_fds_forget(l->listener_fd);
        status = RT_EIO;
    }
    if (status != RT_OK) {
        rt_free(l->listener);
        return status;
    }
    l->listener->data = l;
    uv_poll_start(l->listener, UV_READABLE, on_listener);
    return RT_OK;
}

int rt_local_new(rt_loop *loop, const char *path, unsigned lock_ms, rt_local_line *on_line_fn,
                 void *arg, rt_local **out, char *why, size_t why_len) {
    rt_local *l = rt_alloc0(sizeof *l);
    if (!l)
        return RT_ENOMEM;
    int status = rt_listen_unix(path, 0600, lock_ms, &l->listener_fd, &l->file, why, why_len);
    if (status != RT_OK)
        goto fail_memory;
    l->loop = loop;
    l->on_line = on_line_fn;
    l->arg = arg;
    snprintf(l->path, sizeof l->path, "%s", path); /* it fits: it was bound */
    rt_list_init(&l->open);
    rt_list_init(&l->adopted);
    rt_list_init(&l->owing);
    rt_timer_init(&l->pause);
    status = watch_listener(l);
    if (status != RT_OK)
        goto fail_file;
    rt_timerq_init(&l->pause_due, &loop->timers, RT_LOCAL_ACCEPT_PAUSE_MS, on_pause_due, l);
    l->hook = (rt_loop_hook){.at_turn_end = write_all, .arg = l};
    rt_loop_add_hook(loop, &l->hook);
    *out = l;
    return RT_OK;

fail_file:
    snprintf(why, why_len, "%s: %s", path, rt_status_text(status));
    rt_unix_file_remove(&l->file);
    close(l->listener_fd);
fail_memory:
    rt_free(l);
    return status;
}

static void free_handle(uv_handle_t *handle) {
    rt_free(handle);
}

/* Reading is shut on the listener too: from then on a connect is refused, and what waits in the
 * backlog can still be taken. */
void rt_local_close(rt_local *l) {
    if (!l->listener)
        return;
    rt_unix_file_remove(&l->file);
    shutdown(l->listener_fd, SHUT_RD);
    while (accept_one(l))
        continue;
    uv_close((uv_handle_t *)l->listener, free_handle);
    rt_fds_close(l->listener_fd);
    l->listener = NULL;
    while (!rt_list_empty(&l->open))
        peer_retire(RT_OF(rt_list_first(&l->open), rt_local_peer, node));
    while (!rt_list_empty(&l->adopted))
        peer_retire(RT_OF(rt_list_first(&l->adopted), rt_local_peer, node));
    rt_loop_remove_hook(l->loop, &l->hook);
    rt_timerq_fini(&l->pause_due);
}

void rt_local_free(rt_local *l) {
    rt_free(l);
}

void rt_local_get_figures(const rt_local *l, rt_local_figures *out) {
    *out = (rt_local_figures){.peers = l->peers, .held = l->held, .counters = l->counters};
}

void rt_local_show_figures(const rt_local *l, const rt_figures *to) {
    rt_local_figures f = {0};
    if (l)
        rt_local_get_figures(l, &f);
    rt_figures_gauge(to, "local_peers", f.peers, "Open connections of the local socket.");
    rt_figures_gauge(to, "local_held_bytes", f.held, "Bytes of unfinished lines.");
    RT_FIGURES_OF(to, "local", rt_local, &f.counters);
}
