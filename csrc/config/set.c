/* Stores one value in its member, by the rules of its field. */
#include "config/input.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"

#include <limits.h>
#include <string.h>

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

int rt_config_set_number(rt_config *c, const rt_config_field *f, double number) {
    if (!(number >= (double)f->min && number <= (double)f->max) || (double)(long)number != number)
        return RT_EINVAL;
    *(long *)rt_config_value(c, f) = (long)number;
    return RT_OK;
}

int rt_config_set_bool(rt_config *c, const rt_config_field *f, bool value) {
    *(bool *)rt_config_value(c, f) = value;
    return RT_OK;
}

static int set_word(rt_config *c, const rt_config_field *f, rt_slice text) {
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rt_slice_eq_nocase(text, rt_slice_of(words[i])))
            return rt_config_set_bool(c, f, i % 2 == 1);
    return RT_EINVAL;
}

/* Stores `text` if it is one of the field's words. */
static int set_choice(rt_config *c, const rt_config_field *f, rt_slice text) {
    for (rt_slice left = rt_slice_of(f->def); left.n > 0;) {
        size_t end = rt_slice_find(left, '|');
        if (rt_slice_eq_nocase(text, rt_slice_make(left.p, end)))
            return set_text(c, f, rt_slice_make(left.p, end));
        left = rt_slice_from(left, end + 1);
    }
    return RT_EINVAL;
}

int rt_config_set_from_text(rt_config *c, const rt_config_field *f, rt_slice text) {
    unsigned long long number;
    switch (f->kind) {
    case RT_KIND_INT:
        if (rt_slice_to_u64(text, LONG_MAX, &number) != RT_OK)
            return RT_EINVAL;
        return rt_config_set_number(c, f, (double)number);
    case RT_KIND_BOOL:
        return set_word(c, f, text);
    case RT_KIND_WORD:
        return set_choice(c, f, text);
    default:
        return rt_utf8_valid(text) ? set_text(c, f, text) : RT_EINVAL;
    }
}
