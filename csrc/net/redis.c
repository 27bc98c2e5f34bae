/* The server's subscription and its command connection: two links, a queue of commands that wait
 * for answers, and one log line per change. */
#include "net/redis.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "net/redis_link.h"

#include <stdio.h>

#define OUT_MAX RT_REDIS_MESSAGE_MAX /* bytes of commands not yet written */

_Static_assert(RT_REDIS_MESSAGE_MAX == RT_REDIS_REPLY_MAX, "the io enforces it");

RT_COUNTERS_DEFINE(rt_redis, RT_REDIS_COUNTERS)

typedef struct command {
    rt_list node;
    rt_timer due;
    bool publishes;                /* else it is a GET */
    rt_redis_reply *done;          /* of a GET */
    rt_redis_published *published; /* of a PUBLISH; NULL: nobody waits for the answer */
    void *arg;
} command;

/* The outcome of a command. */
typedef struct outcome {
    int status;
    bool found;          /* GET */
    rt_slice value;      /* GET */
    long long receivers; /* PUBLISH */
} outcome;

struct rt_redis {
    rt_loop *loop;
    rt_redis_url url;
    struct ssl_ctx_st *tls;
    rt_redis_link subscriber;
    rt_redis_link commander;
    char *channel;
    rt_redis_message *on_message;
    void *arg;
    rt_list commands; /* answers still to come, in this order */
    unsigned command_count;
    rt_timerq command_due;
    uint64_t away_since; /* ms; meaningful while not subscribed */
    uint64_t gaps;
    bool tried;     /* the command connection has stood, or failed, once */
    bool said_away; /* it was logged */
    bool closing;
    unsigned links; /* not yet gone */
    rt_redis_counters counters;
    char shown[400]; /* the URL without its password */
};

static void count(rt_redis *r, int which) {
    r->counters.v[which]++;
}

/* ---- both links ---- */

static void stands(rt_redis *r, rt_redis_link *link) {
    if (link->state != RT_LINK_GREETING)
        return;
    rt_redis_link_stands(link);
    count(r, RT_REDIS_CONNECTS);
    r->tried = r->tried || link == &r->commander;
    if (r->subscriber.state != RT_LINK_STANDS || r->commander.state != RT_LINK_STANDS)
        return;
    /* Log the recovery at the level of the outage, so that a log filtered at WARN shows both. */
    rt_log(r->said_away ? RT_LOG_WARN : RT_LOG_INFO, "redis", "%s %s, subscribed to %s",
           r->said_away ? "back at" : "connected to", r->shown, r->channel);
    r->said_away = false;
}

static void lost(rt_redis *r, bool stood, const char *why) {
    count(r, stood ? RT_REDIS_DISCONNECTS : RT_REDIS_CONNECT_FAILURES);
    if (r->said_away)
        return;
    r->said_away = true;
    rt_log(RT_LOG_WARN, "redis", "%s %s: %s; trying again until it is there",
           stood ? "lost" : "cannot use", r->shown, why);
}

static void refused(rt_redis_link *link, const redisReply *reply) {
    char why[200];
    bool said = reply->type == REDIS_REPLY_ERROR;
    snprintf(why, sizeof why, "Redis refuses: %s", said ? reply->str : "unexpected answer");
    rt_redis_link_fail(link, why);
}

static void on_gone(void *arg) {
    rt_redis *r = arg;
    if (--r->links > 0)
        return;
    rt_redis_io_free_tls(r->tls);
    rt_free(r->channel);
    rt_free(r);
}

/* ---- the subscription ---- */

static int subscribe(void *arg, rt_redis_io *io) {
    const rt_redis *r = arg;
    rt_slice words[] = {RT_LIT("SUBSCRIBE"), rt_slice_of(r->channel)};
    return rt_redis_io_command(io, words, 2);
}

static bool is_text(const redisReply *reply, const char *text) {
    return reply->type == REDIS_REPLY_STRING &&
           rt_slice_eq(rt_slice_make(reply->str, reply->len), rt_slice_of(text));
}

