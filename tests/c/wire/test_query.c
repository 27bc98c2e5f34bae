/* wire/query.c: parameters, and percent-encoding there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"
#include "wire/query.h"

#define MISSING "(missing)"

/* Each one with its end, then its start, beside an unreadable page. */
static void assert_get(const char *query, const char *name, const char *expected) {
    rt_guard guard;
    rt_guard_init(&guard, 256);
    for (int side = 0; side < 2; side++) {
        size_t n = strlen(query);
        rt_slice value = RT_LIT("old");
        rt_slice text = side ? rt_guard_head(&guard, query, n) : rt_guard_tail(&guard, query, n);
        bool found = rt_query_get(text, rt_slice_of(name), &value);
        if (found != (strcmp(expected, MISSING) != 0))
            fail_msg("\"%s\" in \"%s\": found %d", name, query, found);
        if (!rt_slice_eq(value, found ? rt_slice_of(expected) : RT_EMPTY))
            fail_msg("\"%s\" in \"%s\": \"%.*s\"", name, query, (int)value.n, value.p);
    }
    rt_guard_fini(&guard);
}

static void test_get(void **state) {
    (void)state;
    static const char polling[] = "EIO=4&transport=polling&t=abc&sid=x-_1";
    assert_get(polling, "EIO", "4");
    assert_get(polling, "transport", "polling");
    assert_get(polling, "sid", "x-_1");
    assert_get(polling, "eio", MISSING);
    assert_get(polling, "si", MISSING);
    assert_get(polling, "sidx", MISSING);
    assert_get(polling, "x-_1", MISSING);
    assert_get(polling, "", MISSING);
    assert_get("", "a", MISSING);
    assert_get("", "", MISSING);
    assert_get("a", "a", "");
    assert_get("a=", "a", "");
    assert_get("a&b", "b", "");
    assert_get("=x", "", "x");
    assert_get("=x", "x", MISSING);
    assert_get("&", "", MISSING);
    assert_get("&&a=1&&", "a", "1");
    assert_get("a=b=c", "a", "b=c");
    assert_get("a==", "a", "=");
    assert_get("a=1;b=2", "a", "1;b=2");
    assert_get("a=1;b=2", "b", MISSING);
    assert_get("a=%26&b=+", "a", "%26");
    assert_get("a=%26&b=+", "b", "+");
    assert_get("%61=1", "a", MISSING);
    assert_get("%61=1", "%61", "1");
}

/* A repeated parameter: the last one wins, also when it is empty. */
static void test_last_wins(void **state) {
    (void)state;
    assert_get("a=1&a=2", "a", "2");
    assert_get("a=1&b=3&a=2&c", "a", "2");
    assert_get("a=1&a=", "a", "");
    assert_get("a=1&a", "a", "");
    assert_get("a&a=1", "a", "1");
}

static void assert_decode(const char *raw, size_t n, bool form, const char *expected, size_t en) {
    rt_guard guard;
    rt_buf b = RT_BUF_INIT;
    rt_guard_init(&guard, 1024);
    assert_int_equal(rt_buf_puts(&b, RT_LIT("before ")), RT_OK);
    assert_int_equal(rt_query_decode(rt_guard_tail(&guard, raw, n), form, &b), RT_OK);
    if (!rt_slice_eq(rt_slice_from(rt_buf_slice(&b), 7), rt_slice_make(expected, en)))
        fail_msg("\"%.*s\" became \"%.*s\"", (int)n, raw, (int)b.n, b.p);
    rt_buf_fini(&b);
    rt_guard_fini(&guard);
}

#define DECODE(raw, form, expected)                                                                \
    assert_decode(raw, sizeof(raw) - 1, form, expected, sizeof(expected) - 1)

