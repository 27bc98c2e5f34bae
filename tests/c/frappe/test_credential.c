/* Which credential a request carries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/credential.h"
#include "frappe/world.h"

static const struct {
    const char *headers;
    int status;
    char kind;
    const char *value;
} credentials[] = {
    {"Cookie: sid=abc\n", RT_OK, 'c', "abc"},
    {"Cookie: full_name=X; sid=abc; user_id=x\n", RT_OK, 'c', "abc"},
    {"Cookie: sid=first; sid=second\n", RT_OK, 'c', "first"},
    {"Cookie: sid=a%20b\n", RT_OK, 'c', "a%20b"},
    {"Cookie: sid=Guest\n", RT_OK, 'c', "Guest"},
    {"Authorization: token k:s\n", RT_OK, 'a', "token k:s"},
    {"Cookie: sid=Guest\nAuthorization: Bearer x\n", RT_OK, 'a', "Bearer x"},
    {"Cookie: sid=abc\nAuthorization: \n", RT_OK, 'c', "abc"},
    {"Host: a\n", RT_ENOENT, 0, ""},
    {"Cookie: \n", RT_ENOENT, 0, ""},
    {"Cookie: a=b\n", RT_EINVAL, 0, ""},
    {"Cookie: sid=\n", RT_EINVAL, 0, ""},
    {"Cookie: SID=abc\n", RT_EINVAL, 0, ""},
    {"Cookie: xsid=abc\n", RT_EINVAL, 0, ""},
};

static void test_credential(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof credentials / sizeof *credentials; i++) {
        rt_http_header headers[WORLD_HEADERS_MAX];
        rt_http_request req = world_request(credentials[i].headers, headers);
        rt_credential c = {0};
        assert_int_equal(rt_credential_read(&req, &c), credentials[i].status);
        if (credentials[i].status)
            continue;
        assert_int_equal(c.kind, credentials[i].kind);
        assert_true(rt_slice_eq(c.value, rt_slice_of(credentials[i].value)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
