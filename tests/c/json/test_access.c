#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "json/scan.h"
#include "support/faults.h"
#include "support/guard.h"

#include <stdio.h>

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

/* The text, next to unreadable memory, after a look that it is what the accessors may be given. */
static rt_slice json(const char *text) {
    rt_slice s = rt_guard_tail(&guard, text, strlen(text));
    assert_int_equal(rt_json_check(s, RT_JSON_PYTHON_NUMBERS, NULL, NULL), RT_OK);
    return s;
}

static void assert_slice(rt_slice s, const char *text) {
    if (!rt_slice_eq(s, rt_slice_of(text)))
        fail_msg("got <%.*s>, want <%s>", (int)s.n, s.n ? s.p : "", text);
}

static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum rt_json_type type;
    } cases[] = {
        {"null", RT_JSON_NULL},   {" true", RT_JSON_BOOL},      {"\nfalse ", RT_JSON_BOOL},
        {"0", RT_JSON_NUMBER},    {"-1", RT_JSON_NUMBER},       {"9e9", RT_JSON_NUMBER},
        {"NaN", RT_JSON_NUMBER},  {"Infinity", RT_JSON_NUMBER}, {"-Infinity", RT_JSON_NUMBER},
        {"\"\"", RT_JSON_STRING}, {" []", RT_JSON_ARRAY},       {"\t{}", RT_JSON_OBJECT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(rt_json_type_of(json(cases[i].text)), cases[i].type);
    assert_int_equal(rt_json_type_of(RT_EMPTY), RT_JSON_NONE);
    assert_int_equal(rt_json_type_of(RT_LIT("  ")), RT_JSON_NONE);
    assert_int_equal(rt_json_type_of(RT_LIT("x")), RT_JSON_NONE);
}

static void test_trim(void **state) {
    (void)state;
    assert_slice(rt_json_trim(json(" \r\n\t[ 1 ]\t\n\r ")), "[ 1 ]");
    assert_slice(rt_json_trim(rt_guard_tail(&guard, "   ", 3)), "");
    assert_slice(rt_json_trim(rt_guard_head(&guard, "   ", 3)), "");
    assert_slice(rt_json_trim(RT_EMPTY), "");
}

/* ---- walking ---- */

static void assert_elements(const char *text, const char *const *want, size_t n) {
    rt_json_iter it;
    assert_int_equal(rt_json_iter_init(&it, json(text)), RT_OK);
    rt_slice v;
    for (size_t i = 0; i < n; i++) {
        assert_true(rt_json_next(&it, &v));
        assert_slice(v, want[i]);
    }
    assert_false(rt_json_next(&it, &v));
    assert_false(rt_json_next(&it, &v));
}

static void test_arrays(void **state) {
    (void)state;
    assert_elements("[]", NULL, 0);
    assert_elements(" [ \n ] ", NULL, 0);
    assert_elements("[1]", (const char *[]){"1"}, 1);
    static const char *const want[] = {"null",
                                       "-1.5e+3",
                                       "\"a,]\\\"\"",
                                       "[ 1 , [ ] ]",
                                       "{\"a]\":\"}\", \"b\": [{}]}",
                                       "\"\\\\\"",
                                       "-Infinity",
                                       "\"text of more than eight bytes \xc3\xa9\"",
                                       "[]",
                                       "true"};
    static const char *const gaps[] = {"", " ", "\n\t", "        "};
    for (size_t g = 0; g < 4; g++) {
        rt_buf b = RT_BUF_INIT;
        rt_buf_putc(&b, '[');
        for (size_t i = 0; i < 10; i++)
            rt_buf_printf(&b, "%s%s%s%s", i ? "," : "", gaps[g], want[i], gaps[g]);
        rt_buf_put(&b, "]", 2);
        assert_elements(b.p, want, 10);
        rt_buf_fini(&b);
    }
}

static void test_objects(void **state) {
    (void)state;
    rt_json_iter it;
    rt_slice k, v;
    assert_int_equal(rt_json_iter_init(&it, json("{ }")), RT_OK);
    assert_false(rt_json_next_pair(&it, &k, &v));
    rt_slice text = json(" {\"a\":1 , \"b:,}\" : {\"c\":[2]},\"\":\"x\" } ");
    assert_int_equal(rt_json_iter_init(&it, text), RT_OK);
    assert_true(rt_json_next_pair(&it, &k, &v));
    assert_slice(k, "\"a\"");
    assert_slice(v, "1");
    assert_true(rt_json_next_pair(&it, &k, &v));
    assert_slice(k, "\"b:,}\"");
    assert_slice(v, "{\"c\":[2]}");
    assert_true(rt_json_next_pair(&it, &k, &v));
    assert_slice(k, "\"\"");
    assert_slice(v, "\"x\"");
    assert_false(rt_json_next_pair(&it, &k, &v));
}

static void test_only_containers_are_walked(void **state) {
    (void)state;
    static const char *const others[] = {"null", "true", "1", "\"[]\"", "\"\""};
    rt_json_iter it;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(rt_json_iter_init(&it, json(others[i])), RT_EJSON_TYPE);
    assert_int_equal(rt_json_iter_init(&it, RT_EMPTY), RT_EJSON_TYPE);
    assert_int_equal(rt_json_iter_init(&it, RT_LIT("[")), RT_EJSON_TYPE);
}

/* Brackets and quotes in every position within a word. */
static void test_containers_at_every_offset(void **state) {
    (void)state;
    char text[200];
    char want[100];
    for (int pad = 0; pad < 24; pad++) {
        for (int inner = 0; inner < 24; inner++) {
            snprintf(want, sizeof(want), "{\"%.*s\":[\"%.*s\\\"]\",{}]}", inner,
                     "abcdefghijklmnopqrstuvwx", inner, "[{]}[{]}[{]}[{]}[{]}[{]}");
            snprintf(text, sizeof(text), "[\"%.*s\",%s,7]", pad, "[[[[[[[[[[[[[[[[[[[[[[[[", want);
            rt_json_iter it;
            rt_slice v;
            assert_int_equal(rt_json_iter_init(&it, json(text)), RT_OK);
            assert_true(rt_json_next(&it, &v));
            assert_int_equal(v.n, pad + 2);
            assert_true(rt_json_next(&it, &v));
            assert_slice(v, want);
            assert_true(rt_json_next(&it, &v));
            assert_slice(v, "7");
            assert_false(rt_json_next(&it, &v));
        }
    }
}

static void test_get(void **state) {
    (void)state;
    rt_slice o =
        json("{\"event\":\"e\",\"room\":null,\"message\":{\"room\":5},\"\":0,\"room\": [1] }");
    assert_slice(rt_json_get(o, RT_LIT("event")), "\"e\"");
    assert_slice(rt_json_get(o, RT_LIT("room")), "[1]"); /* the last one wins */
    assert_slice(rt_json_get(o, RT_LIT("message")), "{\"room\":5}");
    assert_slice(rt_json_get(o, RT_EMPTY), "0");
    assert_slice(rt_json_get(o, RT_LIT("even")), "");
    assert_slice(rt_json_get(o, RT_LIT("events")), "");
    assert_slice(rt_json_get(json("[\"event\",1]"), RT_LIT("event")), "");
    assert_slice(rt_json_get(json("\"event\""), RT_LIT("event")), "");
    assert_slice(rt_json_get(RT_EMPTY, RT_LIT("event")), "");
}

static void test_get_with_escaped_keys(void **state) {
    (void)state;
    rt_slice o = json("{\"\\u0065vent\":1,\"a\\\"b\":2,\"\\ud83d\\ude00\":3,\"\xc3\xa9\":4,"
                      "\"\\u00e9\":5,\"\\ud800\":6,\"x\\\\\":7,\"n\\u0000l\":8,\"\\/\":9}");
    assert_slice(rt_json_get(o, RT_LIT("event")), "1");
    assert_slice(rt_json_get(o, RT_LIT("\\u0065vent")), "");
    assert_slice(rt_json_get(o, RT_LIT("a\"b")), "2");
    assert_slice(rt_json_get(o, RT_LIT("a\\\"b")), "");
    assert_slice(rt_json_get(o, RT_LIT("\xf0\x9f\x98\x80")), "3");
    assert_slice(rt_json_get(o, RT_LIT("\xc3\xa9")), "5");
    assert_slice(rt_json_get(o, RT_LIT("\xed\xa0\x80")), "");
    assert_slice(rt_json_get(o, RT_LIT("x\\")), "7");
    assert_slice(rt_json_get(o, RT_LIT("n\0l")), "8");
    assert_slice(rt_json_get(o, RT_LIT("n")), "");
    assert_slice(rt_json_get(o, RT_LIT("/")), "9");
}

/* ---- strings ---- */

static const struct {
    const char *text;
    rt_slice plain;
    bool escapes;
} strings[] = {
    {"\"\"", {"", 0}, false},
    {" \"abc\" ", {"abc", 3}, false},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}, true},
    {"\"a\\u0041b\"", {"aAb", 3}, true},
    {"\"\\u0000\"", {"\0", 1}, true},
    {"\"\\u007F\\u0080\\u07ff\\u0800\\uFFFF\"",
     {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
     true},
    {"\"\\ud83d\\ude00!\"", {"\xf0\x9f\x98\x80!", 5}, true},
    {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8}, true},
    {"\"\\ud7ff\\ue000\"", {"\xed\x9f\xbf\xee\x80\x80", 6}, true},
    {"\"\xe6\x97\xa5 \\n \xf0\x9f\x98\x80\"", {"\xe6\x97\xa5 \n \xf0\x9f\x98\x80", 10}, true},
    {"\"\\\\u0041\"", {"\\u0041", 6}, true},
};
#define STRINGS (sizeof(strings) / sizeof(strings[0]))

