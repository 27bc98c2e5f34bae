/* rt_json_check: one pass over the text, nesting kept as one bit per level. */
#include "json/scan.h"

#include "base/status.h"
#include "base/utf8.h"
#include "json/text.h"

#define STACK_WORDS (RT_JSON_DEPTH_MAX / 64)

typedef struct scanner {
    const char *end;
    const char *bad; /* where it went wrong, when err is set */
    int err;
    unsigned depth;
    unsigned python_numbers;
    enum rt_json_flags flags;
    uint64_t stack[STACK_WORDS]; /* bit 1: an object; only the first `depth` bits mean anything */
} scanner;

/* Notes the error. Each scan_* function returns where it stopped, or NULL when it called this. */
static const char *refuse(scanner *s, const char *at, int err) {
    s->bad = at;
    s->err = err;
    return NULL;
}

static inline bool is_digit(const char *p, const char *end) {
    return p < end && *p >= '0' && *p <= '9';
}

static inline bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* `p` is after the backslash. `\u` needs four hex digits; a lone surrogate is legal text (RFC 8259,
 * section 8.2) and JSON.parse accepts it. */
static const char *scan_escape(scanner *s, const char *p) {
    if (p == s->end)
        return refuse(s, p, RT_EJSON_SYNTAX);
    switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 1;
    case 'u':
        p++;
        for (int i = 0; i < 4; i++, p++) {
            if (p == s->end || !is_hex(*p))
                return refuse(s, p, RT_EJSON_SYNTAX);
        }
        return p;
    default:
        return refuse(s, p, RT_EJSON_SYNTAX);
    }
}

/* From after the opening quote to after the closing one. */
static const char *scan_string(scanner *s, const char *p) {
    const char *end = s->end;
    for (;;) {
        p = rt_json_skip_plain(p, end, true);
        if (p == end)
            return refuse(s, p, RT_EJSON_SYNTAX);
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            p = scan_escape(s, p + 1);
            if (!p)
                return NULL;
        } else if ((uint8_t)*p < 0x20) {
            return refuse(s, p, RT_EJSON_SYNTAX);
        } else {
            while (p < end && (uint8_t)*p >= 0x80) {
                size_t n = rt_utf8_char(p, end);
                if (n == 0)
                    return refuse(s, p, RT_EUTF8);
                p += n;
            }
        }
    }
}

static const char *scan_digits(scanner *s, const char *p) {
    if (!is_digit(p, s->end))
        return refuse(s, p, RT_EJSON_SYNTAX);
    do {
        p++;
    } while (is_digit(p, s->end));
    return p;
}

/* RFC 8259, section 6: [ minus ] int [ frac ] [ exp ], no leading zeros. */
static const char *scan_number(scanner *s, const char *p) {
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0') {
        p++;
    } else if (!(p = scan_digits(s, p))) {
        return NULL;
    }
    if (p < s->end && *p == '.') {
        if (!(p = scan_digits(s, p + 1)))
            return NULL;
    }
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        return scan_digits(s, p);
    }
    return p;
}

static const char *scan_word(scanner *s, const char *p, rt_slice word) {
    for (size_t i = 0; i < word.n; i++) {
        if (p + i == s->end || p[i] != word.p[i])
            return refuse(s, p + i, RT_EJSON_SYNTAX);
    }
    return p + word.n;
}

static const char *scan_python_number(scanner *s, const char *p, rt_slice word) {
    if (!(s->flags & RT_JSON_PYTHON_NUMBERS))
        return refuse(s, p, RT_EJSON_SYNTAX);
    p = scan_word(s, p, word);
    if (p)
        s->python_numbers++;
    return p;
}

