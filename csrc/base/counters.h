/* Named counters. A layer lists its counters once, as an X-macro, and gets an enum and a table of
 * names; whoever prints them (server/stats.c) walks the tables.
 *
 *     #define RT_FOO_COUNTERS(X) X(RT_FOO_OPENED, "opened") X(RT_FOO_LOST, "lost")
 *     RT_COUNTERS_DECLARE(rt_foo, RT_FOO_COUNTERS)      in the header
 *     RT_COUNTERS_DEFINE(rt_foo, RT_FOO_COUNTERS)       in one .c file
 *
 * gives the enum { RT_FOO_OPENED, RT_FOO_LOST, rt_foo_counters_n }, the table
 * rt_foo_counter_names[] and the type rt_foo_counters { uint64_t v[rt_foo_counters_n]; }.
 * Thread: each set belongs to the thread that counts. */
#ifndef RT_BASE_COUNTERS_H
#define RT_BASE_COUNTERS_H

#include <stdint.h>

#define RT_COUNTER_ENUM(id, text) id,
#define RT_COUNTER_NAME(id, text) text,

#define RT_COUNTERS_DECLARE(prefix, LIST)                                                          \
    enum { LIST(RT_COUNTER_ENUM) prefix##_counters_n };                                            \
    extern const char *const prefix##_counter_names[prefix##_counters_n];                          \
    typedef struct prefix##_counters {                                                             \
        uint64_t v[prefix##_counters_n];                                                           \
    } prefix##_counters;

#define RT_COUNTERS_DEFINE(prefix, LIST)                                                           \
    const char *const prefix##_counter_names[prefix##_counters_n] = {LIST(RT_COUNTER_NAME)};

#endif
