/* May this user see this doctype, this document?
 *
 * Frappe v15 has the methods can_subscribe_doctype and can_subscribe_doc, v16 has has_permission.
 * The first guess comes from get_user_info, which returns `installed_apps` since v16. The site's
 * method is known once one has answered. After a 404 or a 417 it is unknown again, because Frappe
 * answers that for a missing document as well as for a missing method. So this server needs no
 * restart when a site is updated. */
#include "frappe/state.h"

#include "base/status.h"
#include "frappe/rooms.h"
#include "json/scan.h"
#include "wire/query.h"

static enum rt_endpoint other_than(enum rt_endpoint e) {
    return e == RT_ENDPOINT_CAN_SUBSCRIBE ? RT_ENDPOINT_HAS_PERMISSION : RT_ENDPOINT_CAN_SUBSCRIBE;
}

static enum rt_endpoint best_endpoint(const rt_question *q) {
    if (q->site->endpoint != RT_ENDPOINT_UNKNOWN)
        return (enum rt_endpoint)q->site->endpoint;
    return q->who->has_apps ? RT_ENDPOINT_HAS_PERMISSION : RT_ENDPOINT_CAN_SUBSCRIBE;
}

static int put_path(rt_question *q, rt_buf *path) {
    rt_slice doctype, name;
    rt_question_subject(q, &doctype, &name);
    if (!q->other_tried)
        q->endpoint = (uint8_t)best_endpoint(q);
    rt_buf_puts(path, RT_LIT("/api/method/frappe.realtime."));
    bool has_permission = q->endpoint == RT_ENDPOINT_HAS_PERMISSION;
    if (has_permission)
        rt_buf_puts(path, RT_LIT("has_permission"));
    else
        rt_buf_puts(path, name.n ? RT_LIT("can_subscribe_doc") : RT_LIT("can_subscribe_doctype"));
    rt_buf_puts(path, RT_LIT("?doctype="));
    rt_query_encode(doctype, path);
    /* has_permission needs a `name`, even an empty one. */
    if (has_permission)
        rt_buf_puts(path, RT_LIT("&name="));
    else if (name.n)
        rt_buf_puts(path, RT_LIT("&docname="));
    return rt_query_encode(name, path);
}

/* Truth as in Python: null, false, zero, and an empty string, list or object are false. */
static bool is_true(rt_slice value) {
    rt_json_iter it;
    switch (rt_json_type_of(value)) {
    case RT_JSON_BOOL:
        return value.p[0] == 't';
    case RT_JSON_STRING:
        return value.n > 2;
    case RT_JSON_NUMBER:
        for (size_t i = 0; i < value.n && (value.p[i] | 0x20) != 'e'; i++) {
            if (value.p[i] >= '1' && value.p[i] <= '9')
                return true;
        }
        return false;
    case RT_JSON_ARRAY:
    case RT_JSON_OBJECT:
        return rt_json_iter_init(&it, value) == RT_OK && it.at != it.end;
    default:
        return false;
    }
}

static enum rt_meaning judge(rt_question *q, int status, rt_slice message) {
    if (status == 200) {
        q->site->endpoint = q->endpoint;
        return is_true(message) ? RT_MEANS_YES : RT_MEANS_NO;
    }
    if (q->site->endpoint == q->endpoint)
        q->site->endpoint = RT_ENDPOINT_UNKNOWN;
    if (q->other_tried)
        return RT_MEANS_NO;
    q->other_tried = true;
    q->endpoint = (uint8_t)other_than((enum rt_endpoint)q->endpoint);
    return RT_MEANS_ASK_AGAIN;
}

/* --- what follows --- */

/* True if the client's own form of the name cannot be rebuilt from the room: a name sent as a
 * number, or a doctype with a slash in it. */
static bool needs_note(const rt_subject_name *name) {
    rt_slice doctype, docname;
    return name->docname.p[0] != '"' || !rt_rooms_split_open_doc(name->room, &doctype, &docname) ||
           doctype.n != name->doctype_len;
}

static void opened(rt_frappe *f, rt_ticket *t, const rt_subject_name *name) {
    rt_sio_socket *s = t->socket;
    rt_ticket_free(rt_ticket_find(rt_member_of(s), RT_WANT_NOTHING, name->room));
    rt_viewers_changed(f, s, name);
    if (needs_note(name))
        t->want = RT_WANT_NOTHING;
    else
        rt_ticket_free(t);
}

/* The ticket goes before what may close the socket, and its tickets with it. */
static void grant(rt_frappe *f, rt_ticket *t) {
    rt_sio_socket *s = t->socket;
    rt_subject_name name = {rt_ticket_room(t), t->doctype_len, rt_ticket_docname(t)};
    int status = rt_sio_join(s, name.room);
    if (status == RT_OK && t->want == RT_WANT_OPEN_DOC) {
        opened(f, t, &name);
        return;
    }
    rt_ticket_free(t);
    if (status == RT_ELIMIT)
        rt_limits_reached(f, s, RT_LIMIT_ROOMS);
    else if (status == RT_ENOMEM)
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
}

static enum rt_frappe_allowed allowed_by(rt_frappe *f, enum rt_verdict verdict) {
    if (verdict == RT_VERDICT_YES)
        return RT_FRAPPE_ALLOWED;
    rt_frappe_count(f, verdict == RT_VERDICT_NO ? RT_FRAPPE_PERMISSION_DENIED
                                                : RT_FRAPPE_PERMISSION_UNANSWERED);
    return verdict == RT_VERDICT_NO ? RT_FRAPPE_DENIED : RT_FRAPPE_UNANSWERED;
}

