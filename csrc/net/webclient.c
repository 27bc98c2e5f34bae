/* HTTP GETs with libcurl: the flight, redirects, and the end of each request.
 *
 *     rt_web_get --> flying --answer, failure--> done
 *                     ^  |
 *                     +--+ redirect on the same host
 */
#include "net/webclient.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/status.h"
#include "net/curl_library.h"
#include "net/web_multi.h"
#include "net/web_redirect.h"

#include <stdlib.h>

#define DAY_S 86400

RT_COUNTERS_DEFINE(rt_web, RT_WEB_COUNTERS)

struct rt_web_call {
    rt_list node; /* in rt_web.flying */
    rt_web *w;
    char *url; /* the one asked now */
    struct curl_slist *headers;
    rt_slice host; /* value of a Host header, in `headers`; empty: curl's own */
    CURL *easy;    /* NULL: finished */
    rt_buf body;
    rt_web_done *done;
    void *arg;
    uint64_t deadline; /* ms; of the whole flight */
    unsigned redirects;
    uint32_t retry_after_ms;
    char error[CURL_ERROR_SIZE];
};

struct rt_web {
    rt_loop *loop;
    rt_web_opts opts;
    rt_web_multi multi;
    rt_list flying;
    uint32_t in_flight;
    bool closing;
    rt_log_gate library_gate;
    rt_web_counters counters;
};

static void count(rt_web *w, int which) {
    w->counters.v[which]++;
}

static uint64_t now_of(const rt_web *w) {
    return uv_now(&w->loop->uv);
}

void rt_web_opts_default(rt_web_opts *opts) {
    opts->connections = RT_WEB_CONNECTIONS;
    opts->timeout_ms = RT_WEB_TIMEOUT_MS;
    opts->connect_ms = RT_WEB_CONNECT_MS;
    opts->answer_max = RT_WEB_ANSWER_MAX;
}

/* ---- one request ---- */

/* CURLOPT_WRITEFUNCTION: taking less than was offered makes curl fail with CURLE_WRITE_ERROR. */
static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
    rt_web_call *c = user;
    return rt_buf_put(&c->body, bytes, size * n) == RT_OK ? size * n : 0;
}

#define SET(easy, option, value) ((rt_curl.curl_easy_setopt)(easy, option, value) == CURLE_OK)

static bool set_limits(CURL *easy, const rt_web_opts *opts) {
    return SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)opts->connect_ms) &&
           SET(easy, CURLOPT_MAXFILESIZE, (long)opts->answer_max) &&
