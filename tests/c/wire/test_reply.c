/* wire/reply.c: heads byte by byte, and no way to split a response. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"
#include "wire/reply.h"

static void assert_bytes(rt_buf *b, const char *expected) {
    assert_int_equal(b->err, RT_OK);
    assert_int_equal(b->n, strlen(expected));
    assert_memory_equal(b->p, expected, b->n);
    rt_buf_fini(b);
}

static void test_head(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_reply_start(&b, 200), RT_OK);
    assert_int_equal(rt_reply_header(&b, RT_LIT("Content-Type"), RT_LIT("text/plain")), RT_OK);
    assert_int_equal(rt_reply_header(&b, RT_LIT("X-Empty"), RT_EMPTY), RT_OK);
    assert_int_equal(rt_reply_end(&b, 12, true), RT_OK);
    assert_bytes(&b, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Empty: \r\n"
                     "Content-Length: 12\r\nConnection: keep-alive\r\n\r\n");
}

static void test_end(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_reply_end(&b, 0, false), RT_OK);
    assert_bytes(&b, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    assert_int_equal(rt_reply_end(&b, SIZE_MAX, true), RT_OK);
    assert_bytes(&b, "Content-Length: 18446744073709551615\r\nConnection: keep-alive\r\n\r\n");
}

static void test_status_line(void **state) {
    (void)state;
    static const int bad[] = {0, 99, 1000, -1, INT32_MIN, INT32_MAX};
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_reply_start(&b, 101), RT_OK);
    assert_bytes(&b, "HTTP/1.1 101 Switching Protocols\r\n");
    assert_int_equal(rt_reply_start(&b, 799), RT_OK);
    assert_bytes(&b, "HTTP/1.1 799 Unknown\r\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rt_reply_start(&b, bad[i]), RT_EINVAL);
        assert_int_equal(b.n, 0);
        rt_buf_clear(&b);
    }
    rt_buf_fini(&b);
}

/* RFC 9110, section 15, and RFC 6585; all that this server answers is among them. */
static void test_reasons(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reason;
    } known[] = {{100, "Continue"},
                 {200, "OK"},
                 {204, "No Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Payload Too Large"},
                 {414, "URI Too Long"},
                 {426, "Upgrade Required"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_string_equal(rt_http_reason(known[i].status), known[i].reason);
    for (int status = -1; status < 1100; status++) {
        const char *reason = rt_http_reason(status);
        assert_non_null(reason);
        assert_true(reason[0] >= 'A' && reason[0] <= 'Z');
        assert_null(strpbrk(reason, "\r\n:"));
    }
    assert_string_equal(rt_http_reason(0), "Unknown");
}

static void assert_refused(rt_slice name, rt_slice value) {
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_reply_start(&b, 200), RT_OK);
    size_t before = b.n;
    assert_int_equal(rt_reply_header(&b, name, value), RT_EINVAL);
    assert_int_equal(rt_reply_header(&b, RT_LIT("X"), RT_LIT("y")), RT_EINVAL);
    assert_int_equal(rt_reply_end(&b, 0, true), RT_EINVAL);
    assert_int_equal(b.n, before);
    rt_buf_fini(&b);
}

/* Every byte, in every place of a short value and name. */
static void test_no_splitting(void **state) {
    (void)state;
    rt_guard guard;
    rt_guard_init(&guard, 16);
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 3; at++) {
            char text[3] = {'a', 'b', 'c'};
            text[at] = (char)c;
            rt_slice slice = rt_guard_tail(&guard, text, 3);
            rt_buf b = RT_BUF_INIT;
            bool value_ok = c != '\r' && c != '\n' && c != '\0';
            bool name_ok = c > ' ' && c < 0x7f && c != ':';
            if (!value_ok)
                assert_refused(RT_LIT("X"), slice);
            else
                assert_int_equal(rt_reply_header(&b, RT_LIT("X"), slice), RT_OK);
            rt_buf_clear(&b);
            if (!name_ok)
                assert_refused(slice, RT_LIT("x"));
            else
                assert_int_equal(rt_reply_header(&b, slice, RT_LIT("x")), RT_OK);
            rt_buf_fini(&b);
        }
    }
    assert_refused(RT_EMPTY, RT_LIT("x"));
    assert_refused(RT_LIT("X"), RT_LIT("a\r\nSet-Cookie: b=c"));
    rt_guard_fini(&guard);
}

/* An earlier error is not painted over. */
static void test_first_error_stays(void **state) {
    (void)state;
    rt_buf b = RT_BUF_INIT;
    rt_buf_init(&b, 8);
    assert_int_equal(rt_reply_start(&b, 200), RT_ELIMIT);
    assert_int_equal(rt_reply_header(&b, RT_LIT("X"), RT_LIT("\n")), RT_ELIMIT);
    assert_int_equal(rt_reply_start(&b, 0), RT_ELIMIT);
    rt_buf_fini(&b);
}

static int whole_head(void *arg) {
    (void)arg;
    rt_buf b = RT_BUF_INIT;
    char value[300];
    memset(value, 'v', sizeof value);
    rt_reply_start(&b, 200);
    rt_reply_header(&b, RT_LIT("X"), rt_slice_make(value, sizeof value));
    int rc = rt_reply_end(&b, 1, true);
    rt_buf_fini(&b);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(whole_head, NULL) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),          cmocka_unit_test(test_end),
        cmocka_unit_test(test_status_line),   cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_no_splitting),  cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
