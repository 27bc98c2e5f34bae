/* The table of config.h as an array: for config/, and for server/reload.c, which compares two
 * configurations field by field.
 *
 * Ownership: constant. Thread: any. */
#ifndef RT_CONFIG_FIELDS_H
#define RT_CONFIG_FIELDS_H

#include "base/status.h"
#include "config/config.h"

enum rt_config_kind { RT_KIND_STR, RT_KIND_INT, RT_KIND_BOOL, RT_KIND_PATH, RT_KIND_WORD };

enum rt_config_when { RT_CONFIG_START, RT_CONFIG_LIVE, RT_CONFIG_SITE };

typedef struct rt_config_field {
    const char *key;
    enum rt_config_kind kind;
    enum rt_config_when when;
    size_t value_at; /* offset of the member in rt_config */
    size_t from_at;  /* offset of its source */
    const char *def; /* RT_KIND_WORD: all words, separated by | */
    const char *env; /* or NULL */
    long min, max;   /* RT_KIND_INT */
    const char *help;
} rt_config_field;

#define RT_CONFIG_FIELD(member, key, type, when, def, env, min, max, help)                         \
    {key,                                                                                          \
     RT_KIND_##type,                                                                               \
     RT_CONFIG_##when,                                                                             \
     offsetof(rt_config, member),                                                                  \
     offsetof(rt_config, member##_from),                                                           \
     def,                                                                                          \
     env,                                                                                          \
     min,                                                                                          \
     max,                                                                                          \
     help},
static const rt_config_field rt_config_fields[] = {RT_CONFIG_TABLE(RT_CONFIG_FIELD)};
#undef RT_CONFIG_FIELD
#define RT_CONFIG_FIELDS (sizeof rt_config_fields / sizeof rt_config_fields[0])

/* The keys that a site may set for itself, numbered in the order of the table. */
#define RT_CONFIG_SITE_KEY_START(member)
#define RT_CONFIG_SITE_KEY_LIVE(member)
#define RT_CONFIG_SITE_KEY_SITE(member) RT_CONFIG_SITE_KEY_##member,
#define RT_CONFIG_SITE_KEY(member, key, type, when, def, env, min, max, help)                      \
    RT_CONFIG_SITE_KEY_##when(member)
enum { RT_CONFIG_TABLE(RT_CONFIG_SITE_KEY) RT_CONFIG_SITE_KEYS };
#undef RT_CONFIG_SITE_KEY

/* The member is a char *. */
static inline bool rt_config_is_text(const rt_config_field *f) {
    return f->kind != RT_KIND_INT && f->kind != RT_KIND_BOOL;
}

static inline rt_slice rt_config_default(const rt_config_field *f) {
    rt_slice def = rt_slice_of(f->def);
    return f->kind == RT_KIND_WORD ? rt_slice_make(def.p, rt_slice_find(def, '|')) : def;
}

static inline void *rt_config_value(const rt_config *c, const rt_config_field *f) {
    return (char *)c + f->value_at;
}

static inline uint8_t *rt_config_source(const rt_config *c, const rt_config_field *f) {
    return (uint8_t *)c + f->from_at;
}

#endif
