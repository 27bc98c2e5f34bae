/* Telling a client that it has reached a limit.
 *
 * What is over the limit is ignored or waits, and nothing is closed: the page keeps what it has.
 * The event `frappe_rt_limit` says so to clients that listen for it; Frappe's own client ignores
 * it, as any event without a listener. A socket gets at most one a second, so that these events are
 * no flood themselves. */
#include "frappe/state.h"

#include "base/status.h"
#include "json/write.h"

static const struct {
    const char *name;
    unsigned max;
    const char *message;
} limits[] = {
    [RT_LIMIT_EVENTS] = {"events_per_second", 0, /* it is configured */
                         "too many packets in a short time: some are read later"},
    [RT_LIMIT_ROOMS] = {"rooms_per_socket", RT_SIO_ROOMS_PER_SOCKET_MAX,
                        "in too many rooms: leave one before joining another"},
    [RT_LIMIT_NAME] = {"room_name_bytes", RT_SIO_ROOM_NAME_MAX,
                       "a name is too long for the name of a room"},
    [RT_LIMIT_QUESTIONS] = {"permissions_waiting", RT_FRAPPE_TICKETS_MAX,
                            "too many permission requests are open: one is ignored"},
};

static unsigned max_of(const rt_frappe *f, enum rt_limit limit) {
    return limit == RT_LIMIT_EVENTS ? f->events_per_second : limits[limit].max;
}

static void tell(const rt_frappe *f, rt_sio_socket *s, enum rt_limit limit) {
    rt_buf b = RT_BUF_INIT;
    rt_buf_putc(&b, '{');
    rt_json_put_member_str(&b, RT_LIT("limit"), rt_slice_of(limits[limit].name));
    rt_json_put_member_u64(&b, RT_LIT("max"), max_of(f, limit));
    rt_json_put_member_str(&b, RT_LIT("message"), rt_slice_of(limits[limit].message));
    if (rt_buf_putc(&b, '}') == RT_OK)
        rt_sio_emit(s, RT_LIT("\"frappe_rt_limit\""), rt_buf_slice(&b));
    rt_buf_fini(&b);
}

void rt_limits_reached(rt_frappe *f, rt_sio_socket *s, enum rt_limit limit) {
    rt_member *m = rt_member_of(s);
    unsigned gate = RT_GATE_LIMIT + limit;
    if (rt_frappe_may_log(f, gate)) {
        char more[RT_LOG_MORE];
        rt_slice ns = rt_sio_socket_ns_name(s), user = rt_identity_user(m->identity);
        rt_log(RT_LOG_WARN, "frappe", "%.*s, %.*s: %s (%s is %u)%s", (int)ns.n, ns.p, (int)user.n,
               user.p, limits[limit].message, limits[limit].name, max_of(f, limit),
               rt_log_more(&f->gates[gate], more));
    }
    if (!rt_member_may_tell(m, rt_frappe_now(f)))
        return;
    rt_frappe_count(f, RT_FRAPPE_LIMITS_TOLD);
    tell(f, s, limit);
}