static void test_decode(void **state) {
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        rt_buf out = RT_BUF_INIT;
        rt_buf_putc(&out, '>');
        rt_slice value = json(strings[i].text);
        assert_int_equal(rt_json_str_decode(value, &out), RT_OK);
        assert_true(rt_slice_eq(rt_slice_from(rt_buf_slice(&out), 1), strings[i].plain));
        assert_true(rt_json_str_is(value, strings[i].plain));
        rt_slice text = RT_LIT("untouched");
        assert_int_equal(rt_json_str_plain(value, &text), !strings[i].escapes);
        if (strings[i].escapes)
            assert_slice(text, "untouched");
        else
            assert_true(rt_slice_eq(text, strings[i].plain));
        rt_buf_fini(&out);
    }
}

static void test_str_is_compares_all(void **state) {
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        rt_slice value = json(strings[i].text);
        rt_slice plain = strings[i].plain;
        char longer[32];
        memcpy(longer, plain.p, plain.n);
        longer[plain.n] = 'x';
        assert_false(rt_json_str_is(value, rt_slice_make(longer, plain.n + 1)));
        if (plain.n == 0)
            continue;
        assert_false(rt_json_str_is(value, rt_slice_make(longer, plain.n - 1)));
        for (size_t at = 0; at < plain.n; at++) {
            longer[at] ^= 1;
            assert_false(rt_json_str_is(value, rt_slice_make(longer, plain.n)));
            longer[at] ^= 1;
        }
    }
    assert_false(rt_json_str_is(json("1"), RT_LIT("1")));
    assert_false(rt_json_str_is(json("null"), RT_EMPTY));
    assert_false(rt_json_str_is(RT_EMPTY, RT_EMPTY));
    assert_false(rt_json_str_is(RT_LIT("\""), RT_EMPTY));
}

