#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static char last[3000];
static int lines;

static void keep(enum rt_log_level level, const char *part, const char *text) {
    snprintf(last, sizeof(last), "%d %s: %s", (int)level, part, text);
    lines++;
}

static void test_lines_reach_the_sink(void **state) {
    (void)state;
    lines = 0;
    rt_log(RT_LOG_ERROR, "net", "nobody listens");
    rt_log_set_sink(keep, RT_LOG_INFO);
    rt_log(RT_LOG_DEBUG, "net", "too fine");
    assert_int_equal(lines, 0);
    rt_log(RT_LOG_WARN, "net", "port %d in use", 9000);
    assert_int_equal(lines, 1);
    assert_string_equal(last, "2 net: port 9000 in use");
    rt_log(RT_LOG_INFO, "net", "%s", "");
    assert_string_equal(last, "1 net: ");
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    rt_log(RT_LOG_ERROR, "net", "nobody again");
    assert_int_equal(lines, 2);
}

static void test_long_lines_are_cut(void **state) {
    (void)state;
    char text[2001];
    memset(text, 'x', sizeof(text) - 1);
    text[2000] = '\0';
    rt_log_set_sink(keep, RT_LOG_DEBUG);
    rt_log(RT_LOG_DEBUG, "p", "%s", text);
    assert_int_equal(strlen(last), strlen("0 p: ") + 1023);
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
}

/* A cut never leaves a part of a character: who reads the log may insist on UTF-8. */
static void test_a_cut_line_is_utf8(void **state) {
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    char text[2000];
    (void)state;
    rt_log_set_sink(keep, RT_LOG_DEBUG);
    for (size_t c = 0; c < sizeof characters / sizeof *characters; c++) {
        size_t len = strlen(characters[c]);
        for (size_t before = 0; before < len; before++) {
            size_t n = before;
            memset(text, 'x', before);
            for (; n + len < sizeof text; n += len)
                memcpy(text + n, characters[c], len);
            text[n] = '\0';
            rt_log(RT_LOG_DEBUG, "p", "%s", text);
            assert_true(strlen(last) > 1000);
            assert_true(rt_utf8_valid(rt_slice_of(last)));
        }
    }
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
}

/* Whatever a line is made of, a terminal obeys none of it. */
static void test_controls_are_replaced(void **state) {
    (void)state;
    rt_log_set_sink(keep, RT_LOG_DEBUG);
    rt_log(RT_LOG_WARN, "redis", "%s", "Redis refuses: \033]0;x\a\r\n\302\2332J \303\274");
    assert_string_equal(last, "2 redis: Redis refuses: ?]0;x????2J \303\274");
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
}

static void test_gate(void **state) {
    (void)state;
    rt_log_gate g = {0};
    assert_true(rt_log_allowed(&g, 0, 1000));
    assert_int_equal(g.reported, 0);
    assert_false(rt_log_allowed(&g, 0, 1000));
    assert_false(rt_log_allowed(&g, 500, 1000));
    assert_false(rt_log_allowed(&g, 1000, 1000));
    assert_true(rt_log_allowed(&g, 1001, 1000));
    assert_int_equal(g.reported, 3);
    assert_int_equal(g.skipped, 0);
    assert_false(rt_log_allowed(&g, 2000, 1000));
    assert_true(rt_log_allowed(&g, 2001, 1000));
    assert_int_equal(g.reported, 1);
    char more[RT_LOG_MORE];
    assert_string_equal(rt_log_more(&g, more), " (1 more since the last such line)");
    assert_true(rt_log_allowed(&g, 4000, 1000));
    assert_string_equal(rt_log_more(&g, more), "");
    g.skipped = UINT32_MAX;
    assert_false(rt_log_allowed(&g, 4000, 1000));
    assert_true(g.skipped == UINT32_MAX);
    assert_true(rt_log_allowed(&g, 5000, 1000));
    assert_string_equal(rt_log_more(&g, more), " (4294967295 more since the last such line)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_reach_the_sink),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_a_cut_line_is_utf8),
        cmocka_unit_test(test_controls_are_replaced),
        cmocka_unit_test(test_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
