/* Names of sites, and the objects that go by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "frappe/site.h"

#include <string.h>

static void assert_slice(rt_slice got, const char *want) {
    if (!rt_slice_eq(got, rt_slice_of(want)))
        fail_msg("got \"%.*s\", want \"%s\"", (int)got.n, got.p ? got.p : "", want);
}

/* --- names --- */

static void test_names(void **state) {
    (void)state;
    static const char *const good[] = {"a", "site1.local", "A-b_c.example", "::1",
                                       "s\303\274.example"};
    static const char *const bad[] = {"",     ".",    "..",   ".a",   "a..b", "a/b", "a b",
                                      "a\nb", "a\"b", "\377", "a\\b", "a@b",  "a?b"};
    char longest[257];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(rt_site_is_name(rt_slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rt_site_is_name(rt_slice_of(bad[i])));
    assert_false(rt_site_is_name(rt_slice_make("a\0b", 3)));
    assert_true(rt_site_is_name(rt_slice_make(longest, 255)));
    assert_false(rt_site_is_name(rt_slice_make(longest, 256)));
}

static void test_namespaces(void **state) {
    (void)state;
    assert_true(rt_site_is_namespace(RT_LIT("a.b"), RT_LIT("/a.b")));
    assert_true(rt_site_is_namespace(RT_LIT("A.b"), RT_LIT("/a.B")));
    assert_false(rt_site_is_namespace(RT_LIT("a.b"), RT_LIT("/a.b.")));
    assert_false(rt_site_is_namespace(RT_LIT("a.b"), RT_LIT("a.b")));
    assert_false(rt_site_is_namespace(RT_LIT("a.b"), RT_LIT("/")));
    assert_false(rt_site_is_namespace(RT_EMPTY, RT_LIT("/")));
    assert_false(rt_site_is_namespace(RT_LIT("a"), RT_LIT("/ab")));
}

/* --- sites --- */

static void test_sites(void **state) {
    (void)state;
    rt_sites sites;
    char longest[256];
    memset(longest, 'a', sizeof longest);
    rt_sites_init(&sites);
    rt_site *a = rt_site_get(&sites, RT_LIT("a.example"));
    rt_site *again = rt_site_get(&sites, RT_LIT("a.example"));
    rt_site *b = rt_site_get(&sites, RT_LIT("b.example"));
    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, b);
    assert_slice(rt_site_name(a), "a.example");
    assert_null(rt_site_get(&sites, rt_slice_make(longest, sizeof longest)));
    rt_site_rele(again);
    assert_int_equal(sites.by_name.count, 2);
    rt_site_rele(a);
    assert_int_equal(sites.by_name.count, 1);
    rt_site_rele(b);
    rt_sites_fini(&sites);
    assert_int_equal(rt_alloc_live(), 0);
}

static void test_apps(void **state) {
    (void)state;
    rt_sites sites;
    rt_sites_init(&sites);
    rt_site *site = rt_site_get(&sites, RT_LIT("a.example"));
    assert_int_equal(rt_site_keep_apps(site, RT_LIT("[1]")), RT_OK);
    const char *first = site->apps;
    assert_int_equal(rt_site_keep_apps(site, RT_LIT("[1]")), RT_OK);
    assert_ptr_equal(site->apps, first); /* the same is not copied again */
    assert_int_equal(rt_site_keep_apps(site, RT_LIT("[1,2]")), RT_OK);
    assert_slice(rt_slice_make(site->apps, site->apps_len), "[1,2]");
    rt_site_rele(site);
    rt_sites_fini(&sites);
    assert_int_equal(rt_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_apps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
