/* The functions that Frappe's rules call for I/O: the web process, Redis, the clock. */
#include "base/alloc.h"
#include "base/status.h"
#include "frappe/site.h"
#include "server/instance.h"
#include "server/web_address.h"

#define HEADERS_MAX 5

/* A request in flight. Turns the answer of net/ into one of frappe/. */
typedef struct web_question {
    rt_frappe_answer_fn *done;
    void *arg;
    rt_web_call *call;
} web_question;

static void put_header(rt_buf *b, size_t *at, unsigned *count, const char *name, rt_slice value) {
    if (value.n == 0)
        return;
    at[(*count)++] = b->n;
    rt_buf_puts(b, rt_slice_of(name));
    rt_buf_puts(b, value);
    rt_buf_putc(b, '\0');
}

static void on_answer(void *arg, const rt_web_answer *answer) {
    web_question *q = arg;
    rt_frappe_answer_fn *done = q->done;
    void *done_arg = q->arg;
    rt_free(q);
    done(done_arg,
         &(rt_frappe_answer){answer->status, answer->body, answer->error, answer->retry_after_ms});
}

static int web_get(void *ctx, const rt_frappe_request *req, rt_frappe_answer_fn *done, void *arg,
                   void **call) {
    rt_instance *in = ctx;
    web_question *q = rt_alloc0(sizeof *q);
    if (!q)
        return RT_ENOMEM;
    rt_buf text; /* the URL, then the header lines, each with its NUL */
    rt_buf_init(&text, 0);
    size_t at[HEADERS_MAX];
    unsigned count = 0;
    rt_web_address_put(&in->config, &text);
    rt_buf_puts(&text, req->path);
    rt_buf_putc(&text, '\0');
    put_header(&text, at, &count, "Host: ", req->site);
    put_header(&text, at, &count, "X-Frappe-Site-Name: ", req->site);
    put_header(&text, at, &count, "Authorization: ", req->authorization);
    put_header(&text, at, &count, "Cookie: sid=", req->sid);
    put_header(&text, at, &count, "X-Frappe-Socket-Secret: ", req->secret);
    int status = text.err;
    if (status == RT_OK) {
        const char *headers[HEADERS_MAX];
        for (unsigned i = 0; i < count; i++)
            headers[i] = text.p + at[i];
        q->done = done;
        q->arg = arg;
        status = rt_web_get(in->web, text.p, headers, count, on_answer, q, &q->call);
    }
    rt_buf_fini(&text);
    if (status == RT_OK)
        *call = q;
    else
        rt_free(q);
    return status;
}

static void web_cancel(void *ctx, void *call) {
    (void)ctx;
    web_question *q = call;
    rt_web_cancel(q->call);
    rt_free(q);
}

static int redis_get(void *ctx, rt_slice key, rt_frappe_redis_fn *done, void *arg) {
    rt_instance *in = ctx;
    return in->redis ? rt_redis_get(in->redis, key, done, arg) : RT_ECLOSED;
}

static int redis_publish(void *ctx, rt_slice channel, rt_slice message) {
    rt_instance *in = ctx;
    return in->redis ? rt_redis_publish(in->redis, channel, message, NULL, NULL) : RT_ECLOSED;
}

static rt_slice allowed_origins(void *ctx, rt_slice site) {
    rt_instance *in = ctx;
    return rt_config_sites_origins(in->sites, rt_site_is_name(site) ? site : RT_EMPTY,
                                   in->loop.now);
}

static uint64_t now(void *ctx) {
    return ((rt_instance *)ctx)->loop.now;
}

rt_frappe_ports rt_instance_ports(rt_instance *in) {
    return (rt_frappe_ports){.ctx = in,
                             .web_get = web_get,
                             .web_cancel = web_cancel,
                             .redis_get = redis_get,
                             .redis_publish = redis_publish,
                             .allowed_origins = allowed_origins,
                             .now = now};
}
