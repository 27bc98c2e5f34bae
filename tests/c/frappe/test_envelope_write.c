/* The envelope as it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "frappe/envelope.h"
#include "support/faults.h"

#include <string.h>

static void expect_envelope(rt_slice mark, rt_event e, const char *expected) {
    rt_buf out = RT_BUF_INIT;
    assert_int_equal(rt_envelope_put(&out, mark, &e), RT_OK);
    assert_int_equal(out.n, strlen(expected));
    assert_memory_equal(out.p, expected, out.n);
    rt_buf_fini(&out);
}

static void test_envelope(void **state) {
    (void)state;
    expect_envelope(
        RT_EMPTY,
        (rt_event){RT_LIT("s"), RT_LIT("r\n\"\\"), RT_LIT("\xc3\xa9"), RT_LIT("{\"a\":1}")},
        "{\"event\":\"\xc3\xa9\",\"message\":{\"a\":1},\"namespace\":\"s\",\"room\":"
        "\"r\\n\\\"\\\\\"}");
    expect_envelope(RT_LIT("\"m\":1,"), (rt_event){RT_EMPTY, RT_EMPTY, RT_LIT("e"), RT_LIT("null")},
                    "{\"m\":1,\"event\":\"e\",\"message\":null,\"namespace\":null,\"room\":null}");
    expect_envelope(
        RT_EMPTY, (rt_event){RT_LIT("s"), RT_EMPTY, RT_LIT("e"), RT_LIT("\n[\n1,\n\n\"\\n\"]\n")},
        "{\"event\":\"e\",\"message\": [ 1,  \"\\n\"] ,\"namespace\":\"s\",\"room\":null}");
}

static int put_envelope(void *arg) {
    rt_buf out = RT_BUF_INIT;
    char message[3000];
    (void)arg;
    memset(message, '\n', sizeof message);
    rt_event e = {RT_LIT("s"), RT_LIT("r"), RT_LIT("e"), rt_slice_make(message, sizeof message)};
    int status = rt_envelope_put(&out, RT_EMPTY, &e);
    assert_true(status != RT_OK || !memchr(out.p, '\n', out.n));
    rt_buf_fini(&out);
    return status;
}

static void test_envelope_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(put_envelope, NULL) >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_envelope_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
