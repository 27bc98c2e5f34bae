/* Finds and decodes the parts of text that rt_json_check has accepted. On other text the results
 * are wrong, but nothing reads outside the slice. */
#include "json/scan.h"

#include "base/status.h"
#include "base/utf8.h"
#include "json/text.h"

rt_slice rt_json_trim(rt_slice value) {
    if (value.n == 0)
        return RT_EMPTY;
    const char *end = value.p + value.n;
    const char *p = rt_json_skip_white(value.p, end);
    while (end > p && rt_json_is_white(end[-1]))
        end--;
    return rt_slice_make(p, (size_t)(end - p));
}

enum rt_json_type rt_json_type_of(rt_slice value) {
    value = rt_json_trim(value);
    if (value.n == 0)
        return RT_JSON_NONE;
    switch (value.p[0]) {
    case 'n':
        return RT_JSON_NULL;
    case 't':
    case 'f':
        return RT_JSON_BOOL;
    case '"':
        return RT_JSON_STRING;
    case '[':
        return RT_JSON_ARRAY;
    case '{':
        return RT_JSON_OBJECT;
    case 'N':
    case 'I':
    case '-':
        return RT_JSON_NUMBER;
    default:
        return value.p[0] >= '0' && value.p[0] <= '9' ? RT_JSON_NUMBER : RT_JSON_NONE;
    }
}

/* ---- walking ---- */

/* From the opening quote to behind the closing one. */
static const char *skip_string(const char *p, const char *end) {
    p++;
    for (;;) {
        while (end - p >= 8) {
            uint64_t w = rt_word_load(p);
            uint64_t mask = rt_word_equal(w, '"') | rt_word_equal(w, '\\');
            if (mask) {
                p += rt_word_first(mask);
                break;
            }
            p += 8;
        }
        while (p < end && *p != '"' && *p != '\\')
            p++;
        if (p == end)
            return end;
        if (*p == '"')
            return p + 1;
        if (end - p < 2)
            return end;
        p += 2; /* the escaped character may be a quote */
    }
}

/* The next quote or bracket. Setting bit 0x20 makes `[` and `{` one byte, `]` and `}` too; it makes
 * one of 0x02 and `"` as well, but 0x02 cannot be in the text. */
static const char *skip_to_structure(const char *p, const char *end) {
    for (; end - p >= 8; p += 8) {
        uint64_t w = rt_word_load(p) | RT_WORD_ONES * 0x20;
        uint64_t mask = rt_word_equal(w, '"') | rt_word_equal(w, '{') | rt_word_equal(w, '}');
        if (mask)
            return p + rt_word_first(mask);
    }
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* From the opening bracket to behind its partner. */
static const char *skip_container(const char *p, const char *end) {
    size_t depth = 0;
    while ((p = skip_to_structure(p, end)) < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        bool opens = *p == '{' || *p == '[';
        p++;
        if (opens)
            depth++;
        else if (depth <= 1)
            break;
        else
            depth--;
    }
    return p;
}

static const char *skip_word(const char *p, const char *end) {
    while (p < end && *p != ',' && *p != ']' && *p != '}' && !rt_json_is_white(*p))
        p++;
    return p;
}

/* The value at it->at. Moves on to the next: over white space, a comma or colon, white space. */
static rt_slice next_value(rt_json_iter *it) {
    const char *from = it->at;
    const char *p = from;
    if (*p == '"')
        p = skip_string(p, it->end);
    else if (*p == '{' || *p == '[')
        p = skip_container(p, it->end);
    else
        p = skip_word(p, it->end);
    rt_slice value = rt_slice_make(from, (size_t)(p - from));
    if (value.n == 0) /* the text was not accepted: end the walk */
        p = it->end;
    p = rt_json_skip_white(p, it->end);
    if (p < it->end && (*p == ',' || *p == ':'))
        p = rt_json_skip_white(p + 1, it->end);
    it->at = p;
    return value;
}

int rt_json_iter_init(rt_json_iter *it, rt_slice value) {
    value = rt_json_trim(value);
    enum rt_json_type type = rt_json_type_of(value);
    if ((type != RT_JSON_ARRAY && type != RT_JSON_OBJECT) || value.n < 2)
        return RT_EJSON_TYPE;
    it->end = value.p + value.n - 1; /* without the closing bracket */
    it->at = rt_json_skip_white(value.p + 1, it->end);
    return RT_OK;
}

bool rt_json_next(rt_json_iter *it, rt_slice *value) {
    if (it->at == it->end)
        return false;
    *value = next_value(it);
    return true;
}

bool rt_json_next_pair(rt_json_iter *it, rt_slice *key, rt_slice *value) {
    if (it->at == it->end)
        return false;
    *key = next_value(it);
    if (it->at == it->end)
        return false;
    *value = next_value(it);
    return true;
}

rt_slice rt_json_get(rt_slice object, rt_slice key) {
    rt_slice found = RT_EMPTY;
    rt_json_iter it;
    if (rt_json_type_of(object) != RT_JSON_OBJECT || rt_json_iter_init(&it, object))
        return found;
    rt_slice name, value;
    while (rt_json_next_pair(&it, &name, &value)) {
        if (rt_json_str_is(name, key))
            found = value;
    }
    return found;
}

/* ---- strings ---- */

/* The text between the quotes, escapes as they are; false when the value is no string. */
static bool inside(rt_slice value, rt_slice *text) {
    value = rt_json_trim(value);
    if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"')
        return false;
    *text = rt_slice_make(value.p + 1, value.n - 2);
    return true;
}

/* The number that four hex digits make, or UINT32_MAX. */
static uint32_t hex4(const char *p, const char *end) {
    if (end - p < 4)
        return UINT32_MAX;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return UINT32_MAX;
    }
    return v;
}

