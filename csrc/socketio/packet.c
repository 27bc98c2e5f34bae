/* Parses packets: `<type>[<n>-][/ns,][<id>][json]` (Socket.IO protocol 5, "Packet encoding"). */
#include "socketio/packet.h"

#include "base/status.h"
#include "json/scan.h"
#include "socketio/socketio.h"

#define ID_DIGITS_MAX 15 /* a JavaScript number is exact up to here */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Cuts the digits off the front of `*s`. */
static rt_slice read_digits(rt_slice *s) {
    size_t n = 0;
    while (n < s->n && is_digit(s->p[n]))
        n++;
    rt_slice digits = rt_slice_make(s->p, n);
    *s = rt_slice_from(*s, n);
    return digits;
}

static int read_attachments(rt_slice *s, unsigned max, unsigned *out) {
    unsigned long long n;
    if (rt_slice_to_u64(read_digits(s), max, &n) != RT_OK || n < 1 || s->n == 0 || s->p[0] != '-')
        return RT_ESIO_PACKET;
    *s = rt_slice_from(*s, 1);
    *out = (unsigned)n;
    return RT_OK;
}

static void read_ns(rt_slice *s, rt_slice *ns) {
    *ns = RT_LIT("/");
    if (s->n == 0 || s->p[0] != '/')
        return;
    size_t n = rt_slice_find(*s, ',');
    *ns = rt_slice_make(s->p, n);
    *s = rt_slice_from(*s, n + 1);
}

static int read_id(rt_slice *s, rt_sio_packet *p) {
    rt_slice digits = read_digits(s);
    if (digits.n == 0)
        return RT_OK;
    unsigned long long id;
    if (digits.n > ID_DIGITS_MAX || rt_slice_to_u64(digits, UINT64_MAX, &id) != RT_OK)
        return RT_ESIO_PACKET;
    p->has_id = true;
    p->id = id;
    return RT_OK;
}

/* Names that the client library uses for its own events. */
static bool reserved(rt_slice name) {
    static const rt_slice names[] = {RT_LIT("connect"),     RT_LIT("connect_error"),
                                     RT_LIT("disconnect"),  RT_LIT("disconnecting"),
                                     RT_LIT("newListener"), RT_LIT("removeListener")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rt_json_str_is(name, names[i]))
            return true;
    return false;
}

bool rt_sio_sound(rt_slice event, rt_slice array, unsigned attachments) {
    return !(event.n && reserved(event)) &&
           (attachments == 0 || array.n == 0 || rt_sio_placeholders_valid(array, attachments));
}

static bool event_data_valid(rt_slice data) {
    rt_json_iter it;
    rt_slice name;
    if (rt_json_type_of(data) != RT_JSON_ARRAY || rt_json_iter_init(&it, data) != RT_OK ||
        !rt_json_next(&it, &name))
        return false;
    enum rt_json_type type = rt_json_type_of(name);
    return type == RT_JSON_NUMBER || (type == RT_JSON_STRING && !reserved(name));
}

static bool data_valid(enum rt_sio_type type, rt_slice data) {
    enum rt_json_type json = rt_json_type_of(data);
    switch (type) {
    case RT_SIO_CONNECT:
        return json == RT_JSON_OBJECT;
    case RT_SIO_DISCONNECT:
        return false;
    case RT_SIO_CONNECT_ERROR:
        return json == RT_JSON_OBJECT || json == RT_JSON_STRING;
    case RT_SIO_EVENT:
    case RT_SIO_BINARY_EVENT:
        return event_data_valid(data);
    case RT_SIO_ACK:
    case RT_SIO_BINARY_ACK:
        return json == RT_JSON_ARRAY;
    }
    return false;
}

int rt_sio_packet_parse(rt_slice text, unsigned max_attachments, rt_sio_packet *p) {
    *p = (rt_sio_packet){0};
    if (text.n == 0 || text.p[0] < '0' || text.p[0] > '6')
        return RT_ESIO_PACKET;
    p->type = (enum rt_sio_type)(text.p[0] - '0');
    rt_slice s = rt_slice_from(text, 1);
    bool binary = p->type == RT_SIO_BINARY_EVENT || p->type == RT_SIO_BINARY_ACK;
    if (binary && read_attachments(&s, max_attachments, &p->attachments) != RT_OK)
        return RT_ESIO_PACKET;
    read_ns(&s, &p->ns);
    if (read_id(&s, p) != RT_OK)
        return RT_ESIO_PACKET;
    if (s.n == 0)
        return binary ? RT_ESIO_PACKET : RT_OK;
    if (rt_json_check(s, RT_JSON_STRICT, NULL, NULL) != RT_OK)
        return RT_ESIO_PACKET;
    p->data = rt_json_trim(s);
    return data_valid(p->type, p->data) ? RT_OK : RT_ESIO_PACKET;
}

rt_slice rt_sio_packet_elements(rt_slice data) {
    return rt_json_trim(rt_slice_make(data.p + 1, data.n - 2));
}

bool rt_sio_packet_event(rt_slice data, rt_slice *name, rt_slice *args) {
    rt_json_iter it;
    if (data.n == 0 || rt_json_iter_init(&it, data) != RT_OK || !rt_json_next(&it, name))
        return false;
    rt_slice second;
    *args = RT_EMPTY;
    if (rt_json_next(&it, &second)) /* all from there to the closing bracket */
        *args = rt_json_trim(rt_slice_make(second.p, (size_t)(data.p + data.n - 1 - second.p)));
    return true;
}