static void test_lone_surrogates_have_no_text(void **state) {
    (void)state;
    static const char *const lone[] = {
        "\"a\\ud800\"",        "\"a\\udc00\"",         "\"a\\ud800\\ud800\"",
        "\"a\\ud800x\"",       "\"a\\ud800\\n\"",      "\"a\\udc00\\ud800\"",
        "\"a\\ud800\\u0041\"", "\"a\\ud800\\ue000\"",  "\"a\\ud83d \\ude00\"",
        "\"a\\ud800xxxxxx\"",  "\"a\\ud800\\\\udc00\""};
    for (size_t i = 0; i < sizeof(lone) / sizeof(lone[0]); i++) {
        rt_slice value = json(lone[i]);
        rt_buf out = RT_BUF_INIT;
        rt_buf_putc(&out, '>');
        assert_int_equal(rt_json_str_decode(value, &out), RT_EUTF8);
        assert_slice(rt_buf_slice(&out), ">");
        assert_int_equal(out.err, RT_OK);
        assert_false(rt_json_str_is(value, RT_LIT("a")));
        assert_false(rt_json_str_is(value, RT_LIT("a\xed\xa0\x80")));
        rt_buf_fini(&out);
    }
}

static void test_decode_other_types(void **state) {
    (void)state;
    static const char *const others[] = {"null", "1", "[\"a\"]", "{}", "true"};
    rt_slice text;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        rt_buf out = RT_BUF_INIT;
        assert_int_equal(rt_json_str_decode(json(others[i]), &out), RT_EJSON_TYPE);
        assert_false(rt_json_str_plain(json(others[i]), &text));
        rt_buf_fini(&out);
    }
}

