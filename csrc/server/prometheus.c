/* Figures as Prometheus reads them: text exposition format 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/.
 *
 * `group` and `name` become frappe_rt_<group>_<name>. The unit moves to the end of the name, ms
 * become seconds, and counters end in _total. A family is one metric; its figures are visited in a
 * row, as the format requires. Nothing needs an escape: helps and reasons are our own texts, and
 * the id of a host is plain ASCII (read_word in hosts/hello.c). */
#include "server/instance.h"

#include <string.h>

static const char *const unit_words[] = {[RT_UNIT_BYTES] = "bytes", [RT_UNIT_MS] = "ms"};
static const char *const unit_ends[] = {[RT_UNIT_BYTES] = "_bytes", [RT_UNIT_MS] = "_seconds"};

typedef struct exposition {
    rt_buf *b;
    const char *family; /* the family of the last figure; NULL: it had none */
} exposition;

static void put_words(rt_buf *b, const char *name, const char *but) {
    while (*name) {
        size_t n = strcspn(name, "_");
        if (!but || n != strlen(but) || memcmp(name, but, n) != 0) {
            rt_buf_putc(b, '_');
            rt_buf_put(b, name, n);
        }
        name += n + (name[n] == '_');
    }
}

static void put_name(rt_buf *b, const rt_figure *f) {
    bool has_unit = f->unit == RT_UNIT_BYTES || f->unit == RT_UNIT_MS;
    rt_buf_puts(b, RT_LIT("frappe_rt"));
    put_words(b, f->group, NULL);
    put_words(b, f->family ? f->family->name : f->name, has_unit ? unit_words[f->unit] : NULL);
    if (has_unit)
        rt_buf_puts(b, rt_slice_of(unit_ends[f->unit]));
    if (f->type == RT_FIGURE_COUNTER)
        rt_buf_puts(b, RT_LIT("_total"));
}

static void put_head(rt_buf *b, const rt_figure *f) {
    rt_buf_puts(b, RT_LIT("# HELP "));
    put_name(b, f);
    rt_buf_printf(b, " %s\n# TYPE ", f->family ? f->family->help : f->help);
    put_name(b, f);
    rt_buf_puts(b, f->type == RT_FIGURE_COUNTER ? RT_LIT(" counter\n") : RT_LIT(" gauge\n"));
}

static void put_value(rt_buf *b, const rt_figure *f) {
    unsigned long long v = f->value;
    if (f->unit == RT_UNIT_MS)
        rt_buf_printf(b, " %llu.%03llu\n", v / 1000, v % 1000);
    else
        rt_buf_printf(b, " %llu\n", v);
}

static void put_figure(void *arg, const rt_figure *f) {
    exposition *e = arg;
    const char *family = f->family ? f->family->name : NULL;
    if (!family || family != e->family)
        put_head(e->b, f);
    e->family = family;
    put_name(e->b, f);
    if (family)
        rt_buf_printf(e->b, "{%s=\"%s\"}", f->family->label, f->label_value);
    put_value(e->b, f);
}

int rt_instance_put_prometheus(const rt_instance *in, rt_buf *b) {
    exposition e = {b, NULL};
    rt_instance_show_figures(in, &(rt_figures){put_figure, &e});
    rt_hosts_show_each(in->hosts, &(rt_figures){put_figure, &e});
    return b->err;
}
