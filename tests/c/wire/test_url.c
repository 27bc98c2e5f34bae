/* wire/url.c: URLs and origins that are what they seem, and those that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/status.h"
#include "support/guard.h"
#include "wire/url.h"

#define V6 true

typedef struct url_case {
    const char *text;
    const char *scheme, *userinfo, *host;
    uint16_t port;
    const char *path;
    bool ipv6;
} url_case;

static const url_case good[] = {
    {"http://example.com", "http", "", "example.com", 0, "", false},
    {"https://example.com:8443", "https", "", "example.com", 8443, "", false},
    {"https://example.com/", "https", "", "example.com", 0, "/", false},
    {"http://a:9000/b/c?d#e", "http", "", "a", 9000, "/b/c?d#e", false},
    {"example.com", "", "", "example.com", 0, "", false},
    {"example.com:80/x", "", "", "example.com", 80, "/x", false},
    {"localhost:8000", "", "", "localhost", 8000, "", false},
    {"HTTP://EXAMPLE.com", "HTTP", "", "EXAMPLE.com", 0, "", false},
    {"redis://user:pass@host:6379/0", "redis", "user:pass", "host", 6379, "/0", false},
    {"redis://:pass@host", "redis", ":pass", "host", 0, "", false},
    {"redis://@host", "redis", "", "host", 0, "", false},
    {"a+b-c.9://host", "a+b-c.9", "", "host", 0, "", false},
    {"http://127.0.0.1:80", "http", "", "127.0.0.1", 80, "", false},
    {"http://[::1]", "http", "", "::1", 0, "", V6},
    {"http://[::1]:8000/x", "http", "", "::1", 8000, "/x", V6},
    {"http://[2001:db8::ffff:1.2.3.4]", "http", "", "2001:db8::ffff:1.2.3.4", 0, "", V6},
    {"[::]", "", "", "::", 0, "", V6},
    {"http://u@[::1]:1", "http", "u", "::1", 1, "", V6},
    {"http://a.", "http", "", "a.", 0, "", false},
    {"http://site_1.local", "http", "", "site_1.local", 0, "", false},
    {"http://\xc3\xa9.com", "http", "", "\xc3\xa9.com", 0, "", false},
    {"http://a:0", "http", "", "a", 0, "", false},
    {"http://a:65535", "http", "", "a", 65535, "", false},
    {"http://a:0080", "http", "", "a", 80, "", false},
    {"http://a:", "http", "", "a", 0, "", false},
    {"http://a:/", "http", "", "a", 0, "/", false},
    {"http://a?b", "http", "", "a", 0, "?b", false},
    {"http://a#b", "http", "", "a", 0, "#b", false},
    /* the host is what a browser would connect to */
    {"https://victim:1@evil", "https", "victim:1", "evil", 0, "", false},
    {"https://victim@evil@worse", "https", "victim@evil", "worse", 0, "", false},
    {"https://evil/@victim", "https", "", "evil", 0, "/@victim", false},
    {"https://evil?@victim", "https", "", "evil", 0, "?@victim", false},
    {"https://evil#@victim", "https", "", "evil", 0, "#@victim", false},
    {"https://evil\\@victim", "https", "", "evil", 0, "\\@victim", false},
    {"https://evil:80\\@victim:1", "https", "", "evil", 80, "\\@victim:1", false},
    {"evil/http://victim", "", "", "evil", 0, "/http://victim", false},
    {"http://http://victim", "http", "", "http", 0, "//victim", false},
};

