/* curl's multi interface on the loop: curl says which sockets to watch and when to wake it. */
#include "net/webclient.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"

#include <curl/curl.h>
#include <string.h>

RT_COUNTERS_DEFINE(rt_web, RT_WEB_COUNTERS)

struct rt_web {
    rt_loop *loop;
    rt_web_opts opts;
    CURLM *multi; /* NULL until the first request */
    uv_timer_t timer;
    rt_list line;   /* calls that wait for a place */
    rt_list flying; /* calls in flight */
    uint32_t in_flight, in_line;
    unsigned handles; /* uv handles that are not closed yet, the timer among them */
    bool closing;
    rt_web_counters counters;
};

struct rt_web_call {
    rt_list node;
    rt_web *web;
    CURL *easy;
    struct curl_slist *headers;
    rt_buf body;
    rt_web_done *done;
    void *arg;
    bool flying;
    bool too_big;
    char error[CURL_ERROR_SIZE];
};

/* One socket of curl's that is being watched. */
typedef struct watch {
    uv_poll_t poll;
    rt_web *web;
    curl_socket_t fd;
} watch;

void rt_web_opts_default(rt_web_opts *opts) {
    *opts = (rt_web_opts){
        .in_flight = RT_WEB_IN_FLIGHT,
        .timeout_ms = RT_WEB_TIMEOUT_MS,
        .connect_ms = RT_WEB_CONNECT_MS,
        .answer_max = RT_WEB_ANSWER_MAX,
    };
}

static void count(rt_web *w, int counter) {
    w->counters.v[counter]++;
}

/* --- calls --- */

static void call_free(rt_web_call *c) {
    if (c->easy)
        curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    rt_buf_fini(&c->body);
    rt_free(c);
}

/* Out of the line or the air. */
static void take_out(rt_web_call *c) {
    rt_web *w = c->web;
    rt_list_unlink(&c->node);
    if (c->flying) {
        curl_multi_remove_handle(w->multi, c->easy);
        w->in_flight--;
    } else {
        w->in_line--;
    }
}

static void settle(rt_web_call *c, CURLcode code) {
    rt_web *w = c->web;
    long status = 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    take_out(c);
    rt_web_answer answer = {.status = (int)status, .body = rt_buf_slice(&c->body)};
    if (status == 0) {
        answer.body = RT_EMPTY;
        answer.error = c->too_big  ? "the answer is too big"
                       : *c->error ? c->error
                                   : curl_easy_strerror(code);
        count(w, c->too_big                         ? RT_WEB_TOO_BIG
                 : code == CURLE_OPERATION_TIMEDOUT ? RT_WEB_TIMEOUTS
                                                    : RT_WEB_FAILED);
    } else {
        count(w, RT_WEB_ANSWERED);
    }
    c->done(c->arg, &answer);
    call_free(c);
}

static void launch_waiting(rt_web *w) {
    while (!w->closing && w->in_flight < w->opts.in_flight && !rt_list_empty(&w->line)) {
        rt_web_call *c = RT_OF(rt_list_first(&w->line), rt_web_call, node);
        rt_list_unlink(&c->node);
        rt_list_push(&w->flying, &c->node);
        w->in_line--;
        w->in_flight++;
        c->flying = true;
        curl_multi_add_handle(w->multi, c->easy);
    }
}

static void collect(rt_web *w) {
    CURLMsg *msg;
    int left;
    while (!w->closing && (msg = curl_multi_info_read(w->multi, &left))) {
        char *call;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
        settle((rt_web_call *)(void *)call, code);
    }
    launch_waiting(w);
}

/* --- curl on the loop --- */

static void handle_closed(rt_web *w) {
    if (--w->handles == 0 && w->closing)
        rt_free(w);
}

static void on_watch_closed(uv_handle_t *handle) {
    watch *k = (watch *)handle;
    rt_web *w = k->web;
    rt_free(k);
    handle_closed(w);
}