/* The code point of `\uXXXX`, or of two of them that are a surrogate pair (RFC 8259, section 7).
 * For a lone surrogate, a value that rt_utf8_encode refuses. `*p` is at the backslash, and moves
 * past what was read. */
static uint32_t read_unicode(const char **p, const char *end) {
    uint32_t c = hex4(*p + 2, end);
    if (c == UINT32_MAX)
        return UINT32_MAX;
    *p += 6;
    if ((c & 0xfc00) != 0xd800)
        return c;
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return UINT32_MAX;
    uint32_t low = hex4(*p + 2, end);
    if ((low & 0xfffffc00) != 0xdc00)
        return UINT32_MAX;
    *p += 6;
    return 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
}

static char short_escape(char c) {
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* The next piece of decoded text: bytes as they stand up to a backslash, or one escaped character,
 * held in `tmp`. RT_OK, or RT_EUTF8 for a lone surrogate. `*p` is before end, and moves. */
static int read_piece(const char **p, const char *end, char tmp[4], rt_slice *piece) {
    const char *from = *p;
    if (*from != '\\') {
        const char *stop = memchr(from, '\\', (size_t)(end - from));
        *p = stop ? stop : end;
        *piece = rt_slice_make(from, (size_t)(*p - from));
        return RT_OK;
    }
    if (end - from < 2)
        return RT_EUTF8;
    if (from[1] == 'u') {
        uint32_t c = read_unicode(p, end);
        *piece = rt_slice_make(tmp, rt_utf8_encode(c, tmp));
        return piece->n ? RT_OK : RT_EUTF8;
    }
    tmp[0] = short_escape(from[1]);
    *piece = rt_slice_make(tmp, 1);
    *p = from + 2;
    return RT_OK;
}

bool rt_json_str_is(rt_slice value, rt_slice text) {
    rt_slice raw;
    if (!inside(value, &raw))
        return false;
    const char *p = raw.p;
    const char *end = p + raw.n;
    while (p < end) {
        char tmp[4];
        rt_slice piece;
        if (read_piece(&p, end, tmp, &piece) || !rt_slice_starts(text, piece))
            return false;
        text = rt_slice_from(text, piece.n);
    }
    return text.n == 0;
}

int rt_json_str_decode(rt_slice value, rt_buf *out) {
    rt_slice raw;
    if (!inside(value, &raw))
        return RT_EJSON_TYPE;
    size_t before = out->n;
    const char *p = raw.p;
    const char *end = p + raw.n;
    while (p < end) {
        char tmp[4];
        rt_slice piece;
        int rc = read_piece(&p, end, tmp, &piece);
        if (rc) {
            out->n = before;
            return rc;
        }
        rt_buf_puts(out, piece);
    }
    return out->err;
}

bool rt_json_str_plain(rt_slice value, rt_slice *text) {
    rt_slice raw;
    if (!inside(value, &raw) || (raw.n && memchr(raw.p, '\\', raw.n)))
        return false;
    *text = raw;
    return true;
}

/* ---- Python's numbers ---- */

int rt_json_copy_fixed(rt_slice text, rt_buf *out) {
    const char *p = text.n ? text.p : "";
    const char *end = p + text.n;
    const char *done = p; /* copied up to here */
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        /* Outside strings only these words have a capital N or I. */
        rt_slice rest = rt_slice_make(p, (size_t)(end - p));
        size_t word = rt_slice_starts(rest, RT_LIT("NaN"))        ? 3
                      : rt_slice_starts(rest, RT_LIT("Infinity")) ? 8
                                                                  : 0;
        if (word == 0) {
            p++;
            continue;
        }
        const char *cut = p > done && p[-1] == '-' ? p - 1 : p;
        rt_buf_put(out, done, (size_t)(cut - done));
        rt_buf_puts(out, RT_LIT("null"));
        p += word;
        done = p;
    }
    return rt_buf_put(out, done, (size_t)(end - done));
}
