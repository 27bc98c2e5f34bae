/* Figures as JSON: `stats` is names and values, `figures` a list of objects with help and type. */
#include "base/status.h"
#include "json/write.h"
#include "server/instance.h"

#include <string.h>

static void put_value(rt_buf *b, rt_slice key, const rt_figure *f) {
    if (f->unit == RT_UNIT_BOOL)
        rt_json_put_member_raw(b, key, f->value ? RT_LIT("true") : RT_LIT("false"));
    else
        rt_json_put_member_u64(b, key, f->value);
}

/* --- stats: a group is an object --- */

typedef struct writer {
    rt_buf *b;
    const char *group; /* the group whose object is open; "": none */
} writer;

static void enter(writer *w, const char *group) {
    if (strcmp(w->group, group) == 0)
        return;
    if (*w->group)
        rt_buf_putc(w->b, '}');
    if (*group) {
        rt_json_put_key(w->b, rt_slice_of(group));
        rt_buf_putc(w->b, '{');
    }
    w->group = group;
}

static void put_stat(void *arg, const rt_figure *f) {
    writer *w = arg;
    enter(w, f->group);
    put_value(w->b, rt_slice_of(f->name), f);
}

int rt_instance_put_stats(const rt_instance *in, rt_buf *b) {
    writer w = {b, ""};
    rt_buf_putc(b, '{');
    rt_instance_show_figures(in, &(rt_figures){put_stat, &w});
    enter(&w, "");
    rt_json_put_key(b, RT_LIT("waiting_sites"));
    rt_frappe_put_waiting_sites(in->frappe, b);
    rt_json_put_key(b, RT_LIT("hosts"));
    rt_hosts_put(in->hosts, false, b);
    return rt_buf_putc(b, '}');
}

/* --- figures: a list of objects --- */

static rt_slice unit_of(const rt_figure *f) {
    static const rt_slice texts[] = {[RT_UNIT_NONE] = RT_LIT("null"),
                                     [RT_UNIT_BYTES] = RT_LIT("\"bytes\""),
                                     [RT_UNIT_MS] = RT_LIT("\"ms\""),
                                     [RT_UNIT_BOOL] = RT_LIT("null")};
    return texts[f->unit];
}

static void put_figure(void *arg, const rt_figure *f) {
    rt_buf *b = arg, name = RT_BUF_INIT;
    rt_buf_printf(&name, "%s%s%s", f->group, *f->group ? "." : "", f->name);
    if (name.err)
        b->err = name.err;
    if (b->n && b->p[b->n - 1] != '[')
        rt_buf_putc(b, ',');
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("name"), rt_buf_slice(&name));
    put_value(b, RT_LIT("value"), f);
    rt_json_put_member_str(b, RT_LIT("type"),
                           f->type == RT_FIGURE_COUNTER ? RT_LIT("counter") : RT_LIT("gauge"));
    rt_json_put_member_raw(b, RT_LIT("unit"), unit_of(f));
    rt_json_put_member_str(b, RT_LIT("help"), rt_slice_of(f->help));
    if (f->family)
        rt_json_put_member_str(b, rt_slice_of(f->family->label), rt_slice_of(f->label_value));
    rt_buf_putc(b, '}');
    rt_buf_fini(&name);
}

int rt_instance_put_figures(const rt_instance *in, rt_buf *b) {
    rt_buf_puts(b, RT_LIT("{\"figures\":["));
    rt_instance_show_figures(in, &(rt_figures){put_figure, b});
    rt_hosts_show_each(in->hosts, &(rt_figures){put_figure, b});
    return rt_buf_puts(b, RT_LIT("]}"));
}