static int decode_long(void *arg) {
    (void)arg;
    rt_buf out = RT_BUF_INIT;
    int rc = rt_json_str_decode(RT_LIT("\"0123456789012345678901234567890123456789\\n"
                                       "0123456789012345678901234567890123456789\\u00e9\""),
                                &out);
    rt_buf_fini(&out);
    return rc;
}

static int fix_long(void *arg) {
    (void)arg;
    rt_buf out = RT_BUF_INIT;
    int rc = rt_json_copy_fixed(RT_LIT("[\"0123456789012345678901234567890123456789\",NaN,"
                                       "\"0123456789012345678901234567890123456789\",NaN]"),
                                &out);
    rt_buf_fini(&out);
    return rc;
}

static void test_allocation_failures(void **state) {
    (void)state;
    assert_int_equal(rt_faults_each(decode_long, NULL), 2);
    assert_int_equal(rt_faults_each(fix_long, NULL), 2);
    rt_buf out;
    rt_buf_init(&out, 3);
    assert_int_equal(rt_json_str_decode(RT_LIT("\"abc\""), &out), RT_OK);
    assert_int_equal(rt_json_str_decode(RT_LIT("\"d\""), &out), RT_ELIMIT);
    rt_buf_fini(&out);
}

static void test_copy_fixed(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"NaN", "null"},
        {"-Infinity", "null"},
        {" Infinity ", " null "},
        {"[NaN,Infinity,-Infinity,-1]", "[null,null,null,-1]"},
        {"[NaN, NaN]", "[null, null]"},
        {"{\"NaN\":NaN,\"-Infinity\\\"\":\"NaN\",\"x\":[-Infinity , 1E5]}",
         "{\"NaN\":null,\"-Infinity\\\"\":\"NaN\",\"x\":[null , 1E5]}"},
        {"{\"a\":[1,null]}", "{\"a\":[1,null]}"},
        {"\"\\\\\"", "\"\\\\\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rt_buf out = RT_BUF_INIT;
        assert_int_equal(rt_json_copy_fixed(json(cases[i][0]), &out), RT_OK);
        assert_slice(rt_buf_slice(&out), cases[i][1]);
        assert_int_equal(rt_json_check(rt_buf_slice(&out), RT_JSON_STRICT, NULL, NULL), RT_OK);
        rt_buf_fini(&out);
    }
}

/* The accessors promise to stay inside the slice, and to end, on text that no check has seen. */
static void test_unchecked_text_is_survived(void **state) {
    (void)state;
    rt_buf none = RT_BUF_INIT;
    assert_int_equal(rt_json_str_decode(RT_LIT("\"\\\""), &none), RT_EUTF8);
    assert_int_equal(none.n, 0);
    rt_buf_fini(&none);
    static const char *const texts[] = {
        "[]]",     "[,,]",           "{\"a\"}", "{\"a\":}", "[\"",           "[\"\\",
        "{\"\\u0", "[1 2]",          "[[[",     "\"\\u12",  "\"\\",          "-Inf",
        "{]",      "{\"a\":\"\\\"}", "[}]",     "Infinit",  "\"\\ud800\\u\""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        rt_slice s = rt_guard_tail(&guard, texts[i], strlen(texts[i]));
        rt_json_iter it;
        rt_slice k, v;
        int steps = 0;
        if (rt_json_iter_init(&it, s) == RT_OK) {
            while (rt_json_next(&it, &v))
                assert_true(++steps < 20);
        }
        if (rt_json_iter_init(&it, s) == RT_OK) {
            while (rt_json_next_pair(&it, &k, &v))
                assert_true(++steps < 40);
        }
        rt_json_get(s, RT_LIT("a"));
        rt_buf out = RT_BUF_INIT;
        rt_status_ignore(rt_json_str_decode(s, &out));
        rt_json_copy_fixed(s, &out);
        rt_buf_fini(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_only_containers_are_walked),
        cmocka_unit_test(test_containers_at_every_offset),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_with_escaped_keys),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_str_is_compares_all),
        cmocka_unit_test(test_lone_surrogates_have_no_text),
        cmocka_unit_test(test_decode_other_types),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_copy_fixed),
        cmocka_unit_test(test_unchecked_text_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
