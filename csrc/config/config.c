/* Reading the configuration: files, environment, overrides, one field table for all of them.
 *
 * json/ checks a text and finds its lines; cJSON then reads the values. */
#include "config/fields.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/utf8.h"
#include "json/scan.h"

#include <cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEPTH_MAX 100 /* nesting that cJSON, which recurses, is given */
#define SHOWN_MAX 60  /* bytes of a wrong value that a message quotes */

/* One text with values, and where to complain about it. */
typedef struct source {
    rt_config *c;
    enum rt_config_from from;
    const char *name;
    rt_slice text;
    char *why;
    size_t why_len;
} source;

static int __attribute__((format(printf, 2, 3))) complain(const source *s, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->why, s->why_len, fmt, args);
    va_end(args);
    return RT_EINVAL;
}

/* ---- one value into its field ---- */

static void describe_expected(const rt_config_field *f, char *out, size_t n) {
    if (f->kind == RT_KIND_WORD)
        snprintf(out, n, "one of %s", f->def);
    else if (f->kind == RT_KIND_INT)
        snprintf(out, n, "a whole number from %ld to %ld", f->min, f->max);
    else
        snprintf(out, n, "%s", f->kind == RT_KIND_BOOL ? "true or false" : "a text");
}

/* Bytes of `text` to quote, ending between two characters. */
static int quoted_len(rt_slice text) {
    size_t n = text.n < SHOWN_MAX ? text.n : SHOWN_MAX;
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
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

/* The value is of the wrong type or out of range. Objects and lists are not quoted: what somebody
 * put there may be long, or secret. */
static int refuse_value(const source *s, const rt_config_field *f) {
    char expected[80];
    char line[32] = "";
    rt_slice raw = rt_json_get(s->text, rt_slice_of(f->key));
    if (raw.n == 0) /* cJSON ends a name at an escaped NUL and has found another one */
        raw = rt_slice_make(s->text.p, 0);
    enum rt_json_type type = rt_json_type_of(raw);
    describe_expected(f, expected, sizeof expected);
    if (s->from != RT_FROM_CALLER)
        snprintf(line, sizeof line, ", line %u", line_of(s->text, (size_t)(raw.p - s->text.p)));
    if (type == RT_JSON_OBJECT || type == RT_JSON_ARRAY)
        return complain(
            s, "%s%s: %s is %s, expected %s", s->name, line, f->key,
            type == RT_JSON_OBJECT ? "an object" : "a list with other things than texts", expected);
    return complain(s, "%s%s: %s is %.*s, expected %s", s->name, line, f->key, quoted_len(raw),
                    raw.p, expected);
}

static int set_text(rt_config *c, const rt_config_field *f, rt_slice text) {
    char **member = rt_config_value(c, f);
    char *copy = rt_alloc(text.n + 1);
    if (!copy)
        return RT_ENOMEM;
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    rt_free(*member);
    *member = copy;
    return RT_OK;
}

static int set_number(rt_config *c, const rt_config_field *f, double number) {
    if (!(number >= (double)f->min && number <= (double)f->max) || (double)(long)number != number)
        return RT_EINVAL;
    *(long *)rt_config_value(c, f) = (long)number;
    return RT_OK;
}

static int set_bool(rt_config *c, const rt_config_field *f, bool value) {
    *(bool *)rt_config_value(c, f) = value;
    return RT_OK;
}

static int set_word(rt_config *c, const rt_config_field *f, rt_slice text) {
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rt_slice_eq_nocase(text, rt_slice_of(words[i])))
            return set_bool(c, f, i % 2 == 1);
    return RT_EINVAL;
}

/* A word of the field's list. */
static int set_choice(rt_config *c, const rt_config_field *f, rt_slice text) {
    for (rt_slice left = rt_slice_of(f->def); left.n > 0;) {
        size_t end = rt_slice_find(left, '|');
        if (rt_slice_eq_nocase(text, rt_slice_make(left.p, end)))
            return set_text(c, f, rt_slice_make(left.p, end));
        left = rt_slice_from(left, end + 1);
    }
    return RT_EINVAL;
}

