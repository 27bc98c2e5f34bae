/* Named counters. A layer lists its counters once, as an X-macro of name and help, and gets an enum
 * and a table; base/figures.h shows the table to whoever prints it.
 *
 *     #define RT_FOO_COUNTERS(X)                                   \
 *         X(RT_FOO_OPENED, "opened", "Doors opened.")              \
 *         X(RT_FOO_LOST, "lost", "Keys lost.")
 *     RT_COUNTERS_DECLARE(rt_foo, RT_FOO_COUNTERS)      in the header
 *     RT_COUNTERS_DEFINE(rt_foo, RT_FOO_COUNTERS)       in one .c file
 *
 * gives the enum { RT_FOO_OPENED, RT_FOO_LOST, rt_foo_counters_n }, the table rt_foo_counter_rows[]
 * and the type rt_foo_counters { uint64_t v[rt_foo_counters_n]; }. The help is one sentence for an
 * operator; it stands in the terminal, in Prometheus and in docs/figures.md.
 * Thread: each set belongs to the thread that counts. */
#ifndef RT_BASE_COUNTERS_H
#define RT_BASE_COUNTERS_H

#include <stdint.h>

typedef struct rt_counter_row {
    const char *name, *help;
} rt_counter_row;

#define RT_COUNTER_ENUM(id, text, sentence) id,
#define RT_COUNTER_ROW(id, text, sentence) {text, sentence},

#define RT_COUNTERS_DECLARE(prefix, LIST)                                                          \
    enum { LIST(RT_COUNTER_ENUM) prefix##_counters_n };                                            \
    extern const rt_counter_row prefix##_counter_rows[prefix##_counters_n];                        \
    typedef struct prefix##_counters {                                                             \
        uint64_t v[prefix##_counters_n];                                                           \
    } prefix##_counters;

#define RT_COUNTERS_DEFINE(prefix, LIST)                                                           \
    const rt_counter_row prefix##_counter_rows[prefix##_counters_n] = {LIST(RT_COUNTER_ROW)};

#endif