static void on_timer_closed(uv_handle_t *handle) {
    handle_closed(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    watch *k = (watch *)poll;
    rt_web *w = k->web;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
    int running;
    w->loop->now = uv_now(&w->loop->uv);
    curl_multi_socket_action(w->multi, k->fd, flags, &running);
    collect(w);
}

static void on_timeout(uv_timer_t *timer) {
    rt_web *w = timer->data;
    int running;
    w->loop->now = uv_now(&w->loop->uv);
    curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(w);
}

static int set_timer(CURLM *multi, long ms, void *arg) {
    (void)multi;
    rt_web *w = arg;
    if (w->closing)
        return 0;
    if (ms < 0)
        uv_timer_stop(&w->timer);
    else
        uv_timer_start(&w->timer, on_timeout, (uint64_t)ms, 0);
    return 0;
}

static watch *watch_new(rt_web *w, curl_socket_t fd) {
    watch *k = rt_alloc0(sizeof *k);
    if (!k)
        return NULL;
    k->web = w;
    k->fd = fd;
    if (uv_poll_init_socket(&w->loop->uv, &k->poll, fd) != 0) {
        rt_free(k);
        return NULL;
    }
    w->handles++;
    curl_multi_assign(w->multi, fd, k);
    return k;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched) {
    (void)easy;
    rt_web *w = arg;
    watch *k = watched;
    if (what == CURL_POLL_REMOVE) {
        if (k) {
            uv_poll_stop(&k->poll);
            curl_multi_assign(w->multi, fd, NULL);
            uv_close((uv_handle_t *)&k->poll, on_watch_closed);
        }
        return 0;
    }
    if (!k)
        k = watch_new(w, fd);
    if (!k)
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&k->poll, events, on_ready);
    return 0;
}

/* The first request pays for curl and OpenSSL, not every process that hosts a server. */
static int open_multi(rt_web *w) {
    if (w->multi)
        return RT_OK;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return RT_ENOMEM;
    w->multi = curl_multi_init();
    if (!w->multi)
        return RT_ENOMEM;
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)w->opts.in_flight);
    return RT_OK;
}

/* --- requests --- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg) {
    rt_web_call *c = arg;
    if (rt_buf_put(&c->body, bytes, size * n) == RT_OK)
        return size * n;
    c->too_big = c->body.err == RT_ELIMIT;
    return 0;
}

static int add_headers(rt_web_call *c, const char *const *headers, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (strpbrk(headers[i], "\r\n"))
            return RT_EINVAL;
        struct curl_slist *grown = curl_slist_append(c->headers, headers[i]);
        if (!grown)
            return RT_ENOMEM;
        c->headers = grown;
    }
    return RT_OK;
}

static int set_up(rt_web_call *c, const char *url) {
    const rt_web_opts *o = &c->web->opts;
    CURL *e = c->easy = curl_easy_init();
    if (!e)
        return RT_ENOMEM;
    if (curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK)
        return RT_ENOMEM;
    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L); /* signals belong to the host program */
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    /* A redirect may lead elsewhere, and the credential must not follow it. */
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "frappe_rt");
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    return RT_OK;
}

int rt_web_get(rt_web *w, const char *url, const char *const *headers, unsigned header_count,
               rt_web_done *done, void *arg, rt_web_call **call) {
    if (w->closing)
        return RT_EINVAL;
    int status = open_multi(w);
    if (status != RT_OK)
        return status;
    rt_web_call *c = rt_alloc0(sizeof *c);
    if (!c)
        return RT_ENOMEM;
    c->web = w;
    c->done = done;
    c->arg = arg;
    rt_buf_init(&c->body, w->opts.answer_max);
    rt_list_init(&c->node);
    status = add_headers(c, headers, header_count);
    if (status == RT_OK)
        status = set_up(c, url);
    if (status != RT_OK) {
        call_free(c);
        return status;
    }
    count(w, RT_WEB_REQUESTS);
    rt_list_push(&w->line, &c->node);
    w->in_line++;
    *call = c;
    launch_waiting(w);
    return RT_OK;
}

void rt_web_cancel(rt_web_call *c) {
    rt_web *w = c->web;
    count(w, RT_WEB_CANCELLED);
    take_out(c);
    call_free(c);
    launch_waiting(w);
}

/* --- life --- */

rt_web *rt_web_new(rt_loop *loop, const rt_web_opts *opts) {
    rt_web *w = rt_alloc0(sizeof *w);
    if (!w)
        return NULL;
    w->loop = loop;
    w->opts = *opts;
    rt_list_init(&w->line);
    rt_list_init(&w->flying);
    uv_timer_init(&loop->uv, &w->timer);
    w->timer.data = w;
    w->handles = 1;
    return w;
}

static void drop_all(rt_list *calls) {
    while (!rt_list_empty(calls)) {
        rt_web_call *c = RT_OF(rt_list_first(calls), rt_web_call, node);
        take_out(c);
        call_free(c);
    }
}

void rt_web_close(rt_web *w) {
    w->closing = true;
    drop_all(&w->line);
    drop_all(&w->flying);
    if (w->multi)
        curl_multi_cleanup(w->multi);
    w->multi = NULL;
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

void rt_web_get_figures(const rt_web *w, rt_web_figures *out) {
    *out =
        (rt_web_figures){.in_flight = w->in_flight, .in_line = w->in_line, .counters = w->counters};
}
