/* Emits for a host: to rooms and sockets of a namespace, or to one socket. */
#include "json/scan.h"
#include "hosts/work.h"

static bool put_socket(rt_buf *list, rt_sio_socket *s) {
    return rt_buf_put(list, &s, sizeof s) == RT_OK;
}

/* The name of a room may also be the id of a socket. */
static bool add_room(rt_host_work *w, rt_slice room) {
    rt_sio_socket *s = room.n == RT_ID_LEN ? rt_host_find_socket(w, room) : NULL;
    if (s && !put_socket(&w->h->named, s))
        return false;
    return rt_buf_put(&w->h->rooms, &room, sizeof room) == RT_OK;
}

static bool add_exception(rt_host_work *w, rt_slice id) {
    rt_sio_socket *s = rt_host_find_socket(w, id);
    return !s || put_socket(&w->h->excepted, s);
}

/* Removes the sockets of other namespaces. */
static void keep_those_of(const rt_sio_ns *ns, rt_buf *list) {
    rt_sio_socket **s = (rt_sio_socket **)(void *)list->p;
    size_t count = list->n / sizeof *s, kept = 0;
    for (size_t i = 0; i < count; i++)
        if (rt_sio_socket_ns(s[i]) == ns)
            s[kept++] = s[i];
    list->n = kept * sizeof *s;
}

static bool emit_to_rooms(rt_host_work *w, rt_slice args) {
    rt_hosts *h = w->h;
    rt_slice name;
    rt_buf_clear(&h->rooms);
    rt_buf_clear(&h->named);
    rt_buf_clear(&h->excepted);
    if (!rt_host_read_text(w, w->m.ns, &name))
        return rt_host_wrong(w, "\"ns\" is not the name of a namespace, and there is no \"s\"");
    if ((w->m.r.n &&
         !rt_host_read_texts(w, w->m.r, "\"r\" is not an array of names of rooms", add_room)) ||
        (w->m.x.n &&
         !rt_host_read_texts(w, w->m.x, "\"x\" is not an array of ids of sockets", add_exception)))
        return false;
    rt_sio_ns *ns = rt_sio_ns_find(h->io, name);
    if (!ns)
        return true;
    keep_those_of(ns, &h->named);
    rt_sio_target to = {.rooms = (const rt_slice *)(const void *)h->rooms.p,
                        .room_count = (uint32_t)(h->rooms.n / sizeof(rt_slice)),
                        .sockets = (rt_sio_socket *const *)(const void *)h->named.p,
                        .socket_count = (uint32_t)(h->named.n / sizeof(rt_sio_socket *)),
                        .everybody = w->m.r.n == 0,
                        .only_ready = rt_host_is_true(w->m.v),
                        .except = (rt_sio_socket *const *)(const void *)h->excepted.p,
                        .except_count = (uint32_t)(h->excepted.n / sizeof(rt_sio_socket *))};
    rt_sio_emit_to(ns, &to, w->m.e, args, w->attachments, w->attachment_count);
    return true;
}

static bool emit_to_be_acknowledged(rt_host_work *w, rt_sio_socket *s, rt_slice args) {
    uint64_t ms = RT_SIO_ACK_TIMEOUT_MS;
    if (!rt_host_read_q(w))
        return false;
    if (w->m.t.n && !rt_host_read_u64(w->m.t, UINT32_MAX, &ms))
        return rt_host_wrong(w, "\"t\" is not a time in milliseconds");
    rt_host_ask *ask = s ? rt_host_ask_new(w->host, w->q) : NULL;
    int status = ask ? rt_sio_emit_ack_within(s, (uint32_t)ms, w->m.e, args, w->attachments,
                                              w->attachment_count, rt_host_acknowledged, ask)
                     : RT_ELIMIT;
    if (status == RT_OK)
        return true;
    if (ask)
        rt_host_ask_free(ask);
    rt_host_say_ack_error(w->host, w->q, s ? "limit" : "gone");
    return true;
}

static bool emit_to_socket(rt_host_work *w, rt_slice args) {
    rt_sio_socket *s;
    if (!rt_host_read_socket(w, &s))
        return false;
    if (w->m.q.n)
        return emit_to_be_acknowledged(w, s, args);
    if (!s)
        return true;
    rt_sio_target to = {.sockets = &s, .socket_count = 1, .only_ready = rt_host_is_true(w->m.v)};
    rt_sio_emit_to(rt_sio_socket_ns(s), &to, w->m.e, args, w->attachments, w->attachment_count);
    return true;
}

bool rt_host_do_emit(rt_host_work *w) {
    rt_slice args;
    enum rt_json_type type = rt_json_type_of(w->m.e);
    if (type != RT_JSON_STRING && type != RT_JSON_NUMBER)
        return rt_host_wrong(w, "\"e\" is not the name of an event");
    if (!rt_host_read_payload(w, &args))
        return false;
    rt_host_count(w->host, RT_HOST_EMITS);
    return w->m.s.n ? emit_to_socket(w, args) : emit_to_rooms(w, args);
}