static void tell(rt_ticket *t, enum rt_frappe_allowed allowed) {
    rt_frappe_allowed_fn *done = t->done;
    void *arg = t->arg;
    rt_ticket_free(t);
    done(arg, allowed);
}

static void decide(rt_frappe *f, rt_ticket *t, enum rt_verdict verdict) {
    if (t->want == RT_WANT_ANSWER) {
        tell(t, allowed_by(f, verdict));
        return;
    }
    if (verdict == RT_VERDICT_YES) {
        grant(f, t);
        return;
    }
    rt_frappe_count(f, verdict == RT_VERDICT_NO ? RT_FRAPPE_PERMISSION_DENIED
                                                : RT_FRAPPE_PERMISSION_UNANSWERED);
    rt_ticket_free(t);
}

static void answered(rt_asker *a, rt_waiter *w, enum rt_verdict verdict, rt_identity *who) {
    (void)who;
    decide(RT_OF(a, rt_frappe, asker), RT_OF(w, rt_ticket, waiter), verdict);
}

static const rt_ask_kind permission = {"has_permission", put_path, judge, answered};

static void over_max(rt_frappe *f, rt_sio_socket *s) {
    rt_frappe_count(f, RT_FRAPPE_QUESTIONS_OVER_MAX);
    rt_limits_reached(f, s, RT_LIMIT_QUESTIONS);
}

void rt_permission_ask(rt_frappe *f, rt_sio_socket *s, enum rt_want want,
                       const rt_subject_name *name) {
    rt_member *m = rt_member_of(s);
    const rt_ticket *asked = rt_ticket_find(m, want, name->room);
    if (asked && asked->doctype_len == name->doctype_len)
        return; /* not answered yet */
    if (rt_ticket_waiting(m) >= RT_FRAPPE_TICKETS_MAX) {
        over_max(f, s);
        return;
    }
    rt_ticket *t = rt_ticket_new(m, s, want, name);
    if (!t) {
        rt_frappe_count(f, RT_FRAPPE_PERMISSION_UNANSWERED);
        return;
    }
    size_t prefix = name->docname.n == 0  ? rt_rooms_prefix(RT_ROOM_DOCTYPE).n
                    : want == RT_WANT_DOC ? rt_rooms_prefix(RT_ROOM_DOC).n
                                          : rt_rooms_prefix(RT_ROOM_OPEN_DOC).n;
    rt_slice rest = rt_slice_from(rt_ticket_room(t), prefix);
    rt_subject subject = {.kind = &permission,
                          .site = m->identity->site,
                          .who = m->identity,
                          .first = rt_slice_make(rest.p, name->doctype_len),
                          .second = rt_slice_from(rest, name->doctype_len + 1)};
    enum rt_verdict verdict = RT_VERDICT_NONE;
    rt_identity *who;
    int status = rt_ask(&f->asker, &subject, &t->waiter, &verdict, &who);
    if (status == RT_AGAIN)
        return;
    decide(f, t, verdict);
    if (status == RT_ELIMIT)
        over_max(f, s);
}

/* --- for others --- */

static bool is_name(rt_slice text) {
    return text.n <= RT_SIO_ROOM_NAME_MAX && (text.n == 0 || !memchr(text.p, '\0', text.n));
}

static rt_ticket *new_ticket(rt_sio_socket *s, rt_frappe_allowed_fn *done, void *arg) {
    rt_ticket *t = rt_ticket_new(rt_member_of(s), s, RT_WANT_ANSWER, NULL);
    if (t) {
        t->done = done;
        t->arg = arg;
    }
    return t;
}

int rt_frappe_permission(rt_frappe *f, rt_sio_socket *s, rt_slice doctype, rt_slice name,
                         rt_frappe_allowed_fn *done, void *arg, enum rt_frappe_allowed *allowed) {
    rt_member *m = rt_member_of(s);
    if (!m || !m->identity || !rt_sio_socket_connected(s))
        return RT_ECLOSED;
    if (doctype.n == 0 || !is_name(doctype) || !is_name(name))
        return RT_EINVAL;
    bool full = rt_ticket_waiting(m) >= RT_FRAPPE_TICKETS_MAX;
    rt_ticket *t = full ? NULL : new_ticket(s, done, arg);
    if (!t && !full)
        return RT_ENOMEM;
    rt_subject subject = {.kind = &permission,
                          .site = m->identity->site,
                          .who = m->identity,
                          .first = doctype,
                          .second = name};
    enum rt_verdict verdict = RT_VERDICT_NONE;
    rt_identity *who;
    int status = full ? RT_ELIMIT : rt_ask(&f->asker, &subject, &t->waiter, &verdict, &who);
    if (status == RT_ELIMIT)
        rt_frappe_count(f, RT_FRAPPE_QUESTIONS_OVER_MAX);
    if (status != RT_AGAIN)
        rt_ticket_free(t);
    if (status == RT_OK)
        *allowed = allowed_by(f, verdict);
    return status;
}

void rt_permission_gone(rt_sio_socket *s) {
    rt_ticket *t = rt_member_of(s)->tickets;
    while (t) {
        bool waits = t->want == RT_WANT_ANSWER;
        rt_ticket *next = t->next;
        if (waits)
            tell(t, RT_FRAPPE_UNANSWERED);
        t = waits ? rt_member_of(s)->tickets : next;
    }
}
