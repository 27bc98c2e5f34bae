/* What other threads tell the server thread, and what becomes of it. */
#include "server/messages.h"

#include "base/alloc.h"
#include "base/status.h"
#include "server/server.h"

#include <string.h>

struct rt_stats_ask {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    rt_buf text;
    int refs;
    bool done;
};

static void ask_rele(rt_stats_ask *ask) {
    pthread_mutex_lock(&ask->lock);
    bool last = --ask->refs == 0;
    pthread_mutex_unlock(&ask->lock);
    if (!last)
        return;
    rt_buf_fini(&ask->text);
    pthread_cond_destroy(&ask->answered);
    pthread_mutex_destroy(&ask->lock);
    rt_free(ask);
}

void rt_message_answer_stats(const rt_instance *in, rt_stats_ask *ask) {
    pthread_mutex_lock(&ask->lock);
    if (in)
        rt_instance_put_stats(in, &ask->text);
    ask->done = true;
    pthread_cond_signal(&ask->answered);
    pthread_mutex_unlock(&ask->lock);
    ask_rele(ask);
}

void rt_message_free(rt_inbox_item *item) {
    if (item->kind == RT_INBOX_STATS && item->ask)
        rt_message_answer_stats(NULL, item->ask);
    if (item->kind == RT_INBOX_RELOAD && item->ask) {
        rt_config_fini(item->ask);
        rt_free(item->ask);
    }
    rt_free(item);
}

void rt_messages_drop(rt_inbox_item *item) {
    while (item) {
        rt_inbox_item *next = item->next;
        rt_message_free(item);
        item = next;
    }
}

struct timespec rt_deadline_in(clockid_t clock, uint32_t ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static rt_slice place(char **at, rt_slice from) {
    if (from.n)
        memcpy(*at, from.p, from.n);
    rt_slice copy = rt_slice_make(*at, from.n);
    *at += from.n;
    return copy;
}

int rt_server_publish(rt_slice site, rt_slice room, rt_slice event, rt_slice message) {
    size_t bytes = site.n + room.n + event.n + message.n;
    if (!rt_inbox_is_open())
        return RT_ENOENT;
    rt_inbox_item *item = rt_alloc(sizeof *item + bytes);
    if (!item)
        return RT_ENOMEM;
    char *at = item->data;
    item->kind = RT_INBOX_PUBLISH;
    item->bytes = sizeof *item + bytes;
    item->site = place(&at, site);
    item->room = place(&at, room);
    item->event = place(&at, event);
    item->message = place(&at, message);
    int status = rt_inbox_put(item);
    if (status != RT_OK)
        rt_free(item);
    return status;
}

int rt_server_reload(rt_config *config) {
    rt_inbox_item *item = rt_alloc0(sizeof *item);
    rt_config *copy = rt_alloc(sizeof *copy);
    if (!item || !copy) {
        rt_free(item);
        rt_free(copy);
        rt_config_fini(config);
        return RT_ENOMEM;
    }
    *copy = *config;
    item->kind = RT_INBOX_RELOAD;
    item->ask = copy;
    int status = rt_inbox_put(item);
    if (status != RT_OK)
        rt_message_free(item);
    return status;
}

static rt_stats_ask *ask_new(void) {
    rt_stats_ask *ask = rt_alloc0(sizeof *ask);
    if (!ask)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&ask->lock, NULL);
    pthread_cond_init(&ask->answered, &attr);
    pthread_condattr_destroy(&attr);
    rt_buf_init(&ask->text, 0);
    ask->refs = 2; /* ours, and the thread's */
    return ask;
}

int rt_server_stats(uint32_t timeout_ms, rt_buf *out) {
    rt_stats_ask *ask = ask_new();
    rt_inbox_item *item = ask ? rt_alloc0(sizeof *item) : NULL;
    if (!item) {
        if (ask) {
            ask->refs = 1;
            ask_rele(ask);
        }
        return RT_ENOMEM;
    }
    item->kind = RT_INBOX_STATS;
    item->ask = ask;
    int status = rt_inbox_put(item);
    if (status != RT_OK) {
        rt_free(item);
        ask->refs = 1;
        ask_rele(ask);
        return status;
    }
    struct timespec until = rt_deadline_in(CLOCK_MONOTONIC, timeout_ms);
    pthread_mutex_lock(&ask->lock);
    int code = 0;
    while (!ask->done && code == 0)
        code = pthread_cond_timedwait(&ask->answered, &ask->lock, &until);
    status = !ask->done ? RT_AGAIN : ask->text.n == 0 ? RT_ENOENT : ask->text.err;
    if (status == RT_OK)
        status = rt_buf_puts(out, rt_buf_slice(&ask->text));
    pthread_mutex_unlock(&ask->lock);
    ask_rele(ask);
    return status;
}
