/* Lines from hosts: a table of operations. A host may choose any room and receiver, but its
 * programs may have bugs: a line that cannot be carried out is skipped and counted. */
#include "base/shown.h"
#include "json/scan.h"
#include "json/write.h"
#include "hosts/work.h"

#include <stddef.h>

#define SKIP_SAY_MS 1000
#define TEXT_KEPT (64u << 10)     /* bytes of memory kept between lines */
#define ID_MAX 999999999999999ull /* of an acknowledgement, as in socketio/packet.c */

static const struct {
    rt_slice key;
    size_t at;
} members[] = {
#define MEMBER(name)                                                                               \
    { {#name, sizeof #name - 1}, offsetof(rt_host_message, name) }
    MEMBER(op), MEMBER(s), MEMBER(ns),    MEMBER(r),       MEMBER(e),
    MEMBER(a),  MEMBER(b), MEMBER(x),     MEMBER(v),       MEMBER(q),
    MEMBER(t),  MEMBER(i), MEMBER(close), MEMBER(doctype), MEMBER(name),
#undef MEMBER
};

/* --- operations without an answer --- */

static bool do_join(rt_host_work *w) {
    rt_sio_socket *s;
    rt_slice room;
    if (!rt_host_read_socket(w, &s))
        return false;
    if (!rt_host_read_text(w, w->m.r, &room) || room.n == 0)
        return rt_host_wrong(w, "\"r\" is not a room");
    int status = s ? rt_sio_join(s, room) : RT_OK;
    if (status == RT_ELIMIT)
        return rt_host_wrong(w, "the socket is in too many rooms, or the room's name is too long");
    return status == RT_OK || rt_host_wrong(w, "out of memory");
}

static bool do_leave(rt_host_work *w) {
    rt_sio_socket *s;
    rt_slice room;
    if (!rt_host_read_socket(w, &s))
        return false;
    if (!rt_host_read_text(w, w->m.r, &room))
        return rt_host_wrong(w, "\"r\" is not a room");
    if (s)
        rt_sio_leave(s, room);
    return true;
}

static bool do_disconnect(rt_host_work *w) {
    rt_sio_socket *s;
    if (!rt_host_read_socket(w, &s))
        return false;
    if (!s)
        return true;
    rt_sio_disconnect(s);
    if (rt_host_is_true(w->m.close))
        rt_sio_drop_client(s, RT_EIO_FORCED_CLOSE);
    return true;
}

static bool do_ack(rt_host_work *w) {
    rt_sio_socket *s;
    rt_slice args;
    uint64_t id;
    w->m.e = RT_EMPTY;
    if (!rt_host_read_socket(w, &s) || !rt_host_read_payload(w, &args))
        return false;
    if (!rt_host_read_u64(w->m.i, ID_MAX, &id))
        return rt_host_wrong(w, "\"i\" is not the number of an acknowledgement");
    if (s) /* it may have gone, and rt_host_read_payload takes no more attachments than allowed */
        rt_status_ignore(rt_sio_ack_binary(s, id, args, w->attachments, w->attachment_count));
    rt_host_count(w->host, RT_HOST_ACKS);
    return true;
}

static bool add_event(rt_host_work *w, rt_slice name) {
    return rt_host_add_event(w->host, name) == RT_OK;
}

static bool do_events(rt_host_work *w) {
    return rt_host_read_texts(
        w, w->m.e, "\"e\" is not an array of event names, or there are too many", add_event);
}

/* --- questions --- */

static bool do_permission(rt_host_work *w) {
    rt_sio_socket *s;
    rt_slice doctype, name = RT_EMPTY;
    if (!rt_host_read_q(w) || !rt_host_read_socket(w, &s))
        return false;
    bool named = w->m.name.n && rt_json_type_of(w->m.name) != RT_JSON_NULL;
    if (!rt_host_read_text(w, w->m.doctype, &doctype) ||
        (named && !rt_host_read_text(w, w->m.name, &name)))
        return rt_host_wrong(w, "\"doctype\" or \"name\" is not a string");
    enum rt_frappe_allowed allowed = RT_FRAPPE_UNANSWERED;
    rt_host_ask *ask = s ? rt_host_ask_new(w->host, w->q) : NULL;
    int status =
        ask ? rt_frappe_permission(w->h->frappe, s, doctype, name, rt_host_allowed, ask, &allowed)
            : RT_ECLOSED;
    if (status == RT_AGAIN)
        return true;
    if (ask)
        rt_host_ask_free(ask);
    rt_host_say_allowed(w->host, w->q, status == RT_OK ? allowed : RT_FRAPPE_UNANSWERED);
    return true;
}

/* Ask Redis each time: only the secret that it holds now is valid. */
static bool do_secret(rt_host_work *w) {
    if (!rt_host_read_q(w))
        return false;
    rt_host_ask *ask = rt_host_ask_new(w->host, w->q);
    int status = ask ? rt_frappe_read_secret(w->h->frappe, rt_host_secret_came, ask) : RT_ELIMIT;
    if (status == RT_OK)
        return true;
    if (ask)
        rt_host_ask_free(ask);
    rt_host_say_secret(w->host, w->q, status, RT_EMPTY);
    return true;
}

static rt_buf *start_result(rt_host_work *w) {
    rt_buf *b = rt_host_start_line(w->h, RT_LIT("result"));
    rt_json_put_member_u64(b, RT_LIT("q"), w->q);
    return b;
}

/* Sends the list. If it is longer than a line may be, sends an empty list and the error `limit`. */
static void say_list(rt_host_work *w, const char *key) {
    rt_buf *b = &w->h->line;
    if (b->n + 1 > b->max || b->err == RT_ELIMIT) {
        b = start_result(w);
        rt_json_put_member_raw(b, rt_slice_of(key), RT_LIT("[]"));
        rt_json_put_member_str(b, RT_LIT("error"), RT_LIT("limit"));
    }
    rt_host_say(w->h, w->host->bit);
}

static bool do_rooms(rt_host_work *w) {
    rt_sio_socket *s;
    rt_slice room;
    if (!rt_host_read_q(w) || !rt_host_read_socket(w, &s))
        return false;
    rt_buf *b = start_result(w);
    rt_json_put_key(b, RT_LIT("rooms"));
    rt_buf_putc(b, '[');
    for (uint32_t i = 0; s && rt_sio_socket_room(s, i, &room); i++) {
        rt_buf_puts(b, i ? RT_LIT(",") : RT_EMPTY);
        rt_json_put_str(b, room);
    }
    rt_buf_putc(b, ']');
    say_list(w, "rooms");
    return true;
}

static void put_participant(rt_buf *b, const rt_sio_socket *s) {
    rt_frappe_person p;
    if (!rt_sio_socket_connected(s) || !rt_frappe_person_of(s, &p))
        return;
    if (b->n && b->p[b->n - 1] != '[')
        rt_buf_putc(b, ',');
    rt_buf_puts(b, RT_LIT("[\""));
    rt_buf_puts(b, rt_sio_socket_id(s));
    rt_buf_puts(b, RT_LIT("\","));
    rt_json_put_str(b, p.user);
    rt_buf_putc(b, ']');
}

/* Lists the sockets of a room, or of the namespace if no room is given. The name of a room may also
 * be the id of a socket. */
static bool do_participants(rt_host_work *w) {
    rt_slice name, room = RT_EMPTY;
    if (!rt_host_read_q(w))
        return false;
    if (!rt_host_read_text(w, w->m.ns, &name) || (w->m.r.n && !rt_host_read_text(w, w->m.r, &room)))
        return rt_host_wrong(w, "\"ns\" is not the name of a namespace, or \"r\" not of a room");
    const rt_sio_ns *ns = rt_sio_ns_find(w->h->io, name);
    rt_sio_socket *named = room.n == RT_ID_LEN ? rt_host_find_socket(w, room) : NULL, *s = NULL;
    rt_buf *b = start_result(w);
    rt_json_put_key(b, RT_LIT("sockets"));
    rt_buf_putc(b, '[');
    if (named && ns && rt_sio_socket_ns(named) == ns)
        put_participant(b, named);
    for (uint32_t i = 0; ns && b->err == RT_OK; i++) {
        if (w->m.r.n ? !rt_sio_room_member(ns, room, i, &s) : !(s = rt_sio_ns_socket(ns, i)))
            break;
        if (s != named)
            put_participant(b, s);
    }
    rt_buf_putc(b, ']');
    say_list(w, "sockets");
    return true;
}

static bool do_sync(rt_host_work *w) {
    if (!rt_host_read_q(w))
        return false;
    start_result(w);
    rt_host_say(w->h, w->host->bit);
    return true;
}

/* --- lines --- */

static const struct {
    rt_slice name;
    bool (*run)(rt_host_work *w); /* false: w->wrong says why */
} operations[] = {
#define OPERATION(name)                                                                            \
    { {#name, sizeof #name - 1}, do_##name }
    {{"emit", 4}, rt_host_do_emit},
    OPERATION(ack),
    OPERATION(join),
    OPERATION(leave),
    OPERATION(disconnect),
    OPERATION(rooms),
    OPERATION(participants),
    OPERATION(permission),
    OPERATION(secret),
    OPERATION(events),
    OPERATION(sync),
#undef OPERATION
};

static void split(rt_slice line, rt_host_message *m) {
    rt_json_iter it;
    rt_slice key, value;
    *m = (rt_host_message){.op = RT_EMPTY};
    if (rt_json_type_of(line) != RT_JSON_OBJECT || rt_json_iter_init(&it, line) != RT_OK)
        return;
    while (rt_json_next_pair(&it, &key, &value))
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            if (rt_json_str_is(key, members[i].key))
                *(rt_slice *)(void *)((char *)m + members[i].at) = value;
}

static bool run(rt_host_work *w, rt_slice line) {
    split(line, &w->m);
    rt_buf_clear(&w->h->text);
    /* Enough for every string decoded once, and for attachments decoded from base64 after that. */
    if (rt_buf_reserve(&w->h->text, 2 * line.n) != RT_OK)
        return rt_host_wrong(w, "out of memory");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (rt_json_str_is(w->m.op, operations[i].name))
            return operations[i].run(w);
    return rt_host_wrong(w, "\"op\" is not a known operation");
}

static void skip(rt_host *host, rt_slice line, const char *why) {
    rt_host_count(host, RT_HOST_LINES_SKIPPED);
    if (!rt_log_allowed(&host->skipped_gate, rt_hosts_now(host->hosts), SKIP_SAY_MS))
        return;
    rt_buf shown = RT_BUF_INIT;
    rt_shown_put(&shown, line);
    rt_log(RT_LOG_WARN, "handlers",
           "a line of the %s handlers (process %llu) is skipped: %s: %.*s (%u more since the last "
           "such message)",
           host->language, (unsigned long long)host->pid, why, (int)shown.n, shown.n ? shown.p : "",
           host->skipped_gate.reported);
    rt_buf_fini(&shown);
}

static void do_line(rt_host *host, rt_slice line) {
    rt_host_work w = {.host = host, .h = host->hosts};
    if (!run(&w, line))
        skip(host, line, w.wrong);
    if (w.h->text.cap > TEXT_KEPT)
        rt_buf_fini(&w.h->text);
}

void rt_host_line(rt_host *host, rt_slice line) {
    unsigned python_numbers;
    rt_host_count(host, RT_HOST_LINES);
    if (rt_json_check(line, RT_JSON_PYTHON_NUMBERS, &python_numbers, NULL) != RT_OK) {
        skip(host, line, "it is not JSON");
        return;
    }
    if (python_numbers == 0) {
        do_line(host, rt_json_trim(line));
        return;
    }
    rt_buf fixed = RT_BUF_INIT; /* NaN and Infinity become null, as in Frappe's events */
    if (rt_json_copy_fixed(line, &fixed) == RT_OK)
        do_line(host, rt_json_trim(rt_buf_slice(&fixed)));
    else
        skip(host, line, "out of memory");
    rt_buf_fini(&fixed);
}
