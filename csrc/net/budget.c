/* One budget for all that clients are owed. Beyond it those go who are owed the most, until the
 * rest fits.
 *
 * The budget is about memory: a message that many wait for counts once. Who is owed the most is
 * told by what each would take alone, as for rt_front_opts.max_owed. */
#include "net/conn.h"

static bool is_over(const rt_front *f) {
    return rt_msg_memory() > f->opts.owed_budget;
}

static size_t most_owed(const rt_front *f) {
    size_t most = rt_eio_most_owed(f->eio);
    for (const rt_list *at = f->open.next; at != &f->open; at = at->next) {
        const rt_conn *c = RT_OF(at, rt_conn, node);
        if (c->blocked && c->out.taken > most)
            most = c->out.taken;
    }
    return most;
}

static void close_one(rt_conn *c) {
    rt_front_count(c->front, RT_FRONT_OVER_BUDGET);
    if (c->state == RT_CONN_WEBSOCKET)
        rt_eio_port_slow(c->front->eio, &c->port);
    else
        rt_conn_close(c, true);
}

/* Closes those owed so much. One that closes may take the next one along, which then is in the list
 * of the closed ones: begin anew. */
static void close_from(rt_front *f, size_t least) {
    rt_list *at = f->open.next;
    while (at != &f->open && is_over(f)) {
        rt_conn *c = RT_OF(at, rt_conn, node);
        at = at->next;
        if (!c->blocked || c->out.taken < least)
            continue;
        close_one(c);
        if (at != &f->open && RT_OF(at, rt_conn, node)->state == RT_CONN_CLOSED)
            at = f->open.next;
    }
}

/* Each round ends with nobody who is owed half of what the worst was, so there are few rounds. */
void rt_budget_keep(rt_front *f) {
    uint64_t before = f->counters.v[RT_FRONT_OVER_BUDGET];
    size_t most;
    while (is_over(f) && (most = most_owed(f)) > 0) {
        size_t least = most / 2 + 1;
        close_from(f, least);
        f->counters.v[RT_FRONT_OVER_BUDGET] +=
            rt_eio_end_most_owed(f->eio, least, f->opts.owed_budget);
    }
    uint64_t closed = f->counters.v[RT_FRONT_OVER_BUDGET] - before;
    if (closed > 0 && rt_log_allowed(&f->budget_gate, f->loop->now, 10000))
        rt_log(RT_LOG_WARN, "net",
               "clients do not read what they are sent, and are owed more than "
               "frappe_rt_owed_budget: %llu closed",
               (unsigned long long)closed);
}
