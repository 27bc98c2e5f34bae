/* wire/cookie.c: the first cookie of a name, however untidy the header is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/guard.h"
#include "wire/cookie.h"

#define MISSING "(missing)"

static void assert_cookie(const char *header, const char *name, const char *expected) {
    rt_guard guard;
    rt_guard_init(&guard, 256);
    for (int side = 0; side < 2; side++) {
        size_t n = strlen(header);
        rt_slice value = RT_LIT("old");
        rt_slice text = side ? rt_guard_head(&guard, header, n) : rt_guard_tail(&guard, header, n);
        bool found = rt_cookie_get(text, rt_slice_of(name), &value);
        if (found != (strcmp(expected, MISSING) != 0))
            fail_msg("\"%s\" in \"%s\": found %d", name, header, found);
        if (!rt_slice_eq(value, found ? rt_slice_of(expected) : RT_EMPTY))
            fail_msg("\"%s\" in \"%s\": \"%.*s\"", name, header, (int)value.n, value.p);
    }
    rt_guard_fini(&guard);
}

static void test_desk(void **state) {
    (void)state;
    static const char header[] = "full_name=Guest%20User; sid=0123456789abcdef; system_user=yes; "
                                 "user_id=a%40b.c; user_image=";
    assert_cookie(header, "sid", "0123456789abcdef");
    assert_cookie(header, "full_name", "Guest%20User");
    assert_cookie(header, "user_id", "a%40b.c");
    assert_cookie(header, "user_image", "");
    assert_cookie(header, "id", MISSING);
    assert_cookie(header, "si", MISSING);
    assert_cookie(header, "sid ", MISSING);
    assert_cookie(header, "SID", MISSING);
    assert_cookie(header, "yes", MISSING);
}

static void test_first_wins(void **state) {
    (void)state;
    assert_cookie("sid=1; sid=2", "sid", "1");
    assert_cookie("sid=; sid=2", "sid", "");
    assert_cookie("sid; sid=2", "sid", "2");
    assert_cookie("xsid=0; sid=1", "sid", "1");
    assert_cookie("a=sid=0; sid=1", "sid", "1");
    assert_cookie("a=\"sid=0\"; sid=1", "sid", "1");
}

static void test_spaces_and_quotes(void **state) {
    (void)state;
    assert_cookie("sid=1;sid2=2", "sid2", "2");
    assert_cookie(" \t sid \t = \t 1 \t ;", "sid", "1");
    assert_cookie(";;; sid=1;;", "sid", "1");
    assert_cookie("sid=a b", "sid", "a b");
    assert_cookie("sid=\"a\"", "sid", "a");
    assert_cookie("sid=\"\"", "sid", "");
    assert_cookie("sid= \"a\" ", "sid", "a");
    assert_cookie("sid=\"", "sid", "\"");
    assert_cookie("sid=\"a", "sid", "\"a");
    assert_cookie("sid=a\"", "sid", "a\"");
    assert_cookie("sid=\"\"a\"\"", "sid", "\"a\"");
    assert_cookie("sid=a=b==", "sid", "a=b==");
    assert_cookie("sid=1, other=2", "sid", "1, other=2");
}

static void test_nothing_there(void **state) {
    (void)state;
    rt_slice value = RT_LIT("old");
    assert_false(rt_cookie_get(RT_EMPTY, RT_LIT("sid"), &value));
    assert_int_equal(value.n, 0);
    assert_cookie("", "", MISSING);
    assert_cookie("sid", "sid", MISSING);
    assert_cookie(";", "sid", MISSING);
    assert_cookie("=", "sid", MISSING);
    assert_cookie("=1", "", "1");
    assert_cookie("; ; ", "", MISSING);
}

static void test_every_cut(void **state) {
    (void)state;
    static const char header[] = "a=1; sid=\"xyz\"; b=2";
    rt_guard guard;
    rt_guard_init(&guard, sizeof header);
    for (size_t n = 0; n < sizeof header; n++) {
        rt_slice value;
        rt_slice text = rt_guard_tail(&guard, header, n);
        assert_int_equal(rt_cookie_get(text, RT_LIT("sid"), &value), n >= 9);
        if (n >= 14)
            assert_true(rt_slice_eq(value, RT_LIT("xyz")));
    }
    rt_guard_fini(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk),
        cmocka_unit_test(test_first_wins),
        cmocka_unit_test(test_spaces_and_quotes),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
