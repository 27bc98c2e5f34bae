/* The word searches against a look at each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/word.h"

#define NONE 8

static unsigned found(uint64_t mask) {
    return mask ? rt_word_first(mask) : NONE;
}

static unsigned first_below(const uint8_t *p, uint8_t limit) {
    unsigned i = 0;
    while (i < 8 && p[i] >= limit)
        i++;
    return i;
}

static unsigned first_equal(const uint8_t *p, uint8_t c) {
    unsigned i = 0;
    while (i < 8 && p[i] != c)
        i++;
    return i;
}

static unsigned first_high(const uint8_t *p) {
    unsigned i = 0;
    while (i < 8 && p[i] < 0x80)
        i++;
    return i;
}

static void test_searches(void **state) {
    (void)state;
    uint32_t rnd = 1;
    for (int round = 0; round < 300000; round++) {
        uint8_t bytes[8];
        for (int i = 0; i < 8; i++) {
            rnd = rnd * 1664525 + 1013904223;
            /* Mostly bytes around the borders, where a borrow or a sign could be wrong. */
            static const uint8_t near[] = {0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c,
                                           0x5d, 0x7f, 0x80, 0x81, 0x9f, 0xa2, 0xdc, 0xff};
            bytes[i] = rnd >> 31 ? near[rnd >> 24 & 15] : (uint8_t)(rnd >> 16);
        }
        uint64_t w = rt_word_load((const char *)bytes);
        assert_int_equal(found(rt_word_below(w, 0x20)), first_below(bytes, 0x20));
        assert_int_equal(found(rt_word_below(w, 0x80)), first_below(bytes, 0x80));
        assert_int_equal(found(rt_word_below(w, 1)), first_below(bytes, 1));
        assert_int_equal(found(rt_word_equal(w, '"')), first_equal(bytes, '"'));
        assert_int_equal(found(rt_word_equal(w, '\\')), first_equal(bytes, '\\'));
        assert_int_equal(found(rt_word_equal(w, 0xff)), first_equal(bytes, 0xff));
        assert_int_equal(found(rt_word_equal(w, 0)), first_equal(bytes, 0));
        assert_int_equal(found(rt_word_high(w)), first_high(bytes));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
