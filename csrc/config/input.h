/* Private to config/: how one JSON text becomes values of a configuration.
 *
 *     config.c, sites.c ──► file.c ──► parse.c ──► set.c      a file, its text, its values
 *                              └─────────┴──► refuse.c        error messages for people
 *
 * The rules for types, limits and what counts as absent are the same for every source.
 *
 * Ownership: everything is borrowed for the call. Thread: any. Must not know: the order of the
 * sources. */
#ifndef RT_CONFIG_INPUT_H
#define RT_CONFIG_INPUT_H

#include "base/status.h"
#include "config/fields.h"

#include <sys/stat.h>

typedef struct rt_config_input {
    rt_config *c; /* where the values are stored */
    enum rt_config_from from;
    bool site_keys;   /* read only the keys that a site may set for itself (RT_CONFIG_SITE) */
    const char *name; /* what messages call the text */
    rt_slice text;
    char *why; /* RT_EINVAL: what is wrong, where, and what was expected */
    size_t why_len;
} rt_config_input;

/* --- file.c --- */
#define RT_CONFIG_FILE_MAX (1u << 20) /* bytes of one file */

/* Reads a file and stores its values. *st (may be NULL) gets its state at the time of opening.
 * Returns as rt_config_parse, or RT_ENOENT. */
RT_MUST_CHECK int rt_config_parse_file(rt_config_input *in, const char *path, struct stat *st);

/* --- parse.c --- */
/* Stores the values of in->text. RT_OK; RT_EINVAL with in->why: some may have been stored already;
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_config_parse(const rt_config_input *in);

/* --- set.c --- */
/* Each stores one value in its member. RT_OK; RT_EINVAL: out of range, or not one of the words;
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_config_set_number(rt_config *c, const rt_config_field *f, double number);
RT_MUST_CHECK int rt_config_set_bool(rt_config *c, const rt_config_field *f, bool value);
/* For a value given as text: an environment variable, a default, or "9000" for 9000 in a file. */
RT_MUST_CHECK int rt_config_set_from_text(rt_config *c, const rt_config_field *f, rt_slice text);

/* --- refuse.c --- */
/* Each writes in->why and returns RT_EINVAL. */
RT_MUST_CHECK int rt_config_refuse(const rt_config_input *in, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
RT_MUST_CHECK int rt_config_refuse_at(const rt_config_input *in, size_t at, const char *what);
/* `rc` and `at` as rt_json_check gives them. */
RT_MUST_CHECK int rt_config_refuse_syntax(const rt_config_input *in, int rc, size_t at);
RT_MUST_CHECK int rt_config_refuse_value(const rt_config_input *in, const rt_config_field *f);
RT_MUST_CHECK int rt_config_refuse_environment(const rt_config_input *in, const rt_config_field *f,
                                               rt_slice value);
RT_MUST_CHECK int rt_config_refuse_key(const rt_config_input *in, const char *key);

#endif