static const char *scan_scalar(scanner *s, const char *p) {
    if (p == s->end)
        return refuse(s, p, RT_EJSON_SYNTAX);
    switch (*p) {
    case '"':
        return scan_string(s, p + 1);
    case '-':
        if ((s->flags & RT_JSON_PYTHON_NUMBERS) && p + 1 < s->end && p[1] == 'I')
            return scan_python_number(s, p, RT_LIT("-Infinity"));
        return scan_number(s, p);
    case 't':
        return scan_word(s, p, RT_LIT("true"));
    case 'f':
        return scan_word(s, p, RT_LIT("false"));
    case 'n':
        return scan_word(s, p, RT_LIT("null"));
    case 'N':
        return scan_python_number(s, p, RT_LIT("NaN"));
    case 'I':
        return scan_python_number(s, p, RT_LIT("Infinity"));
    default:
        return *p >= '0' && *p <= '9' ? scan_number(s, p) : refuse(s, p, RT_EJSON_SYNTAX);
    }
}

/* A member's name and colon, and the white space around them. */
static const char *scan_key(scanner *s, const char *p) {
    p = rt_json_skip_white(p, s->end);
    if (p == s->end || *p != '"')
        return refuse(s, p, RT_EJSON_SYNTAX);
    p = scan_string(s, p + 1);
    if (!p)
        return NULL;
    p = rt_json_skip_white(p, s->end);
    if (p == s->end || *p != ':')
        return refuse(s, p, RT_EJSON_SYNTAX);
    return p + 1;
}

static bool push(scanner *s, bool object) {
    if (s->depth == RT_JSON_DEPTH_MAX)
        return false;
    uint64_t bit = UINT64_C(1) << (s->depth % 64);
    uint64_t *word = &s->stack[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    return true;
}

static bool in_object(const scanner *s) {
    unsigned top = s->depth - 1;
    return s->stack[top / 64] >> (top % 64) & 1;
}

/* After a value: closes what ends here, and steps over the comma (and the name) to the next value.
 * At the end of the text, returns with depth 0. */
static const char *scan_to_next(scanner *s, const char *p) {
    while (s->depth) {
        bool object = in_object(s);
        p = rt_json_skip_white(p, s->end);
        if (p == s->end)
            return refuse(s, p, RT_EJSON_SYNTAX);
        if (*p == ',')
            return object ? scan_key(s, p + 1) : p + 1;
        if (*p != (object ? '}' : ']'))
            return refuse(s, p, RT_EJSON_SYNTAX);
        p++;
        s->depth--;
    }
    p = rt_json_skip_white(p, s->end);
    return p == s->end ? p : refuse(s, p, RT_EJSON_SYNTAX);
}

/* p is at the bracket. An empty container is complete when this returns, like a scalar. Of any
 * other the first value comes next, and *open is set. */
static const char *scan_open(scanner *s, const char *p, bool *open) {
    bool object = *p == '{';
    if (!push(s, object))
        return refuse(s, p, RT_EJSON_DEPTH);
    p = rt_json_skip_white(p + 1, s->end);
    *open = p == s->end || *p != (object ? '}' : ']');
    return *open && object ? scan_key(s, p) : p;
}

static const char *scan_text(scanner *s, const char *p) {
    do {
        p = rt_json_skip_white(p, s->end);
        if (p < s->end && (*p == '{' || *p == '[')) {
            bool open;
            p = scan_open(s, p, &open);
            if (p && open)
                continue;
        } else {
            p = scan_scalar(s, p);
        }
        if (p)
            p = scan_to_next(s, p);
    } while (p && s->depth);
    return p;
}

int rt_json_check(rt_slice text, enum rt_json_flags flags, unsigned *python_numbers,
                  size_t *error_at) {
    const char *p = text.n ? text.p : "";
    scanner s;
    s.end = p + text.n;
    s.err = RT_OK;
    s.depth = 0;
    s.python_numbers = 0;
    s.flags = flags;
    if (!scan_text(&s, p)) {
        if (error_at)
            *error_at = (size_t)(s.bad - p);
        return s.err;
    }
    if (python_numbers)
        *python_numbers = s.python_numbers;
    return RT_OK;
}
