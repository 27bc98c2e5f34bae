/* One question: made, asked, answered, kept. */
#include "frappe/question.h"

#include "base/alloc.h"
#include "base/shown.h"
#include "base/status.h"
#include "frappe/frappe.h"
#include "frappe/outage.h"
#include "json/scan.h"

#define KEY_HEAD (2 * sizeof(void *)) /* bytes of a key in front of the subject */

static uint64_t now_of(const rt_question *q) {
    return q->asker->ports->now(q->asker->ports->ctx);
}

static rt_slice key_of(const rt_question *q) {
    return rt_slice_make(q->key, q->key_len);
}

static rt_slice subject_of(const rt_question *q) {
    return rt_slice_from(key_of(q), KEY_HEAD);
}

/* The key holds the addresses of the kind and of the site or identity. The question holds a
 * reference to them, so nothing else can get these addresses while it lives. */
int rt_question_put_key(const rt_subject *s, rt_buf *key) {
    const void *about = s->who ? (const void *)s->who : (const void *)s->site;
    rt_buf_put(key, &s->kind, sizeof s->kind);
    rt_buf_put(key, &about, sizeof about);
    rt_buf_puts(key, s->first);
    rt_buf_putc(key, '\0');
    return rt_buf_puts(key, s->second);
}

void rt_question_subject(const rt_question *q, rt_slice *first, rt_slice *second) {
    rt_slice subject = subject_of(q);
    size_t nul = rt_slice_find(subject, '\0');
    *first = rt_slice_make(subject.p, nul);
    *second = rt_slice_from(subject, nul + 1);
}

static void late(rt_question *q);

static void on_due(rt_alarm *due) {
    rt_question *q = RT_OF(due, rt_question, due);
    if (q->state == RT_QUESTION_FLYING)
        late(q);
    else
        rt_question_proceed(q);
}

rt_question *rt_question_new(rt_asker *a, const rt_subject *s, rt_slice key) {
    rt_question *q = rt_alloc0(sizeof *q + key.n);
    if (!q)
        return NULL;
    q->asker = a;
    q->kind = s->kind;
    q->key_len = (uint32_t)key.n;
    memcpy(q->key, key.p, key.n);
    rt_list_init(&q->waiters);
    rt_alarm_init(&q->due, on_due);
    rt_turn_init(&q->turn);
    q->rest_ms = RT_FRAPPE_RETRY_FIRST_MS;
    rt_list_push(&a->open, &q->node);
    a->open_count++;
    q->site = rt_site_hold(s->site);
    q->site->open++;
    q->login = !s->who;
    q->crowd = s->who ? 0 : rt_turns_crowd(&a->turns, s->from);
    q->who = s->who ? rt_identity_hold(s->who) : NULL;
    /* Without memory for the map entry the question works, but nobody can share it. */
    q->listed = rt_map_put(&a->questions, key_of(q), q) == RT_OK;
    return q;
}

void rt_question_unlist(rt_question *q) {
    if (q->listed)
        (void)rt_map_del(&q->asker->questions, key_of(q));
    q->listed = false;
}

static void close_question(rt_question *q) {
    q->asker->open_count--;
    q->site->open--;
    rt_alarm_disarm(&q->due);
    rt_turn_end(&q->turn, &q->site->line);
}

void rt_question_drop(rt_question *q) {
    rt_asker *a = q->asker;
    rt_question_unlist(q);
    if (q->call)
        a->ports->web_cancel(a->ports->ctx, q->call);
    if (q->state == RT_QUESTION_ANSWERED) {
        a->kept--;
        rt_timer_disarm(&q->kept);
    } else {
        close_question(q);
    }
    rt_list_unlink(&q->node);
    rt_identity_rele(q->who);
    rt_site_rele(q->site);
    rt_free(q);
}

/* --- waiters --- */

void rt_waiter_init(rt_waiter *w) {
    rt_list_init(&w->node);
    rt_timer_init(&w->patience);
    w->question = NULL;
}

void rt_waiter_join(rt_waiter *w, rt_question *q) {
    rt_asker *a = q->asker;
    rt_list_push(&q->waiters, &w->node);
    w->question = q;
    a->waiting++;
    rt_timer_arm(&a->patience, &w->patience, now_of(q));
}

void rt_waiter_stop(rt_waiter *w) {
    w->question->asker->waiting--;
    w->question = NULL;
    rt_timer_disarm(&w->patience);
}

