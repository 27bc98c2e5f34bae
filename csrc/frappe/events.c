/* The events of clients: a table, and the rules for their arguments. Repeats are normal. Missing or
 * malformed arguments are ignored and counted. No event closes a connection. */
#include "frappe/state.h"

#include "base/status.h"
#include "frappe/rooms.h"
#include "json/scan.h"

typedef struct client_event {
    rt_slice name;
    void (*handle)(rt_frappe *f, rt_sio_socket *s, const struct client_event *e,
                   rt_json_iter *args);
    enum rt_room_kind kind;
    enum rt_want want;
} client_event;

/* --- arguments --- */

/* Appends the text of the next argument: a string, or, if `number`, the digits of a number. False:
 * there is no argument; it is empty, not UTF-8 or has a NUL; or b is full. */
static bool read_text(rt_json_iter *args, bool number, rt_buf *b, rt_slice *raw) {
    size_t before = b->n;
    if (!rt_json_next(args, raw))
        return false;
    enum rt_json_type type = rt_json_type_of(*raw);
    int status = RT_EJSON_TYPE;
    if (type == RT_JSON_STRING)
        status = rt_json_str_decode(*raw, b);
    else if (type == RT_JSON_NUMBER && number)
        status = rt_buf_puts(b, *raw);
    return status == RT_OK && b->n > before && !memchr(b->p + before, '\0', b->n - before);
}

/* Reads (doctype) or (doctype, name) and builds the room: its text in *b, its parts in *name. */
static bool read_name(const client_event *e, rt_json_iter *args, rt_buf *b, rt_subject_name *name) {
    rt_slice doctype;
    *name = (rt_subject_name){0};
    rt_buf_init(b, RT_SIO_ROOM_NAME_MAX);
    size_t prefix = rt_rooms_prefix(e->kind).n;
    if (rt_buf_puts(b, rt_rooms_prefix(e->kind)) || !read_text(args, false, b, &doctype))
        return false;
    name->doctype_len = b->n - prefix;
    if (e->kind != RT_ROOM_DOCTYPE &&
        (rt_buf_putc(b, '/') || !read_text(args, true, b, &name->docname)))
        return false;
    name->room = rt_buf_slice(b);
    return true;
}

static void ignore(rt_frappe *f) {
    rt_frappe_count(f, RT_FRAPPE_EVENTS_IGNORED);
}

/* Counts arguments that make no room name: wrong ones, or too long for it. */
static void ignore_name(rt_frappe *f, rt_sio_socket *s, const rt_buf *room) {
    if (room->err != RT_ELIMIT) {
        ignore(f);
        return;
    }
    rt_frappe_count(f, RT_FRAPPE_NAMES_OVER_MAX);
    rt_limits_reached(f, s, RT_LIMIT_NAME);
}

/* --- the events --- */

static void subscribe(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_json_iter *args) {
    rt_buf room;
    rt_subject_name name;
    if (read_name(e, args, &room, &name))
        rt_permission_ask(f, s, e->want, &name);
    else
        ignore_name(f, s, &room);
    rt_buf_fini(&room);
}

/* Leaves the room, and cancels the question about it if that is still open. */
static bool leave(rt_sio_socket *s, const client_event *e, const rt_subject_name *name) {
    rt_member *m = rt_member_of(s);
    rt_ticket *t;
    while ((t = rt_ticket_find(m, e->want, name->room)))
        rt_ticket_free(t);
    if (e->kind == RT_ROOM_OPEN_DOC)
        rt_ticket_free(rt_ticket_find(m, RT_WANT_NOTHING, name->room));
    return rt_sio_leave(s, name->room);
}

static void unsubscribe(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_json_iter *args) {
    rt_buf room;
    rt_subject_name name;
    if (!read_name(e, args, &room, &name))
        ignore_name(f, s, &room);
    else if (leave(s, e, &name) && e->kind == RT_ROOM_OPEN_DOC)
        rt_viewers_changed(f, s, &name);
    rt_buf_fini(&room);
}

static bool read_task(rt_json_iter *args, rt_buf *room) {
    rt_slice raw;
    rt_buf_init(room, RT_SIO_ROOM_NAME_MAX);
    return rt_buf_puts(room, rt_rooms_prefix(RT_ROOM_TASK)) == RT_OK &&
           read_text(args, true, room, &raw);
}

static void watch_task(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_json_iter *args) {
    (void)e;
    rt_buf room;
    bool read = read_task(args, &room);
    int status = read ? rt_sio_join(s, rt_buf_slice(&room)) : RT_OK;
    if (!read)
        ignore_name(f, s, &room);
    else if (status == RT_ELIMIT)
        rt_limits_reached(f, s, RT_LIMIT_ROOMS);
    else if (status == RT_ENOMEM)
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
    rt_buf_fini(&room);
}

