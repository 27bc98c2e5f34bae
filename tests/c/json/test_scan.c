#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "json/scan.h"
#include "support/guard.h"

#include <stdio.h>
#include <stdlib.h>

static rt_guard guard;

static int set_up(void **state) {
    (void)state;
    rt_guard_init(&guard, 8192);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_guard_fini(&guard);
    return 0;
}

static int check(const char *text, size_t n, size_t *at) {
    return rt_json_check(rt_guard_tail(&guard, text, n), RT_JSON_STRICT, NULL, at);
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "10",
    "1234567890123456789012345678901234567890",
    "0.0",
    "-0.10",
    "1e5",
    "1E+05",
    "0e-0",
    "1.5e999",
    "\"\"",
    "\"a\"",
    " \t\r\n1 \t\r\n",
    "[]",
    "[ ]",
    "{}",
    "{\n}",
    "[1,2]",
    "[[],{},[[]]]",
    "{\"a\":1,\"a\":2}",
    "{\"\":{\"b\":[null,true,false,\"\"]}}",
    " { \"a\" : [ 1 , -2.5 ] , \"b\" : { } } ",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uAbCd\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"", /* a lone surrogate is legal text */
    "\"\\udc00\\ud800\"",
    "\"\x7f/'\"",
    "\"\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80 \xe2\x80\xa8 \xef\xbb\xbf\"",
    "\"more than eight plain bytes, and then \\n some more of them\"",
    "{\"a longer key, \\u0041\" : \"a longer value, \xc3\xa9\"}",
};

static const struct {
    const char *text;
    int status;
    size_t at;
} bad[] = {
    {"", RT_EJSON_SYNTAX, 0},
    {"  ", RT_EJSON_SYNTAX, 2},
    {"nul", RT_EJSON_SYNTAX, 3},
    {"nulL", RT_EJSON_SYNTAX, 3},
    {"True", RT_EJSON_SYNTAX, 0},
    {"truefalse", RT_EJSON_SYNTAX, 4},
    {"nullx", RT_EJSON_SYNTAX, 4},
    {"undefined", RT_EJSON_SYNTAX, 0},
    {"1 2", RT_EJSON_SYNTAX, 2},
    {"01", RT_EJSON_SYNTAX, 1},
    {"-", RT_EJSON_SYNTAX, 1},
    {"-a", RT_EJSON_SYNTAX, 1},
    {"-01", RT_EJSON_SYNTAX, 2},
    {"+1", RT_EJSON_SYNTAX, 0},
    {".5", RT_EJSON_SYNTAX, 0},
    {"1.", RT_EJSON_SYNTAX, 2},
    {"1.e5", RT_EJSON_SYNTAX, 2},
    {"1e", RT_EJSON_SYNTAX, 2},
    {"1e+", RT_EJSON_SYNTAX, 3},
    {"1e5.0", RT_EJSON_SYNTAX, 3},
    {"0x10", RT_EJSON_SYNTAX, 1},
    {"1_000", RT_EJSON_SYNTAX, 1},
    {"NaN", RT_EJSON_SYNTAX, 0},
    {"Infinity", RT_EJSON_SYNTAX, 0},
    {"-Infinity", RT_EJSON_SYNTAX, 1},
    {"\"", RT_EJSON_SYNTAX, 1},
    {"\"abc", RT_EJSON_SYNTAX, 4},
    {"\"\\", RT_EJSON_SYNTAX, 2},
    {"\"\\\"", RT_EJSON_SYNTAX, 3},
    {"\"\\a\"", RT_EJSON_SYNTAX, 2},
    {"\"\\'\"", RT_EJSON_SYNTAX, 2},
    {"\"\\U0041\"", RT_EJSON_SYNTAX, 2},
    {"\"\\x41\"", RT_EJSON_SYNTAX, 2},
    {"\"\\u\"", RT_EJSON_SYNTAX, 3},
    {"\"\\u004\"", RT_EJSON_SYNTAX, 6},
    {"\"\\u004g\"", RT_EJSON_SYNTAX, 6},
    {"\"\\u004", RT_EJSON_SYNTAX, 6},
    {"\"a\nb\"", RT_EJSON_SYNTAX, 2},
    {"\"12345678\x1e\"", RT_EJSON_SYNTAX, 9},
    {"'a'", RT_EJSON_SYNTAX, 0},
    {"[", RT_EJSON_SYNTAX, 1},
    {"]", RT_EJSON_SYNTAX, 0},
    {"[1", RT_EJSON_SYNTAX, 2},
    {"[1,", RT_EJSON_SYNTAX, 3},
    {"[1,]", RT_EJSON_SYNTAX, 3},
    {"[,1]", RT_EJSON_SYNTAX, 1},
    {"[1 2]", RT_EJSON_SYNTAX, 3},
    {"[1}", RT_EJSON_SYNTAX, 2},
    {"[}", RT_EJSON_SYNTAX, 1},
    {"[]]", RT_EJSON_SYNTAX, 2},
    {"[\"a\":1]", RT_EJSON_SYNTAX, 4},
    {"{", RT_EJSON_SYNTAX, 1},
    {"{]", RT_EJSON_SYNTAX, 1},
    {"{a:1}", RT_EJSON_SYNTAX, 1},
    {"{1:1}", RT_EJSON_SYNTAX, 1},
    {"{\"a\"}", RT_EJSON_SYNTAX, 4},
    {"{\"a\" 1}", RT_EJSON_SYNTAX, 5},
    {"{\"a\":}", RT_EJSON_SYNTAX, 5},
    {"{\"a\":1", RT_EJSON_SYNTAX, 6},
    {"{\"a\":1,}", RT_EJSON_SYNTAX, 7},
    {"{\"a\":1]", RT_EJSON_SYNTAX, 6},
    {"{\"a\":1 \"b\":2}", RT_EJSON_SYNTAX, 7},
    {"{,\"a\":1}", RT_EJSON_SYNTAX, 1},
    {"{\"a\\\":1}", RT_EJSON_SYNTAX, 8},
    {"{\"a\":1}}", RT_EJSON_SYNTAX, 7},
    {"[1]//", RT_EJSON_SYNTAX, 3},
    {"/**/1", RT_EJSON_SYNTAX, 0},
    {"\v1", RT_EJSON_SYNTAX, 0},
    {"1\f", RT_EJSON_SYNTAX, 1},
    {"\xef\xbb\xbf"
     "1",
     RT_EJSON_SYNTAX, 0},
    {"1\xc2\xa0", RT_EJSON_SYNTAX, 1},
    {"\"\x80\"", RT_EUTF8, 1},
    {"\"\xc0\x80\"", RT_EUTF8, 1},
    {"\"\xe9\"", RT_EUTF8, 1},
    {"\"\xed\xa0\x80\"", RT_EUTF8, 1},
    {"\"\xf4\x90\x80\x80\"", RT_EUTF8, 1},
    {"\"\xc3\xa9\xe6\x97\"", RT_EUTF8, 3},
    {"\"\xe6\x97", RT_EUTF8, 1},
    {"{\"\xff\":1}", RT_EUTF8, 2},
    {"\"0123456789abcdef\xff\"", RT_EUTF8, 17},
};

