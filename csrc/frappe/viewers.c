/* Debounces changes of viewers, and sends doc_viewers. */
#include "frappe/viewers.h"

#include "base/alloc.h"
#include "base/status.h"
#include "frappe/rooms.h"
#include "frappe/state.h"
#include "json/write.h"

typedef struct changed_doc {
    rt_alarm alarm; /* the event is due, or the pause is over */
    rt_frappe *f;
    rt_identity *by; /* the user who caused all changes; NULL: several users */
    bool resting;    /* nothing has changed since the last event */
    uint32_t ns_len;
    uint32_t room_len;
    uint32_t doctype_len;
    uint32_t docname_len;
    char text[]; /* namespace, NUL, room, docname as JSON */
} changed_doc;

static rt_slice ns_of(const changed_doc *c) {
    return rt_slice_make(c->text, c->ns_len);
}

static rt_slice room_of(const changed_doc *c) {
    return rt_slice_make(c->text + c->ns_len + 1, c->room_len);
}

static rt_slice docname_of(const changed_doc *c) {
    return rt_slice_make(c->text + c->ns_len + 1 + c->room_len, c->docname_len);
}

static rt_slice key_of(const changed_doc *c) {
    return rt_slice_make(c->text, c->ns_len + 1 + c->room_len);
}

static void free_doc(changed_doc *c) {
    rt_alarm_disarm(&c->alarm);
    rt_identity_rele(c->by);
    rt_free(c);
}

static void due(rt_alarm *a);

static changed_doc *make(rt_frappe *f, rt_slice ns, const rt_subject_name *name) {
    changed_doc *c = rt_alloc(sizeof *c + ns.n + 1 + name->room.n + name->docname.n);
    if (!c)
        return NULL;
    rt_alarm_init(&c->alarm, due);
    c->f = f;
    c->by = NULL;
    c->resting = false;
    c->ns_len = (uint32_t)ns.n;
    c->room_len = (uint32_t)name->room.n;
    c->doctype_len = (uint32_t)name->doctype_len;
    c->docname_len = (uint32_t)name->docname.n;
    memcpy(c->text, ns.p, ns.n);
    c->text[ns.n] = '\0';
    memcpy(c->text + ns.n + 1, name->room.p, name->room.n);
    if (name->docname.n)
        memcpy(c->text + ns.n + 1 + name->room.n, name->docname.p, name->docname.n);
    return c;
}

static bool same_user(const rt_identity *a, const rt_identity *b) {
    return rt_slice_eq(rt_identity_user(a), rt_identity_user(b));
}

/* Another change of a document whose event is pending already. */
static void join(changed_doc *c, const rt_identity *by) {
    if (!c->by || same_user(c->by, by))
        return;
    rt_identity_rele(c->by);
    c->by = NULL;
}

/* Takes the record of a paused document off, for a new one with the name as the client says it now.
 * Returns when the pause is over. */
static uint64_t wake(rt_viewers *v, changed_doc *c) {
    uint64_t deadline = c->alarm.deadline;
    rt_frappe_count(c->f, RT_FRAPPE_VIEWERS_PAUSED);
    (void)rt_map_del(&v->changed, key_of(c));
    free_doc(c);
    return deadline;
}

void rt_viewers_changed(rt_frappe *f, rt_sio_socket *s, const rt_subject_name *name) {
    rt_viewers *v = &f->viewers;
    rt_identity *by = rt_member_of(s)->identity;
    uint64_t deadline = rt_frappe_now(f) + RT_FRAPPE_VIEWERS_MS;
    changed_doc *c = make(f, rt_sio_socket_ns_name(s), name);
    if (!c) /* no memory: this event is lost, but the next change sends the full list */
        return;
    changed_doc *known = rt_map_get(&v->changed, key_of(c));
    if (known && !known->resting) {
        rt_free(c);
        join(known, by);
        return;
    }
    if (known) {
        uint64_t over = wake(v, known);
        deadline = over > deadline ? over : deadline;
    }
    if (rt_map_put(&v->changed, key_of(c), c)) {
        rt_free(c);
        return;
    }
    c->by = rt_identity_hold(by);
    rt_alarm_arm(v->alarms, &c->alarm, deadline);
}

/* --- telling --- */

/* The names of the first RT_FRAPPE_VIEWERS_NAMED users in the room; how many there are in all. */
static uint32_t put_users(rt_buf *b, const rt_sio_ns *ns, rt_slice room) {
    rt_map seen;
    rt_map_init(&seen);
    rt_sio_socket *s;
    for (uint32_t i = 0; b->err == RT_OK && rt_sio_room_member(ns, room, i, &s); i++) {
        rt_identity *id = rt_member_of(s)->identity;
        if (rt_map_get(&seen, rt_identity_user(id)))
            continue;
        if (seen.count > 0 && seen.count < RT_FRAPPE_VIEWERS_NAMED)
            rt_buf_putc(b, ',');
        if (seen.count < RT_FRAPPE_VIEWERS_NAMED)
            rt_json_put_str(b, rt_identity_user(id));
        if (rt_map_put(&seen, rt_identity_user(id), id))
            b->err = RT_ENOMEM;
    }
    uint32_t users = (uint32_t)seen.count;
    rt_map_fini(&seen);
    return users;
}

