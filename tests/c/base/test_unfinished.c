/* base/unfinished.c: time and bytes of what has come in part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/unfinished.h"

#define MS 1000
#define MAX 100

typedef struct bed {
    rt_timers timers;
    rt_unfinished_all all;
    uint64_t late, over;
    rt_unfinished item[4];
    bool dropped[4];
} bed;

static bed b;

static void on_drop(rt_unfinished *u) {
    assert_int_equal(u->bytes, 0);
    b.dropped[u - b.item] = true;
}

static int begin(void **state) {
    (void)state;
    b = (bed){.late = 0};
    rt_timers_init(&b.timers);
    rt_unfinished_init(&b.all, &b.timers, MS, MAX, &b.late, &b.over);
    for (int i = 0; i < 4; i++)
        rt_unfinished_item_init(&b.item[i], on_drop);
    return 0;
}

static int end(void **state) {
    (void)state;
    rt_unfinished_fini(&b.all);
    return 0;
}

static void the_time_runs_from_the_first_byte(void **state) {
    (void)state;
    rt_unfinished_grow(&b.all, &b.item[0], 10, 0);
    rt_unfinished_grow(&b.all, &b.item[1], 10, 1);
    rt_unfinished_grow(&b.all, &b.item[0], 20, MS - 1);
    rt_timers_run(&b.timers, MS);
    assert_true(b.dropped[0]);
    assert_false(b.dropped[1]);
    assert_int_equal(b.late, 1);
    assert_int_equal(b.all.bytes, 10);
    rt_unfinished_done(&b.all, &b.item[1]);
    rt_unfinished_done(&b.all, &b.item[1]);
    assert_int_equal(b.all.bytes, 0);
    assert_int_equal(rt_timers_next(&b.timers, MS), -1);
}

static void beyond_the_budget_the_oldest_goes(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        rt_unfinished_grow(&b.all, &b.item[i], 25, 0);
    rt_unfinished_trim(&b.all);
    assert_int_equal(b.over, 0);
    rt_unfinished_grow(&b.all, &b.item[3], 60, 0);
    rt_unfinished_trim(&b.all);
    assert_int_equal(b.over, 2);
    assert_true(b.dropped[0] && b.dropped[1]);
    assert_false(b.dropped[2] || b.dropped[3]);
    assert_int_equal(b.all.bytes, 85);
}

static void one_may_always_be_there(void **state) {
    (void)state;
    rt_unfinished_grow(&b.all, &b.item[0], 10 * MAX, 0);
    rt_unfinished_trim(&b.all);
    assert_false(b.dropped[0]);
    rt_unfinished_grow(&b.all, &b.item[1], 1, 0);
    rt_unfinished_trim(&b.all);
    assert_true(b.dropped[0]);
    rt_unfinished_done(&b.all, &b.item[1]);
    rt_unfinished_trim(&b.all); /* nobody is there */
    assert_int_equal(b.over, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_time_runs_from_the_first_byte, begin, end),
        cmocka_unit_test_setup_teardown(beyond_the_budget_the_oldest_goes, begin, end),
        cmocka_unit_test_setup_teardown(one_may_always_be_there, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
