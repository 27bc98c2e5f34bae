/* The `events` envelope: validates it, splits it into slices, and sends it on. No tree is built.
 * `message` is forwarded byte for byte, except for Python's NaN and Infinity, which no browser can
 * parse. */
#include "frappe/state.h"

#include "base/status.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "json/write.h"

/* The addressee, as plain text. */
typedef struct address {
    rt_slice site; /* empty: every namespace */
    rt_slice room; /* empty: the whole namespace */
} address;

/* A client closes the connection on these event names, and Node's `emit` throws. */
static bool is_reserved(rt_slice event) {
    static const rt_slice names[] = {
        {"connect", 7},        {"connect_error", 13}, {"disconnect", 10},
        {"disconnecting", 13}, {"newListener", 11},   {"removeListener", 14},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (rt_json_str_is(event, names[i]))
            return true;
    }
    return false;
}

static void skipped(rt_frappe *f, int counter, enum rt_fault fault) {
    static const char *const why[] = {
        [RT_FAULT_LONG] = "it is longer than 16 MB",
        [RT_FAULT_JSON] = "not JSON",
        [RT_FAULT_OBJECT] = "not an object",
        [RT_FAULT_EVENT] = "the event name is missing or reserved",
        [RT_FAULT_TEXT] = "room or namespace is not text",
        [RT_FAULT_UTF8] = "the event name is not UTF-8",
        [RT_FAULT_MEMORY] = "out of memory",
    };
    unsigned gate = RT_GATE_ENVELOPE + fault;
    char more[RT_LOG_MORE];
    rt_frappe_count(f, counter);
    if (rt_frappe_may_log(f, gate))
        rt_log(RT_LOG_WARN, "frappe", "an event was skipped: %s%s", why[fault],
               rt_log_more(&f->gates[gate], more));
}

static int malformed(rt_frappe *f, enum rt_fault fault) {
    skipped(f, RT_FRAPPE_ENVELOPES_MALFORMED, fault);
    return RT_EFRAPPE_ENVELOPE;
}

/* Nobody else learns that there was no memory to send it. */
static int after_sending(rt_frappe *f, int status) {
    if (status == RT_ENOMEM)
        skipped(f, RT_FRAPPE_ENVELOPES_NO_MEMORY, RT_FAULT_MEMORY);
    return status;
}

static uint32_t send_to_all(rt_frappe *f, rt_slice event, rt_slice args) {
    uint32_t reached = 0;
    size_t cursor = 0;
    rt_sio_ns *ns;
    while ((ns = rt_sio_ns_next(f->io, &cursor)))
        reached += rt_sio_emit_ns(ns, event, args, NULL);
    return reached;
}

static int send(rt_frappe *f, const address *to, rt_slice event, rt_slice args) {
    uint32_t reached = 0;
    if (to->site.n == 0) {
        reached = send_to_all(f, event, args);
    } else {
        rt_buf name = RT_BUF_INIT;
        rt_buf_putc(&name, '/');
        rt_buf_puts(&name, to->site);
        int status = name.err;
        rt_sio_ns *ns = status ? NULL : rt_sio_ns_find(f->io, rt_buf_slice(&name));
        rt_buf_fini(&name);
        if (status)
            return status;
        if (ns && to->room.n > 0)
            reached = rt_sio_emit_room(ns, to->room, event, args, NULL);
        else if (ns)
            reached = rt_sio_emit_ns(ns, event, args, NULL);
    }
    rt_frappe_count(f, RT_FRAPPE_ENVELOPES);
    if (reached == 0)
        rt_frappe_count(f, RT_FRAPPE_ENVELOPES_TO_NOBODY);
    return RT_OK;
}

/* If `message` has NaN or Infinity, sends a copy with null in their place. */
static int send_fixed(rt_frappe *f, const address *to, rt_slice event, rt_slice message,
                      unsigned python_numbers) {
    if (python_numbers == 0)
        return send(f, to, event, message);
    rt_buf fixed = RT_BUF_INIT;
    int status = rt_json_copy_fixed(message, &fixed);
    if (status == RT_OK) {
        f->counters.v[RT_FRAPPE_PYTHON_NUMBERS] += python_numbers;
        status = send(f, to, event, rt_buf_slice(&fixed));
    }
    rt_buf_fini(&fixed);
    return status;
}

typedef struct envelope {
    rt_slice event, message, room, namespace; /* JSON; empty: not there */
} envelope;