/* `["subscribe", channel, count]` or `["message", channel, payload]`. */
static void on_pushed(void *arg, const redisReply *reply) {
    rt_redis *r = arg;
    redisReply **e = reply->element;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || !is_text(e[1], r->channel)) {
        refused(&r->subscriber, reply);
    } else if (is_text(e[0], "subscribe")) {
        stands(r, &r->subscriber);
    } else if (is_text(e[0], "message") && e[2]->type == REDIS_REPLY_STRING) {
        count(r, RT_REDIS_MESSAGES);
        r->on_message(r->arg, rt_slice_make(e[2]->str, e[2]->len));
    }
}

static void on_subscriber_lost(void *arg, bool stood, const char *why) {
    rt_redis *r = arg;
    if (stood) {
        r->gaps++;
        r->away_since = uv_now(&r->loop->uv);
    }
    lost(r, stood, why);
}

static const rt_redis_link_ops subscriber_ops = {subscribe, on_pushed, on_subscriber_lost, on_gone};

/* ---- commands ---- */

static void finish(rt_redis *r, command *c, const outcome *o) {
    rt_list_unlink(&c->node);
    rt_timer_disarm(&c->due);
    r->command_count--;
    if (o->status != RT_OK)
        count(r, RT_REDIS_COMMANDS_FAILED);
    if (c->done)
        c->done(c->arg, o->status, o->found, o->value);
    if (c->published)
        c->published(c->arg, o->status, o->receivers);
    rt_free(c);
}

/* A callback may ask anew, so only what waits now is failed. */
static void fail_commands(rt_redis *r) {
    rt_list waiting;
    rt_list_move(&waiting, &r->commands);
    while (!rt_list_empty(&waiting))
        finish(r, RT_OF(rt_list_first(&waiting), command, node), &(outcome){.status = RT_ECLOSED});
}

static int ping(void *arg, rt_redis_io *io) {
    static const rt_slice words[] = {RT_LIT("PING")};
    (void)arg;
    return rt_redis_io_command(io, words, 1);
}

static void on_answer(void *arg, const redisReply *reply) {
    rt_redis *r = arg;
    rt_list *first = rt_list_first(&r->commands);
    if (r->commander.state == RT_LINK_GREETING && reply->type == REDIS_REPLY_STATUS) {
        stands(r, &r->commander);
        return;
    }
    if (r->commander.state == RT_LINK_GREETING || !first) {
        refused(&r->commander, reply);
        return;
    }
    command *c = RT_OF(first, command, node);
    outcome o = {.status = RT_EIO};
    if (c->publishes && reply->type == REDIS_REPLY_INTEGER) {
        o = (outcome){.status = RT_OK, .receivers = reply->integer};
    } else if (!c->publishes && reply->type == REDIS_REPLY_NIL) {
        o.status = RT_OK;
    } else if (!c->publishes && reply->type == REDIS_REPLY_STRING) {
        o = (outcome){.status = RT_OK, .found = true};
        o.value = rt_slice_make(reply->str, reply->len);
    }
    finish(r, c, &o);
}

static void on_commander_lost(void *arg, bool stood, const char *why) {
    rt_redis *r = arg;
    r->tried = true;
    lost(r, stood, why);
    fail_commands(r);
}

static const rt_redis_link_ops commander_ops = {ping, on_answer, on_commander_lost, on_gone};

/* Answers come in order and carry no name. So when one is overdue the connection is closed, and all
 * waiting commands fail. A large answer that is still arriving is not overdue. */
static void on_command_due(rt_timerq *q, rt_timer *t) {
    rt_redis *r = q->arg;
    uint64_t now = uv_now(&r->loop->uv);
    if (now < r->commander.heard_at + RT_REDIS_COMMAND_MS) {
        rt_timer_arm(q, t, now);
        return;
    }
    rt_redis_link_fail(&r->commander, "Redis does not answer in time");
}

