/* One connection: reads into the loop's buffer, passes requests and frames on, writes once a turn.
 */
#include "net/conn.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/fds.h"
#include "wire/reply.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IOV_MAX_PER_WRITE 64

static rt_conn *conn_of(const rt_eio_port *p) {
    return RT_OF(p, rt_conn, port);
}

static uint64_t now_of(const rt_conn *c) {
    return c->front->loop->now;
}

/* The deadline of the current state; NULL: none. While an HTTP peer does not take what it is owed,
 * the deadline for writing replaces it (block, drained). */
static void set_deadline(rt_conn *c, rt_timerq *due) {
    if (c->watches & EPOLLOUT)
        return;
    if (due)
        rt_timer_arm(due, &c->timer, now_of(c));
    else
        rt_timer_disarm(&c->timer);
}

static void mark_pending(rt_conn *c) {
    rt_front *f = c->front;
    if (c->pending)
        return;
    c->pending = c;
    if (f->pending)
        f->last_pending->pending = c;
    else
        f->pending = c;
    f->last_pending = c;
}

/* --- what it is asked for --- */

/* It does not take what it is owed, so it is not asked for more: that would be answered, too. What
 * others send to a WebSocket is no reason: a pong must be read. */
static bool is_full(const rt_conn *c) {
    return c->blocked && (c->state != RT_CONN_WEBSOCKET || c->answers > RT_FRONT_ANSWERS_MAX);
}

static bool has_bytes_waiting(const rt_conn *c) {
    return c->held && c->state == RT_CONN_WEBSOCKET;
}

static void set_turn(rt_conn *c, uint64_t at) {
    rt_alarm_arm(&c->front->loop->timers.alarms, &c->held->again, at);
}

/* Who is asked for nothing leaves the poller, which would report a peer that hung up for ever. */
static int tell_poller(rt_conn *c, uint32_t events) {
    rt_poller *p = &c->front->poller;
    bool known = c->watches != 0;
    c->watches = (uint8_t)events;
    if (!known)
        return rt_poller_add(p, c->fd, c, events);
    if (events)
        return rt_poller_change(p, c->fd, c, events);
    rt_poller_remove(p, c->fd, c);
    return RT_OK;
}

static void watch(rt_conn *c) {
    bool full = is_full(c), waiting = has_bytes_waiting(c);
    uint32_t events = (c->blocked ? EPOLLOUT : 0) | (full || waiting ? 0 : EPOLLIN);
    if (waiting && !full && !rt_alarm_armed(&c->held->again))
        set_turn(c, now_of(c));
    if (events == c->watches)
        return;
    if (full && c->state == RT_CONN_WEBSOCKET)
        rt_front_count(c->front, RT_FRONT_READS_PAUSED);
    if (tell_poller(c, events) != RT_OK)
        rt_conn_close(c, true);
}

/* --- closing --- */

static void free_parser(rt_conn *c) {
    rt_http_free(c->http);
    c->http = NULL;
}

/* They do not get another turn. */
static void forget_turn(rt_conn *c) {
    if (!c->held)
        return;
    rt_list_unlink(&c->held->resume);
    rt_alarm_disarm(&c->held->again);
}

static void free_held(rt_conn *c) {
    if (!c->held)
        return;
    forget_turn(c);
    rt_buf_fini(&c->held->bytes);
    rt_free(c->held);
    c->held = NULL;
}

void rt_conn_free(rt_conn *c) {
    free_parser(c);
    free_held(c);
    rt_free(c);
}

void rt_conn_close(rt_conn *c, bool broken) {
    if (c->state == RT_CONN_CLOSED)
        return;
    rt_front *f = c->front;
    c->state = RT_CONN_CLOSED;
    rt_timer_disarm(&c->timer);
    rt_list_unlink(&c->node);
    rt_list_push(&f->closed, &c->node);
    forget_turn(c);
    rt_outq_fini(&c->out);
    f->connections--;
    rt_poller_remove(&f->poller, c->fd, c);
    rt_charges_drop(&f->charges, f->eio, c->fd);
    rt_fds_close(c->fd);
    rt_eio_port_closed(f->eio, &c->port, broken);
}