static const char *const bad[] = {
    "",
    "http://",
    "http:///x",
    "//host",
    "/",
    "/path",
    "\\\\host",
    "://host",
    "1http://host",
    "http://:80",
    "http://@",
    "http://u@",
    "http://u@:80",
    "http://?",
    "http://#",
    "http:/host",
    "http:",
    "a:",
    "a:/",
    ":",
    ":80",
    "@",
    /* ports */
    "http://a:65536",
    "http://a:99999999999999999999",
    "http://a:-1",
    "http://a:+1",
    "http://a: 1",
    "http://a:1 ",
    "http://a:8x",
    "http://a:0x50",
    "http://a:80:80",
    "http://a::80",
    "a:b",
    /* brackets */
    "http://[",
    "http://[]",
    "http://]",
    "http://[::1",
    "http://::1",
    "http://[::1]x",
    "http://[::1]x:80",
    "http://x[::1]",
    "http://[::1]:x",
    "http://[::1]:65536",
    "http://[1.2.3.4]",
    "http://[:::]",
    "http://[g::1]",
    "http://[::1%25eth0]",
    "http://[::1%eth0]",
    "http://[[::1]]",
    "http://[a]",
    "http://[1:2:3:4:5:6:7:8:9]",
    "http://[::1]@x]",
    "http://[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]",
    /* bytes no host name has */
    " http://a",
    "http://a b",
    "http://a ",
    "http://\ta",
    "http://a\n",
    "http://a\r\nX: y",
    "http://a\x7f",
    "http://a\x01",
    "http://<a>",
    "http://\"a\"",
    "http://a%2eb",
    "http://a^b",
    "http://a`b",
    "http://{a}",
    "http://a|b",
    "http://a,b",
    "http://a,http://b",
    "null ",
};

static void assert_slice(const char *text, const char *what, rt_slice got, const char *expected) {
    if (!rt_slice_eq(got, rt_slice_of(expected)))
        fail_msg("%s of \"%s\": \"%.*s\" instead of \"%s\"", what, text, (int)got.n, got.p,
                 expected);
}

static void test_good(void **state) {
    (void)state;
    rt_guard guard;
    rt_guard_init(&guard, 256);
    for (size_t i = 0; i < 2 * sizeof good / sizeof good[0]; i++) {
        const url_case *c = &good[i / 2];
        size_t n = strlen(c->text);
        rt_slice text =
            i % 2 ? rt_guard_head(&guard, c->text, n) : rt_guard_tail(&guard, c->text, n);
        rt_url url;
        memset(&url, 0x55, sizeof url);
        if (rt_url_parse(text, &url) != RT_OK)
            fail_msg("\"%s\" was refused", c->text);
        assert_slice(c->text, "scheme", url.scheme, c->scheme);
        assert_slice(c->text, "userinfo", url.userinfo, c->userinfo);
        assert_slice(c->text, "host", url.host, c->host);
        assert_slice(c->text, "path", url.path, c->path);
        assert_int_equal(url.port, c->port);
        assert_int_equal(url.ipv6, c->ipv6);
    }
    rt_guard_fini(&guard);
}

static void test_bad(void **state) {
    (void)state;
    rt_guard guard;
    rt_guard_init(&guard, 256);
    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        const char *c = bad[i / 2];
        size_t n = strlen(c);
        rt_url url;
        rt_slice text = i % 2 ? rt_guard_head(&guard, c, n) : rt_guard_tail(&guard, c, n);
        if (rt_url_parse(text, &url) != RT_EINVAL)
            fail_msg("\"%s\" was accepted: host \"%.*s\"", c, (int)url.host.n, url.host.p);
    }
    rt_guard_fini(&guard);
}

/* Every byte within a host: it is part of the name, it ends the authority, or it is refused. */
static void test_host_bytes(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        rt_url url;
        int rc = rt_url_parse(rt_slice_make(text, sizeof text), &url);
        int strict = rt_url_host_header(rt_slice_make(text, sizeof text), &url);
        bool ends = c > 0 && strchr("/\\?#", c) != NULL;
        bool no_name = c <= ' ' || c == 0x7f || strchr("<>\"%^`{|},[]:", c) != NULL;
        /* 'a' is user information in front of '@' */
        assert_int_equal(rc, no_name ? RT_EINVAL : RT_OK);
        assert_int_equal(strict, no_name || ends || c == '@' ? RT_EINVAL : RT_OK);
    }
}

