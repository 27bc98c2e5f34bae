/* The sources of the configuration, in their order: defaults, files, environment, overrides. */
#include "config/input.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rt_config_apply(rt_config *c, enum rt_config_from from, const char *name, rt_slice text,
                    char *why, size_t n) {
    return rt_config_parse(&(rt_config_input){
        .c = c, .from = from, .name = name, .text = text, .why = why, .why_len = n});
}

static int apply_defaults(rt_config *c) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        int rc = rt_config_set_from_text(c, f, rt_config_default(f));
        if (rc != RT_OK)
            return rc;
    }
    return RT_OK;
}

static int apply_environment(const rt_config_input *in) {
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        const char *text = f->env ? getenv(f->env) : NULL;
        if (!text || !text[0])
            continue;
        int rc = rt_config_set_from_text(in->c, f, rt_slice_of(text));
        if (rc == RT_EINVAL)
            return rt_config_refuse_environment(in, f, rt_slice_of(text));
        if (rc != RT_OK)
            return rc;
        *rt_config_source(in->c, f) = RT_FROM_ENVIRONMENT;
    }
    return RT_OK;
}

/* `name` is the file's path inside the bench. Messages name the file by it. */
static int apply_file(const rt_config_input *base, enum rt_config_from from, const char *name) {
    char path[PATH_MAX];
    rt_config_input in = *base;
    in.name = name;
    in.from = from;
    int n = snprintf(path, sizeof path, "%s/%s", in.c->bench, name);
    int rc = n < (int)sizeof path ? rt_config_parse_file(&in, path, NULL) : RT_ENOENT;
    return rc == RT_ENOENT ? RT_OK : rc;
}

static bool is_folder(const char *path, const char *name) {
    char full[PATH_MAX];
    struct stat st;
    int n = snprintf(full, sizeof full, "%s/%s", path, name);
    return n < (int)sizeof full && stat(full, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Stores the bench's absolute path. The sites/ folder of a bench stands for the bench. */
static int find_bench(const rt_config_input *in, const char *bench) {
    char path[PATH_MAX];
    if (!realpath(bench, path))
        return rt_config_refuse(in, "bench folder %s: %s", bench, strerror(errno));
    if (!is_folder(path, "."))
        return rt_config_refuse(in, "bench folder %s: %s", bench, strerror(ENOTDIR));
    char *last = strrchr(path, '/');
    if (last != path && strcmp(last, "/sites") == 0 && !is_folder(path, "sites"))
        *last = '\0';
    size_t n = strlen(path) + 1;
    in->c->bench = rt_alloc(n);
    if (!in->c->bench)
        return RT_ENOMEM;
    memcpy(in->c->bench, path, n);
    return RT_OK;
}

static int load(const rt_config_input *in, const char *bench, const char *overrides) {
    int rc = apply_defaults(in->c);
    if (rc == RT_OK && bench)
        rc = find_bench(in, bench);
    if (rc == RT_OK && bench)
        rc = apply_file(in, RT_FROM_LEGACY_FILE, "config.json");
    if (rc == RT_OK && bench)
        rc = apply_file(in, RT_FROM_COMMON_FILE, "sites/common_site_config.json");
    if (rc == RT_OK)
        rc = apply_environment(in);
    if (rc == RT_OK && overrides)
        rc = rt_config_apply(in->c, RT_FROM_CALLER, "options", rt_slice_of(overrides), in->why,
                             in->why_len);
    return rc;
}

int rt_config_load(rt_config *c, const char *bench, const char *overrides, char *why, size_t n) {
    rt_config_input in = {.c = c, .why = why, .why_len = n};
    memset(c, 0, sizeof *c);
    int rc = load(&in, bench, overrides);
    if (rc == RT_ENOMEM)
        rt_status_ignore(rt_config_refuse(&in, "out of memory")); /* it writes `why` */
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