static int ask(rt_redis *r, const rt_slice *words, unsigned n, const command *what) {
    rt_redis_io *io = &r->commander.io;
    if (r->closing || r->commander.state != RT_LINK_STANDS)
        return RT_ECLOSED;
    if (r->command_count >= RT_REDIS_COMMANDS_MAX || words[n - 1].n > OUT_MAX ||
        io->out.n > OUT_MAX - words[n - 1].n)
        return RT_ELIMIT;
    command *c = rt_alloc(sizeof *c);
    if (!c || rt_redis_io_command(io, words, n) != RT_OK) {
        rt_free(c);
        return RT_ENOMEM;
    }
    *c = *what;
    rt_list_init(&c->node);
    rt_list_push(&r->commands, &c->node);
    rt_timer_init(&c->due);
    rt_timer_arm(&r->command_due, &c->due, uv_now(&r->loop->uv));
    r->command_count++;
    count(r, RT_REDIS_COMMANDS);
    rt_redis_link_flush(&r->commander);
    return RT_OK;
}

int rt_redis_get(rt_redis *r, rt_slice key, rt_redis_reply *done, void *arg) {
    rt_slice words[] = {RT_LIT("GET"), key};
    return ask(r, words, 2, &(command){.done = done, .arg = arg});
}

int rt_redis_publish(rt_redis *r, rt_slice channel, rt_slice payload, rt_redis_published *done,
                     void *arg) {
    rt_slice words[] = {RT_LIT("PUBLISH"), channel, payload};
    if (!r->closing && !r->tried)
        return RT_AGAIN;
    return ask(r, words, 3, &(command){.publishes = true, .published = done, .arg = arg});
}

/* ---- life ---- */

static char *copy_text(const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = rt_alloc(n);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

int rt_redis_new(rt_loop *loop, const char *url, const char *channel, rt_redis_message *on_message,
                 void *arg, rt_redis **out, char *why, size_t why_len) {
    rt_redis *r = rt_alloc0(sizeof *r);
    if (!r)
        return RT_ENOMEM;
    int rc = rt_redis_url_parse(url, &r->url, why, why_len);
    if (rc != RT_OK)
        goto fail;
    rc = RT_ENOMEM;
    r->channel = copy_text(channel);
    if (!r->channel)
        goto fail;
    rt_redis_url_show(&r->url, r->shown, sizeof r->shown);
    r->loop = loop;
    r->on_message = on_message;
    r->arg = arg;
    r->away_since = uv_now(&loop->uv);
    rt_list_init(&r->commands);
    rt_timerq_init(&r->command_due, &loop->timers, RT_REDIS_COMMAND_MS, on_command_due, r);
    r->links = 2;
    rt_redis_link_start(&r->subscriber, loop, &r->url, &r->tls, &subscriber_ops, r);
    rt_redis_link_start(&r->commander, loop, &r->url, &r->tls, &commander_ops, r);
    *out = r;
    return RT_OK;

fail:
    rt_free(r);
    return rc;
}

void rt_redis_close(rt_redis *r) {
    if (r->closing)
        return;
    r->closing = true;
    fail_commands(r);
    rt_timerq_fini(&r->command_due);
    rt_redis_link_close(&r->subscriber);
    rt_redis_link_close(&r->commander);
}

void rt_redis_get_figures(const rt_redis *r, rt_redis_figures *out) {
    out->subscribed = r->subscriber.state == RT_LINK_STANDS;
    out->connected = r->commander.state == RT_LINK_STANDS;
    out->away_ms = out->subscribed ? 0 : uv_now(&r->loop->uv) - r->away_since;
    out->gaps = r->gaps;
    out->counters = r->counters;
}

void rt_redis_show_figures(const rt_redis *r, const rt_figures *to) {
    rt_redis_figures f;
    rt_redis_get_figures(r, &f);
    rt_figures_flag(to, "redis_subscribed", f.subscribed,
                    "Whether the server hears the events channel of Redis.");
    rt_figures_gauge(to, "redis_away_ms", f.away_ms,
                     "Time since the server last heard the events channel; 0 while it does.");
    rt_figures_counter(to, "redis_gaps", f.gaps, "Times the subscription was lost.");
    RT_FIGURES_OF(to, "redis", rt_redis, &f.counters);
}
