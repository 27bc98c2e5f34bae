/* Asking: who waits for which question, what is forgotten. */
#include "frappe/ask.h"

#include "base/status.h"
#include "frappe/frappe.h"

static uint64_t now_of(const rt_asker *a) {
    return a->ports->now(a->ports->ctx);
}

/* --- waiters --- */

void rt_waiter_init(rt_waiter *w) {
    rt_list_init(&w->node);
    rt_timer_init(&w->patience);
    w->question = NULL;
}

static void add_waiter(rt_question *q, rt_waiter *w) {
    rt_asker *a = q->asker;
    rt_list_push(&q->waiters, &w->node);
    w->question = q;
    a->waiting++;
    rt_timer_arm(&a->patience, &w->patience, now_of(a));
}

void rt_waiter_stop(rt_waiter *w) {
    w->question->asker->waiting--;
    w->question = NULL;
    rt_timer_disarm(&w->patience);
}

/* Though nobody waits for it: a request on its way costs the web process what it costs, and its
 * answer may be wanted soon. */
static bool is_worth_waiting(const rt_question *q) {
    const rt_frappe_ports *ports = q->asker->ports;
    return q->listed && q->state == RT_QUESTION_FLYING && !ports->web_in_line(ports->ctx, q->call);
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

static void patience_over(rt_timerq *timers, rt_timer *t) {
    rt_asker *a = timers->arg;
    rt_waiter *w = RT_OF(t, rt_waiter, patience);
    const rt_ask_kind *kind = w->question->kind;
    rt_site *site = rt_site_hold(w->question->site); /* it knows why, for the log */
    rt_waiter_leave(w);
    kind->answered(a, w, RT_VERDICT_NONE, NULL);
    rt_site_rele(site);
}

/* --- asking --- */

/* Addresses stand for the kind and for the site or identity: the question holds both, so that they
 * mean the same as long as it lives. */
static int put_key(rt_buf *b, const rt_subject *s) {
    const void *about = s->who ? (const void *)s->who : (const void *)s->site;
    rt_buf_put(b, &s->kind, sizeof s->kind);
    rt_buf_put(b, &about, sizeof about);
    rt_buf_puts(b, s->first);
    rt_buf_putc(b, '\0');
    return rt_buf_puts(b, s->second);
}

static bool is_known_login(const rt_subject *s, rt_identity **who) {
    if (s->who)
        return false;
    *who = rt_logins_find(s->site, s->first, s->second);
    return *who != NULL;
}

int rt_ask(rt_asker *a, const rt_subject *subject, rt_waiter *w, enum rt_verdict *verdict,
           rt_identity **who) {
    rt_buf key = RT_BUF_INIT;
    if (is_known_login(subject, who)) {
        a->counters[RT_FRAPPE_QUESTIONS_CACHED]++;
        *verdict = RT_VERDICT_YES;
        return RT_OK;
    }
    if (put_key(&key, subject)) {
        rt_buf_fini(&key);
        return RT_ENOMEM;
    }
    int status = RT_AGAIN;
    rt_question *q = rt_map_get(&a->questions, rt_buf_slice(&key));
    if (q && q->state == RT_QUESTION_ANSWERED) {
        a->counters[RT_FRAPPE_QUESTIONS_CACHED]++;
        *verdict = q->refused ? RT_VERDICT_NO : RT_VERDICT_YES;
        *who = q->who;
        status = RT_OK;
    } else if (a->waiting >= RT_FRAPPE_WAITING_MAX) {
        status = RT_ELIMIT;
    } else if (q) {
        a->counters[RT_FRAPPE_QUESTIONS_SHARED]++;
        add_waiter(q, w);
    } else {
        q = rt_question_new(a, subject, rt_buf_slice(&key));
        if (q) {
            add_waiter(q, w);
            rt_question_proceed(q);
        }
        status = q ? RT_AGAIN : RT_ENOMEM;
    }
    rt_buf_fini(&key);
    return status;
}

/* --- forgetting, beginning, ending --- */

static bool is_about(const rt_question *q, rt_slice site, rt_slice user) {
    if (site.n > 0 && !rt_slice_eq_nocase(site, rt_site_name(q->site)))
        return false;
    /* Whose credential it is, is not known before the answer, or after a refusal. */
    return user.n == 0 || !q->who || rt_slice_eq(user, rt_identity_user(q->who));
}

void rt_asker_forget(rt_asker *a, rt_slice site, rt_slice user) {
    rt_list *next;
    rt_logins_forget(&a->logins, site, user);
    for (rt_list *node = a->answered.next; node != &a->answered; node = next) {
        next = node->next;
        if (is_about(RT_OF(node, rt_question, node), site, user))
            rt_question_drop(RT_OF(node, rt_question, node));
    }
    for (rt_list *node = a->open.next; node != &a->open; node = next) {
        next = node->next;
        rt_question *q = RT_OF(node, rt_question, node);
        if (!is_about(q, site, user))
            continue;
        rt_question_unlist(q);
        if (rt_list_empty(&q->waiters))
            rt_question_drop(q);
    }
}

void rt_asker_init(rt_asker *a, const rt_asker_opts *opts, const rt_frappe_ports *ports,
                   rt_timers *timers, uint64_t *counters) {
    memset(a, 0, sizeof *a);
    a->ports = ports;
    a->opts = *opts;
    a->counters = counters;
    a->alarms = &timers->alarms;
    rt_sites_init(&a->sites);
    rt_map_init(&a->questions);
    rt_list_init(&a->open);
    rt_list_init(&a->answered);
    rt_logins_init(&a->logins, timers, opts->keep_ms, opts->keep_max, ports->now, ports->ctx);
    rt_timerq_init(&a->keep, timers, opts->keep_ms, rt_question_kept, a);
    rt_timerq_init(&a->keep_refused, timers, opts->keep_refused_ms, rt_question_kept, a);
    rt_timerq_init(&a->patience, timers, opts->patience_ms, patience_over, a);
    rt_secret_init(&a->secret, ports, rt_question_secret_came, a);
}

static void drop_all(rt_list *questions) {
    rt_list *node;
    while ((node = rt_list_first(questions))) {
        rt_question *q = RT_OF(node, rt_question, node);
        while ((node = rt_list_first(&q->waiters))) {
            rt_list_unlink(node);
            rt_waiter_stop(RT_OF(node, rt_waiter, node));
        }
        rt_question_drop(q);
    }
}

void rt_asker_fini(rt_asker *a) {
    drop_all(&a->open);
    drop_all(&a->answered);
    rt_logins_fini(&a->logins);
    rt_timerq_fini(&a->keep);
    rt_timerq_fini(&a->keep_refused);
    rt_timerq_fini(&a->patience);
    rt_secret_fini(&a->secret);
    rt_map_fini(&a->questions);
    rt_sites_fini(&a->sites);
}
