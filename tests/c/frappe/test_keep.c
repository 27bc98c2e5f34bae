/* frappe/keep.c: what is kept of a handshake until its login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/credential.h"
#include "frappe/keep.h"
#include "frappe/world.h"

static char padding[RT_HTTP_HEAD_MAX];

typedef struct kept {
    int status;
    rt_http_request req;
    rt_http_header given[WORLD_HEADERS_MAX], headers[WORLD_HEADERS_MAX];
    char lines[2 * RT_HTTP_HEAD_MAX];
} kept;

/* Of a request with these lines, in which %s stands for so many letters. */
static void keep(kept *k, bool told, const char *format, int padded) {
    memset(padding, 'x', sizeof padding);
    snprintf(k->lines, sizeof k->lines, format, padded, padding);
    rt_http_request req = world_request(k->lines, k->given);
    k->req = req;
    k->req.headers = k->headers;
    k->req.header_count = 0;
    k->status = rt_keep(told, &req, k->headers, &k->req);
}

static rt_slice header(const kept *k, const char *name) {
    return rt_http_header_get(&k->req, rt_slice_of(name));
}

static void small_ones_stay_whole(void **state) {
    (void)state;
    kept k;
    keep(&k, false, "Host: h\nUser-Agent: %.*s\nCookie: a=1; sid=s\n", 1000);
    assert_int_equal(k.status, RT_OK);
    assert_int_equal(header(&k, "User-Agent").n, 1000);
    assert_true(rt_slice_eq(header(&k, "Cookie"), RT_LIT("a=1; sid=s")));
}

static void of_big_ones_the_fields_for_the_login(void **state) {
    (void)state;
    kept k;
    keep(&k, false,
         "Host: h\nUser-Agent: %.*s\nOrigin: https://h\nX-Frappe-Site-Name: n\n"
         "Sec-Fetch-Site: same-origin\nCookie: a=1; sid=\"s\" ; b=2\n",
         5000);
    assert_int_equal(k.status, RT_OK);
    assert_int_equal(k.req.header_count, 5);
    assert_true(rt_slice_eq(header(&k, "Host"), RT_LIT("h")));
    assert_true(rt_slice_eq(header(&k, "Origin"), RT_LIT("https://h")));
    assert_true(rt_slice_eq(header(&k, "X-Frappe-Site-Name"), RT_LIT("n")));
    assert_true(rt_slice_eq(header(&k, "Sec-Fetch-Site"), RT_LIT("same-origin")));
    assert_true(rt_slice_eq(header(&k, "Cookie"), RT_LIT("sid=\"s\"")));
    keep(&k, false, "Host: h\nA: %.*s\nAuthorization: token a:b\n", 5000);
    assert_true(rt_slice_eq(header(&k, "Authorization"), RT_LIT("token a:b")));
}

/* The refusals differ, and are the same with what is kept. */
static void no_sid_among_the_cookies(void **state) {
    (void)state;
    kept k;
    rt_credential credential;
    keep(&k, false, "Host: h\nCookie: a=%.*s\n", 5000);
    assert_int_equal(k.status, RT_OK);
    assert_int_equal(rt_credential_read(&k.req, &credential), RT_EINVAL);
    keep(&k, false, "Host: h\nA: %.*s\n", 5000);
    assert_int_equal(rt_credential_read(&k.req, &credential), RT_ENOENT);
}

static void too_big_a_login(void **state) {
    (void)state;
    kept k;
    keep(&k, false, "Host: h\nCookie: sid=%.*s\n", RT_FRAPPE_HANDSHAKE_MAX);
    assert_int_equal(k.status, RT_ELIMIT);
    keep(&k, false, "Host: h\nAuthorization: Bearer %.*s\n", RT_FRAPPE_HANDSHAKE_MAX);
    assert_int_equal(k.status, RT_ELIMIT);
    keep(&k, false, "Host: h\nAuthorization: Bearer %.*s\n", RT_FRAPPE_HANDSHAKE_MAX - 500);
    assert_int_equal(k.status, RT_OK);
}

static void all_of_it_for_handler_hosts(void **state) {
    (void)state;
    kept k;
    keep(&k, true, "Host: h\nCookie: a=%.*s; sid=s\n", 10000);
    assert_int_equal(k.status, RT_OK);
    assert_true(header(&k, "Cookie").n > 10000);
}

static void a_long_query_goes(void **state) {
    (void)state;
    kept k;
    char target[2000];
    rt_http_request req = world_request("Host: h\n", k.given), kept_of;
    for (int n = 1; n < 1800; n += 1700) {
        memset(padding, 'x', sizeof padding);
        snprintf(target, sizeof target, "/socket.io/?%.*s", n, padding);
        req.target = rt_slice_of(target);
        req.path = rt_slice_make(target, strlen("/socket.io/"));
        req.query = rt_slice_from(req.target, req.path.n + 1);
        char cookie[3000];
        snprintf(cookie, sizeof cookie, "%.2500s", padding);
        k.given[1] = (rt_http_header){RT_LIT("Cookie"), rt_slice_of(cookie)};
        req.headers = k.given;
        req.header_count = 2;
        kept_of = req;
        kept_of.headers = k.headers;
        kept_of.header_count = 0;
        assert_int_equal(rt_keep(false, &req, k.headers, &kept_of), RT_OK);
        assert_int_equal(kept_of.query.n, n <= RT_FRAPPE_HANDSHAKE_QUERY_MAX ? n : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones_stay_whole),
        cmocka_unit_test(of_big_ones_the_fields_for_the_login),
        cmocka_unit_test(no_sid_among_the_cookies),
        cmocka_unit_test(too_big_a_login),
        cmocka_unit_test(all_of_it_for_handler_hosts),
        cmocka_unit_test(a_long_query_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