/* A value that came as text: from the environment, a default, or a file that has "9000" for 9000.
 */
static int set_from_text(rt_config *c, const rt_config_field *f, rt_slice text) {
    unsigned long long number;
    switch (f->kind) {
    case RT_KIND_INT:
        if (rt_slice_to_u64(text, LONG_MAX, &number) != RT_OK)
            return RT_EINVAL;
        return set_number(c, f, (double)number);
    case RT_KIND_BOOL:
        return set_word(c, f, text);
    case RT_KIND_WORD:
        return set_choice(c, f, text);
    default:
        return rt_utf8_valid(text) ? set_text(c, f, text) : RT_EINVAL;
    }
}

static int set_from_list(rt_config *c, const rt_config_field *f, const cJSON *list) {
    rt_buf joined = RT_BUF_INIT;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item)) {
            rt_buf_fini(&joined);
            return RT_EINVAL;
        }
        if (joined.n > 0)
            rt_buf_putc(&joined, ',');
        rt_buf_puts(&joined, rt_slice_of(item->valuestring));
    }
    int rc = joined.err == RT_OK ? set_text(c, f, rt_buf_slice(&joined)) : joined.err;
    rt_buf_fini(&joined);
    return rc;
}

static int set_from_json(rt_config *c, const rt_config_field *f, const cJSON *item) {
    if (cJSON_IsString(item))
        return set_from_text(c, f, rt_slice_of(item->valuestring));
    if (f->kind == RT_KIND_STR)
        return cJSON_IsArray(item) ? set_from_list(c, f, item) : RT_EINVAL;
    if (f->kind == RT_KIND_PATH)
        return cJSON_IsFalse(item) ? set_text(c, f, RT_LIT("off")) : RT_EINVAL;
    if (f->kind == RT_KIND_WORD)
        return cJSON_IsBool(item)
                   ? set_choice(c, f, cJSON_IsTrue(item) ? RT_LIT("on") : RT_LIT("off"))
                   : RT_EINVAL;
    if (f->kind == RT_KIND_BOOL && cJSON_IsBool(item))
        return set_bool(c, f, cJSON_IsTrue(item));
    if (!cJSON_IsNumber(item))
        return RT_EINVAL;
    return f->kind == RT_KIND_BOOL ? set_bool(c, f, item->valuedouble != 0)
                                   : set_number(c, f, item->valuedouble);
}

/* ---- one JSON text ---- */

static bool is_ours(const rt_config_field *f) {
    return rt_slice_starts(rt_slice_of(f->key), RT_LIT("frappe_rt_"));
}

/* What Frappe would take for "not set". */
static bool counts_as_absent(const source *s, const rt_config_field *f, const cJSON *item) {
    if (cJSON_IsNull(item))
        return true;
    if (s->from == RT_FROM_CALLER)
        return false;
    if (cJSON_IsString(item))
        return item->valuestring[0] == '\0';
    if (cJSON_IsArray(item) || cJSON_IsObject(item))
        return cJSON_GetArraySize(item) == 0;
    return !is_ours(f) && (cJSON_IsFalse(item) || (cJSON_IsNumber(item) && item->valuedouble == 0));
}

/* The last member of that name: JSON.parse and Python take that one. */
static const cJSON *last_member(const cJSON *root, const char *key) {
    const cJSON *found = NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, root) {
        if (strcmp(item->string, key) == 0)
            found = item;
    }
    return found;
}

static int take_fields(const source *s, const cJSON *root) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        const cJSON *item = last_member(root, f->key);
        if (!item || counts_as_absent(s, f, item))
            continue;
        int rc = set_from_json(s->c, f, item);
        if (rc == RT_EINVAL)
            return refuse_value(s, f);
        if (rc != RT_OK)
            return rc;
        *rt_config_source(s->c, f) = s->from;
    }
    return RT_OK;
}