/* NUL would end the address for the C library, and not for us. */
static void test_nul_in_brackets(void **state) {
    (void)state;
    rt_url url;
    assert_int_equal(rt_url_parse(RT_LIT("http://[::1\0]"), &url), RT_EINVAL);
    assert_int_equal(rt_url_parse(RT_LIT("http://[::1\0evil]:80"), &url), RT_EINVAL);
    assert_int_equal(rt_url_host_header(RT_LIT("[::1\0]"), &url), RT_EINVAL);
}

static void test_every_cut(void **state) {
    (void)state;
    static const char *const texts[] = {"https://user:pw@example.com:8443/a?b#c",
                                        "http://u@[2001:db8::1]:80/x"};
    rt_guard guard;
    rt_guard_init(&guard, 64);
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n <= strlen(texts[i]); n++) {
            rt_url url;
            rt_slice text = rt_guard_tail(&guard, texts[i], n);
            if (rt_url_parse(text, &url) == RT_OK)
                assert_true(url.host.n > 0 && url.host.p >= text.p &&
                            url.host.p + url.host.n <= text.p + text.n);
            rt_status_ignore(rt_url_host_header(text, &url));
        }
    rt_guard_fini(&guard);
}

static void test_host_header(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } hosts[] = {{"a", "a", 0},
                 {"example.com:80", "example.com", 80},
                 {"[::1]:9000", "::1", 9000},
                 {"[::1]", "::1", 0},
                 {"a:", "a", 0},
                 {"127.0.0.1:1", "127.0.0.1", 1}};
    static const char *const not_hosts[] = {
        "",    ":80", "a:x", "a:65536", "http://a", "u@a", "a@b:1", "a/b",     "a\\b",  "a?b",
        "a#b", "a b", "a,b", "[::1",    "::1",      "[]",  "a\tb",  "a:1,b:2", "[::1]/"};
    rt_url url;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_int_equal(rt_url_host_header(rt_slice_of(hosts[i].text), &url), RT_OK);
        assert_slice(hosts[i].text, "host", url.host, hosts[i].host);
        assert_int_equal(url.port, hosts[i].port);
        assert_int_equal(url.scheme.n + url.userinfo.n + url.path.n, 0);
    }
    for (size_t i = 0; i < sizeof not_hosts / sizeof not_hosts[0]; i++)
        if (rt_url_host_header(rt_slice_of(not_hosts[i]), &url) != RT_EINVAL)
            fail_msg("\"%s\" was accepted", not_hosts[i]);
}

static void test_host_eq(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"a", "a", true},
        {"Example.COM", "eXAMPLE.com", true},
        {"a.", "a", true},
        {"a.", "A.", true},
        {"::1", "::1", true},
        {"a", "b", false},
        {"a", "aa", false},
        {"aa", "a", false},
        {"a..", "a", false},
        {"a..", "a.", false},
        {".a", "a", false},
        {"a_b", "a-b", false},
        {"", "", false},
        {"", ".", false},
        {".", ".", false},
        {"", "a", false},
        {"[", "{", false},
        {"a@b", "a`b", false},
        {"\xc3\xa9", "\xc3\x89", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        rt_slice a = rt_slice_of(pairs[i].a), b = rt_slice_of(pairs[i].b);
        if (rt_host_eq(a, b) != pairs[i].same || rt_host_eq(b, a) != pairs[i].same)
            fail_msg("\"%s\" and \"%s\"", pairs[i].a, pairs[i].b);
    }
    assert_false(rt_host_eq(RT_EMPTY, RT_EMPTY));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_host_bytes), cmocka_unit_test(test_nul_in_brackets),
        cmocka_unit_test(test_every_cut),  cmocka_unit_test(test_host_header),
        cmocka_unit_test(test_host_eq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
