/* Lets every allocation of an operation fail in turn: the first, the second, ... until the
 * operation asks for fewer, and looks each time for leaks.
 *
 *     static int body(void *arg) { ...set up, run, clean up...; return what it returned; }
 *     assert_true(rt_faults_each(body, NULL) > 0);
 *
 * The body starts from nothing and frees all it made. When a fault struck it returns RT_ENOMEM, or
 * RT_OK if it can do without that memory; when none did it returns RT_OK.
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_FAULTS_H
#define RT_TESTS_FAULTS_H

#include "base/alloc.h"
#include "base/status.h"

typedef int rt_fault_body(void *arg);

/* Returns how many allocations the undisturbed operation makes. */
static inline long rt_faults_each(rt_fault_body *body, void *arg) {
    for (long n = 1;; n++) {
        long live = rt_alloc_live();
        rt_alloc_fail_at(n);
        int rc = body(arg);
        long asked = rt_alloc_count();
        rt_alloc_fail_at(0);
        assert_int_equal(rt_alloc_live(), live);
        if (asked < n) {
            assert_int_equal(rc, RT_OK);
            return asked;
        }
        assert_true(rc == RT_ENOMEM || rc == RT_OK);
    }
}

#endif
