/* The effective configuration as JSON text, for the command line. */
#include "config/fields.h"

#include "base/status.h"
#include "json/write.h"

#include <string.h>

static const char *const from_names[] = {
    [RT_FROM_DEFAULT] = "default",
    [RT_FROM_LEGACY_FILE] = "config.json",
    [RT_FROM_COMMON_FILE] = "common_site_config.json",
    [RT_FROM_ENVIRONMENT] = "environment",
    [RT_FROM_CALLER] = "caller",
};

const char *rt_config_origin(const rt_config *c, const char *key) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++)
        if (strcmp(rt_config_fields[i].key, key) == 0)
            return from_names[*rt_config_source(c, &rt_config_fields[i])];
    return "";
}

/* Where the user information of a URL may begin: after "://", or at the start. */
static size_t authority_at(rt_slice text) {
    size_t colon = rt_slice_find(text, ':');
    return rt_slice_starts(rt_slice_from(text, colon), RT_LIT("://")) ? colon + 3 : 0;
}

/* The offset after the last '@', so that a password with an unescaped '/' or '@' is hidden too. */
static size_t behind_userinfo(rt_slice text) {
    for (size_t i = text.n; i > 0; i--)
        if (text.p[i - 1] == '@')
            return i;
    return 0;
}

static void put_query_masked(rt_buf *out, rt_slice query) {
    while (query.n > 0) {
        size_t end = rt_slice_find(query, '&');
        rt_slice pair = {query.p, end};
        if (rt_slice_starts(pair, RT_LIT("password=")))
            rt_buf_puts(out, RT_LIT("password=***"));
        else
            rt_buf_puts(out, pair);
        if (end < query.n)
            rt_buf_putc(out, '&');
        query = rt_slice_from(query, end + 1);
    }
}

/* Appends a value with the passwords of URLs masked. */
static void put_masked(rt_buf *out, rt_slice text) {
    size_t from = authority_at(text);
    size_t at = behind_userinfo(text);
    if (at > from) {
        rt_buf_put(out, text.p, from);
        rt_buf_puts(out, RT_LIT("***@"));
        text = rt_slice_from(text, at);
    }
    size_t mark = rt_slice_find(text, '?');
    rt_buf_puts(out, (rt_slice){text.p, mark});
    if (mark < text.n)
        rt_buf_putc(out, '?');
    put_query_masked(out, rt_slice_from(text, mark + 1));
}

static void put_text(rt_buf *b, const char *key, rt_slice text) {
    rt_buf shown = RT_BUF_INIT;
    put_masked(&shown, text);
    rt_json_put_member_str(b, rt_slice_of(key), rt_buf_slice(&shown));
    if (shown.err)
        b->err = shown.err;
    rt_buf_fini(&shown);
}

static void put_raw(rt_buf *b, const char *key, const char *json) {
    rt_json_put_member_raw(b, rt_slice_of(key), rt_slice_of(json));
}

static void put_value(rt_buf *b, const rt_config *c, const rt_config_field *f) {
    const void *value = rt_config_value(c, f);
    switch (f->kind) {
    case RT_KIND_STR:
    case RT_KIND_PATH:
    case RT_KIND_WORD:
        put_text(b, "value", rt_slice_of(*(char *const *)value));
        put_text(b, "default", rt_config_default(f));
        break;
    case RT_KIND_INT: /* never negative: no key allows that */
        rt_json_put_member_u64(b, RT_LIT("value"), (uint64_t) * (const long *)value);
        put_raw(b, "default", f->def);
        break;
    case RT_KIND_BOOL:
        put_raw(b, "value", *(const bool *)value ? "true" : "false");
        put_raw(b, "default", f->def[0] == '1' ? "true" : "false");
        break;
    }
}

char *rt_config_describe(const rt_config *c) {
    rt_buf b = RT_BUF_INIT;
    rt_buf_putc(&b, '{');
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        rt_json_put_key(&b, rt_slice_of(f->key));
        rt_buf_putc(&b, '{');
        put_value(&b, c, f);
        rt_json_put_member_str(&b, RT_LIT("from"),
                               rt_slice_of(from_names[*rt_config_source(c, f)]));
        if (f->env)
            rt_json_put_member_str(&b, RT_LIT("environment"), rt_slice_of(f->env));
        else
            put_raw(&b, "environment", "null");
        put_raw(&b, "live", f->when != RT_CONFIG_START ? "true" : "false");
        rt_json_put_member_str(&b, RT_LIT("help"), rt_slice_of(f->help));
        rt_buf_putc(&b, '}');
    }
    rt_buf_putc(&b, '}');
    rt_buf_putc(&b, '\0');
    if (b.err == RT_OK)
        return b.p;
    rt_buf_fini(&b);
    return NULL;
}
