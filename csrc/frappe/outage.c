/* Logs and figures about a site that does not answer. */
#include "frappe/outage.h"

#include "base/shown.h"

#include <stdarg.h>
#include <stdio.h>

#define LOG_EVERY_MS 1000

static uint64_t now_of(const rt_question *q) {
    return q->asker->ports->now(q->asker->ports->ctx);
}

void rt_outage_note(rt_question *q, const char *see, const char *fmt, ...) {
    rt_site *site = q->site;
    uint64_t now = now_of(q);
    rt_slice name = rt_site_name(site);
    va_list args;
    va_start(args, fmt);
    vsnprintf(site->away_why, sizeof site->away_why, fmt, args);
    va_end(args);
    rt_shown_clean(site->away_why);
    site->away_for = q->kind->what;
    if (site->away_since)
        return;
    site->away_since = now ? now : 1;
    char more[RT_LOG_MORE];
    rt_log_gate *gate = &q->asker->away_gate;
    site->away_told = rt_log_allowed(gate, now, LOG_EVERY_MS);
    if (site->away_told)
        rt_log(RT_LOG_WARN, "frappe", "site %.*s does not answer %s (%s), retrying; see %s%s",
               (int)name.n, name.p, site->away_for, site->away_why, see, rt_log_more(gate, more));
}

void rt_outage_note_answer(rt_question *q, const rt_frappe_answer *answer) {
    if (answer->status == 200)
        rt_outage_note(q, RT_OUTAGE_WEB_KEYS, "HTTP 200, but the body is not Frappe's JSON");
    else if (answer->status)
        rt_outage_note(q, "the log of the web process", "HTTP %d", answer->status);
    else
        rt_outage_note(q, RT_OUTAGE_WEB_KEYS, "%s", answer->error ? answer->error : "no answer");
}

/* Logs the recovery where the log has the outage, at the same level. Thousands of sites, with names
 * that somebody made up, may come back at once. */
void rt_outage_over(rt_question *q) {
    char more[RT_LOG_MORE];
    rt_site *site = q->site;
    rt_slice name = rt_site_name(site);
    rt_log_gate *gate = &q->asker->back_gate;
    uint64_t now = now_of(q), since = site->away_since;
    site->away_since = 0;
    if (since && site->away_told && rt_log_allowed(gate, now, LOG_EVERY_MS))
        rt_log(RT_LOG_WARN, "frappe", "site %.*s answers again, after %llu s%s", (int)name.n,
               name.p, (unsigned long long)(now - since) / 1000, rt_log_more(gate, more));
}

void rt_outage_log_secret_refused(rt_question *q) {
    char more[RT_LOG_MORE];
    rt_slice site = rt_site_name(q->site);
    rt_log_gate *gate = &q->asker->secret_gate;
    if (rt_log_allowed(gate, now_of(q), LOG_EVERY_MS))
        rt_log(RT_LOG_WARN, "frappe",
               "site %.*s: %s names no user although it was given socketio_auth_secret from Redis; "
               "do the web process and this server use the same redis_queue?%s",
               (int)site.n, site.p, q->kind->what, rt_log_more(gate, more));
}
