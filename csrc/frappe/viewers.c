/* Debounces changes of viewers, and sends doc_viewers. */
#include "frappe/viewers.h"

#include "base/alloc.h"
#include "base/status.h"
#include "frappe/rooms.h"
#include "frappe/state.h"
#include "json/write.h"

typedef struct changed_doc {
    rt_timer timer;
    rt_identity *by; /* the user who caused all changes; NULL: several users */
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
    rt_timer_disarm(&c->timer);
    rt_identity_rele(c->by);
    rt_free(c);
}

static changed_doc *make(rt_slice ns, const rt_subject_name *name) {
    changed_doc *c = rt_alloc(sizeof *c + ns.n + 1 + name->room.n + name->docname.n);
    if (!c)
        return NULL;
    rt_timer_init(&c->timer);
    c->by = NULL;
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

void rt_viewers_changed(rt_frappe *f, rt_sio_socket *s, const rt_subject_name *name) {
    rt_viewers *v = &f->viewers;
    rt_identity *by = rt_member_of(s)->identity;
    changed_doc *c = make(rt_sio_socket_ns_name(s), name);
    if (!c) /* no memory: this event is lost, but the next change sends the full list */
        return;
    changed_doc *known = rt_map_get(&v->changed, key_of(c));
    if (known) {
        rt_free(c);
        if (known->by && !same_user(known->by, by)) {
            rt_identity_rele(known->by);
            known->by = NULL;
        }
        return;
    }
    if (rt_map_put(&v->changed, key_of(c), c)) {
        rt_free(c);
        return;
    }
    c->by = rt_identity_hold(by);
    rt_timer_arm(&v->soon, &c->timer, rt_frappe_now(f));
}

/* --- telling --- */

static int put_users(rt_buf *b, const rt_sio_ns *ns, rt_slice room) {
    rt_map seen;
    rt_map_init(&seen);
    rt_sio_socket *s;
    for (uint32_t i = 0; b->err == RT_OK && rt_sio_room_member(ns, room, i, &s); i++) {
        rt_identity *id = rt_member_of(s)->identity;
        if (rt_map_get(&seen, rt_identity_user(id)))
            continue;
        if (seen.count > 0)
            rt_buf_putc(b, ',');
        rt_json_put_str(b, rt_identity_user(id));
        if (rt_map_put(&seen, rt_identity_user(id), id))
            b->err = RT_ENOMEM;
    }
    rt_map_fini(&seen);
    return b->err;
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
    put_users(b, ns, room);
    return rt_buf_puts(b, RT_LIT("]}"));
}

/* The only viewer is not sent their own change: they opened it, or closed another tab. */
static bool is_news(const rt_sio_ns *ns, const changed_doc *c) {
    rt_sio_socket *s;
    if (!rt_sio_room_member(ns, room_of(c), 0, &s))
        return false;
    return !c->by || rt_sio_room_size(ns, room_of(c)) > 1 ||
           !same_user(c->by, rt_member_of(s)->identity);
}

static void tell(rt_timerq *timers, rt_timer *t) {
    rt_frappe *f = timers->arg;
    changed_doc *c = RT_OF(t, changed_doc, timer);
    rt_sio_ns *ns = rt_sio_ns_find(f->io, ns_of(c));
    rt_buf args = RT_BUF_INIT;
    bool news = ns && is_news(ns, c);
    if (news && put_args(&args, ns, c)) {
        rt_timer_arm(&f->viewers.soon, t, rt_frappe_now(f)); /* no memory: retry */
    } else {
        /* Unlist c first: sending may close a socket, and its leaving is a new change. */
        (void)rt_map_del(&f->viewers.changed, key_of(c));
        if (news)
            rt_sio_emit_room(ns, room_of(c), RT_LIT("\"doc_viewers\""), rt_buf_slice(&args), NULL);
        free_doc(c);
    }
    rt_buf_fini(&args);
}

void rt_viewers_init(rt_viewers *v, rt_timers *timers, rt_frappe *f) {
    rt_map_init(&v->changed);
    rt_timerq_init(&v->soon, timers, RT_FRAPPE_VIEWERS_MS, tell, f);
}

void rt_viewers_fini(rt_viewers *v) {
    size_t cursor = 0;
    const rt_map_entry *e;
    while ((e = rt_map_next(&v->changed, &cursor)))
        free_doc(e->value);
    rt_map_fini(&v->changed);
    rt_timerq_fini(&v->soon);
}
