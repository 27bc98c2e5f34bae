/* What a visitor is shown of a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/figures.h"

static rt_figure seen[4];
static size_t count;

static void keep(void *arg, const rt_figure *figure) {
    assert_ptr_equal(arg, &count);
    assert_true(count < 4);
    seen[count++] = *figure;
}

static const rt_figures to = {keep, &count};

static void test_units(void **state) {
    (void)state;
    assert_int_equal(rt_figures_unit_of("bytes_in"), RT_UNIT_BYTES);
    assert_int_equal(rt_figures_unit_of("owed_bytes_worst"), RT_UNIT_BYTES);
    assert_int_equal(rt_figures_unit_of("held_bytes"), RT_UNIT_BYTES);
    assert_int_equal(rt_figures_unit_of("away_ms"), RT_UNIT_MS);
    assert_int_equal(rt_figures_unit_of("ms"), RT_UNIT_MS);
    static const char *const none[] = {"",          "bytesize", "some_bytes2", "rooms",
                                       "ms_turned", "items",    "_",           "transport close"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(rt_figures_unit_of(none[i]), RT_UNIT_NONE);
}

static void expect(const rt_figure *f, const char *group, const char *name, const char *help,
                   enum rt_figure_type type, enum rt_figure_unit unit, uint64_t value) {
    assert_string_equal(f->group, group);
    assert_string_equal(f->name, name);
    assert_string_equal(f->help, help);
    assert_int_equal(f->type, type);
    assert_int_equal(f->unit, unit);
    assert_int_equal(f->value, value);
}

static void test_single_figures(void **state) {
    (void)state;
    count = 0;
    rt_figures_counter(&to, "bytes_in", 1, "In.");
    rt_figures_gauge(&to, "up_ms", 2, "Up.");
    rt_figures_flag(&to, "open", true, "Open.");
    rt_figures_flag(&to, "shut", false, "Shut.");
    assert_int_equal(count, 4);
    expect(&seen[0], "", "bytes_in", "In.", RT_FIGURE_COUNTER, RT_UNIT_BYTES, 1);
    expect(&seen[1], "", "up_ms", "Up.", RT_FIGURE_GAUGE, RT_UNIT_MS, 2);
    expect(&seen[2], "", "open", "Open.", RT_FIGURE_GAUGE, RT_UNIT_BOOL, 1);
    expect(&seen[3], "", "shut", "Shut.", RT_FIGURE_GAUGE, RT_UNIT_BOOL, 0);
    for (size_t i = 0; i < count; i++)
        assert_null(seen[i].family);
}

#define RT_TEST_COUNTERS(X)                                                                        \
    X(RT_TEST_OPENED, "opened", "Doors opened.")                                                   \
    X(RT_TEST_BYTES, "bytes", "Bytes carried through.")
RT_COUNTERS_DECLARE(rt_test, RT_TEST_COUNTERS)
RT_COUNTERS_DEFINE(rt_test, RT_TEST_COUNTERS)

static void test_tables(void **state) {
    (void)state;
    rt_test_counters c = {{0}};
    c.v[RT_TEST_BYTES] = 7;
    count = 0;
    RT_FIGURES_OF(&to, "doors", rt_test, &c);
    assert_int_equal(count, rt_test_counters_n);
    expect(&seen[0], "doors", "opened", "Doors opened.", RT_FIGURE_COUNTER, RT_UNIT_NONE, 0);
    expect(&seen[1], "doors", "bytes", "Bytes carried through.", RT_FIGURE_COUNTER, RT_UNIT_BYTES,
           7);
    static const rt_figure_family family = {"all", "kind", "All, by kind."};
    count = 0;
    rt_figures_counters(&to, "doors", &family, rt_test_counter_rows, c.v, 1);
    assert_int_equal(count, 1);
    assert_ptr_equal(seen[0].family, &family);
    assert_string_equal(seen[0].label_value, "opened");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_single_figures),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