static void test_decode(void **state) {
    (void)state;
    DECODE("", false, "");
    DECODE("plain", false, "plain");
    DECODE("%41%62%2f%2F", false, "Ab//");
    DECODE("%00", false, "\0");
    DECODE("%ff%C3%a9", false, "\xff\xc3\xa9");
    DECODE("a+b", false, "a+b");
    DECODE("a+b", true, "a b");
    DECODE("+%2B+", true, " + ");
    DECODE("%2541", false, "%41");
    DECODE("\xc3\xa9\0x", false, "\xc3\xa9\0x");
}

/* What is no escape stays, byte for byte, and what follows is looked at afresh. */
static void test_decode_broken(void **state) {
    (void)state;
    DECODE("%", false, "%");
    DECODE("%4", false, "%4");
    DECODE("%%", false, "%%");
    DECODE("%4g", false, "%4g");
    DECODE("%g4", false, "%g4");
    DECODE("%%41", false, "%A");
    DECODE("%4%41", false, "%4A");
    DECODE("%+1", true, "% 1");
    DECODE("% 41", false, "% 41");
    DECODE("%-1", false, "%-1");
    DECODE("%0x", false, "%0x");
    DECODE("%u0041", false, "%u0041");
    DECODE("a%", true, "a%");
}

static void test_encode(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_query_encode(RT_LIT("AZaz09-_.~"), &b), RT_OK);
    assert_int_equal(rt_query_encode(RT_LIT(" +/&=%?#\xc3\xa9\0\x7f!*'()"), &b), RT_OK);
    static const char expected[] = "AZaz09-_.~%20%2B%2F%26%3D%25%3F%23%C3%A9%00%7F%21%2A%27%28%29";
    assert_int_equal(b.n, sizeof expected - 1);
    assert_memory_equal(b.p, expected, b.n);
    rt_buf_fini(&b);
}

static void test_there_and_back(void **state) {
    (void)state;
    char all[256];
    for (int c = 0; c < 256; c++)
        all[c] = (char)c;
    for (int form = 0; form < 2; form++) {
        rt_buf encoded = RT_BUF_INIT, decoded = RT_BUF_INIT;
        assert_int_equal(rt_query_encode(rt_slice_make(all, sizeof all), &encoded), RT_OK);
        assert_int_equal(rt_query_decode(rt_buf_slice(&encoded), form, &decoded), RT_OK);
        assert_int_equal(decoded.n, sizeof all);
        assert_memory_equal(decoded.p, all, sizeof all);
        rt_buf_fini(&encoded);
        rt_buf_fini(&decoded);
    }
}

/* Every cut of an escape reads nothing behind the cut. */
static void test_every_cut(void **state) {
    (void)state;
    static const char raw[] = "%41+%zz&a=%e2%82%ac";
    rt_guard guard;
    rt_guard_init(&guard, sizeof raw);
    for (size_t n = 0; n < sizeof raw; n++) {
        rt_buf b = RT_BUF_INIT;
        rt_slice value;
        rt_slice text = rt_guard_tail(&guard, raw, n);
        assert_int_equal(rt_query_decode(text, true, &b), RT_OK);
        assert_true(b.n <= n);
        assert_int_equal(rt_query_get(text, RT_LIT("a"), &value), n >= 9);
        rt_buf_fini(&b);
    }
    rt_guard_fini(&guard);
}

static int both_ways(void *arg) {
    (void)arg;
    char text[200];
    rt_buf encoded = RT_BUF_INIT, decoded = RT_BUF_INIT;
    memset(text, ' ', sizeof text);
    int rc = rt_query_encode(rt_slice_make(text, sizeof text), &encoded);
    if (rc == RT_OK)
        rc = rt_query_decode(rt_buf_slice(&encoded), false, &decoded);
    if (rc == RT_OK)
        assert_int_equal(decoded.n, sizeof text);
    rt_buf_fini(&encoded);
    rt_buf_fini(&decoded);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(both_ways, NULL) >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),       cmocka_unit_test(test_last_wins),
        cmocka_unit_test(test_decode),    cmocka_unit_test(test_decode_broken),
        cmocka_unit_test(test_encode),    cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_every_cut), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