static void leave_task(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_json_iter *args) {
    (void)e;
    rt_buf room;
    if (read_task(args, &room))
        rt_sio_leave(s, rt_buf_slice(&room));
    else
        ignore_name(f, s, &room);
    rt_buf_fini(&room);
}

static void pong(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_json_iter *args) {
    (void)f;
    (void)e;
    (void)args;
    rt_sio_emit(s, RT_LIT("\"pong\""), RT_EMPTY);
}

/* `bench watch` listens on that channel and opens the developer's editor. */
static void open_in_editor(rt_frappe *f, rt_sio_socket *s, const client_event *e,
                           rt_json_iter *args) {
    rt_slice data;
    if (!f->developer_mode || rt_identity_is_guest(rt_member_of(s)->identity) ||
        !rt_json_next(args, &data) || f->ports.redis_publish(f->ports.ctx, e->name, data))
        ignore(f);
}

#define EVENT(name)                                                                                \
    { name, sizeof(name) - 1 }

static const client_event table[] = {
    {EVENT("doctype_subscribe"), subscribe, RT_ROOM_DOCTYPE, RT_WANT_DOCTYPE},
    {EVENT("doctype_unsubscribe"), unsubscribe, RT_ROOM_DOCTYPE, RT_WANT_DOCTYPE},
    {EVENT("doc_subscribe"), subscribe, RT_ROOM_DOC, RT_WANT_DOC},
    {EVENT("doc_unsubscribe"), unsubscribe, RT_ROOM_DOC, RT_WANT_DOC},
    {EVENT("doc_open"), subscribe, RT_ROOM_OPEN_DOC, RT_WANT_OPEN_DOC},
    {EVENT("doc_close"), unsubscribe, RT_ROOM_OPEN_DOC, RT_WANT_OPEN_DOC},
    {EVENT("task_subscribe"), watch_task, RT_ROOM_TASK, RT_WANT_NOTHING},
    {EVENT("progress_subscribe"), watch_task, RT_ROOM_TASK, RT_WANT_NOTHING},
    {EVENT("task_unsubscribe"), leave_task, RT_ROOM_TASK, RT_WANT_NOTHING},
    {EVENT("ping"), pong, RT_ROOM_TASK, RT_WANT_NOTHING},
    {EVENT("open_in_editor"), open_in_editor, RT_ROOM_TASK, RT_WANT_NOTHING},
};

static const client_event *find(rt_slice name) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (rt_json_str_is(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

/* Whether it shows a client what others do: how a task goes, or who views a document. */
static bool shows_others(const client_event *e) {
    return e->handle == watch_task || (e->handle == subscribe && e->want == RT_WANT_OPEN_DOC);
}

static bool is_refused(const rt_frappe *f, const rt_sio_socket *s, const client_event *e) {
    return !f->guests_see_others && shows_others(e) &&
           rt_identity_is_guest(rt_member_of(s)->identity);
}

static void do_own(rt_frappe *f, rt_sio_socket *s, const client_event *e, rt_slice args) {
    if (is_refused(f, s, e)) {
        rt_frappe_count(f, RT_FRAPPE_GUEST_EVENTS_REFUSED);
        return;
    }
    /* By hand: rt_json_iter_init expects brackets, and these elements have none. */
    rt_slice elements = rt_json_trim(args);
    const char *first = elements.n ? elements.p : "";
    rt_json_iter it = {first, first + elements.n};
    e->handle(f, s, e, &it);
}

void rt_events_handle(rt_frappe *f, rt_sio_socket *s, const rt_sio_event *ev) {
    rt_member *m = rt_member_of(s);
    if (!m || !m->identity)
        return;
    const client_event *e = find(ev->name);
    if (e)
        do_own(f, s, e, ev->args);
    const rt_frappe_watcher *w = f->watcher;
    bool taken = w && rt_sio_socket_connected(s) && w->on_event(w->ctx, s, ev, e != NULL);
    if (!e && !taken)
        ignore(f);
}

void rt_events_left(rt_frappe *f, rt_sio_socket *s, rt_slice room) {
    rt_slice doctype, docname;
    if (!rt_rooms_split_open_doc(room, &doctype, &docname))
        return;
    rt_subject_name name = {.room = room, .doctype_len = doctype.n};
    const rt_ticket *note = rt_ticket_find(rt_member_of(s), RT_WANT_NOTHING, room);
    if (note) {
        name.doctype_len = note->doctype_len;
        name.docname = rt_ticket_docname(note);
    }
    rt_viewers_changed(f, s, &name);
}
