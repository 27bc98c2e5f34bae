/* Credentials that were let in before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "frappe/regulars.h"
#include "support/faults.h"

static rt_slice credential(char *text, size_t n, int i) {
    snprintf(text, n, "c%d", i);
    return rt_slice_of(text);
}

static void test_marks(void **state) {
    (void)state;
    rt_regulars r;
    rt_regulars_init(&r);
    assert_false(rt_regulars_has(&r, RT_LIT("a"), RT_LIT("c1")));
    rt_regulars_add(&r, RT_LIT("a"), RT_LIT("c1"));
    rt_regulars_add(&r, RT_LIT("a"), RT_LIT("c1"));
    assert_true(rt_regulars_has(&r, RT_LIT("a"), RT_LIT("c1")));
    assert_false(rt_regulars_has(&r, RT_LIT("a"), RT_LIT("c2")));
    assert_false(rt_regulars_has(&r, RT_LIT("b"), RT_LIT("c1")));
    rt_regulars_fini(&r);
}

/* Nearly all of a few thousand users are remembered, and hardly anybody else. Any number fits. */
static void test_many(void **state) {
    (void)state;
    enum { USERS = 5000, LATER = 200000 };
    rt_regulars r;
    char text[20];
    int known = 0, wrong = 0;
    rt_regulars_init(&r);
    for (int i = 0; i < USERS; i++)
        rt_regulars_add(&r, RT_LIT("a"), credential(text, sizeof text, i));
    for (int i = 0; i < USERS; i++) {
        known += rt_regulars_has(&r, RT_LIT("a"), credential(text, sizeof text, i));
        wrong += rt_regulars_has(&r, RT_LIT("a"), credential(text, sizeof text, USERS + i));
    }
    assert_true(known > USERS * 9 / 10);
    assert_true(wrong < 5);
    for (int i = 0; i < LATER; i++)
        rt_regulars_add(&r, RT_LIT("b"), credential(text, sizeof text, i));
    assert_true(rt_regulars_has(&r, RT_LIT("b"), credential(text, sizeof text, LATER - 1)));
    rt_regulars_fini(&r);
}

static int add_one(void *arg) {
    (void)arg;
    rt_regulars r;
    rt_regulars_init(&r);
    rt_regulars_add(&r, RT_LIT("a"), RT_LIT("c1"));
    bool known = rt_regulars_has(&r, RT_LIT("a"), RT_LIT("c1"));
    rt_regulars_fini(&r);
    return known ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(add_one, NULL) > 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
