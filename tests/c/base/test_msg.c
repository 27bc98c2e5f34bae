#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/msg.h"

static void test_new_has_room(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_msg *m = rt_msg_new(100);
    assert_non_null(m);
    assert_int_equal(m->refs, 1);
    assert_int_equal(m->len, 0);
    assert_int_equal(m->cap, 100);
    memset(m->data, 'x', 100); /* all of it is there (the sanitizer looks) */
    m->len = 7;
    assert_true(rt_slice_eq(rt_msg_slice(m), RT_LIT("xxxxxxx")));
    rt_msg_rele(m);
    assert_int_equal(rt_alloc_live(), live);
}

static void test_copy(void **state) {
    (void)state;
    rt_msg *m = rt_msg_copy(RT_LIT("\x81\x02hi"));
    assert_non_null(m);
    assert_int_equal(m->len, 4);
    assert_int_equal(m->cap, 4);
    assert_true(rt_slice_eq(rt_msg_slice(m), RT_LIT("\x81\x02hi")));
    rt_msg_rele(m);
    m = rt_msg_copy(RT_EMPTY);
    assert_non_null(m);
    assert_int_equal(m->len, 0);
    rt_msg_rele(m);
}

static void test_resize_keeps_the_bytes(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_msg *m = rt_msg_copy(RT_LIT("abc"));
    assert_non_null(m);
    m = rt_msg_resize(m, 1000);
    assert_non_null(m);
    assert_int_equal(m->cap, 1000);
    memset(m->data + 3, 'x', 997);
    m->len = 5;
    m = rt_msg_resize(m, 0); /* never less than there is */
    assert_non_null(m);
    assert_int_equal(m->cap, 5);
    assert_true(rt_slice_eq(rt_msg_slice(m), RT_LIT("abcxx")));
    rt_alloc_fail_at(1);
    assert_null(rt_msg_resize(m, 2000));
    rt_alloc_fail_at(0);
    assert_int_equal(m->cap, 5);
    assert_null(rt_msg_resize(m, UINT32_MAX));
    assert_true(rt_slice_eq(rt_msg_slice(m), RT_LIT("abcxx")));
    rt_msg_rele(m);
    assert_int_equal(rt_alloc_live(), live);
}

static void test_last_reference_frees(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_msg *m = rt_msg_copy(RT_LIT("abc"));
    assert_non_null(m);
    assert_ptr_equal(rt_msg_hold(m), m);
    rt_msg_rele(m);
    assert_int_equal(rt_alloc_live(), live + 1);
    assert_int_equal(m->refs, 1);
    rt_msg_rele(m);
    assert_int_equal(rt_alloc_live(), live);
    rt_msg_rele(NULL);
}

static void test_refuses_what_cannot_be(void **state) {
    (void)state;
    rt_alloc_fail_at(0);
    assert_null(rt_msg_new(UINT32_MAX));
    assert_null(rt_msg_new(SIZE_MAX));
    assert_int_equal(rt_alloc_count(), 0);
    rt_alloc_fail_at(1);
    assert_null(rt_msg_copy(RT_LIT("abc")));
    rt_alloc_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_has_room),           cmocka_unit_test(test_copy),
        cmocka_unit_test(test_resize_keeps_the_bytes), cmocka_unit_test(test_last_reference_frees),
        cmocka_unit_test(test_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