uint32_t rt_conn_unsent(const rt_conn *c) {
    int unsent = 0;
    return ioctl(c->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 ? (uint32_t)unsent : 0;
}

/* Shuts our side: the peer reads what we sent, sees the end, and closes. A close with unread input
 * would reset the connection, and the peer might lose what we sent last. */
static void linger(rt_conn *c) {
    c->state = RT_CONN_LINGERING;
    c->front->io->shutdown(c);
    c->unsent = rt_conn_unsent(c);
    rt_timer_arm(&c->front->linger_due, &c->timer, now_of(c));
}

void rt_conn_lingered(rt_conn *c) {
    uint32_t unsent = rt_conn_unsent(c);
    if (unsent > 0 && unsent < c->unsent) {
        c->unsent = unsent;
        rt_timer_arm(&c->front->linger_due, &c->timer, now_of(c));
        return;
    }
    rt_front_count(c->front, RT_FRONT_TIMED_OUT_LINGER);
    rt_conn_close(c, false);
}

/* Nothing more is read; what is owed is written, then the connection lingers. */
static void finish_up(rt_conn *c) {
    if (c->state >= RT_CONN_FLUSHING)
        return;
    c->state = RT_CONN_FLUSHING;
    forget_turn(c);
    watch(c); /* for the end */
    rt_timer_arm(&c->front->write_due, &c->timer, now_of(c));
    mark_pending(c);
}

/* --- what engineio may do --- */

static int port_send(rt_eio_port *p, rt_msg *m) {
    rt_conn *c = conn_of(p);
    if (c->state >= RT_CONN_FLUSHING)
        return RT_ECLOSED;
    int status = rt_outq_push(&c->out, m);
    c->pong_last = false;
    if (status == RT_OK)
        mark_pending(c);
    return status;
}

static int port_pong(rt_eio_port *p, rt_msg *m) {
    rt_conn *c = conn_of(p);
    if (c->blocked && c->pong_last && rt_outq_replace_last(&c->out, m)) {
        rt_front_count(c->front, RT_FRONT_PINGS_PASSED_OVER);
        return RT_OK;
    }
    int status = port_send(p, m);
    c->pong_last = status == RT_OK;
    return status;
}

/* The next request may come. In the middle of parsing the parser goes on by itself; else what was
 * held back is parsed before the turn ends. */
static void port_finish(rt_eio_port *p, bool keep_alive) {
    rt_conn *c = conn_of(p);
    if (c->state != RT_CONN_ANSWERING && c->state != RT_CONN_READING)
        return;
    if (!keep_alive) {
        finish_up(c);
        return;
    }
    c->state = RT_CONN_READING;
    set_deadline(c, &c->front->idle_due);
    if (c->held && !rt_list_linked(&c->held->resume))
        rt_list_push(&c->front->resume, &c->held->resume);
}

static void port_upgrade(rt_eio_port *p) {
    rt_conn *c = conn_of(p);
    c->state = RT_CONN_WEBSOCKET;
    rt_timer_disarm(&c->timer);
}

static void port_close(rt_eio_port *p, bool flush) {
    rt_conn *c = conn_of(p);
    if (flush)
        finish_up(c);
    else
        rt_conn_close(c, false);
}

static size_t port_owed(const rt_eio_port *p) {
    const rt_conn *c = conn_of(p);
    return c->blocked ? c->out.taken : 0;
}

/* A number for the connection itself, where nobody says whose it is. */
static void put_serial(const rt_conn *c, char *out) {
    memset(out, 0, RT_EIO_ADDRESS_LEN);
    out[0] = RT_EIO_ADDRESS_CONNECTION;
    memcpy(out + RT_EIO_ADDRESS_LEN - sizeof c->port.serial, &c->port.serial,
           sizeof c->port.serial);
}

/* A proxy that we trust, as one on this host or behind a Unix socket, tells whose request it is. */
static void port_address(const rt_eio_port *p, const rt_http_request *req, char *out) {
    const rt_conn *c = conn_of(p);
    const rt_trusted *proxies = &c->front->opts.proxies;
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof from;
    (void)getpeername(c->fd, (struct sockaddr *)&from, &len); /* failed: the family stays */
    bool by_proxy = !rt_address_of(&from, out) || rt_trusted_has(proxies, out);
    if (by_proxy && !rt_address_forwarded(req, proxies, out))
        put_serial(c, out);
    else
        rt_address_cut(out);
}

static const rt_eio_port_ops port_ops = {port_send, port_finish, port_upgrade, port_close,
                                         port_pong, port_owed,   port_address};

/* --- requests --- */

static int send_bytes(rt_conn *c, rt_slice bytes) {
    rt_msg *m = rt_msg_copy(bytes);
    if (!m)
        return RT_ENOMEM;
    int status = port_send(&c->port, m);
    rt_msg_rele(m);
    return status;
}

/* An answer as bytes. */
static int put_answer(rt_buf *b, const rt_answer *answer, bool keep_alive, bool head_alone) {
    rt_reply_start(b, answer->status);
    rt_reply_header(b, RT_LIT("Content-Type"), rt_slice_of(answer->type));
    rt_reply_header(b, RT_LIT("Cache-Control"), RT_LIT("no-store"));
    rt_buf_puts(b, rt_buf_slice(&answer->headers));
    rt_reply_end(b, answer->body.n, keep_alive);
    if (!head_alone)
        rt_buf_puts(b, rt_buf_slice(&answer->body));
    if (answer->headers.err != RT_OK)
        return answer->headers.err;
    return answer->body.err != RT_OK ? answer->body.err : b->err;
}

/* Answers a request that is not engineio's. */
static int answer_route(rt_conn *c, const rt_http_request *req) {
    rt_front *f = c->front;
    rt_answer answer = {200, "text/plain; charset=utf-8", RT_BUF_INIT, RT_BUF_INIT};
    rt_buf bytes = RT_BUF_INIT;
    f->route(f->route_ctx, req, &answer);
    bool keep_alive = req->keep_alive && !req->has_body && !req->upgrade;
    int status = put_answer(&bytes, &answer, keep_alive, req->method == RT_HTTP_HEAD);
    if (status == RT_OK)
        status = send_bytes(c, rt_buf_slice(&bytes));
    rt_buf_fini(&answer.headers);
    rt_buf_fini(&answer.body);
    rt_buf_fini(&bytes);
    if (status == RT_OK)
        port_finish(&c->port, keep_alive);
    return status;
}

/* RT_OK to go on parsing; RT_ECLOSED stops the parser of a connection that takes no more input. */
static int go_on(const rt_conn *c) {
    return c->state >= RT_CONN_FLUSHING ? RT_ECLOSED : RT_OK;
}

static int on_head(void *arg, const rt_http_request *req) {
    rt_conn *c = arg;
    rt_front *f = c->front;
    rt_front_count(f, RT_FRONT_REQUESTS);
    c->state = RT_CONN_ANSWERING;
    c->engineio = rt_slice_starts(req->target, f->opts.path);
    set_deadline(c, req->has_body ? &f->body_due : NULL);
    int status = c->engineio ? rt_eio_request(f->eio, &c->port, req) : answer_route(c, req);
    if (status == RT_OK && req->expect_continue && c->state == RT_CONN_ANSWERING)
        status = send_bytes(c, RT_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    return status == RT_OK ? go_on(c) : status;
}

static int on_body(void *arg, rt_slice bytes) {
    rt_conn *c = arg;
    int status = c->engineio ? rt_eio_request_body(c->front->eio, &c->port, bytes) : RT_OK;
    return status == RT_OK ? go_on(c) : status;
}

static int on_end(void *arg) {
    rt_conn *c = arg;
    if (c->state == RT_CONN_ANSWERING)
        set_deadline(c, NULL);
    int status = c->engineio ? rt_eio_request_end(c->front->eio, &c->port) : RT_OK;
    return status == RT_OK ? go_on(c) : status;
}

static const rt_http_events http_events = {on_head, on_body, on_end};

/* A request we cannot read is answered, then the connection closes; nobody else notices. */
static void refuse_request(rt_conn *c, int status) {
    static const struct {
        int status, counter;
        rt_slice answer;
    } refusals[] = {
        {RT_ENOMEM, RT_FRONT_NO_MEMORY,
         RT_LIT("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")},
        {RT_EHTTP_HEADERS, RT_FRONT_HEAD_OVER_MAX,
         RT_LIT("HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")},
        {RT_EHTTP_TARGET, RT_FRONT_TARGET_OVER_MAX,
         RT_LIT("HTTP/1.1 414 URI Too Long\r\nConnection: close\r\n\r\n")},
        {0, RT_FRONT_BAD_REQUESTS, RT_LIT("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")},
    };
    size_t i = 0;
    while (refusals[i].status && refusals[i].status != status)
        i++;
    rt_front_count(c->front, refusals[i].counter);
    if (c->port.up || send_bytes(c, refusals[i].answer) != RT_OK)
        rt_conn_close(c, true); /* engineio may have begun with this request: it is told */
    else
        finish_up(c);
}

static void on_again(rt_alarm *a) {
    rt_conn *c = RT_OF(a, rt_conn_held, again)->conn;
    if (is_full(c))
        rt_front_count(c->front, RT_FRONT_READS_PAUSED); /* until it takes some (watch) */
    else
        rt_conn_resume(c);
}

static int hold(rt_conn *c, const char *bytes, size_t n, size_t max) {
    if (!c->held) {
        c->held = rt_alloc(sizeof *c->held);
        if (!c->held)
            return RT_ENOMEM;
        rt_list_init(&c->held->resume);
        rt_alarm_init(&c->held->again, on_again);
        c->held->conn = c;
        rt_buf_init(&c->held->bytes, max);
    }
    return rt_buf_put(&c->held->bytes, bytes, n);
}

/* The deadline of the head starts here, and not again with each empty line before it. */
static bool start_request(rt_conn *c) {
    c->http = rt_http_new(&http_events, c);
    if (c->http) {
        set_deadline(c, &c->front->head_due);
        return true;
    }
    rt_front_count(c->front, RT_FRONT_NO_MEMORY);
    rt_conn_close(c, true);
    return false;
}

/* Parses requests until the bytes are used up, a request waits for its answer, or the connection is
 * no longer HTTP. Returns how many bytes were used. */
static size_t feed_requests(rt_conn *c, const char *bytes, size_t n) {
    size_t at = 0;
    while (at < n && (c->state == RT_CONN_READING || (c->state == RT_CONN_ANSWERING && c->http))) {
        if (!c->http && !start_request(c))
            return n;
        size_t used;
        int status = rt_http_feed(c->http, rt_slice_make(bytes + at, n - at), &used);
        at += used;
        if (status == RT_AGAIN)
            return at;
        if (c->state < RT_CONN_FLUSHING && status != RT_OK)
            refuse_request(c, status);
        if (c->state != RT_CONN_CLOSED)
            free_parser(c);
    }
    return at;
}

/* What engineio does not take in this turn waits for the next, or for the time that it names, and
 * nothing more is read. */
static void feed_websocket(rt_conn *c, char *bytes, size_t n) {
    size_t used = rt_eio_websocket_bytes(c->front->eio, &c->port, bytes, n);
    uint64_t again = c->state == RT_CONN_WEBSOCKET ? rt_eio_websocket_again(&c->port) : 0;
    if (c->state != RT_CONN_WEBSOCKET || (used == n && !again))
        return;
    if (hold(c, bytes + used, n - used, RT_READ_BUFFER) == RT_OK) {
        set_turn(c, again ? again : now_of(c));
        watch(c);
        return;
    }
    rt_front_count(c->front, RT_FRONT_NO_MEMORY);
    rt_conn_close(c, true);
}

static void on_bytes(rt_conn *c, char *bytes, size_t n) {
    size_t used = c->held ? 0 : feed_requests(c, bytes, n); /* what is held comes first */
    if (c->state == RT_CONN_WEBSOCKET) {
        if (used < n || n == 0)
            feed_websocket(c, bytes + used, n - used);
        return;
    }
    if ((c->state != RT_CONN_ANSWERING && c->state != RT_CONN_READING) || used == n)
        return;
    int status = hold(c, bytes + used, n - used, c->front->opts.max_pipelined);
    if (status == RT_OK)
        return;
    rt_front_count(c->front,
                   status == RT_ENOMEM ? RT_FRONT_NO_MEMORY : RT_FRONT_PIPELINED_OVER_MAX);
    rt_conn_close(c, true);
}

static void take_bytes(rt_conn *c, char *bytes, size_t n) {
    size_t before = c->out.taken;
    on_bytes(c, bytes, n);
    if (c->state != RT_CONN_WEBSOCKET || c->out.taken <= before)
        return;
    c->answers += (uint32_t)(c->out.taken - before);
    if (is_full(c))
        watch(c);
}

void rt_conn_resume(rt_conn *c) {
    rt_conn_held *held = c->held;
    forget_turn(c);
    c->held = NULL;
    take_bytes(c, held->bytes.p, held->bytes.n);
    rt_buf_fini(&held->bytes);
    rt_free(held);
    if (c->state != RT_CONN_CLOSED)
        watch(c);
}

/* --- I/O --- */

static void on_readable(rt_conn *c) {
    rt_loop *l = c->front->loop;
    ssize_t n = c->front->io->recv(c, l->read_buffer, RT_READ_BUFFER);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            rt_conn_close(c, true);
        return;
    }
    if (n == 0) {
        rt_conn_close(c, false);
        return;
    }
    c->front->counters.v[RT_FRONT_BYTES_IN] += (uint64_t)n;
    if (c->state < RT_CONN_FLUSHING)
        take_bytes(c, l->read_buffer, (size_t)n);
}

void rt_conn_ready(void *conn, uint32_t events) {
    rt_conn *c = conn;
    rt_loop_enter(c->front->loop);
    if (c->state == RT_CONN_CLOSED)
        return;
    if (events & EPOLLERR) {
        rt_conn_close(c, true);
        return;
    }
    if (events & EPOLLOUT) {
        c->blocked = false;
        mark_pending(c);
    }
    if ((events & EPOLLIN) && !has_bytes_waiting(c))
        on_readable(c);
}

/* The kernel takes no more, or the turn's share is written. */
static void block(rt_conn *c) {
    rt_front_count(c->front, RT_FRONT_WRITES_BLOCKED);
    c->blocked = true;
    if (c->state != RT_CONN_WEBSOCKET)
        set_deadline(c, &c->front->write_due); /* runs on while the peer takes a little at a time */
    watch(c);
}

/* A WebSocket is owed too much. The first message does not count: a single one may be as large as
 * it likes. */
static bool is_slow(const rt_conn *c) {
    return c->out.count > 1 && c->state == RT_CONN_WEBSOCKET &&
           c->out.taken - rt_outq_cost(rt_outq_at(&c->out, 0)) > c->front->opts.max_owed;
}

static void close_slow(rt_conn *c) {
    rt_front_count(c->front, RT_FRONT_SLOW);
    rt_eio_port_slow(c->front->eio, &c->port);
}

/* The peer has taken all it was owed: the deadline of the current state is back. */
static void unblocked(rt_conn *c) {
    rt_front *f = c->front;
    bool busy = c->http && rt_http_busy(c->http);
    watch(c);
    if (c->state == RT_CONN_READING)
        set_deadline(c, busy ? &f->head_due : &f->idle_due);
    else if (c->state == RT_CONN_ANSWERING)
        set_deadline(c, busy ? &f->body_due : NULL);
}

/* Everything is written. */
static void drained(rt_conn *c) {
    if (c->watches & EPOLLOUT)
        unblocked(c);
    if (c->state == RT_CONN_FLUSHING)
        linger(c);
}

static void took(rt_conn *c, size_t n) {
    size_t before = c->out.taken;
    rt_outq_wrote(&c->out, n);
    if (c->answers == 0) /* as for most: what it is owed is broadcasts */
        return;
    size_t left = before - c->out.taken;
    c->answers -= c->answers < left ? c->answers : (uint32_t)left;
}

/* Offers the kernel one write. Returns the bytes it took, or -1: none, or the connection broke. */
static ssize_t write_some(rt_conn *c) {
    rt_front *f = c->front;
    struct iovec iov[IOV_MAX_PER_WRITE];
    int pieces = rt_outq_iov(&c->out, iov, IOV_MAX_PER_WRITE, RT_FRONT_WRITE_CAP);
    if (pieces == 0) {
        took(c, 0); /* messages without bytes leave here */
        return 0;
    }
    ssize_t n = f->io->send(c, iov, pieces);
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
        rt_conn_close(c, true);
        return -1;
    }
    rt_front_count(f, RT_FRONT_WRITES);
    if (n < 0)
        return -1;
    f->counters.v[RT_FRONT_BYTES_OUT] += (uint64_t)n;
    took(c, (size_t)n);
    return n;
}