/* As with JSON.parse, the last of two members with the same name wins. */
static int read_members(rt_slice json, envelope *e) {
    rt_json_iter it;
    rt_slice key, value;
    *e = (envelope){0};
    if (rt_json_type_of(json) != RT_JSON_OBJECT || rt_json_iter_init(&it, json))
        return RT_EJSON_TYPE;
    while (rt_json_next_pair(&it, &key, &value)) {
        if (rt_json_str_is(key, RT_LIT("event")))
            e->event = value;
        else if (rt_json_str_is(key, RT_LIT("message")))
            e->message = value;
        else if (rt_json_str_is(key, RT_LIT("room")))
            e->room = value;
        else if (rt_json_str_is(key, RT_LIT("namespace")))
            e->namespace = value;
    }
    return RT_OK;
}

/* Appends the text of `room` or `namespace`; null and absent are empty text. */
static int read_text(rt_slice value, rt_buf *b) {
    enum rt_json_type type = rt_json_type_of(value);
    if (type == RT_JSON_NONE || type == RT_JSON_NULL)
        return RT_OK;
    return rt_json_str_decode(value, b);
}

static int send_envelope(rt_frappe *f, const envelope *e, unsigned python_numbers) {
    rt_buf text = RT_BUF_INIT; /* the site, then the room */
    int status = read_text(e->namespace, &text);
    size_t site_len = text.n;
    if (status == RT_OK)
        status = read_text(e->room, &text);
    address to = {rt_slice_make(text.p, site_len), rt_slice_from(rt_buf_slice(&text), site_len)};
    rt_slice message = e->message.n ? e->message : RT_LIT("null");
    if (status == RT_ENOMEM) {
        goto out;
    } else if (status) {
        status = malformed(f, RT_FAULT_TEXT);
    } else if (to.room.n > 0 && to.site.n == 0) {
        rt_frappe_count(f, RT_FRAPPE_ENVELOPES_NO_NAMESPACE);
        status = RT_EFRAPPE_ENVELOPE;
    } else {
        /* Without a room, Frappe's server sends to every site, whatever the namespace says. Only
         * build_event is meant for all sites, and it has no namespace; what names a site stays in
         * that site. */
        status = send_fixed(f, &to, e->event, message, python_numbers);
    }
out:
    rt_buf_fini(&text);
    return status;
}

int rt_frappe_envelope(rt_frappe *f, rt_slice json) {
    unsigned python_numbers = 0;
    envelope e;
    if (json.n > RT_FRAPPE_ENVELOPE_MAX)
        return malformed(f, RT_FAULT_LONG);
    if (rt_json_check(json, RT_JSON_PYTHON_NUMBERS, &python_numbers, NULL))
        return malformed(f, RT_FAULT_JSON);
    if (read_members(json, &e))
        return malformed(f, RT_FAULT_OBJECT);
    if (rt_json_type_of(e.event) != RT_JSON_STRING || is_reserved(e.event))
        return malformed(f, RT_FAULT_EVENT);
    return after_sending(f, send_envelope(f, &e, python_numbers));
}

int rt_frappe_publish(rt_frappe *f, rt_slice site, rt_slice room, rt_slice event,
                      rt_slice message) {
    unsigned python_numbers = 0;
    if (message.n > RT_FRAPPE_ENVELOPE_MAX)
        return malformed(f, RT_FAULT_LONG);
    if (rt_json_check(message, RT_JSON_PYTHON_NUMBERS, &python_numbers, NULL))
        return malformed(f, RT_FAULT_JSON);
    if (!rt_utf8_valid(event))
        return malformed(f, RT_FAULT_UTF8);
    if (room.n > 0 && site.n == 0) {
        rt_frappe_count(f, RT_FRAPPE_ENVELOPES_NO_NAMESPACE);
        return RT_EFRAPPE_ENVELOPE;
    }
    rt_buf name = RT_BUF_INIT;
    int status = rt_json_put_str(&name, event);
    if (status == RT_OK && is_reserved(rt_buf_slice(&name)))
        status = malformed(f, RT_FAULT_EVENT);
    else if (status == RT_OK)
        status = send_fixed(f, &(address){site, room}, rt_buf_slice(&name), rt_json_trim(message),
                            python_numbers);
    rt_buf_fini(&name);
    return after_sending(f, status);
}