static int refuse_unknown_keys(const source *s, const cJSON *root) {
    const cJSON *item;
    cJSON_ArrayForEach(item, root) {
        size_t i = 0;
        while (i < RT_CONFIG_FIELDS && strcmp(rt_config_fields[i].key, item->string) != 0)
            i++;
        if (i == RT_CONFIG_FIELDS)
            return complain(s, "%s: there is no option called %.*s", s->name,
                            quoted_len(rt_slice_of(item->string)), item->string);
    }
    return RT_OK;
}

/* Where checked text nests deeper than cJSON shall follow, or text.n. */
static size_t too_deep_at(rt_slice text) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return text.n;
}

static int refuse_at(const source *s, size_t at, const char *what) {
    return complain(s, "%s, line %u, column %u: %s", s->name, line_of(s->text, at),
                    column_of(s->text, at), what);
}

static bool follows_comma(rt_slice text, size_t at) {
    while (at > 0 && memchr(" \t\r\n", text.p[at - 1], 4))
        at--;
    return at > 0 && text.p[at - 1] == ',';
}

static int refuse_syntax(const source *s, int rc, size_t at) {
    char what[64];
    char c = at < s->text.n ? s->text.p[at] : '\0';
    if (at >= s->text.n)
        return refuse_at(s, at, "not valid JSON: the text ends too early");
    if (rc == RT_EUTF8)
        return refuse_at(s, at, "not valid UTF-8");
    if ((c == '}' || c == ']') && follows_comma(s->text, at))
        return refuse_at(s, at, "not valid JSON: a comma before the closing bracket");
    if (c > ' ' && c < 0x7f)
        snprintf(what, sizeof what, "not valid JSON: unexpected %c", c);
    else
        snprintf(what, sizeof what, "not valid JSON: unexpected byte 0x%02x", (unsigned char)c);
    return refuse_at(s, at, what);
}

static int check_text(const source *s) {
    size_t at = 0;
    int rc = rt_json_check(s->text, RT_JSON_STRICT, NULL, &at);
    if (rc != RT_OK && rc != RT_EJSON_DEPTH)
        return refuse_syntax(s, rc, at);
    if (rc == RT_OK)
        at = too_deep_at(s->text);
    if (rc != RT_OK || at < s->text.n)
        return refuse_at(s, at, "nested too deep");
    if (rt_json_type_of(rt_json_trim(s->text)) != RT_JSON_OBJECT)
        return refuse_at(s, 0, "expected an object: { ... }");
    return RT_OK;
}

static int apply(const source *s) {
    int rc = check_text(s);
    if (rc != RT_OK)
        return rc;
    const char *end = s->text.p;
    cJSON *root = cJSON_ParseWithLengthOpts(s->text.p, s->text.n, &end, false);
    if (!root) /* valid JSON with a lone surrogate, or no memory: cJSON does not tell them apart */
        return refuse_at(s, (size_t)(end - s->text.p), "this text cannot be read");
    rc = s->from == RT_FROM_CALLER ? refuse_unknown_keys(s, root) : RT_OK;
    if (rc == RT_OK)
        rc = take_fields(s, root);
    cJSON_Delete(root);
    return rc;
}

int rt_config_apply(rt_config *c, enum rt_config_from from, const char *name, rt_slice text,
                    char *why, size_t n) {
    source s = {c, from, name, text, why, n};
    return apply(&s);
}

/* ---- the sources ---- */

static int apply_defaults(rt_config *c) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        int rc = set_from_text(c, f, rt_config_default(f));
        if (rc != RT_OK)
            return rc;
    }
    return RT_OK;
}

