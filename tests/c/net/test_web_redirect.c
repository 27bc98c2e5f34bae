/* Which URLs are asked, and which redirects credentials may follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/web_redirect.h"
#include "support/faults.h"

static void test_urls(void **state) {
    static const char *const good[] = {
        "http://a",     "HTTP://a:80/x?y=z#f", "https://[::1]:8443/", "http://127.0.0.1:8000",
        "http://a?x=1", "http://a/\xc3\xa9",   "http://a/@b",
    };
    static const char *const bad[] = {
        "",
        "a",
        "/x",
        "ftp://a/",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
        "http://a/ b",
        "http://a\r\nX: y/",
        "http://u@a",
        "http://a:x/",
        "http://a:65536/",
        "http://a\\@b/",
        "http://a#@b/",
        "//a/",
        "http:/a",
    };
    rt_url url;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(rt_web_url_parse(rt_slice_of(good[i]), &url));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (rt_web_url_parse(rt_slice_of(bad[i]), &url))
            fail_msg("%s is taken", bad[i]);
}

static const struct {
    const char *at, *to, *host, *next; /* next NULL: not followed */
} cases[] = {
    /* the same host and port */
    {"http://a:8000/x", "http://a:8000/y?z=1", NULL, "http://a:8000/y?z=1"},
    {"http://a:8000/x", "http://A:8000/y#f", NULL, "http://A:8000/y"},
    {"http://a/x", "http://a:80/y", NULL, "http://a:80/y"},
    {"http://[::1]:1/x", "http://[::1]:1/y", NULL, "http://[::1]:1/y"},
    {"http://a/x", "http://a./", NULL, "http://a./"},
    /* TLS on the same host */
    {"http://a/x", "https://a/x", NULL, "https://a/x"},
    {"http://a:8000/x", "https://a/x", NULL, "https://a/x"},
    {"http://a:8000/x", "https://a:8000/x", NULL, "https://a:8000/x"},
    {"https://a/x", "https://a:443/y", NULL, "https://a:443/y"},
    /* another port, or TLS given up */
    {"http://a:8000/x", "http://a/y", NULL, NULL},
    {"http://a:8000/x", "http://a:8001/y", NULL, NULL},
    {"http://a:8000/x", "https://a:8443/y", NULL, NULL},
    {"https://a/x", "http://a/y", NULL, NULL},
    {"https://a/x", "http://a:443/y", NULL, NULL},
    /* another host */
    {"http://a/x", "http://b/y", NULL, NULL},
    {"http://a/x", "http://a.b/y", NULL, NULL},
    {"http://a/x", "http://b.a/y", NULL, NULL},
    {"http://a/x", "https://b/y", NULL, NULL},
    {"http://127.0.0.1/x", "http://localhost/y", NULL, NULL},
    {"http://a/x", "http://a@b/y", NULL, NULL},
    {"http://a/x", "http://a:80@b/y", NULL, NULL},
    {"http://a/x", "http://a\\@b/y", NULL, NULL},
    {"http://a/x", "http://a#@b/y", NULL, NULL},
    {"http://a/x", "ftp://a/y", NULL, NULL},
    {"http://a/x", "javascript:alert(1)", NULL, NULL},
    {"http://a/x", "", NULL, NULL},
    /* the name by which the server was addressed: the server asked is asked again */
    {"http://127.0.0.1:8000/x", "http://site/y", "site", "http://127.0.0.1:8000/y"},
    {"http://127.0.0.1:8000/x", "https://SITE:8443/y?z#f", "site", "http://127.0.0.1:8000/y?z"},
    {"https://web/x", "http://site/y", "site:443", "https://web/y"},
    {"http://127.0.0.1:8000/x", "http://other/y", "site", NULL},
    {"http://127.0.0.1:8000/x", "http://site@other/y", "site", NULL},
    {"http://127.0.0.1:8000/x", "http://other/y", "", NULL},
    {"http://127.0.0.1:8000/x", "http://127.0.0.1:9/y", "127.0.0.1", NULL},
};

static void test_redirects(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *next = NULL;
        int rc = rt_web_redirect(cases[i].at, cases[i].to, rt_slice_of(cases[i].host), &next);
        if (rc != (cases[i].next ? RT_OK : RT_EINVAL))
            fail_msg("%s to %s: %d", cases[i].at, cases[i].to, rc);
        if (cases[i].next)
            assert_string_equal(next, cases[i].next);
        else
            assert_null(next);
        rt_free(next);
    }
}

static int redirect_once(void *arg) {
    char *next = NULL;
    (void)arg;
    int rc = rt_web_redirect("http://[::1]:8000/x",
                             "http://[::1]:8000/a-path-that-does-not-fit-into-the-first-block-of-"
                             "a-buffer-but-asks-for-another?one=1&two=2",
                             RT_EMPTY, &next);
    rt_free(next);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(redirect_once, NULL) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
