/* Recent logins: a queue, oldest first, and a mark on each identity in it. */
#include "frappe/logins.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"

typedef struct rt_login {
    rt_timer timer; /* in rt_logins.due */
    rt_identity *who;
} rt_login;

static rt_login *login_of(rt_list *node) {
    return RT_OF(RT_OF(node, rt_timer, node), rt_login, timer);
}

static void drop(rt_logins *l, rt_login *login) {
    rt_timer_disarm(&login->timer);
    login->who->kept = false;
    rt_identity_rele(login->who);
    rt_free(login);
    l->count--;
}

static void on_due(rt_timerq *q, rt_timer *t) {
    drop(q->arg, RT_OF(t, rt_login, timer));
}

void rt_logins_init(rt_logins *l, rt_timers *timers, uint32_t keep_ms, uint32_t max,
                    uint64_t (*now)(void *ctx), void *now_ctx) {
    *l = (rt_logins){.now = now, .now_ctx = now_ctx, .max = keep_ms ? max : 0};
    rt_timerq_init(&l->due, timers, keep_ms, on_due, l);
}

void rt_logins_fini(rt_logins *l) {
    rt_logins_forget(l, RT_EMPTY, RT_EMPTY);
    rt_timerq_fini(&l->due);
}

bool rt_logins_keep(rt_logins *l, rt_identity *id) {
    rt_login *login = l->max && id->current && !id->kept ? rt_alloc(sizeof *login) : NULL;
    if (!login)
        return true;
    rt_timer_init(&login->timer);
    login->who = rt_identity_hold(id);
    id->kept = true;
    l->count++;
    rt_timer_arm(&l->due, &login->timer, l->now(l->now_ctx));
    if (l->count <= l->max)
        return true;
    drop(l, login_of(rt_list_first(&l->due.armed)));
    return false;
}

rt_identity *rt_logins_find(const rt_site *site, rt_slice kind, rt_slice value) {
    rt_buf key = RT_BUF_INIT;
    rt_buf_puts(&key, kind);
    rt_identity *id = rt_buf_puts(&key, value) == RT_OK
                          ? rt_map_get(&site->identities, rt_buf_slice(&key))
                          : NULL;
    rt_buf_fini(&key);
    return id && id->kept ? id : NULL;
}

static bool is_about(const rt_identity *id, rt_slice site, rt_slice user) {
    return (site.n == 0 || rt_slice_eq_nocase(site, rt_site_name(id->site))) &&
           (user.n == 0 || rt_slice_eq(user, rt_identity_user(id)));
}

void rt_logins_forget(rt_logins *l, rt_slice site, rt_slice user) {
    rt_list *next;
    for (rt_list *node = l->due.armed.next; node != &l->due.armed; node = next) {
        next = node->next;
        if (is_about(login_of(node)->who, site, user))
            drop(l, login_of(node));
    }
}
