/* wire/coding.c: what Accept-Encoding allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/guard.h"
#include "wire/coding.h"

static const struct {
    const char *header;
    enum rt_coding chosen;
} cases[] = {
    {"", RT_CODING_IDENTITY},
    {"gzip", RT_CODING_GZIP},
    {"GZip", RT_CODING_GZIP},
    {"deflate", RT_CODING_DEFLATE},
    {"gzip, deflate, br, zstd", RT_CODING_GZIP}, /* a browser's */
    {"deflate, gzip", RT_CODING_GZIP},
    {"br", RT_CODING_IDENTITY},
    {"identity", RT_CODING_IDENTITY},
    {"*", RT_CODING_GZIP},
    {"*;q=0", RT_CODING_IDENTITY},
    {"gzip;q=0, *", RT_CODING_DEFLATE},
    {"gzip;q=0, *;q=0", RT_CODING_IDENTITY},
    {"gzip;q=0", RT_CODING_IDENTITY},
    {"gzip;q=0.000", RT_CODING_IDENTITY},
    {"gzip;q=0.001", RT_CODING_GZIP},
    {"gzip;q=0.5, deflate;q=0.6", RT_CODING_DEFLATE},
    {"gzip;q=0.5, deflate", RT_CODING_DEFLATE},
    {"gzip ; q=0.5 , deflate ; q=0.25", RT_CODING_GZIP},
    {"gzip;Q=0.1,deflate;q=0.09", RT_CODING_GZIP},
    {"gzip;level=9;q=0.2,deflate;q=0.3", RT_CODING_DEFLATE},
    {"gzip;q=1.000", RT_CODING_GZIP},
    {"gzip;q=1.001", RT_CODING_IDENTITY}, /* no weight */
    {"gzip;q=2", RT_CODING_IDENTITY},
    {"gzip;q=", RT_CODING_IDENTITY},
    {"gzip;q=-1", RT_CODING_IDENTITY},
    {"gzip;q=0,5, deflate;q=0.1", RT_CODING_DEFLATE},
    {"gzip;q=0.5x", RT_CODING_IDENTITY},
    {"gzip;q=0.1234", RT_CODING_IDENTITY},
    {"gzip;q", RT_CODING_GZIP},
    {"gzip;", RT_CODING_GZIP},
    {",,;,gzip", RT_CODING_GZIP},
    {"x-gzip", RT_CODING_IDENTITY},
    {"gzipp", RT_CODING_IDENTITY},
    {"gzi", RT_CODING_IDENTITY},
};

static void each_header(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].header);
        if (rt_coding_choose(rt_guard_tail(&g, cases[i].header, n)) != cases[i].chosen ||
            rt_coding_choose(rt_guard_head(&g, cases[i].header, n)) != cases[i].chosen)
            fail_msg("Accept-Encoding: %s", cases[i].header);
    }
    rt_guard_fini(&g);
}

/* Cut anywhere, it is read within its bytes. */
static void each_prefix(void **state) {
    (void)state;
    const char *whole = "deflate;q=0.501 , gzip;q=1.000;x=y,*;q=0";
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t n = 0; n <= strlen(whole); n++) {
        enum rt_coding chosen = rt_coding_choose(rt_guard_tail(&g, whole, n));
        if (n < 7)
            assert_int_equal(chosen, RT_CODING_IDENTITY);
        if (n == 7 || n == 15)
            assert_int_equal(chosen, RT_CODING_DEFLATE);
        if (n == 22 || n == strlen(whole))
            assert_int_equal(chosen, RT_CODING_GZIP);
    }
    rt_guard_fini(&g);
}

static void names(void **state) {
    (void)state;
    assert_true(rt_slice_eq(rt_coding_name(RT_CODING_GZIP), RT_LIT("gzip")));
    assert_true(rt_slice_eq(rt_coding_name(RT_CODING_DEFLATE), RT_LIT("deflate")));
    assert_int_equal(rt_coding_name(RT_CODING_IDENTITY).n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header),
        cmocka_unit_test(each_prefix),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