static void test_accepts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t n = strlen(good[i]);
        assert_int_equal(check(good[i], n, NULL), RT_OK);
        rt_slice head = rt_guard_head(&guard, good[i], n);
        assert_int_equal(rt_json_check(head, RT_JSON_STRICT, NULL, NULL), RT_OK);
    }
}

static void test_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t at = SIZE_MAX;
        assert_int_equal(check(bad[i].text, strlen(bad[i].text), &at), bad[i].status);
        assert_int_equal(at, bad[i].at);
        assert_int_equal(check(bad[i].text, strlen(bad[i].text), NULL), bad[i].status);
    }
    assert_int_equal(rt_json_check(RT_EMPTY, RT_JSON_STRICT, NULL, NULL), RT_EJSON_SYNTAX);
    assert_int_equal(check("1\0", 2, NULL), RT_EJSON_SYNTAX);
    assert_int_equal(check("\"\0\"", 3, NULL), RT_EJSON_SYNTAX);
}

/* What stays valid inside an array stays valid, what is not does not, wherever it falls in a word.
 */
static void test_everywhere_in_a_word(void **state) {
    (void)state;
    char text[200];
    for (size_t pad = 0; pad < 17; pad++) {
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            int n = snprintf(text, sizeof(text), "[\"%.*s\",%s]", (int)pad, "0123456789abcdefg",
                             good[i]);
            assert_int_equal(check(text, (size_t)n, NULL), RT_OK);
        }
        for (unsigned c = 0; c < 0x100; c++) {
            int n = snprintf(text, sizeof(text), "\"%.*s%c%s\"", (int)pad, "0123456789abcdefg",
                             c ? (int)c : 1, "tail of text");
            bool fine = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            bool escape = c == '\\'; /* before the t of "tail" */
            size_t at;
            int rc = check(text, (size_t)n, &at);
            assert_int_equal(rc, fine || escape ? RT_OK : c >= 0x80 ? RT_EUTF8 : RT_EJSON_SYNTAX);
            if (rc)
                assert_int_equal(at, c == '"' ? pad + 2 : pad + 1);
        }
    }
}

