/* One walk over all figures: each layer shows its own to a visitor, and each output (JSON, text for
 * Prometheus) is a visitor. So a figure is named and explained once.
 *
 * The name says the unit: a word `bytes`, or `ms` at the end. A figure without a group stands at
 * the top. A family is what Prometheus calls one metric with a label: its figures follow each other
 * and differ by the label's value.
 *
 * Ownership: names and helps outlive the walk, the rest only the call. Thread: the owner's of
 * what is shown. Must not know: how a figure is written. */
#ifndef RT_BASE_FIGURES_H
#define RT_BASE_FIGURES_H

#include "base/counters.h"

#include <stdbool.h>
#include <stddef.h>

enum rt_figure_type { RT_FIGURE_COUNTER, RT_FIGURE_GAUGE };
enum rt_figure_unit { RT_UNIT_NONE, RT_UNIT_BYTES, RT_UNIT_MS, RT_UNIT_BOOL };

typedef struct rt_figure_family {
    const char *name, *label, *help;
} rt_figure_family;

typedef struct rt_figure {
    const char *group; /* "": none */
    const char *name;
    const char *help;
    const rt_figure_family *family; /* NULL: none */
    const char *label_value;        /* with a family */
    enum rt_figure_type type;
    enum rt_figure_unit unit;
    uint64_t value;
} rt_figure;

typedef struct rt_figures {
    void (*visit)(void *arg, const rt_figure *figure);
    void *arg;
} rt_figures;

enum rt_figure_unit rt_figures_unit_of(const char *name);

/* Without a group. */
void rt_figures_counter(const rt_figures *to, const char *name, uint64_t value, const char *help);
void rt_figures_gauge(const rt_figures *to, const char *name, uint64_t value, const char *help);
void rt_figures_flag(const rt_figures *to, const char *name, bool value, const char *help);
/* A table of base/counters.h and its values. With a family each name is a value of its label. */
void rt_figures_counters(const rt_figures *to, const char *group, const rt_figure_family *family,
                         const rt_counter_row *rows, const uint64_t *values, size_t n);
/* All of a set that RT_COUNTERS_DECLARE has declared. */
#define RT_FIGURES_OF(to, group, prefix, set)                                                      \
    rt_figures_counters(to, group, NULL, prefix##_counter_rows, (set)->v, prefix##_counters_n)

#endif
