/* Inside config/ only: the table of config.h as an array, and the reading of one file.
 *
 * Ownership: constant. Thread: any. */
#ifndef RT_CONFIG_FIELDS_H
#define RT_CONFIG_FIELDS_H

#include "config/config.h"

#include <sys/stat.h>

enum rt_config_kind { RT_KIND_STR, RT_KIND_INT, RT_KIND_BOOL, RT_KIND_PATH, RT_KIND_WORD };

enum rt_config_when { RT_CONFIG_LIVE, RT_CONFIG_START };

typedef struct rt_config_field {
    const char *key;
    enum rt_config_kind kind;
    enum rt_config_when when;
    size_t value_at; /* offset of the member in rt_config */
    size_t from_at;  /* offset of its source */
    const char *def; /* of a RT_KIND_WORD: all words, with | between */
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

#define RT_CONFIG_FILE_MAX (1u << 20) /* bytes of one file */

/* Appends all of a file; *st (may be NULL) is what it was when it was opened. RT_OK, RT_ENOENT,
 * RT_ELIMIT, RT_ENOMEM, or RT_EIO with errno. */
int rt_config_read_file(const char *path, rt_buf *out, struct stat *st);

#endif