/* A text cut short is refused at its end, except where what is left is a whole number. */
static void test_every_prefix(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const char *from = good[i] + strspn(good[i], " \t\r\n");
        if (*from != '[' && *from != '{' && *from != '"')
            continue;
        size_t n = strlen(from);
        while (strchr(" \t\r\n", from[n - 1]))
            n--;
        for (size_t cut = 0; cut < n; cut++) {
            size_t at;
            int rc = check(from, cut, &at);
            assert_true(rc == RT_EJSON_SYNTAX || rc == RT_EUTF8);
            assert_true(rc == RT_EJSON_SYNTAX ? at == cut : at < cut);
        }
    }
}

static void test_depth(void **state) {
    (void)state;
    static const char *const open[] = {"[", "{\"a\":"};
    static const char *const close[] = {"]", "}"};
    for (unsigned depth = 1; depth <= RT_JSON_DEPTH_MAX + 1; depth++) {
        rt_buf b = RT_BUF_INIT;
        /* Both kinds in a pattern without a period that fits a word. */
        for (unsigned i = 0; i < depth; i++)
            rt_buf_puts(&b, rt_slice_of(open[i % 3 == 1]));
        size_t deepest = b.n - 1 - (open[(depth - 1) % 3 == 1][0] == '{' ? 4 : 0);
        rt_buf_puts(&b, RT_LIT("0"));
        for (unsigned i = depth; i > 0; i--)
            rt_buf_puts(&b, rt_slice_of(close[(i - 1) % 3 == 1]));
        size_t at;
        int rc = rt_json_check(rt_buf_slice(&b), RT_JSON_STRICT, NULL, &at);
        if (depth > RT_JSON_DEPTH_MAX) {
            assert_int_equal(rc, RT_EJSON_DEPTH);
            assert_int_equal(at, deepest);
        } else {
            assert_int_equal(rc, RT_OK);
            b.p[b.n - 1 - depth / 2] ^= ']' ^ '}'; /* the wrong kind of bracket in the middle */
            rc = rt_json_check(rt_buf_slice(&b), RT_JSON_STRICT, NULL, &at);
            assert_int_equal(rc, RT_EJSON_SYNTAX);
            assert_int_equal(at, b.n - 1 - depth / 2);
        }
        rt_buf_fini(&b);
    }
}

static void test_brackets_that_never_close(void **state) {
    (void)state;
    size_t n = 1000000;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, '[', n);
    size_t at;
    assert_int_equal(rt_json_check(rt_slice_make(text, n), RT_JSON_STRICT, NULL, &at),
                     RT_EJSON_DEPTH);
    assert_int_equal(at, RT_JSON_DEPTH_MAX);
    free(text);
}

static int check_python(const char *text, unsigned *count) {
    rt_slice s = rt_guard_tail(&guard, text, strlen(text));
    return rt_json_check(s, RT_JSON_PYTHON_NUMBERS, count, NULL);
}

static void test_python_numbers(void **state) {
    (void)state;
    unsigned count = 99;
    assert_int_equal(check_python("[NaN,Infinity,-Infinity,1,{\"a\":NaN}]", &count), RT_OK);
    assert_int_equal(count, 4);
    assert_int_equal(check_python("[1, \"NaN\", -1]", &count), RT_OK);
    assert_int_equal(count, 0);
    assert_int_equal(check_python(" -Infinity ", &count), RT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(check_python("NaN", NULL), RT_OK);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(check_python(good[i], &count), RT_OK);
        assert_int_equal(count, 0);
    }
    static const char *const wrong[] = {
        "Na",        "NaNN",       "nan",     "-NaN", "Infinit", "Infinityy", "-Infinit", "-I",
        "+Infinity", "--Infinity", "{NaN:1}", "[NaN", "inf",     "NaN1",      "1NaN",     "-"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(check_python(wrong[i], &count), RT_EJSON_SYNTAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_everywhere_in_a_word),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_brackets_that_never_close),
        cmocka_unit_test(test_python_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
