#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/status.h"
#include "support/guard.h"

#include <limits.h>

static void assert_slice(rt_slice s, const char *text) {
    assert_int_equal(s.n, strlen(text));
    if (s.n)
        assert_memory_equal(s.p, text, s.n);
}

static void test_equality(void **state) {
    (void)state;
    assert_true(rt_slice_eq(RT_LIT("abc"), rt_slice_of("abc")));
    assert_false(rt_slice_eq(RT_LIT("abc"), RT_LIT("abd")));
    assert_false(rt_slice_eq(RT_LIT("abc"), RT_LIT("ab")));
    assert_true(rt_slice_eq(RT_EMPTY, RT_LIT("")));
    assert_true(rt_slice_eq(RT_EMPTY, rt_slice_of(NULL)));
    assert_true(rt_slice_eq(RT_LIT("a\0b"), rt_slice_make("a\0b", 3)));
}

static void test_equality_without_case(void **state) {
    (void)state;
    assert_true(rt_slice_eq_nocase(RT_LIT("Content-LENGTH"), RT_LIT("content-length")));
    assert_false(rt_slice_eq_nocase(RT_LIT("abc"), RT_LIT("abcd")));
    assert_true(rt_slice_eq_nocase(RT_EMPTY, RT_EMPTY));
    /* Only letters have case: these pairs differ in the bit that letters differ in. */
    assert_false(rt_slice_eq_nocase(RT_LIT("@"), RT_LIT("`")));
    assert_false(rt_slice_eq_nocase(RT_LIT("["), RT_LIT("{")));
    assert_false(rt_slice_eq_nocase(RT_LIT("\xc4"), RT_LIT("\xe4")));
    assert_true(rt_slice_eq_nocase(RT_LIT("AZaz"), RT_LIT("azAZ")));
}

static void test_starts(void **state) {
    (void)state;
    assert_true(rt_slice_starts(RT_LIT("/socket.io/"), RT_LIT("/socket")));
    assert_true(rt_slice_starts(RT_LIT("a"), RT_EMPTY));
    assert_true(rt_slice_starts(RT_EMPTY, RT_EMPTY));
    assert_false(rt_slice_starts(RT_LIT("ab"), RT_LIT("abc")));
    assert_false(rt_slice_starts(RT_EMPTY, RT_LIT("a")));
}

static void test_from_and_find(void **state) {
    (void)state;
    assert_slice(rt_slice_from(RT_LIT("abc"), 1), "bc");
    assert_slice(rt_slice_from(RT_LIT("abc"), 3), "");
    assert_slice(rt_slice_from(RT_LIT("abc"), SIZE_MAX), "");
    assert_slice(rt_slice_from(RT_EMPTY, 0), "");
    assert_int_equal(rt_slice_find(RT_LIT("abcb"), 'b'), 1);
    assert_int_equal(rt_slice_find(RT_LIT("abc"), 'x'), 3);
    assert_int_equal(rt_slice_find(RT_EMPTY, 'x'), 0);
}

static void test_trim(void **state) {
    (void)state;
    assert_slice(rt_slice_trim(RT_LIT(" \ta b\t ")), "a b");
    assert_slice(rt_slice_trim(RT_LIT(" \t ")), "");
    assert_slice(rt_slice_trim(RT_LIT("a\r\n")), "a\r\n");
    assert_slice(rt_slice_trim(RT_EMPTY), "");
}

static int number(const char *text, unsigned long long max, unsigned long long *out) {
    return rt_slice_to_u64(rt_slice_of(text), max, out);
}

static void test_numbers(void **state) {
    (void)state;
    unsigned long long v = 99;
    assert_int_equal(number("0", 0, &v), RT_OK);
    assert_true(v == 0);
    assert_int_equal(number("000123", 123, &v), RT_OK);
    assert_true(v == 123);
    assert_int_equal(number("18446744073709551615", ULLONG_MAX, &v), RT_OK);
    assert_true(v == ULLONG_MAX);
    assert_int_equal(number("65535", 65535, &v), RT_OK);
    assert_true(v == 65535);

    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "0x1",
                                      "1.0",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    v = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(number(bad[i], ULLONG_MAX, &v), RT_EINVAL);
    assert_int_equal(number("65536", 65535, &v), RT_EINVAL);
    assert_int_equal(number("9", 5, &v), RT_EINVAL);
    assert_int_equal(number("1", 0, &v), RT_EINVAL);
    assert_true(v == 7);
}

static void test_reads_only_the_slice(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 64);
    unsigned long long v;
    assert_int_equal(rt_slice_to_u64(rt_guard_tail(&g, "42", 2), 100, &v), RT_OK);
    assert_int_equal(rt_slice_find(rt_guard_tail(&g, "abc", 3), 'x'), 3);
    assert_slice(rt_slice_trim(rt_guard_tail(&g, "   ", 3)), "");
    assert_slice(rt_slice_trim(rt_guard_head(&g, "   ", 3)), "");
    assert_true(rt_slice_eq_nocase(rt_guard_tail(&g, "ABC", 3), RT_LIT("abc")));
    rt_guard_fini(&g);
}

static void test_status_texts(void **state) {
    (void)state;
    static const int all[] = {
        RT_OK,           RT_AGAIN,           RT_ENOMEM,        RT_EINVAL,
        RT_ELIMIT,       RT_ECLOSED,         RT_EIO,           RT_ENOENT,
        RT_EUTF8,        RT_EPERM,           RT_EJSON_SYNTAX,  RT_EJSON_DEPTH,
        RT_EJSON_TYPE,   RT_EHTTP_SYNTAX,    RT_EHTTP_HEADERS, RT_EHTTP_TARGET,
        RT_EWS_PROTOCOL, RT_EWS_UTF8,        RT_EWS_TOO_BIG,   RT_EEIO_PACKET,
        RT_ESIO_PACKET,  RT_EFRAPPE_ENVELOPE};
    const char *unknown = rt_status_text(-99999);
    assert_non_null(unknown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_string_not_equal(rt_status_text(all[i]), unknown);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rt_status_text(all[i]), rt_status_text(all[j]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_equality_without_case),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_from_and_find),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_reads_only_the_slice),
        cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
