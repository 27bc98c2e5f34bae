/* What a handshake said, as JSON: it is whole, or the buffer says that it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hosts/state.h"
#include "support/faults.h"

#define LONG "a-value-too-long-for-the-first-64-bytes-of-a-buffer-which-then-grows"

static int put_query(void *arg) {
    static const char whole[] = "\"query\":{\"k\":\"v\",\"" LONG "1\":\"" LONG " 2\"},\"auth\":{}";
    rt_http_request req = {.query = RT_LIT("k=v&" LONG "%31=" LONG "+2")};
    rt_buf b = RT_BUF_INIT;
    (void)arg;
    rt_host_put_query_and_auth(&b, &req, RT_EMPTY);
    int status = b.err;
    if (status == RT_OK) {
        assert_int_equal(b.n, strlen(whole));
        assert_memory_equal(b.p, whole, b.n);
    }
    rt_buf_fini(&b);
    return status;
}

static void test_query_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(put_query, NULL) >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_query_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