/* One write; but whoever takes more is not slow, however much one turn has brought. */
static void write_owed(rt_conn *c) {
    while (write_some(c) > 0 && !rt_outq_empty(&c->out) && is_slow(c))
        ;
}

void rt_conn_flush(rt_conn *c) {
    if (c->state == RT_CONN_CLOSED)
        return;
    if (!c->blocked)
        write_owed(c);
    if (c->state == RT_CONN_CLOSED)
        return;
    if (rt_outq_empty(&c->out))
        drained(c);
    else if (is_slow(c))
        close_slow(c);
    else if (!c->blocked)
        block(c);
}

void rt_conn_new(rt_front *f, int fd) {
    int one = 1;
    rt_conn *c = rt_alloc0(sizeof *c);
    if (!c || rt_fds_add(fd) != RT_OK) {
        rt_front_count(f, RT_FRONT_NO_MEMORY);
        rt_charges_drop(&f->charges, f->eio, fd);
        rt_free(c);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on a Unix socket: fine */
    c->front = f;
    c->fd = fd;
    c->port.serial = (uint32_t)f->counters.v[RT_FRONT_ACCEPTED];
    c->port.ops = &port_ops;
    c->watches = EPOLLIN;
    rt_list_init(&c->node);
    rt_timer_init(&c->timer);
    rt_outq_init(&c->out);
    if (rt_poller_add(&f->poller, fd, c, EPOLLIN) != RT_OK) {
        rt_front_count(f, RT_FRONT_ACCEPT_FAILED);
        rt_charges_drop(&f->charges, f->eio, fd);
        rt_fds_close(fd);
        rt_free(c);
        return;
    }
    f->connections++;
    rt_list_push(&f->open, &c->node);
    rt_timer_arm(&f->head_due, &c->timer, now_of(c));
}
