/* The allocator's counters, on which every other leak and fault test stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

#include <string.h>

static void test_live_counts_blocks(void **state) {
    (void)state;
    long before = rt_alloc_live();
    void *a = rt_alloc(10);
    void *b = rt_alloc0(10);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(rt_alloc_live(), before + 2);
    a = rt_realloc(a, 1000);
    assert_non_null(a);
    assert_int_equal(rt_alloc_live(), before + 2);
    void *c = rt_realloc(NULL, 5);
    assert_non_null(c);
    assert_int_equal(rt_alloc_live(), before + 3);
    rt_free(a);
    rt_free(b);
    rt_free(c);
    rt_free(NULL);
    assert_int_equal(rt_alloc_live(), before);
}

static void test_zeroed(void **state) {
    (void)state;
    static const char zeros[100];
    char *p = rt_alloc0(sizeof(zeros));
    assert_non_null(p);
    assert_memory_equal(p, zeros, sizeof(zeros));
    rt_free(p);
}

static void test_no_bytes_is_not_out_of_memory(void **state) {
    (void)state;
    void *a = rt_alloc(0);
    void *b = rt_alloc0(0);
    void *c = rt_realloc(rt_alloc(1), 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    rt_free(a);
    rt_free(b);
    rt_free(c);
}

static void test_fails_once_at_n(void **state) {
    (void)state;
    rt_alloc_fail_at(2);
    void *first = rt_alloc(1);
    void *second = rt_alloc(1);
    void *third = rt_alloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(rt_alloc_count(), 3);
    rt_alloc_fail_at(0);
    assert_int_equal(rt_alloc_count(), 0);
    rt_free(first);
    rt_free(third);
}

static void test_failed_realloc_keeps_the_block(void **state) {
    (void)state;
    char *p = rt_alloc(4);
    assert_non_null(p);
    memcpy(p, "abc", 4);
    rt_alloc_fail_at(1);
    assert_null(rt_realloc(p, 100000));
    rt_alloc_fail_at(1);
    assert_null(rt_alloc0(1));
    rt_alloc_fail_at(0);
    assert_string_equal(p, "abc");
    rt_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_counts_blocks),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_no_bytes_is_not_out_of_memory),
        cmocka_unit_test(test_fails_once_at_n),
        cmocka_unit_test(test_failed_realloc_keeps_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
