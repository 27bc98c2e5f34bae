/* The questions of hosts: acknowledgements of clients, permissions, the socket secret. Each is
 * answered exactly once. The answer is dropped if the host has gone. */
#include "base/alloc.h"
#include "frappe/secret.h"
#include "json/write.h"
#include "hosts/state.h"

rt_host_ask *rt_host_ask_new(rt_host *host, uint64_t q) {
    if (host->ask_count >= RT_HOST_ASKS_MAX) {
        rt_host_count(host, RT_HOST_ASKS_OVER_MAX);
        return NULL;
    }
    rt_host_ask *ask = rt_alloc(sizeof *ask);
    if (!ask)
        return NULL;
    ask->host = host;
    ask->q = q;
    rt_list_init(&ask->node);
    rt_list_push(&host->asks, &ask->node);
    host->ask_count++;
    return ask;
}

void rt_host_ask_free(rt_host_ask *ask) {
    if (ask->host)
        ask->host->ask_count--;
    rt_list_unlink(&ask->node);
    rt_free(ask);
}

void rt_host_asks_orphan(rt_host *host) {
    rt_list *node;
    while ((node = rt_list_first(&host->asks))) {
        RT_OF(node, rt_host_ask, node)->host = NULL;
        rt_list_unlink(node);
    }
    host->ask_count = 0;
}

/* Frees the question. Returns the host that asked it, or NULL if that has gone. */
static rt_host *end_ask(rt_host_ask *ask, uint64_t *q) {
    rt_host *host = ask->host;
    *q = ask->q;
    rt_host_ask_free(ask);
    return host;
}

static rt_buf *start_answer(rt_host *host, rt_slice op, uint64_t q) {
    rt_buf *b = rt_host_start_line(host->hosts, op);
    rt_json_put_member_u64(b, RT_LIT("q"), q);
    return b;
}

void rt_host_say_ack_error(rt_host *host, uint64_t q, const char *error) {
    rt_buf *b = start_answer(host, RT_LIT("ack"), q);
    rt_json_put_member_str(b, RT_LIT("error"), rt_slice_of(error));
    rt_host_say(host->hosts, host->bit);
}

/* A client's answer may be as large as a whole message, and so longer than a line may be. */
static void say_answer(rt_host *host, uint64_t q, const rt_sio_event *answer) {
    rt_buf *b = start_answer(host, RT_LIT("ack"), q);
    rt_host_put_args(b, answer->args, answer->attachments, answer->attachment_count);
    rt_buf_putc(b, '}');
    if (b->err == RT_ELIMIT) {
        rt_host_say_ack_error(host, q, "limit");
        return;
    }
    b->n -= b->err ? 0 : 1; /* rt_host_say ends the line */
    rt_host_say(host->hosts, host->bit);
}

void rt_host_acknowledged(void *arg, int status, const rt_sio_event *answer) {
    uint64_t q;
    rt_host *host = end_ask(arg, &q);
    if (!host)
        return;
    if (status == RT_OK)
        say_answer(host, q, answer);
    else
        rt_host_say_ack_error(host, q, status == RT_AGAIN ? "timeout" : "gone");
}

void rt_host_say_allowed(rt_host *host, uint64_t q, enum rt_frappe_allowed allowed) {
    static const rt_slice words[] = {[RT_FRAPPE_DENIED] = RT_LIT("false"),
                                     [RT_FRAPPE_ALLOWED] = RT_LIT("true"),
                                     [RT_FRAPPE_UNANSWERED] = RT_LIT("null")};
    rt_buf *b = start_answer(host, RT_LIT("result"), q);
    rt_json_put_member_raw(b, RT_LIT("ok"), words[allowed]);
    rt_host_say(host->hosts, host->bit);
}

void rt_host_allowed(void *arg, enum rt_frappe_allowed allowed) {
    uint64_t q;
    rt_host *host = end_ask(arg, &q);
    if (host)
        rt_host_say_allowed(host, q, allowed);
}

void rt_host_say_secret(rt_host *host, uint64_t q, int status, rt_slice secret) {
    rt_buf *b = start_answer(host, RT_LIT("result"), q);
    if (secret.n > 0)
        rt_json_put_member_str(b, RT_LIT("secret"), secret);
    else
        rt_json_put_member_raw(b, RT_LIT("secret"), RT_LIT("null"));
    if (status != RT_OK)
        rt_json_put_member_str(b, RT_LIT("error"), RT_LIT("redis"));
    rt_host_say(host->hosts, host->bit);
}

void rt_host_secret_came(void *arg, int status, bool found, rt_slice value) {
    uint64_t q;
    rt_host *host = end_ask(arg, &q);
    bool some = status == RT_OK && found && rt_secret_is_clean(value);
    if (host)
        rt_host_say_secret(host, q, status, some ? value : RT_EMPTY);
}
