/* From a value and its words to a figure. */
#include "base/figures.h"

#include <string.h>

enum rt_figure_unit rt_figures_unit_of(const char *name) {
    for (const char *word = name; *word; word += *word == '_') {
        size_t n = strcspn(word, "_");
        if (n == 5 && memcmp(word, "bytes", n) == 0)
            return RT_UNIT_BYTES;
        if (n == 2 && word[n] == '\0' && memcmp(word, "ms", n) == 0)
            return RT_UNIT_MS;
        word += n;
    }
    return RT_UNIT_NONE;
}

static void show(const rt_figures *to, enum rt_figure_type type, enum rt_figure_unit unit,
                 const char *name, uint64_t value, const char *help) {
    rt_figure f = {
        .group = "", .name = name, .help = help, .type = type, .unit = unit, .value = value};
    to->visit(to->arg, &f);
}

void rt_figures_counter(const rt_figures *to, const char *name, uint64_t value, const char *help) {
    show(to, RT_FIGURE_COUNTER, rt_figures_unit_of(name), name, value, help);
}

void rt_figures_gauge(const rt_figures *to, const char *name, uint64_t value, const char *help) {
    show(to, RT_FIGURE_GAUGE, rt_figures_unit_of(name), name, value, help);
}

void rt_figures_flag(const rt_figures *to, const char *name, bool value, const char *help) {
    show(to, RT_FIGURE_GAUGE, RT_UNIT_BOOL, name, value, help);
}

void rt_figures_counters(const rt_figures *to, const char *group, const rt_figure_family *family,
                         const rt_counter_row *rows, const uint64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        rt_figure f = {.group = group,
                       .name = rows[i].name,
                       .help = rows[i].help,
                       .family = family,
                       .label_value = family ? rows[i].name : NULL,
                       .type = RT_FIGURE_COUNTER,
                       .unit = rt_figures_unit_of(rows[i].name),
                       .value = values[i]};
        to->visit(to->arg, &f);
    }
}