static int apply_environment(const source *s) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        const char *text = f->env ? getenv(f->env) : NULL;
        if (!text || !text[0])
            continue;
        int rc = set_from_text(s->c, f, rt_slice_of(text));
        if (rc == RT_EINVAL) {
            char expected[80];
            describe_expected(f, expected, sizeof expected);
            if (f->kind == RT_KIND_STR || f->kind == RT_KIND_PATH)
                return complain(s, "environment variable %s is not valid UTF-8", f->env);
            return complain(s, "environment variable %s is \"%.*s\", expected %s", f->env,
                            quoted_len(rt_slice_of(text)), text, expected);
        }
        if (rc != RT_OK)
            return rc;
        *rt_config_source(s->c, f) = RT_FROM_ENVIRONMENT;
    }
    return RT_OK;
}

/* `name` is the file's path in the bench, and what messages call it. */
static int apply_file(const source *base, enum rt_config_from from, const char *name) {
    char path[PATH_MAX];
    rt_buf text = RT_BUF_INIT;
    source s = *base;
    s.name = name;
    s.from = from;
    int n = snprintf(path, sizeof path, "%s/%s", s.c->bench, name);
    int rc = n < (int)sizeof path ? rt_config_read_file(path, &text, NULL) : RT_ENOENT;
    s.text = rt_buf_slice(&text);
    if (rc == RT_OK)
        rc = apply(&s);
    else if (rc == RT_ELIMIT)
        rc = complain(&s, "%s: larger than 1 MB", name);
    else if (rc == RT_EIO)
        rc = complain(&s, "%s: %s", name, strerror(errno));
    rt_buf_fini(&text);
    return rc == RT_ENOENT ? RT_OK : rc;
}

static bool is_folder(const char *path, const char *name) {
    char full[PATH_MAX];
    struct stat st;
    int n = snprintf(full, sizeof full, "%s/%s", path, name);
    return n < (int)sizeof full && stat(full, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The bench's absolute path; its sites/ folder is taken for the bench it belongs to. */
static int find_bench(const source *s, const char *bench) {
    char path[PATH_MAX];
    if (!realpath(bench, path))
        return complain(s, "bench folder %s: %s", bench, strerror(errno));
    if (!is_folder(path, "."))
        return complain(s, "bench folder %s: %s", bench, strerror(ENOTDIR));
    char *last = strrchr(path, '/');
    if (last != path && strcmp(last, "/sites") == 0 && !is_folder(path, "sites"))
        *last = '\0';
    size_t n = strlen(path) + 1;
    s->c->bench = rt_alloc(n);
    if (!s->c->bench)
        return RT_ENOMEM;
    memcpy(s->c->bench, path, n);
    return RT_OK;
}

static int load(const source *s, const char *bench, const char *overrides) {
    int rc = apply_defaults(s->c);
    if (rc == RT_OK && bench)
        rc = find_bench(s, bench);
    if (rc == RT_OK && bench)
        rc = apply_file(s, RT_FROM_LEGACY_FILE, "config.json");
    if (rc == RT_OK && bench)
        rc = apply_file(s, RT_FROM_COMMON_FILE, "sites/common_site_config.json");
    if (rc == RT_OK)
        rc = apply_environment(s);
    if (rc == RT_OK && overrides)
        rc = rt_config_apply(s->c, RT_FROM_CALLER, "options", rt_slice_of(overrides), s->why,
                             s->why_len);
    return rc;
}

int rt_config_load(rt_config *c, const char *bench, const char *overrides, char *why, size_t n) {
    source s = {c, RT_FROM_DEFAULT, "", RT_EMPTY, why, n};
    memset(c, 0, sizeof *c);
    int rc = load(&s, bench, overrides);
    if (rc == RT_ENOMEM)
        complain(&s, "out of memory");
    if (rc != RT_OK)
        rt_config_fini(c);
    return rc;
}

void rt_config_fini(rt_config *c) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++)
        if (rt_config_is_text(&rt_config_fields[i]))
            rt_free(*(char **)rt_config_value(c, &rt_config_fields[i]));
    rt_free(c->bench);
    memset(c, 0, sizeof *c);
}
