/* What people are shown of text from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/shown.h"
#include "base/utf8.h"
#include "support/guard.h"

#include <stdio.h>

static rt_guard guard;
static rt_buf buf;

static int set_up(void **state) {
    (void)state;
    rt_guard_init(&guard, 4096);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_guard_fini(&guard);
    rt_buf_fini(&buf);
    return 0;
}

/* Both ways, with the text at the edge of a page. */
static void check(const char *text, const char *want) {
    char copy[200];
    rt_slice s = rt_guard_tail(&guard, text, strlen(text));
    rt_buf_clear(&buf);
    rt_shown_put(&buf, s);
    if (!rt_slice_eq(rt_buf_slice(&buf), rt_slice_of(want)))
        fail_msg("got \"%.*s\", want \"%s\"", (int)buf.n, buf.n ? buf.p : "", want);
    snprintf(copy, sizeof copy, "%s", text);
    rt_shown_clean(copy);
    assert_string_equal(copy, want);
}

static void test_shown(void **state) {
    (void)state;
    check("", "");
    check("https://a.example", "https://a.example");
    check("a\tb\nc\177", "a?b?c?");
    check("\033[31mred", "?[31mred");
    check("\xc2\x9b"
          "31mred",
          "?31mred"); /* the CSI that is one character */
    check("\303\274\360\237\230\200", "\303\274\360\237\230\200");
    check("a\303", "a?");
    check("\377\303\274", "?\303\274");
    check("\302\240", "\302\240"); /* the first one behind C1 */
    check("a\342\200\250b\342\200\256c\342\201\246d", "a?b?c?d");
    check("\342\200\247\342\200\257\342\201\245\342\201\252",
          "\342\200\247\342\200\257\342\201\245\342\201\252");
}

/* Every code point, against a list of what a terminal or a log reader would obey. */
static void test_every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        char text[5] = "";
        bool obeyed = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
                      (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
        size_t n = rt_utf8_encode(c, text);
        char before[5];
        memcpy(before, text, sizeof before);
        rt_shown_clean(text);
        if (n)
            assert_string_equal(text, obeyed ? "?" : before);
    }
}

static void test_cut(void **state) {
    char text[200];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + RT_SHOWN_MAX - 1, "\303\274", 2); /* in the middle of a character: it goes */
    rt_buf_clear(&buf);
    rt_shown_put(&buf, rt_slice_make(text, sizeof text));
    assert_int_equal(buf.n, RT_SHOWN_MAX - 1 + 3);
    assert_memory_equal(buf.p + RT_SHOWN_MAX - 2, "x...", 4);
    rt_buf_clear(&buf);
    rt_shown_put(&buf, rt_guard_tail(&guard, text, RT_SHOWN_MAX - 1));
    assert_int_equal(buf.n, RT_SHOWN_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
