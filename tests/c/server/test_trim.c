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

static void begin(bed *b) {
    b->now = 1000;
    rt_timers_init(&b->timers);
    rt_trim_init(&b->trim, &b->timers);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mass_that_leaves),
        cmocka_unit_test(who_comes_back_in_time),
        cmocka_unit_test(fewer_are_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
