#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/random.h"
#include "base/status.h"

#include <string.h>

#define MANY 2000

static void test_ids_are_distinct_and_clean(void **state) {
    (void)state;
    static char ids[MANY][RT_ID_LEN];
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    rt_random r;
    rt_random_init(&r);
    rt_map seen;
    rt_map_init(&seen);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rt_random_id(&r, ids[i]), RT_OK);
        for (int j = 0; j < RT_ID_LEN; j++)
            assert_non_null(memchr(alphabet, ids[i][j], sizeof(alphabet) - 1));
        assert_int_equal(rt_map_put(&seen, rt_slice_make(ids[i], RT_ID_LEN), ids[i]), RT_OK);
    }
    rt_map_fini(&seen);
}

static bool all_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static void test_any_length(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 15, 16, 239, 240, 241, 1000};
    rt_random r;
    rt_random_init(&r);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint8_t out[1001] = {0};
        size_t n = lengths[i];
        out[n] = 0xaa;
        assert_int_equal(rt_random_bytes(&r, out, n), RT_OK);
        assert_int_equal(out[n], 0xaa);
        if (n >= 15) /* by chance once in 2^56 */
            assert_false(all_zero(out + n - 7, 7));
    }
}

static void test_pool_forgets_what_it_gave(void **state) {
    (void)state;
    rt_random r;
    rt_random_init(&r);
    uint8_t out[100];
    assert_int_equal(rt_random_bytes(&r, out, sizeof(out)), RT_OK);
    assert_int_equal(r.left, sizeof(r.pool) - sizeof(out));
    assert_true(all_zero(r.pool, sizeof(out)));
    assert_false(all_zero(r.pool + sizeof(out), r.left));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_distinct_and_clean),
        cmocka_unit_test(test_any_length),
        cmocka_unit_test(test_pool_forgets_what_it_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