/* Whether to keep q in flight when its last waiter has left. Once sent, its request costs the web
 * process the same either way, and somebody may soon want the answer. */
static bool is_worth_waiting(const rt_question *q) {
    return q->listed && q->state == RT_QUESTION_FLYING && q->turn.state != RT_TURN_LATE;
}

void rt_waiter_leave(rt_waiter *w) {
    rt_question *q = w->question;
    rt_list_unlink(&w->node);
    if (!q)
        return;
    rt_waiter_stop(w);
    if (rt_list_empty(&q->waiters) && !is_worth_waiting(q))
        rt_question_drop(q);
}

static void give_up(rt_asker *a, rt_waiter *w) {
    const rt_ask_kind *kind = w->question->kind;
    rt_site *site = rt_site_hold(w->question->site); /* the waiter logs why it is away */
    rt_waiter_leave(w);
    kind->answered(a, w, RT_VERDICT_NONE, NULL);
    rt_site_rele(site);
}

/* While an answer may still come, the waiter stays: slow is not away. It is dropped right after a
 * failure, so that it reconnects soon after the outage. */
void rt_waiter_patience_over(rt_timerq *timers, rt_timer *t) {
    rt_asker *a = timers->arg;
    rt_waiter *w = RT_OF(t, rt_waiter, patience);
    const rt_question *q = w->question;
    if (q->state == RT_QUESTION_LINE || q->state == RT_QUESTION_FLYING)
        rt_list_push(&q->site->tired, &t->node);
    else
        give_up(a, w);
}

/* Drops the waiters that are out of patience, unless their own request is in flight. */
static void let_tired_go(rt_asker *a, rt_site *site) {
    rt_list tired, *node;
    rt_list_move(&tired, &site->tired);
    while ((node = rt_list_first(&tired))) {
        rt_waiter *w = RT_OF(RT_OF(node, rt_timer, node), rt_waiter, patience);
        rt_list_unlink(node);
        if (w->question->state == RT_QUESTION_FLYING)
            rt_list_push(&site->tired, node);
        else
            give_up(a, w);
    }
}

/* --- asking --- */

static void rest(rt_question *q) {
    q->state = RT_QUESTION_RESTING;
    rt_alarm_arm(q->asker->alarms, &q->due, now_of(q) + q->rest_ms);
    q->rest_ms = q->rest_ms * 2 < RT_FRAPPE_RETRY_MAX_MS ? q->rest_ms * 2 : RT_FRAPPE_RETRY_MAX_MS;
}

/* Frappe answered `{}`, which it does without the right secret, and Redis does not give one. */
static void rest_without_secret(rt_question *q) {
    rt_outage_note(q, "redis_queue", "it needs the socket secret, but Redis does not answer");
    rest(q);
}

/* Whether to keep it as an answer. rt_logins keeps the logins that were accepted. */
static bool is_to_keep(const rt_question *q) {
    const rt_asker_opts *opts = &q->asker->opts;
    uint32_t ms = q->refused ? opts->keep_refused_ms : opts->keep_ms;
    return q->listed && (!q->login || q->refused) && ms > 0 && opts->keep_max > 0;
}

static void keep(rt_question *q) {
    rt_asker *a = q->asker;
    rt_list_unlink(&q->node);
    close_question(q);
    q->state = RT_QUESTION_ANSWERED;
    rt_list_push(&a->answered, &q->node);
    a->kept++;
    rt_timer_init(&q->kept);
    rt_timer_arm(q->refused ? &a->keep_refused : &a->keep, &q->kept, now_of(q));
    if (a->kept <= a->opts.keep_max)
        return;
    a->counters[RT_FRAPPE_ANSWERS_OVER_MAX]++;
    rt_question_drop(RT_OF(rt_list_first(&a->answered), rt_question, node));
}

/* Takes q off the open questions, and keeps it as an answer or frees it. */
static void keep_or_drop(rt_question *q) {
    rt_asker *a = q->asker;
    if (q->listed && q->login && !q->refused && !rt_logins_keep(&a->logins, q->who))
        a->counters[RT_FRAPPE_ANSWERS_OVER_MAX]++;
    if (is_to_keep(q))
        keep(q);
    else
        rt_question_drop(q);
}

