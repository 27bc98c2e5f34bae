/* Reads the values of one JSON text. json/ checks the text and finds its lines, then cJSON reads
 * the values.
 *
 * cJSON recurses and cannot hold \u0000, so it only ever reads trusted configuration. */
#include "config/input.h"

#include "base/buf.h"
#include "base/status.h"
#include "json/scan.h"

#include <cJSON.h>
#include <string.h>

#define DEPTH_MAX 100 /* deepest nesting given to cJSON, which recurses */

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
    int rc =
        joined.err == RT_OK ? rt_config_set_from_text(c, f, rt_buf_slice(&joined)) : joined.err;
    rt_buf_fini(&joined);
    return rc;
}

/* Strings follow the rules for text; lists, booleans and numbers have rules of their own. */
static int set_from_json(rt_config *c, const rt_config_field *f, const cJSON *item) {
    if (cJSON_IsString(item))
        return rt_config_set_from_text(c, f, rt_slice_of(item->valuestring));
    switch (f->kind) {
    case RT_KIND_STR:
        return cJSON_IsArray(item) ? set_from_list(c, f, item) : RT_EINVAL;
    case RT_KIND_PATH:
        return cJSON_IsFalse(item) ? rt_config_set_from_text(c, f, RT_LIT("off")) : RT_EINVAL;
    case RT_KIND_WORD:
        if (!cJSON_IsBool(item))
            return RT_EINVAL;
        return rt_config_set_from_text(c, f, cJSON_IsTrue(item) ? RT_LIT("on") : RT_LIT("off"));
    case RT_KIND_BOOL:
        if (cJSON_IsBool(item))
            return rt_config_set_bool(c, f, cJSON_IsTrue(item));
        return cJSON_IsNumber(item) ? rt_config_set_bool(c, f, item->valuedouble != 0) : RT_EINVAL;
    case RT_KIND_INT:
        return cJSON_IsNumber(item) ? rt_config_set_number(c, f, item->valuedouble) : RT_EINVAL;
    }
    return RT_EINVAL;
}

static bool is_ours(const rt_config_field *f) {
    return rt_slice_starts(rt_slice_of(f->key), RT_LIT("frappe_rt_"));
}

/* Whether Frappe would treat the value as not set. */
static bool counts_as_absent(const rt_config_input *in, const rt_config_field *f,
                             const cJSON *item) {
    if (cJSON_IsNull(item))
        return true;
    if (in->from == RT_FROM_CALLER)
        return false;
    if (cJSON_IsString(item))
        return item->valuestring[0] == '\0';
    if (cJSON_IsArray(item) || cJSON_IsObject(item))
        return cJSON_GetArraySize(item) == 0;
    return !is_ours(f) && (cJSON_IsFalse(item) || (cJSON_IsNumber(item) && item->valuedouble == 0));
}

/* The last member of that name, which is the one that JSON.parse and Python read. */
static const cJSON *last_member(const cJSON *root, const char *key) {
    const cJSON *found = NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, root) {
        if (strcmp(item->string, key) == 0)
            found = item;
    }
    return found;
}

/* In valid JSON a NUL can only be escaped. cJSON would cut the string there. */
static bool holds_nul(rt_slice raw) {
    for (size_t i = 0; i + 1 < raw.n; i++) {
        if (raw.p[i] != '\\')
            continue;
        i++;
        if (rt_slice_starts(rt_slice_from(raw, i), RT_LIT("u0000")))
            return true;
    }
    return false;
}

static int store_field(const rt_config_input *in, const rt_config_field *f, const cJSON *item) {
    if (holds_nul(rt_json_get(in->text, rt_slice_of(f->key))))
        return rt_config_refuse(in, "%s: %s has a NUL character in it", in->name, f->key);
    int rc = set_from_json(in->c, f, item);
    if (rc == RT_EINVAL)
        return rt_config_refuse_value(in, f);
    if (rc == RT_OK)
        *rt_config_source(in->c, f) = in->from;
    return rc;
}

static int store_fields(const rt_config_input *in, const cJSON *root) {
    int rc = RT_OK;
    for (size_t i = 0; rc == RT_OK && i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        if (in->site_keys && f->when != RT_CONFIG_SITE)
            continue;
        const cJSON *item = last_member(root, f->key);
        if (item && !counts_as_absent(in, f, item))
            rc = store_field(in, f, item);
    }
    return rc;
}

static int refuse_unknown_keys(const rt_config_input *in, const cJSON *root) {
    const cJSON *item;
    cJSON_ArrayForEach(item, root) {
        size_t i = 0;
        while (i < RT_CONFIG_FIELDS && strcmp(rt_config_fields[i].key, item->string) != 0)
            i++;
        if (i == RT_CONFIG_FIELDS)
            return rt_config_refuse_key(in, item->string);
    }
    return RT_OK;
}

/* The offset at which valid JSON nests deeper than DEPTH_MAX, or text.n. */
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

static int check_text(const rt_config_input *in) {
    size_t at = 0;
    int rc = rt_json_check(in->text, RT_JSON_STRICT, NULL, &at);
    if (rc != RT_OK && rc != RT_EJSON_DEPTH)
        return rt_config_refuse_syntax(in, rc, at);
    if (rc == RT_OK)
        at = too_deep_at(in->text);
    if (rc != RT_OK || at < in->text.n)
        return rt_config_refuse_at(in, at, "nested too deep");
    if (rt_json_type_of(rt_json_trim(in->text)) != RT_JSON_OBJECT)
        return rt_config_refuse_at(in, 0, "expected an object: { ... }");
    return RT_OK;
}

int rt_config_parse(const rt_config_input *in) {
    int rc = check_text(in);
    if (rc != RT_OK)
        return rc;
    const char *end = in->text.p;
    cJSON *root = cJSON_ParseWithLengthOpts(in->text.p, in->text.n, &end, false);
    if (!root) /* valid JSON with a lone surrogate, or no memory: cJSON does not tell them apart */
        return rt_config_refuse_at(in, (size_t)(end - in->text.p),
                                   "this text cannot be read: it has half of a surrogate pair, "
                                   "or memory ran out");
    rc = in->from == RT_FROM_CALLER ? refuse_unknown_keys(in, root) : RT_OK;
    if (rc == RT_OK)
        rc = store_fields(in, root);
    cJSON_Delete(root);
    return rc;
}
