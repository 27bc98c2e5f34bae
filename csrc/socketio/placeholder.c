/* Checks the placeholders of a binary packet in one pass, without recursion.
 *
 * A placeholder whose `num` is no index has broken other servers (CVE-2022-2421). Such a packet is
 * refused here. The text has passed rt_json_check, so the walk may trust its structure. */
#include "base/status.h"
#include "json/scan.h"
#include "socketio/packet.h"

/* One array or object that is still open. */
struct object {
    bool is_object;   /* else an array */
    bool placeholder; /* has "_placeholder": true */
    bool num_ok;      /* its last "num" is an index */
};

static const char *skip_string(const char *p) {
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

static bool is_index(const char *p, const char *end, unsigned count) {
    size_t n = 0;
    while (p + n < end && ((p[n] >= '0' && p[n] <= '9') || p[n] == '-' || p[n] == '+' ||
                           p[n] == '.' || p[n] == 'e' || p[n] == 'E'))
        n++;
    unsigned long long value;
    return n > 0 && count > 0 && rt_slice_to_u64(rt_slice_make(p, n), count - 1, &value) == RT_OK;
}

/* Notes a member `key: value` of an open object. */
static void note_member(struct object *o, rt_slice key, const char *value, const char *end,
                        unsigned count) {
    if (rt_json_str_is(key, RT_LIT("_placeholder")))
        o->placeholder = *value == 't';
    else if (rt_json_str_is(key, RT_LIT("num")))
        o->num_ok = is_index(value, end, count);
}

bool rt_sio_placeholders_valid(rt_slice json, unsigned count) {
    struct object open[RT_JSON_DEPTH_MAX + 1];
    size_t depth = 0;
    const char *end = json.p + json.n;
    for (const char *p = json.p; p < end;) {
        if (*p == '{' || *p == '[') {
            if (depth > RT_JSON_DEPTH_MAX)
                return false;
            open[depth++] = (struct object){.is_object = *p == '{'};
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0 || (open[depth - 1].placeholder && !open[depth - 1].num_ok))
                return false;
            depth--;
            p++;
        } else if (*p == '"') {
            const char *after = skip_string(p);
            const char *colon = skip_space(after, end);
            if (colon < end && *colon == ':' && depth > 0 && open[depth - 1].is_object) {
                const char *value = skip_space(colon + 1, end);
                note_member(&open[depth - 1], rt_slice_make(p, (size_t)(after - p)), value, end,
                            count);
            }
            p = after;
        } else {
            p++;
        }
    }
    return true;
}
