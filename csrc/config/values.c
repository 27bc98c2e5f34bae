/* The effective values as a JSON object, for Python, which publishes with the same configuration.
 */
#include "json/write.h"
#include "config/fields.h"

int rt_config_put_values(const rt_config *c, rt_buf *out) {
    rt_buf_putc(out, '{');
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        const rt_config_field *f = &rt_config_fields[i];
        rt_json_put_key(out, rt_slice_of(f->key));
        if (rt_config_is_text(f))
            rt_json_put_str(out, rt_slice_of(*(char **)rt_config_value(c, f)));
        else if (f->kind == RT_KIND_INT)
            rt_buf_printf(out, "%ld", *(long *)rt_config_value(c, f));
        else
            rt_buf_puts(out, *(bool *)rt_config_value(c, f) ? RT_LIT("true") : RT_LIT("false"));
    }
    return rt_buf_putc(out, '}');
}
