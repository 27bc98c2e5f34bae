#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "support/faults.h"

static void assert_holds(const rt_buf *b, const char *text) {
    assert_int_equal(b->n, strlen(text));
    if (b->n)
        assert_memory_equal(b->p, text, b->n);
}

static void test_appends(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_buf_puts(&b, RT_LIT("ab")), RT_OK);
    assert_int_equal(rt_buf_putc(&b, 'c'), RT_OK);
    assert_int_equal(rt_buf_put(&b, NULL, 0), RT_OK);
    assert_int_equal(rt_buf_put_u64(&b, 0), RT_OK);
    assert_int_equal(rt_buf_put_u64(&b, UINT64_MAX), RT_OK);
    assert_int_equal(rt_buf_printf(&b, " %s %d", "x", -5), RT_OK);
    assert_holds(&b, "abc018446744073709551615 x -5");
    assert_true(rt_slice_eq(rt_buf_slice(&b), RT_LIT("abc018446744073709551615 x -5")));
    rt_buf_fini(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
}

static void test_grows_and_keeps_the_bytes(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    for (int i = 0; i < 100000; i++)
        assert_int_equal(rt_buf_putc(&b, (char)i), RT_OK);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], (char)i);
    rt_buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_true(b.cap >= 100000);
    rt_buf_fini(&b);
}

static void test_limit_is_exact_and_sticky(void **state) {
    (void)state;
    rt_buf b;
    rt_buf_init(&b, 10);
    assert_int_equal(rt_buf_puts(&b, RT_LIT("0123456789")), RT_OK);
    assert_true(b.cap <= 10);
    assert_int_equal(rt_buf_putc(&b, 'x'), RT_ELIMIT);
    assert_int_equal(b.err, RT_ELIMIT);
    assert_int_equal(rt_buf_put(&b, NULL, 0), RT_ELIMIT);
    assert_int_equal(rt_buf_printf(&b, "x"), RT_ELIMIT);
    rt_buf_drop(&b, 5);
    assert_int_equal(rt_buf_putc(&b, 'x'), RT_ELIMIT);
    assert_holds(&b, "56789");
    rt_buf_clear(&b);
    assert_int_equal(rt_buf_printf(&b, "%s", "0123456789"), RT_OK);
    assert_int_equal(rt_buf_printf(&b, "%s", ""), RT_OK);
    assert_holds(&b, "0123456789");
    rt_buf_fini(&b);
    assert_int_equal(rt_buf_puts(&b, RT_LIT("0123456789a")), RT_ELIMIT);
    rt_buf_fini(&b);
}

static void test_refused_append_adds_nothing(void **state) {
    (void)state;
    rt_buf b;
    rt_buf_init(&b, 10);
    rt_buf_puts(&b, RT_LIT("abc"));
    assert_int_equal(rt_buf_puts(&b, RT_LIT("12345678")), RT_ELIMIT);
    assert_holds(&b, "abc");
    rt_buf_fini(&b);
}

static void test_sizes_that_overflow(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    rt_buf_putc(&b, 'x');
    assert_int_equal(rt_buf_reserve(&b, SIZE_MAX), RT_ENOMEM);
    rt_buf_clear(&b);
    rt_buf_putc(&b, 'x');
    assert_int_equal(b.err, RT_OK);
    rt_buf_fini(&b);
    rt_buf_init(&b, 100);
    assert_int_equal(rt_buf_reserve(&b, SIZE_MAX), RT_ELIMIT);
    rt_buf_fini(&b);
}

static void test_long_printf(void **state) {
    (void)state;
    char text[1001];
    memset(text, 'y', sizeof(text) - 1);
    text[1000] = '\0';
    /* Around the border between the block on the stack and the one on the heap. */
    for (int n = 250; n < 260; n++) {
        rt_buf b = RT_BUF_INIT;
        assert_int_equal(rt_buf_printf(&b, "%.*s", n, text), RT_OK);
        assert_int_equal(b.n, n);
        assert_memory_equal(b.p, text, (size_t)n);
        rt_buf_fini(&b);
    }
    rt_buf b;
    rt_buf_init(&b, 1000);
    assert_int_equal(rt_buf_printf(&b, "%s", text), RT_OK);
    assert_holds(&b, text);
    rt_buf_fini(&b);
}

static void test_drop(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    rt_buf_drop(&b, 3);
    rt_buf_puts(&b, RT_LIT("abcdef"));
    rt_buf_drop(&b, 0);
    assert_holds(&b, "abcdef");
    rt_buf_drop(&b, 2);
    assert_holds(&b, "cdef");
    rt_buf_drop(&b, 100);
    assert_holds(&b, "");
    rt_buf_fini(&b);
}

static int append_much(void *arg) {
    (void)arg;
    char text[600];
    memset(text, 'z', sizeof(text));
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT("start"));
    for (int i = 0; i < 20; i++) {
        size_t before = b.n;
        int rc = rt_buf_printf(&b, "%.*s", (int)sizeof(text), text);
        assert_int_equal(rc, b.err);
        assert_int_equal(b.n, rc ? before : before + sizeof(text));
    }
    int err = b.err;
    rt_buf_fini(&b);
    return err;
}

static void test_allocation_failures(void **state) {
    (void)state;
    assert_true(rt_faults_each(append_much, NULL) > 20);
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT("kept"));
    rt_alloc_fail_at(1);
    assert_int_equal(rt_buf_reserve(&b, 1000), RT_ENOMEM);
    rt_alloc_fail_at(0);
    assert_int_equal(rt_buf_putc(&b, 'x'), RT_ENOMEM);
    assert_holds(&b, "kept");
    rt_buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_grows_and_keeps_the_bytes),
        cmocka_unit_test(test_limit_is_exact_and_sticky),
        cmocka_unit_test(test_refused_append_adds_nothing),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_long_printf),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
