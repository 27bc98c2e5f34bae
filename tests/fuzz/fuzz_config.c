/* Any text as a configuration file, as that of a site, and as the caller's options. */
#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "config/input.h"
#include "json/scan.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

static void check(const rt_config *c) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        const void *value = rt_config_value(c, f);
        if (rt_config_is_text(f))
            require(rt_utf8_valid(rt_slice_of(*(char *const *)value)));
        if (f->kind == RT_KIND_INT)
            require(*(const long *)value >= f->min && *(const long *)value <= f->max);
    }
    char *text = rt_config_describe(c);
    require(text != NULL);
    require(rt_json_check(rt_slice_of(text), RT_JSON_STRICT, NULL, NULL) == RT_OK);
    rt_free(text);
}

static void apply_as(enum rt_config_from from, rt_slice text) {
    rt_config c;
    char why[400] = "";
    require(rt_config_load(&c, NULL, NULL, why, sizeof why) == RT_OK);
    int rc = rt_config_apply(&c, from, "text", text, why, sizeof why);
    require(rc == RT_OK || rc == RT_EINVAL);
    require((rc == RT_OK) == (why[0] == '\0'));
    require(rt_utf8_valid(rt_slice_of(why)));
    check(&c);
    rt_config_fini(&c);
}

/* Gets texts for the keys of a site, and leaves all others alone. */
static void apply_to_site(rt_slice text) {
    rt_config c = {0};
    char why[400] = "";
    rt_config_input in = {.c = &c, .site_keys = true, .name = "text", .text = text};
    in.from = RT_FROM_COMMON_FILE;
    in.why = why;
    in.why_len = sizeof why;
    int rc = rt_config_parse(&in);
    require(rc == RT_OK || rc == RT_EINVAL);
    require((rc == RT_OK) == (why[0] == '\0'));
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        const char *set = rt_config_is_text(f) ? *(char **)rt_config_value(&c, f) : NULL;
        require(f->when == RT_CONFIG_SITE || (!set && !*rt_config_source(&c, f)));
        require(!set || rt_utf8_valid(rt_slice_of(set)));
    }
    rt_config_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    apply_as(RT_FROM_COMMON_FILE, rt_slice_make(data, size));
    apply_as(RT_FROM_CALLER, rt_slice_make(data, size));
    apply_to_site(rt_slice_make(data, size));
    return 0;
}