void rt_question_kept(rt_timerq *timers, rt_timer *t) {
    (void)timers;
    rt_question_drop(RT_OF(t, rt_question, kept));
}

/* About a logged-in user, or a credential that was let in before. */
static bool is_known(const rt_question *q) {
    if (q->who)
        return !rt_identity_is_guest(q->who);
    return rt_regulars_has(&q->asker->regulars, rt_site_name(q->site), subject_of(q));
}

/* Remembers a credential that was let in. Guests do not count: any random sid is one. */
static void note_regular(rt_question *q) {
    if (!q->login || rt_identity_is_guest(q->who))
        return;
    q->site->line.proven = true;
    rt_regulars_add(&q->asker->regulars, rt_site_name(q->site), subject_of(q));
}

/* A waiter's callback may drop q or make another waiter leave. Do not touch q after the first
 * call. */
static void settle(rt_question *q, bool yes) {
    rt_asker *a = q->asker;
    const rt_ask_kind *kind = q->kind;
    rt_identity *who = q->who ? rt_identity_hold(q->who) : NULL;
    rt_site *site = rt_site_hold(q->site); /* the waiters log what it says about its refusal */
    rt_list told;
    rt_list_move(&told, &q->waiters);
    for (rt_list *node = told.next; node != &told; node = node->next)
        rt_waiter_stop(RT_OF(node, rt_waiter, node));
    q->refused = !yes;
    if (yes)
        note_regular(q);
    keep_or_drop(q);
    rt_list *node;
    while ((node = rt_list_first(&told))) {
        rt_list_unlink(node);
        kind->answered(a, RT_OF(node, rt_waiter, node), yes ? RT_VERDICT_YES : RT_VERDICT_NO, who);
    }
    rt_identity_rele(who);
    rt_site_rele(site);
}

static bool is_object(rt_slice body) {
    return rt_json_check(body, RT_JSON_STRICT, NULL, NULL) == RT_OK &&
           rt_json_type_of(body) == RT_JSON_OBJECT;
}

static enum rt_meaning meaning_of(rt_question *q, const rt_frappe_answer *answer) {
    switch (answer->status) {
    case 200:
        if (!is_object(answer->body))
            return RT_MEANS_NOTHING; /* a login page, or a page of a proxy */
        return q->kind->judge(q, 200, rt_json_get(answer->body, RT_LIT("message")));
    case 400: /* with Frappe's exc_type: the token is not base64; without: sent by a proxy */
        return is_object(answer->body) && rt_json_get(answer->body, RT_LIT("exc_type")).n > 0
                   ? RT_MEANS_NO
                   : RT_MEANS_NOTHING;
    case 401:
    case 403:
        return RT_MEANS_NO;
    case 404:
    case 417:
        return q->kind->judge(q, answer->status, RT_EMPTY);
    default:
        return RT_MEANS_NOTHING;
    }
}

static void stand_in_line(rt_question *q);

/* No usable answer. If the site is away, q goes to the end of the line. */
static void ask_again_later(rt_question *q, bool site_away) {
    if (rt_list_empty(&q->waiters))
        rt_question_drop(q);
    else if (site_away)
        stand_in_line(q);
    else
        rest(q);
}

static void act_on(rt_question *q, enum rt_meaning meaning) {
    if (meaning == RT_MEANS_WRONG_SECRET && q->wrong_secret) {
        rt_outage_log_secret_refused(q);
        meaning = RT_MEANS_NO;
    }
    if (meaning == RT_MEANS_YES || meaning == RT_MEANS_NO) {
        settle(q, meaning == RT_MEANS_YES);
    } else if (rt_list_empty(&q->waiters)) {
        rt_question_drop(q);
    } else {
        q->wrong_secret = q->wrong_secret || meaning == RT_MEANS_WRONG_SECRET;
        rt_question_proceed(q);
    }
}

