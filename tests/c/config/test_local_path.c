/* Where the local socket is. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/utf8.h"
#include "config/local_path.h"

#include <string.h>

static char path[RT_LOCAL_PATH_SIZE];
static char why[600];

static int path_of(char *bench, char *value) {
    rt_config c = {.bench = bench, .local_socket = value};
    *path = *why = '\0';
    return rt_local_path(&c, path, why, sizeof why);
}

static void test_path(void **state) {
    static const struct {
        const char *bench, *value, *path;
    } cases[] = {
        {"/b", "", "/b/config/frappe_rt.sock"},
        {"/b", "x/y", "/b/x/y"},
        {"/b", "/run/z", "/run/z"},
        {NULL, "/run/z", "/run/z"},
        {"/b", "offside", "/b/offside"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(path_of((char *)cases[i].bench, (char *)cases[i].value), RT_OK);
        assert_string_equal(path, cases[i].path);
        assert_string_equal(why, "");
    }
}

static void test_no_path(void **state) {
    static const char *const off[] = {"off", "Off", "false", "no", "0"};
    (void)state;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        assert_int_equal(path_of("/b", (char *)off[i]), RT_ENOENT);
        assert_non_null(strstr(why, off[i]));
    }
    assert_int_equal(path_of(NULL, ""), RT_ENOENT);
    assert_string_equal(why, "no bench was found, and frappe_rt_local_socket (not set) is not an "
                             "absolute path: change into a bench, give --bench, or set an "
                             "absolute path");
    assert_int_equal(path_of(NULL, "x/y"), RT_EINVAL);
    assert_non_null(strstr(why, "frappe_rt_local_socket (x/y) is not an absolute path"));
}

/* As long as sun_path, and one more. */
static void test_long_path(void **state) {
    char value[120], expected[40];
    (void)state;
    memset(value, 'x', sizeof value);
    value[0] = '/';
    value[107] = '\0';
    assert_int_equal(path_of("/b", value), RT_OK);
    assert_string_equal(path, value);
    value[107] = 'x';
    value[108] = '\0';
    assert_int_equal(path_of("/b", value), RT_EINVAL);
    snprintf(expected, sizeof expected, " has 108 bytes, ");
    assert_non_null(strstr(why, value));
    assert_non_null(strstr(why, expected));
    assert_non_null(strstr(why, "107"));
    assert_non_null(strstr(why, "frappe_rt_local_socket"));
    value[106] = '\0'; /* with "/b/" before it: 108 */
    assert_int_equal(path_of("/b", value + 1), RT_EINVAL);
}

static void test_path_as_json(void **state) {
    char bench[4000];
    (void)state;
    rt_buf out = RT_BUF_INIT;
    rt_config c = {.bench = "/b", .local_socket = ""};
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    rt_buf_putc(&out, '\0');
    assert_string_equal(out.p, "\"local_socket\":\"/b/config/frappe_rt.sock\"");
    rt_buf_fini(&out);
    c.bench = "/\xff";
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    assert_true(rt_slice_starts(rt_buf_slice(&out), RT_LIT("\"no_local_socket\":")));
    assert_int_equal(rt_utf8_valid(rt_buf_slice(&out)), true);
    rt_buf_fini(&out);
    memset(bench, 0xc3, sizeof bench); /* two-byte characters, all the way */
    for (size_t i = 1; i < sizeof bench; i += 2)
        bench[i] = (char)0xa9;
    bench[sizeof bench - 1] = '\0';
    bench[sizeof bench - 2] = 'x';
    c.bench = bench;
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    assert_non_null(memmem(out.p, out.n, "at most 107", 11));
    rt_buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_no_path),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_path_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
