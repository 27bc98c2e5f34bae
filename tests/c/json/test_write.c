#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "json/write.h"
#include "support/faults.h"
#include "support/guard.h"

static void assert_holds(const rt_buf *b, const char *text) {
    assert_int_equal(b->err, RT_OK);
    if (!rt_slice_eq(rt_buf_slice(b), rt_slice_of(text)))
        fail_msg("got <%.*s>, want <%s>", (int)b->n, b->p, text);
}

static void test_strings(void **state) {
    (void)state;
    static const struct {
        rt_slice text;
        const char *json;
    } cases[] = {
        {{NULL, 0}, "\"\""},
        {{"abc", 3}, "\"abc\""},
        {{"\"\\/", 3}, "\"\\\"\\\\/\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x0b\x1e\x1f\x7f", 6}, "\"\\u0000\\u0001\\u000b\\u001e\\u001f\x7f\""},
        {{"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80", 9}, "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\""},
        {{"0123456789\n0123456789\"", 22}, "\"0123456789\\n0123456789\\\"\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rt_buf b = RT_BUF_INIT;
        assert_int_equal(rt_json_put_str(&b, cases[i].text), RT_OK);
        assert_holds(&b, cases[i].json);
        rt_buf_fini(&b);
    }
}

/* What is written is read back the same, and any reader would accept it. */
static void test_every_character_comes_back(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 64);
    for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x900 ? 1 : 97) {
        char text[20] = "abcdefg";
        size_t n = rt_utf8_encode(c, text + c % 8);
        if (n == 0)
            continue;
        rt_slice plain = rt_guard_tail(&g, text, c % 8 + n);
        rt_buf b = RT_BUF_INIT;
        assert_int_equal(rt_json_put_str(&b, plain), RT_OK);
        assert_int_equal(rt_json_check(rt_buf_slice(&b), RT_JSON_STRICT, NULL, NULL), RT_OK);
        assert_true(rt_json_str_is(rt_buf_slice(&b), plain));
        rt_buf_fini(&b);
    }
    rt_guard_fini(&g);
}

static void put_all(rt_buf *b) {
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("sid"), RT_LIT("a\"b"));
    rt_json_put_member_u64(b, RT_LIT("n"), 25000);
    rt_json_put_key(b, RT_LIT("list"));
    rt_buf_puts(b, RT_LIT("[1]"));
    rt_json_put_member_raw(b, RT_LIT("raw{"), RT_LIT("{\"x\":null}"));
    rt_json_put_key(b, RT_LIT("o"));
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("p"), RT_LIT("{"));
    rt_json_put_member_u64(b, RT_LIT("q"), 0);
    rt_buf_puts(b, RT_LIT("}}"));
}

static void test_members(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    put_all(&b);
    assert_holds(&b, "{\"sid\":\"a\\\"b\",\"n\":25000,\"list\":[1],\"raw{\":{\"x\":null},"
                     "\"o\":{\"p\":\"{\",\"q\":0}}");
    assert_int_equal(rt_json_check(rt_buf_slice(&b), RT_JSON_STRICT, NULL, NULL), RT_OK);
    rt_buf_fini(&b);
    assert_int_equal(rt_json_put_key(&b, RT_LIT("first")), RT_OK);
    assert_holds(&b, "\"first\":");
    rt_buf_clear(&b);
    rt_buf_putc(&b, '[');
    assert_int_equal(rt_json_put_key(&b, RT_LIT("a")), RT_OK);
    assert_holds(&b, "[\"a\":");
    rt_buf_fini(&b);
}

static int write_all(void *arg) {
    (void)arg;
    rt_buf b = RT_BUF_INIT;
    put_all(&b);
    int err = b.err;
    rt_buf_fini(&b);
    return err;
}

static void test_errors_stick(void **state) {
    (void)state;
    assert_true(rt_faults_each(write_all, NULL) >= 2);
    rt_buf whole = RT_BUF_INIT;
    put_all(&whole);
    size_t length = whole.n;
    rt_buf_fini(&whole);
    for (size_t max = 1; max < length; max++) {
        rt_buf b;
        rt_buf_init(&b, max);
        put_all(&b);
        assert_true(b.n <= max);
        assert_int_equal(b.err, RT_ELIMIT);
        assert_int_equal(rt_json_put_str(&b, RT_EMPTY), RT_ELIMIT);
        rt_buf_fini(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_character_comes_back),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_errors_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