/* From the site or its proxy: not now. 0: no answer. */
static bool is_not_now(int status) {
    return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

static void failed(rt_question *q, const rt_frappe_answer *answer) {
    rt_asker *a = q->asker;
    rt_site *site = rt_site_hold(q->site);
    a->counters[RT_FRAPPE_QUESTIONS_FAILED]++;
    rt_outage_note_answer(q, answer);
    ask_again_later(q, is_not_now(answer->status)
                           ? rt_turn_not_now(&q->turn, &site->line, answer->retry_after_ms)
                           : rt_turn_failed(&q->turn, &site->line));
    let_tired_go(a, site);
    rt_site_rele(site);
}

static void answer_came(void *arg, const rt_frappe_answer *answer) {
    rt_question *q = arg;
    q->call = NULL;
    rt_alarm_disarm(&q->due);
    enum rt_meaning meaning = meaning_of(q, answer);
    if (meaning == RT_MEANS_NOTHING) {
        failed(q, answer);
        return;
    }
    if (meaning != RT_MEANS_WRONG_SECRET)
        rt_outage_over(q);
    rt_turn_answered(&q->turn, &q->site->line);
    if (!q->who) /* a login whose answer names no user */
        q->site->login_refused = (uint16_t)answer->status;
    act_on(q, meaning);
}

static rt_credential credential_of(const rt_question *q) {
    if (q->who)
        return rt_identity_credential(q->who);
    rt_slice kind, value;
    rt_question_subject(q, &kind, &value);
    return (rt_credential){(enum rt_credential_kind)kind.p[0], value};
}

/* The request takes too long. It stays in flight while somebody waits: an answer may still come,
 * and a second request would only add load. */
static void late(rt_question *q) {
    q->asker->counters[RT_FRAPPE_QUESTIONS_LATE]++;
    if (rt_turn_late(&q->turn, &q->site->line))
        rt_outage_note(q, "frappe_rt_web_timeout_ms", "no answer for %llu s",
                       (unsigned long long)(now_of(q) - q->turn.flown_at) / 1000);
    if (rt_list_empty(&q->waiters))
        rt_question_drop(q);
}

void rt_question_fly(void *asker, rt_turn *turn) {
    rt_asker *a = asker;
    rt_question *q = RT_OF(turn, rt_question, turn);
    rt_credential credential = credential_of(q);
    rt_frappe_request req = {.site = rt_site_name(q->site),
                             .secret = rt_buf_slice(&a->secret.value)};
    if (credential.kind == RT_CREDENTIAL_HEADER)
        req.authorization = credential.value;
    else
        req.sid = credential.value;
    rt_buf path = RT_BUF_INIT;
    int status = q->kind->put_path(q, &path);
    if (status == RT_OK) {
        req.path = rt_buf_slice(&path);
        q->secret_version = a->secret.version;
        status = a->ports->web_get(a->ports->ctx, &req, answer_came, q, &q->call);
    }
    rt_buf_fini(&path);
    if (status) {
        q->call = NULL;
        rt_outage_note(q, RT_OUTAGE_WEB_KEYS, "%s", rt_status_text(status));
        rt_turn_end(turn, &q->site->line);
        rest(q);
        return;
    }
    q->state = RT_QUESTION_FLYING;
    rt_alarm_arm(a->alarms, &q->due,
                 now_of(q) + rt_line_late_after(&q->site->line, a->opts.late_ms));
    a->counters[RT_FRAPPE_QUESTIONS]++;
}

static void stand_in_line(rt_question *q) {
    q->state = RT_QUESTION_LINE;
    rt_turn_wait(&q->turn, &q->site->line, &q->asker->turns,
                 is_known(q) ? RT_TURN_KNOWN : q->crowd);
}

/* Sends the next request, with the secret. After a wrong secret, reads it from Redis again first.
 * Without Redis the request goes without a secret: older versions of Frappe need none. */
void rt_question_proceed(rt_question *q) {
    rt_secret *secret = &q->asker->secret;
    bool stale = q->wrong_secret && q->secret_version == secret->version;
    if (!stale && secret->known) {
        stand_in_line(q);
        return;
    }
    q->state = RT_QUESTION_SECRET;
    if (rt_secret_read(secret) == RT_OK)
        return;
    if (q->wrong_secret)
        rest_without_secret(q);
    else
        stand_in_line(q);
}

void rt_question_secret_came(void *arg, int status) {
    rt_asker *a = arg;
    /* stand_in_line and rest_without_secret make no callback and do not unlink q, so this loop is
     * safe. */
    for (rt_list *node = a->open.next; node != &a->open; node = node->next) {
        rt_question *q = RT_OF(node, rt_question, node);
        if (q->state != RT_QUESTION_SECRET)
            continue;
        if (status && q->wrong_secret)
            rest_without_secret(q);
        else
            stand_in_line(q);
    }
}
