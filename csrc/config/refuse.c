/* Error messages about a text, for people: the place, the value, and what was expected. */
#include "config/input.h"

#include "base/status.h"
#include "json/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 60 /* bytes of a wrong value that a message quotes */

int rt_config_refuse(const rt_config_input *in, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(in->why, in->why_len, fmt, args);
    va_end(args);
    return RT_EINVAL;
}

static void describe_expected(const rt_config_field *f, char *out, size_t n) {
    if (f->kind == RT_KIND_WORD)
        snprintf(out, n, "one of %s", f->def);
    else if (f->kind == RT_KIND_INT)
        snprintf(out, n, "a whole number from %ld to %ld", f->min, f->max);
    else
        snprintf(out, n, "%s", f->kind == RT_KIND_BOOL ? "true or false" : "a string");
}

/* How many bytes of `text` to quote. The cut never splits a character. */
static int quoted_len(rt_slice text) {
    size_t n = text.n < SHOWN_MAX ? text.n : SHOWN_MAX;
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

static const char *describe_nested(const rt_config_field *f, enum rt_json_type type) {
    if (type == RT_JSON_OBJECT)
        return "an object";
    return f->kind == RT_KIND_STR ? "a list with values that are not strings" : "a list";
}

static unsigned line_of(rt_slice text, size_t at) {
    unsigned line = 1;
    for (size_t i = 0; i < at && i < text.n; i++)
        line += text.p[i] == '\n';
    return line;
}

static unsigned column_of(rt_slice text, size_t at) {
    size_t start = at;
    while (start > 0 && text.p[start - 1] != '\n')
        start--;
    return (unsigned)(at - start) + 1;
}

/* The value has the wrong type or is out of range. Objects and lists are not quoted: they may be
 * long or hold secrets. */
int rt_config_refuse_value(const rt_config_input *in, const rt_config_field *f) {
    char expected[80];
    char line[32] = "";
    rt_slice raw = rt_json_get(in->text, rt_slice_of(f->key));
    if (raw.n == 0) /* cJSON cuts a name at an escaped NUL, json/ does not: not the same member */
        raw = rt_slice_make(in->text.p, 0);
    enum rt_json_type type = rt_json_type_of(raw);
    describe_expected(f, expected, sizeof expected);
    if (in->from != RT_FROM_CALLER)
        snprintf(line, sizeof line, ", line %u", line_of(in->text, (size_t)(raw.p - in->text.p)));
    if (type == RT_JSON_OBJECT || type == RT_JSON_ARRAY)
        return rt_config_refuse(in, "%s%s: %s is %s, expected %s", in->name, line, f->key,
                                describe_nested(f, type), expected);
    return rt_config_refuse(in, "%s%s: %s is %.*s, expected %s", in->name, line, f->key,
                            quoted_len(raw), raw.p, expected);
}

int rt_config_refuse_at(const rt_config_input *in, size_t at, const char *what) {
    return rt_config_refuse(in, "%s, line %u, column %u: %s", in->name, line_of(in->text, at),
                            column_of(in->text, at), what);
}

static bool follows_comma(rt_slice text, size_t at) {
    while (at > 0 && memchr(" \t\r\n", text.p[at - 1], 4))
        at--;
    return at > 0 && text.p[at - 1] == ',';
}

int rt_config_refuse_syntax(const rt_config_input *in, int rc, size_t at) {
    char what[64];
    char c = at < in->text.n ? in->text.p[at] : '\0';
    if (at >= in->text.n)
        return rt_config_refuse_at(in, at, "not valid JSON: the text ends too early");
    if (rc == RT_EUTF8)
        return rt_config_refuse_at(in, at, "not valid UTF-8");
    if ((c == '}' || c == ']') && follows_comma(in->text, at))
        return rt_config_refuse_at(in, at, "not valid JSON: a comma before the closing bracket");
    if (c > ' ' && c < 0x7f)
        snprintf(what, sizeof what, "not valid JSON: unexpected %c", c);
    else
        snprintf(what, sizeof what, "not valid JSON: unexpected byte 0x%02x", (unsigned char)c);
    return rt_config_refuse_at(in, at, what);
}

int rt_config_refuse_environment(const rt_config_input *in, const rt_config_field *f,
                                 rt_slice value) {
    char expected[80];
    if (f->kind == RT_KIND_STR || f->kind == RT_KIND_PATH)
        return rt_config_refuse(in, "environment variable %s is not valid UTF-8", f->env);
    describe_expected(f, expected, sizeof expected);
    return rt_config_refuse(in, "environment variable %s is \"%.*s\", expected %s", f->env,
                            quoted_len(value), value.p, expected);
}

int rt_config_refuse_key(const rt_config_input *in, const char *key) {
    return rt_config_refuse(in, "%s: there is no option called %.*s", in->name,
                            quoted_len(rt_slice_of(key)), key);
}