#if LIBCURL_VERSION_NUM >= 0x075500
           SET(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
#else
           SET(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
           /* A resolver that hangs must not hold up the loop when its request ends. */
           SET(easy, CURLOPT_QUICK_EXIT, 1L) &&
#endif
           SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && SET(easy, CURLOPT_NOSIGNAL, 1L) &&
           SET(easy, CURLOPT_PROXY, "") && SET(easy, CURLOPT_NOPROXY, "*");
}

static bool set_callbacks(CURL *easy, rt_web_call *c) {
    return rt_web_multi_prepare(easy) && SET(easy, CURLOPT_WRITEFUNCTION, on_body) &&
           SET(easy, CURLOPT_WRITEDATA, c) && SET(easy, CURLOPT_ERRORBUFFER, c->error) &&
           SET(easy, CURLOPT_PRIVATE, c) && SET(easy, CURLOPT_HTTPHEADER, c->headers);
}

/* Certificates to trust, as OpenSSL and Python's ssl are told; else those curl was built with. */
static bool set_trust(CURL *easy) {
    const char *file = getenv("SSL_CERT_FILE");
    const char *folder = getenv("SSL_CERT_DIR");
    return (!file || !file[0] || SET(easy, CURLOPT_CAINFO, file)) &&
           (!folder || !folder[0] || SET(easy, CURLOPT_CAPATH, folder));
}

static bool set_alive(CURL *easy) {
    return SET(easy, CURLOPT_TCP_KEEPALIVE, 1L) &&
           SET(easy, CURLOPT_TCP_KEEPIDLE, (long)RT_WEB_ALIVE_S) &&
           SET(easy, CURLOPT_TCP_KEEPINTVL, (long)RT_WEB_ALIVE_S / 2);
}

/* Asks for c->url. False: no memory; the call is not with curl then. */
static bool launch(rt_web_call *c) {
    uint64_t now = now_of(c->w);
    long left = now < c->deadline ? (long)(c->deadline - now) : 1; /* 0 would be no limit */
    return SET(c->easy, CURLOPT_URL, c->url) && SET(c->easy, CURLOPT_TIMEOUT_MS, left) &&
           rt_web_multi_add(&c->w->multi, c->easy);
}

static void drop_easy(rt_web_call *c) {
    if (c->easy)
        rt_curl.curl_easy_cleanup(c->easy);
    c->easy = NULL;
}

static void free_call(rt_web_call *c) {
    drop_easy(c);
    rt_curl.curl_slist_free_all(c->headers);
    rt_buf_fini(&c->body);
    rt_free(c->url);
    rt_free(c);
}

/* RT_OK: the call, in no list before, is among the flying. RT_ENOMEM. */
static int start(rt_web_call *c) {
    rt_web *w = c->w;
    if (rt_web_multi_open(&w->multi) != RT_OK || !(c->easy = rt_curl.curl_easy_init()))
        return RT_ENOMEM;
    c->deadline = now_of(w) + w->opts.timeout_ms;
    if (!set_limits(c->easy, &w->opts) || !set_alive(c->easy) || !set_callbacks(c->easy, c) ||
        !set_trust(c->easy) || !launch(c)) {
        drop_easy(c);
        return RT_ENOMEM;
    }
    rt_list_push(&w->flying, &c->node);
    w->in_flight++;
    return RT_OK;
}

/* Removes the call from the list and from curl. */
static void withdraw(rt_web_call *c) {
    rt_web *w = c->w;
    rt_list_unlink(&c->node);
    rt_web_multi_remove(&w->multi, c->easy);
    drop_easy(c);
    w->in_flight--;
}

/* The call is in no list any more. */
static void finish(rt_web_call *c, int status, const char *error) {
    rt_web_answer answer = {status, status ? rt_buf_slice(&c->body) : RT_EMPTY, error,
                            c->retry_after_ms};
    count(c->w, status ? RT_WEB_ANSWERED : RT_WEB_FAILED);
    c->done(c->arg, &answer);
    free_call(c);
}

static bool is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Goes on to where the answer points, if the credentials may go there. False: this answer stands.
 */
static bool follow(rt_web_call *c) {
    char *location = NULL;
    char *next = NULL;
    if (c->redirects >= RT_WEB_REDIRECTS ||
        (rt_curl.curl_easy_getinfo)(c->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
        !location || rt_web_redirect(c->url, location, c->host, &next) != RT_OK)
        return false;
    if (strcmp(next, c->url) == 0) { /* http to https by a Host name: nothing new to ask */
        rt_free(next);
        return false;
    }
    rt_free(c->url);
    c->url = next;
    c->redirects++;
    rt_buf_clear(&c->body);
    return true;
}

/* ---- what has finished, and what comes next ---- */

static void failed(rt_web_call *c, CURLcode result) {
    rt_web *w = c->w;
    bool too_big = result == CURLE_FILESIZE_EXCEEDED || c->body.err == RT_ELIMIT;
    if (too_big)
        count(w, RT_WEB_TOO_BIG);
    else if (result == CURLE_OPERATION_TIMEDOUT)
        count(w, RT_WEB_TIMEOUTS);
    withdraw(c);
    if (too_big)
        finish(c, 0, "the answer is too large");
    else
        finish(c, 0, c->error[0] ? c->error : rt_curl.curl_easy_strerror(result));
}

/* curl turns a date into seconds. */
static void note_retry_after(rt_web_call *c) {
    curl_off_t seconds = 0;
    (rt_curl.curl_easy_getinfo)(c->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds > 0)
        c->retry_after_ms = seconds < DAY_S ? (uint32_t)seconds * 1000 : DAY_S * 1000u;
}

static void complete(rt_web_call *c, CURLcode result) {
    long status = 0;
    if (result != CURLE_OK) {
        failed(c, result);
        return;
    }
    (rt_curl.curl_easy_getinfo)(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (is_redirect(status) && follow(c)) {
        rt_web_multi_remove(&c->w->multi, c->easy);
        if (!launch(c))
            failed(c, CURLE_OUT_OF_MEMORY);
        return;
    }
    note_retry_after(c);
    withdraw(c);
    finish(c, (int)status, status ? NULL : "no HTTP answer");
}

static void on_finished(void *arg, CURL *easy, CURLcode result) {
    char *call = NULL;
    (void)arg;
    (rt_curl.curl_easy_getinfo)(easy, CURLINFO_PRIVATE, &call);
    complete((rt_web_call *)(void *)call, result);
}

static void on_gone(void *arg) {
    rt_free(arg);
}

static const rt_web_multi_ops multi_ops = {on_finished, on_gone};

/* ---- the calls of others ---- */

rt_web *rt_web_new(rt_loop *loop, const rt_web_opts *opts) {
    rt_web *w = rt_alloc0(sizeof *w);
    if (!w)
        return NULL;
    w->loop = loop;
    w->opts = *opts;
    rt_list_init(&w->flying);
    rt_web_multi_init(&w->multi, loop, (long)opts->connections, &multi_ops, w);
    return w;
}

/* A copy of the header lines, and which of them names the host. RT_OK, RT_EINVAL, RT_ENOMEM. */
static int copy_headers(rt_web_call *c, const char *const *headers, unsigned n) {
    rt_slice host = RT_LIT("Host:");
    for (unsigned i = 0; i < n; i++) {
        rt_slice line = rt_slice_of(headers[i]);
        if (rt_slice_find(line, '\r') < line.n || rt_slice_find(line, '\n') < line.n ||
            rt_slice_find(line, ':') == line.n)
            return RT_EINVAL;
        struct curl_slist *longer = rt_curl.curl_slist_append(c->headers, headers[i]);
        if (!longer)
            return RT_ENOMEM;
        c->headers = longer;
        if (line.n > host.n && rt_slice_eq_nocase((rt_slice){line.p, host.n}, host)) {
            while (longer->next)
                longer = longer->next;
            c->host = rt_slice_trim(rt_slice_from(rt_slice_of(longer->data), host.n));
        }
    }
    return RT_OK;
}

#define LIBRARY_LOG_MS 60000

static bool library_is_there(rt_web *w) {
    const char *why = rt_curl_load();
    if (why && rt_log_allowed(&w->library_gate, now_of(w), LIBRARY_LOG_MS))
        rt_log(RT_LOG_ERROR, "web", "cannot ask the web process anything: %s", why);
    return why == NULL;
}

int rt_web_get(rt_web *w, const char *url, const char *const *headers, unsigned header_count,
               rt_web_done *done, void *arg, rt_web_call **call) {
    rt_url parsed;
    size_t n = strlen(url);
    if (w->closing || !rt_web_url_parse((rt_slice){url, n}, &parsed))
        return RT_EINVAL;
    if (!library_is_there(w))
        return RT_EIO;
    rt_web_call *c = rt_alloc0(sizeof *c);
    if (!c)
        return RT_ENOMEM;
    rt_list_init(&c->node);
    rt_buf_init(&c->body, w->opts.answer_max);
    c->w = w;
    c->done = done;
    c->arg = arg;
    c->url = rt_alloc(n + 1);
    int rc = c->url ? copy_headers(c, headers, header_count) : RT_ENOMEM;
    if (rc != RT_OK)
        goto fail;
    memcpy(c->url, url, n + 1);
    if ((rc = start(c)) != RT_OK)
        goto fail;
    count(w, RT_WEB_REQUESTS);
    *call = c;
    return RT_OK;

fail:
    free_call(c);
    return rc;
}

void rt_web_cancel(rt_web_call *call) {
    rt_web *w = call->w;
    if (!rt_list_linked(&call->node))
        return; /* its own `done` is running */
    withdraw(call);
    count(w, RT_WEB_CANCELLED);
    free_call(call);
}

void rt_web_close(rt_web *w) {
    if (w->closing)
        return;
    w->closing = true;
    while (!rt_list_empty(&w->flying))
        rt_web_cancel(RT_OF(rt_list_first(&w->flying), rt_web_call, node));
    rt_web_multi_close(&w->multi);
}

void rt_web_get_figures(const rt_web *w, rt_web_figures *out) {
    out->in_flight = w->in_flight;
    out->counters = w->counters;
}

void rt_web_show_figures(const rt_web *w, const rt_figures *to) {
    rt_web_figures f;
    rt_web_get_figures(w, &f);
    rt_figures_gauge(to, "web_in_flight", f.in_flight, "Requests to the web process in flight.");
    RT_FIGURES_OF(to, "web", rt_web, &f.counters);
}