static int put_args(rt_buf *b, const rt_sio_ns *ns, const changed_doc *c) {
    rt_slice room = room_of(c);
    rt_slice rest = rt_slice_from(room, rt_rooms_prefix(RT_ROOM_OPEN_DOC).n);
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("doctype"), rt_slice_make(rest.p, c->doctype_len));
    rt_json_put_key(b, RT_LIT("docname"));
    if (c->docname_len)
        rt_buf_puts(b, docname_of(c));
    else
        rt_json_put_str(b, rt_slice_from(rest, c->doctype_len + 1));
    rt_json_put_key(b, RT_LIT("users"));
    rt_buf_putc(b, '[');
    uint32_t users = put_users(b, ns, room);
    rt_buf_putc(b, ']');
    if (users > RT_FRAPPE_VIEWERS_NAMED) {
        rt_frappe_count(c->f, RT_FRAPPE_VIEWERS_OVER_MAX);
        rt_json_put_member_u64(b, RT_LIT("count"), users);
    }
    return rt_buf_putc(b, '}');
}

/* The only viewer is not sent their own change: they opened it, or closed another tab. */
static bool is_news(const rt_sio_ns *ns, const changed_doc *c) {
    rt_sio_socket *s;
    if (!rt_sio_room_member(ns, room_of(c), 0, &s))
        return false;
    return !c->by || rt_sio_room_size(ns, room_of(c)) > 1 ||
           !same_user(c->by, rt_member_of(s)->identity);
}

/* How long a document pauses after so many bytes to each of so many sockets. */
static uint32_t pause_after(size_t bytes, uint32_t sockets) {
    uint64_t ms = (uint64_t)bytes * sockets / RT_FRAPPE_VIEWERS_BYTES_PER_MS;
    return ms < RT_FRAPPE_VIEWERS_PAUSE_MAX_MS ? (uint32_t)ms : RT_FRAPPE_VIEWERS_PAUSE_MAX_MS;
}

/* Starts the pause of a document whose event has gone out. `c` is off the map; the document may
 * have changed again during the sending. */
static void rest(rt_viewers *v, changed_doc *c, uint32_t pause) {
    uint64_t over = rt_frappe_now(c->f) + pause;
    bool rests = pause > RT_FRAPPE_VIEWERS_MS;
    changed_doc *anew = rt_map_get(&v->changed, key_of(c));
    if (anew && rests) {
        rt_alarm_arm(v->alarms, &anew->alarm, over);
    } else if (rests && !rt_map_put(&v->changed, key_of(c), c)) {
        rt_identity_rele(c->by);
        c->by = NULL;
        c->resting = true;
        rt_alarm_arm(v->alarms, &c->alarm, over);
        return;
    }
    free_doc(c);
}

static void tell(rt_frappe *f, changed_doc *c) {
    rt_viewers *v = &f->viewers;
    rt_sio_ns *ns = rt_sio_ns_find(f->io, ns_of(c));
    rt_buf args = RT_BUF_INIT;
    bool news = ns && is_news(ns, c);
    if (news && put_args(&args, ns, c)) {
        rt_alarm_arm(v->alarms, &c->alarm, rt_frappe_now(f) + RT_FRAPPE_VIEWERS_MS); /* no memory */
    } else {
        uint32_t pause = news ? pause_after(args.n, rt_sio_room_size(ns, room_of(c))) : 0;
        /* Unlist c first: sending may close a socket, and its leaving is a new change. */
        (void)rt_map_del(&v->changed, key_of(c));
        if (news)
            rt_sio_emit_room(ns, room_of(c), RT_LIT("\"doc_viewers\""), rt_buf_slice(&args), NULL);
        rest(v, c, pause);
    }
    rt_buf_fini(&args);
}

static void due(rt_alarm *a) {
    changed_doc *c = RT_OF(a, changed_doc, alarm);
    if (!c->resting) {
        tell(c->f, c);
        return;
    }
    (void)rt_map_del(&c->f->viewers.changed, key_of(c));
    free_doc(c);
}

void rt_viewers_init(rt_viewers *v, rt_timers *timers) {
    rt_map_init(&v->changed);
    v->alarms = &timers->alarms;
}

void rt_viewers_fini(rt_viewers *v) {
    size_t cursor = 0;
    const rt_map_entry *e;
    while ((e = rt_map_next(&v->changed, &cursor)))
        free_doc(e->value);
    rt_map_fini(&v->changed);
}
