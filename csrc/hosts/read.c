/* Reads the members of a host's line. */
#include "base/digest.h"
#include "json/scan.h"
#include "hosts/work.h"

#define Q_MAX 9007199254740991ull /* the largest integer that JavaScript numbers hold exactly */

bool rt_host_wrong(rt_host_work *w, const char *why) {
    w->wrong = why;
    return false;
}

bool rt_host_read_text(rt_host_work *w, rt_slice raw, rt_slice *text) {
    if (rt_json_str_plain(raw, text))
        return true;
    rt_buf *b = &w->h->text;
    size_t before = b->n;
    if (rt_json_str_decode(raw, b) != RT_OK)
        return false;
    *text = rt_slice_make(b->p + before, b->n - before);
    return true;
}

bool rt_host_read_u64(rt_slice raw, unsigned long long max, uint64_t *out) {
    unsigned long long v;
    if (rt_slice_to_u64(raw, max, &v) != RT_OK)
        return false;
    *out = v;
    return true;
}

rt_sio_socket *rt_host_find_socket(const rt_host_work *w, rt_slice id) {
    rt_sio_socket *s = rt_map_get(&w->h->sockets, id);
    return s && rt_sio_socket_connected(s) ? s : NULL;
}

bool rt_host_read_socket(rt_host_work *w, rt_sio_socket **s) {
    rt_slice id;
    if (!rt_host_read_text(w, w->m.s, &id))
        return rt_host_wrong(w, "\"s\" is not the id of a socket");
    *s = rt_host_find_socket(w, id);
    return true;
}

bool rt_host_read_q(rt_host_work *w) {
    return rt_host_read_u64(w->m.q, Q_MAX, &w->q) ||
           rt_host_wrong(w, "\"q\" is not an integer from 0 to 2^53 - 1");
}

/* Reads `a`, without its brackets. If it is absent there are no arguments. */
static bool read_args(rt_host_work *w, rt_slice *args) {
    *args = RT_EMPTY;
    if (w->m.a.n == 0)
        return true;
    if (rt_json_type_of(w->m.a) != RT_JSON_ARRAY)
        return rt_host_wrong(w, "\"a\" is not an array of arguments");
    *args = rt_json_trim(rt_slice_make(w->m.a.p + 1, w->m.a.n - 2));
    return true;
}

static bool read_attachments(rt_host_work *w) {
    rt_json_iter it;
    rt_slice value, text;
    if (w->m.b.n == 0)
        return true;
    if (rt_json_type_of(w->m.b) != RT_JSON_ARRAY || rt_json_iter_init(&it, w->m.b) != RT_OK)
        return rt_host_wrong(w, "\"b\" is not an array of base64 texts");
    while (rt_json_next(&it, &value)) {
        rt_buf *b = &w->h->text;
        if (w->attachment_count == RT_SIO_ATTACHMENTS_MAX)
            return rt_host_wrong(w, "\"b\" has more than 10 attachments");
        if (!rt_host_read_text(w, value, &text))
            return rt_host_wrong(w, "\"b\" is not an array of base64 texts");
        size_t before = b->n;
        if (rt_base64_decode(text, b) != RT_OK)
            return rt_host_wrong(w, "\"b\" is not an array of base64 texts");
        w->attachments[w->attachment_count++] = rt_slice_make(b->p + before, b->n - before);
    }
    return true;
}

bool rt_host_read_payload(rt_host_work *w, rt_slice *args) {
    return read_args(w, args) && read_attachments(w) &&
           (rt_sio_sound(w->m.e, w->m.a, w->attachment_count) ||
            rt_host_wrong(w, "\"e\" is reserved by Socket.IO, or a placeholder has no attachment"));
}

bool rt_host_read_texts(rt_host_work *w, rt_slice raw, const char *why,
                        bool (*each)(rt_host_work *w, rt_slice text)) {
    rt_json_iter it;
    rt_slice value, text;
    if (rt_json_type_of(raw) != RT_JSON_ARRAY)
        return (rt_host_read_text(w, raw, &text) && each(w, text)) || rt_host_wrong(w, why);
    bool ok = rt_json_iter_init(&it, raw) == RT_OK;
    while (ok && rt_json_next(&it, &value))
        ok = rt_host_read_text(w, value, &text) && each(w, text);
    return ok || rt_host_wrong(w, why);
}
