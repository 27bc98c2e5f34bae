/* The layer's one object, put together from the parts that the other headers describe.
 *
 * Ownership: rt_frappe_new/free. Thread: the loop's. Private to frappe/. */
#ifndef RT_FRAPPE_STATE_H
#define RT_FRAPPE_STATE_H

#include "frappe/frappe.h"
#include "frappe/viewers.h"

/* What a socket may be told that it has reached. */
enum rt_limit { RT_LIMIT_EVENTS, RT_LIMIT_ROOMS, RT_LIMIT_NAME, RT_LIMIT_QUESTIONS, RT_LIMITS };

/* Why a published event is skipped. */
enum rt_fault {
    RT_FAULT_LONG,
    RT_FAULT_JSON,
    RT_FAULT_OBJECT,
    RT_FAULT_EVENT,
    RT_FAULT_TEXT,
    RT_FAULT_UTF8,
    RT_FAULT_MEMORY,
    RT_FAULTS
};

/* A gate for each cause of a line: a flood of one hides none of the others. */
enum rt_frappe_gate {
    RT_GATE_NAMESPACE,
    RT_GATE_ORIGIN,
    RT_GATE_CREDENTIAL,
    RT_GATE_UNAUTHORIZED,
    RT_GATE_AWAY,
    RT_GATE_LIMIT,                                /* the first of RT_LIMITS */
    RT_GATE_ENVELOPE = RT_GATE_LIMIT + RT_LIMITS, /* the first of RT_FAULTS */
    RT_GATES = RT_GATE_ENVELOPE + RT_FAULTS
};

struct rt_frappe {
    rt_sio *io;
    rt_frappe_ports ports;
    rt_asker asker;
    rt_viewers viewers;
    rt_slice default_site; /* own copy */
    bool developer_mode;
    bool guests_see_others;
    uint32_t events_per_second;
    const rt_frappe_watcher *watcher; /* NULL: nobody else */
    rt_log_gate gates[RT_GATES];
    rt_frappe_counters counters;
};

static inline void rt_frappe_count(rt_frappe *f, int counter) {
    f->counters.v[counter]++;
}

static inline uint64_t rt_frappe_now(const rt_frappe *f) {
    return f->ports.now(f->ports.ctx);
}

/* True if that gate, or one behind it, allows a log line now: at most one a second. */
static inline bool rt_frappe_may_log(rt_frappe *f, unsigned gate) {
    return rt_log_allowed(&f->gates[gate], rt_frappe_now(f), 1000);
}

/* --- auth.c --- */
void rt_auth_connect(rt_frappe *f, rt_sio_socket *s, rt_slice auth);

/* --- permission.c --- */
/* Asks whether the socket may see `name`, and if so joins its room. */
void rt_permission_ask(rt_frappe *f, rt_sio_socket *s, enum rt_want want,
                       const rt_subject_name *name);
/* The socket has closed: tells each caller of rt_frappe_permission that no answer will come. */
void rt_permission_gone(rt_sio_socket *s);

/* --- limits.c --- */
/* Logs it and tells the socket, both at most once a second; the caller counts. */
void rt_limits_reached(rt_frappe *f, rt_sio_socket *s, enum rt_limit limit);

/* --- events.c --- */
void rt_events_handle(rt_frappe *f, rt_sio_socket *s, const rt_sio_event *ev);
/* The socket has left the room because it disconnects. */
void rt_events_left(rt_frappe *f, rt_sio_socket *s, rt_slice room);

#endif
