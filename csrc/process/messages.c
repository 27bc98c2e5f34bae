/* The messages from other threads to the server thread. */
#include "process/messages.h"

#include "base/alloc.h"
#include "base/status.h"
#include "process/clock.h"
#include "process/server.h"
#include "server/reload.h"

#include <stdatomic.h>
#include <string.h>

static atomic_ullong events_lost;

/* A request for the figures, counted: the last to release it frees it. */
typedef struct rt_stats_ask {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    rt_buf text;
    int refs;
    bool done;
} rt_stats_ask;

uint64_t rt_server_lost(void) {
    return atomic_load(&events_lost);
}

/* --- stats --- */

static rt_stats_ask *ask_new(void) {
    rt_stats_ask *ask = rt_alloc0(sizeof *ask);
    if (!ask)
        return NULL;
    pthread_mutex_init(&ask->lock, NULL);
    rt_cond_init(&ask->answered);
    rt_buf_init(&ask->text, 0);
    ask->refs = 2; /* the caller's, and the server thread's */
    return ask;
}

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

/* Gives the figures to the caller; without a server there are none. */
static void answer(const rt_instance *in, rt_stats_ask *ask) {
    pthread_mutex_lock(&ask->lock);
    if (in)
        rt_instance_put_stats(in, &ask->text);
    ask->done = true;
    pthread_cond_signal(&ask->answered);
    pthread_mutex_unlock(&ask->lock);
    ask_rele(ask);
}

static int await_answer(rt_stats_ask *ask, uint32_t timeout_ms, rt_buf *out) {
    struct timespec until = rt_deadline_in(timeout_ms);
    int code = 0;
    pthread_mutex_lock(&ask->lock);
    while (!ask->done && code == 0)
        code = pthread_cond_timedwait(&ask->answered, &ask->lock, &until);
    int status = !ask->done ? RT_AGAIN : ask->text.err;
    if (status == RT_OK && ask->text.n == 0)
        status = RT_ENOENT;
    if (status == RT_OK)
        status = rt_buf_puts(out, rt_buf_slice(&ask->text));
    pthread_mutex_unlock(&ask->lock);
    ask_rele(ask);
    return status;
}

int rt_server_stats(uint32_t timeout_ms, rt_buf *out) {
    rt_stats_ask *ask = ask_new();
    rt_inbox_item *item = ask ? rt_alloc0(sizeof *item) : NULL;
    int status = item ? RT_OK : RT_ENOMEM;
    if (item) {
        item->kind = RT_INBOX_STATS;
        item->ask = ask;
        status = rt_inbox_put(item);
    }
    if (status == RT_OK)
        return await_answer(ask, timeout_ms, out);
    rt_free(item);
    if (ask) {
        ask->refs = 1;
        ask_rele(ask);
    }
    return status;
}

/* --- what becomes of them --- */

static void free_item(rt_inbox_item *item) {
    if (item->kind == RT_INBOX_STATS && item->ask)
        answer(NULL, item->ask);
    if (item->kind == RT_INBOX_RELOAD && item->ask) {
        rt_config_fini(item->ask);
        rt_free(item->ask);
    }
    rt_free(item);
}

unsigned rt_messages_drop(rt_inbox_item *item) {
    unsigned events = 0;
    while (item) {
        rt_inbox_item *next = item->next;
        events += item->kind == RT_INBOX_PUBLISH;
        free_item(item);
        item = next;
    }
    atomic_fetch_add(&events_lost, events);
    return events;
}

static void carry_out(rt_instance *in, rt_inbox_item *item) {
    switch (item->kind) {
    case RT_INBOX_PUBLISH:
        rt_instance_publish(in, &item->event);
        break;
    case RT_INBOX_STATS:
        answer(in, item->ask);
        break;
    case RT_INBOX_RELOAD:
        rt_instance_reload(in, item->ask);
        break;
    case RT_INBOX_STOP:
        rt_instance_shut_down(in, item->patience_ms);
        break;
    }
    item->ask = NULL;
}

void rt_messages_carry_out(rt_instance *in, rt_inbox_item *item) {
    while (item && !in->stopping) {
        rt_inbox_item *next = item->next;
        carry_out(in, item);
        free_item(item);
        item = next;
    }
    rt_messages_drop(item);
}

/* --- making them --- */

static rt_slice place(char **at, rt_slice from) {
    if (from.n)
        memcpy(*at, from.p, from.n);
    rt_slice copy = rt_slice_make(*at, from.n);
    *at += from.n;
    return copy;
}

int rt_server_publish(const rt_event *e) {
    size_t text = e->site.n + e->room.n + e->event.n + e->message.n;
    if (!rt_inbox_is_open())
        return RT_ENOENT;
    rt_inbox_item *item = rt_alloc(sizeof *item + text);
    if (!item)
        return RT_ENOMEM;
    char *at = item->data;
    item->kind = RT_INBOX_PUBLISH;
    item->bytes = sizeof *item + text;
    item->event.site = place(&at, e->site);
    item->event.room = place(&at, e->room);
    item->event.event = place(&at, e->event);
    item->event.message = place(&at, e->message);
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
        free_item(item);
    return status;
}

int rt_messages_stop(uint32_t patience_ms) {
    rt_inbox_item *item = rt_alloc0(sizeof *item);
    if (!item)
        return RT_ENOMEM;
    item->kind = RT_INBOX_STOP;
    item->patience_ms = patience_ms;
    int status = rt_inbox_put(item);
    if (status != RT_OK)
        rt_free(item);
    return status;
}
