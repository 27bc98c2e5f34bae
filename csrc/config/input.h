/* Inside config/ only: one JSON text on its way into a configuration.
 *
 *     config.c, sites.c ──► file.c ──► parse.c ──► set.c      a file, its text, its values
 *                              └─────────┴──► refuse.c        what is wrong with it, for people
 *
 * There is one set of rules for types, limits and what counts as absent, whichever source a text is
 * from.
 *
 * Ownership: all is borrowed for the call. Thread: any. Must not know: the order of the sources. */
#ifndef RT_CONFIG_INPUT_H
#define RT_CONFIG_INPUT_H

#include "base/status.h"
#include "config/fields.h"

#include <sys/stat.h>

typedef struct rt_config_input {
    rt_config *c; /* gets the values */
    enum rt_config_from from;
    bool site_keys;   /* take those keys alone that a site may set for itself (RT_CONFIG_SITE) */
    const char *name; /* what messages call the text */
    rt_slice text;
    char *why; /* RT_EINVAL: what is wrong, where and what was expected */
    size_t why_len;
} rt_config_input;

/* --- file.c --- */
#define RT_CONFIG_FILE_MAX (1u << 20) /* bytes of one file */

/* Takes the values of a file; *st (may be NULL) is what it was when it was opened. As
 * rt_config_parse, or RT_ENOENT. */
RT_MUST_CHECK int rt_config_parse_file(rt_config_input *in, const char *path, struct stat *st);

/* --- parse.c --- */
/* Takes the values of in->text. RT_OK; RT_EINVAL with in->why (some may have been taken);
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_config_parse(const rt_config_input *in);

/* --- set.c --- */
/* Each puts one value into its member. RT_OK; RT_EINVAL: it is out of range or no such word;
 * RT_ENOMEM. */
RT_MUST_CHECK int rt_config_set_number(rt_config *c, const rt_config_field *f, double number);
RT_MUST_CHECK int rt_config_set_bool(rt_config *c, const rt_config_field *f, bool value);
/* A value that came as text: from the environment, a default, or a file with "9000" for 9000. */
RT_MUST_CHECK int rt_config_set_from_text(rt_config *c, const rt_config_field *f, rt_slice text);

/* --- refuse.c --- */
/* Each writes in->why and returns RT_EINVAL. */
RT_MUST_CHECK int rt_config_refuse(const rt_config_input *in, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
RT_MUST_CHECK int rt_config_refuse_at(const rt_config_input *in, size_t at, const char *what);
/* `rc` and `at` are of rt_json_check. */
RT_MUST_CHECK int rt_config_refuse_syntax(const rt_config_input *in, int rc, size_t at);
RT_MUST_CHECK int rt_config_refuse_value(const rt_config_input *in, const rt_config_field *f);
RT_MUST_CHECK int rt_config_refuse_environment(const rt_config_input *in, const rt_config_field *f,
                                               rt_slice value);
RT_MUST_CHECK int rt_config_refuse_key(const rt_config_input *in, const char *key);

#endif
