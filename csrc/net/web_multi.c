/* curl on the loop. Finished requests are reported after each curl_multi_socket_action and never
 * from inside a callback of curl, so that the receiver may add, remove and close. */
#include "net/web_multi.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/curl_library.h"
#include "net/fds.h"

#include <fcntl.h>
#include <string.h>

/* One of curl's sockets; outlives it until libuv has let go. */
typedef struct web_socket {
    uv_poll_t poll;
    rt_web_multi *m;
    curl_socket_t fd;
    int events; /* what curl waits for, as flags of libuv */
} web_socket;

static void handle_closed(rt_web_multi *m) {
    if (--m->handles == 0)
        m->ops->gone(m->arg);
}

static void on_timer_closed(uv_handle_t *handle) {
    handle_closed(handle->data);
}

static void on_socket_closed(uv_handle_t *handle) {
    web_socket *s = handle->data;
    handle_closed(s->m);
    rt_free(s);
}

static void collect(rt_web_multi *m) {
    CURLMsg *message;
    int left;
    while (m->curl && (message = rt_curl.curl_multi_info_read(m->curl, &left)))
        if (message->msg == CURLMSG_DONE)
            m->ops->finished(m->arg, message->easy_handle, message->data.result);
}

static void act(rt_web_multi *m, curl_socket_t fd, int events) {
    int running;
    m->loop->now = uv_now(&m->loop->uv);
    if (!m->curl)
        return;
    rt_curl.curl_multi_socket_action(m->curl, fd, events, &running);
    collect(m);
}

/* For a socket with an error, such as a reset one, libuv reports only the error and stops watching.
 * Tell curl that what it waits for has come, and let it find the error: when a kept connection was
 * reset before the answer began, curl asks again on a new one. CURL_CSELECT_ERR would fail that. */
static void on_poll(uv_poll_t *poll, int status, int events) {
    web_socket *s = poll->data;
    int flags = 0;
    if (status < 0) {
        events = s->events;
        if (uv_poll_start(poll, events, on_poll) != 0)
            flags = CURL_CSELECT_ERR;
    }
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(s->m, s->fd, flags);
}

static void on_timer(uv_timer_t *timer) {
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static web_socket *new_socket(rt_web_multi *m, curl_socket_t fd) {
    web_socket *s = rt_alloc0(sizeof *s);
    if (!s || uv_poll_init(&m->loop->uv, &s->poll, fd) != 0) {
        rt_free(s);
        return NULL;
    }
    s->poll.data = s;
    s->m = m;
    s->fd = fd;
    m->handles++;
    if (rt_curl.curl_multi_assign(m->curl, fd, s) == CURLM_OK)
        return s;
    uv_close((uv_handle_t *)&s->poll, on_socket_closed);
    return NULL;
}

/* CURLMOPT_SOCKETFUNCTION. A socket that cannot be watched fails its request by timeout. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *mine) {
    web_socket *s = mine;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            uv_close((uv_handle_t *)&s->poll, on_socket_closed);
        return 0;
    }
    if (!s && !(s = new_socket(user, fd)))
        return 0;
    s->events = 0;
    if (what & CURL_POLL_IN)
        s->events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        s->events |= UV_WRITABLE;
    return uv_poll_start(&s->poll, s->events, on_poll) == 0 ? 0 : -1;
}

/* CURLMOPT_TIMERFUNCTION */
static int on_timeout_change(CURLM *curl, long ms, void *user) {
    rt_web_multi *m = user;
    (void)curl;
    if (ms < 0)
        return uv_timer_stop(&m->timer);
    return uv_timer_start(&m->timer, on_timer, (uint64_t)ms, 0);
}

/* CURLOPT_SOCKOPTFUNCTION: what a forked child must close, and no other program may inherit. */
static int on_new_socket(void *user, curl_socket_t fd, curlsocktype purpose) {
    (void)user;
    (void)purpose;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || rt_fds_add(fd) != RT_OK)
        return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
static int on_close_socket(void *user, curl_socket_t fd) {
    (void)user;
    rt_fds_close(fd);
    return 0;
}

bool rt_web_multi_prepare(CURL *easy) {
    return (rt_curl.curl_easy_setopt)(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket) == CURLE_OK &&
           (rt_curl.curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket) ==
               CURLE_OK;
}

int rt_web_multi_open(rt_web_multi *m) {
    if (m->curl)
        return RT_OK;
    CURLM *curl = rt_curl.curl_multi_init();
    if (!curl)
        return RT_ENOMEM;
    if ((rt_curl.curl_multi_setopt)(curl, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        (rt_curl.curl_multi_setopt)(curl, CURLMOPT_SOCKETDATA, m) != CURLM_OK ||
        (rt_curl.curl_multi_setopt)(curl, CURLMOPT_TIMERFUNCTION, on_timeout_change) != CURLM_OK ||
        (rt_curl.curl_multi_setopt)(curl, CURLMOPT_TIMERDATA, m) != CURLM_OK ||
        (rt_curl.curl_multi_setopt)(curl, CURLMOPT_MAXCONNECTS, m->connections) != CURLM_OK) {
        rt_curl.curl_multi_cleanup(curl);
        return RT_ENOMEM;
    }
    m->curl = curl;
    return RT_OK;
}

void rt_web_multi_init(rt_web_multi *m, rt_loop *loop, long connections,
                       const rt_web_multi_ops *ops, void *arg) {
    memset(m, 0, sizeof *m);
    m->loop = loop;
    m->connections = connections;
    m->ops = ops;
    m->arg = arg;
    uv_timer_init(&loop->uv, &m->timer);
    m->timer.data = m;
    m->handles = 1;
}

void rt_web_multi_close(rt_web_multi *m) {
    if (m->curl)
        rt_curl.curl_multi_cleanup(m->curl);
    m->curl = NULL;
    uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}

bool rt_web_multi_add(rt_web_multi *m, CURL *easy) {
    return rt_curl.curl_multi_add_handle(m->curl, easy) == CURLM_OK;
}

void rt_web_multi_remove(rt_web_multi *m, CURL *easy) {
    rt_curl.curl_multi_remove_handle(m->curl, easy);
}
