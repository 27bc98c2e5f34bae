/* Finds the question for a subject, and forgets what is known about a user. */
#include "frappe/ask.h"

#include "base/status.h"
#include "frappe/frappe.h"

/* --- asking --- */

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
    if (rt_question_put_key(subject, &key) != RT_OK) {
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
        rt_waiter_join(w, q);
    } else {
        q = rt_question_new(a, subject, rt_buf_slice(&key));
        if (q) {
            rt_waiter_join(w, q);
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
    /* `who` is NULL for a login that is not answered yet or was refused: its user is unknown. */
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

static void hold_site(rt_line *l) {
    rt_site_hold(RT_OF(l, rt_site, line));
}

static void rele_site(rt_line *l) {
    rt_site_rele(RT_OF(l, rt_site, line));
}

static uint64_t now(void *asker) {
    const rt_frappe_ports *ports = ((rt_asker *)asker)->ports;
    return ports->now(ports->ctx);
}

void rt_asker_init(rt_asker *a, const rt_asker_opts *opts, const rt_frappe_ports *ports,
                   rt_timers *timers, uint64_t *counters) {
    memset(a, 0, sizeof *a);
    a->ports = ports;
    a->opts = *opts;
    a->counters = counters;
    a->alarms = &timers->alarms;
    rt_turns_ops line_ops = {a, rt_question_fly, hold_site, rele_site, now};
    rt_sites_init(&a->sites);
    rt_turns_init(&a->turns, a->alarms, opts->in_flight, &line_ops);
    rt_regulars_init(&a->regulars);
    rt_map_init(&a->questions);
    rt_list_init(&a->open);
    rt_list_init(&a->answered);
    rt_logins_init(&a->logins, timers, opts->keep_ms, opts->keep_max, ports->now, ports->ctx);
    rt_timerq_init(&a->keep, timers, opts->keep_ms, rt_question_kept, a);
    rt_timerq_init(&a->keep_refused, timers, opts->keep_refused_ms, rt_question_kept, a);
    rt_timerq_init(&a->patience, timers, opts->patience_ms, rt_waiter_patience_over, a);
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
    rt_turns_set_slots(&a->turns, 0);
    drop_all(&a->open);
    drop_all(&a->answered);
    rt_logins_fini(&a->logins);
    rt_timerq_fini(&a->keep);
    rt_timerq_fini(&a->keep_refused);
    rt_timerq_fini(&a->patience);
    rt_secret_fini(&a->secret);
    rt_turns_fini(&a->turns);
    rt_regulars_fini(&a->regulars);
    rt_map_fini(&a->questions);
    rt_sites_fini(&a->sites);
}
