/* server/trim.c: when memory is given back, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/trim.h"

typedef struct bed {
    rt_timers timers;
    rt_trim trim;
    uint64_t now;
} bed;

#define MB (1u << 20)

static rt_trim_memory memory; /* as the system tells it */

static size_t tell_resident(void) {
    return memory.resident;
}

static bool tell_heap(rt_trim_memory *m) {
    m->heap = memory.heap;
    m->unused = memory.unused;
    return memory.heap > 0;
}

static void set_memory(size_t resident, size_t heap, size_t unused) {
    memory = (rt_trim_memory){resident * MB, heap * MB, unused * MB};
}

static void begin(bed *b) {
    b->now = 1000;
    rt_timers_init(&b->timers);
    rt_trim_init(&b->trim, &b->timers);
    set_memory(50, 20, 1);
    b->trim.resident = tell_resident;
    b->trim.measure = tell_heap;
    b->trim.least = tell_resident();
}

/* A turn with so many connections, `ms` after the last. */
static void turn(bed *b, uint32_t connections, uint64_t ms) {
    b->now += ms;
    rt_timers_run(&b->timers, b->now);
    rt_trim_look(&b->trim, connections, b->now);
}

static void a_mass_that_leaves(void **state) {
    (void)state;
    bed b;
    begin(&b);
    turn(&b, 5000, 0);
    turn(&b, 10, 0);
    turn(&b, 5, RT_TRIM_AFTER_MS - 1);
    assert_int_equal(b.trim.trims, 0);
    turn(&b, 5, 1);
    assert_int_equal(b.trim.trims, 1);
    assert_int_equal(rt_timers_next(&b.timers, b.now), -1);
    turn(&b, 0, 10 * RT_TRIM_AFTER_MS); /* once for one mass */
    assert_int_equal(b.trim.trims, 1);
    turn(&b, RT_TRIM_CLIENTS, 1); /* and again for the next */
    turn(&b, 0, 1);
    turn(&b, 0, RT_TRIM_AFTER_MS);
    assert_int_equal(b.trim.trims, 2);
    rt_trim_fini(&b.trim);
}

static void who_comes_back_in_time(void **state) {
    (void)state;
    bed b;
    begin(&b);
    turn(&b, 5000, 0);
    turn(&b, 0, 1);
    turn(&b, 4900, 100);
    turn(&b, 4900, RT_TRIM_AFTER_MS);
    assert_int_equal(b.trim.trims, 0);
    rt_trim_fini(&b.trim);
}

static void fewer_are_no_reason(void **state) {
    (void)state;
    bed b;
    begin(&b);
    for (int i = 0; i < 20; i++) {
        turn(&b, RT_TRIM_CLIENTS - 1, 1);
        turn(&b, 0, RT_TRIM_AFTER_MS);
    }
    assert_int_equal(rt_timers_next(&b.timers, b.now), -1);
    assert_int_equal(b.trim.trims, 0);
    rt_trim_fini(&b.trim);
}

static void look_later(bed *b) {
    turn(b, 3, RT_TRIM_AFTER_MS); /* the timer may still run since then */
    turn(b, 3, RT_TRIM_AFTER_MS);
}

static void much_that_is_free(void **state) {
    (void)state;
    bed b;
    begin(&b);
    set_memory(650, 620, 10); /* it grows, but all is in use */
    look_later(&b);
    assert_int_equal(b.trim.trims, 0);
    set_memory(650, 620, 600);
    turn(&b, 3, 1);
    set_memory(650, 620, 600);
    look_later(&b);
    assert_int_equal(b.trim.trims, 1);
    rt_trim_fini(&b.trim);
}

/* What was given back still counts as free: a look at the process tells the difference. */
static void once_for_the_same_memory(void **state) {
    (void)state;
    bed b;
    begin(&b);
    b.trim.least = 0;
    set_memory(60, 620, 600);
    look_later(&b);
    assert_int_equal(b.trim.trims, 1);
    for (int i = 0; i < 5; i++)
        look_later(&b);
    assert_int_equal(b.trim.trims, 1);
    set_memory(91, 620, 600);
    look_later(&b);
    assert_int_equal(b.trim.trims, 1);
    set_memory(92, 620, 600); /* some of it was used again */
    look_later(&b);
    assert_int_equal(b.trim.trims, 2);
    rt_trim_fini(&b.trim);
}

static void little_or_a_small_part(void **state) {
    (void)state;
    bed b;
    begin(&b);
    set_memory(500, 400, 99); /* less than a quarter */
    look_later(&b);
    set_memory(82, 40, 31); /* little */
    look_later(&b);
    set_memory(81, 400, 399); /* the process has not grown */
    look_later(&b);
    set_memory(500, 0, 399); /* nobody knows */
    look_later(&b);
    assert_int_equal(b.trim.trims, 0);
    set_memory(500, 400, 100);
    look_later(&b);
    assert_int_equal(b.trim.trims, 1);
    rt_trim_fini(&b.trim);
}

static void nobody_looks_while_nothing_happens(void **state) {
    (void)state;
    bed b;
    begin(&b);
    turn(&b, 3, 0);
    assert_int_equal(rt_timers_next(&b.timers, b.now), RT_TRIM_AFTER_MS);
    turn(&b, 3, RT_TRIM_AFTER_MS);
    assert_int_equal(rt_timers_next(&b.timers, b.now), -1);
    turn(&b, 3, 1);
    assert_int_equal(rt_timers_next(&b.timers, b.now), RT_TRIM_AFTER_MS);
    rt_trim_fini(&b.trim);
}

/* The system's own words. */
static void it_is_measured(void **state) {
    (void)state;
    bed b;
    rt_timers_init(&b.timers);
    rt_trim_init(&b.trim, &b.timers);
    assert_in_range(b.trim.least, 500000, (size_t)64 << 30);
    assert_in_range(b.trim.resident(), 500000, (size_t)64 << 30);
    rt_trim_fini(&b.trim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mass_that_leaves),
        cmocka_unit_test(who_comes_back_in_time),
        cmocka_unit_test(fewer_are_no_reason),
        cmocka_unit_test(much_that_is_free),
        cmocka_unit_test(once_for_the_same_memory),
        cmocka_unit_test(little_or_a_small_part),
        cmocka_unit_test(nobody_looks_while_nothing_happens),
        cmocka_unit_test(it_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
