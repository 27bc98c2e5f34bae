/* Which site a request is for, and which origins may use it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frappe/claim.h"
#include "frappe/world.h"

/* `w` is a configuration and nothing else. */
static rt_claim claim_of(const char *lines, const char *default_site, world *w) {
    rt_frappe_ports ports = {.ctx = w, .allowed_origins = world_allowed_origins};
    rt_http_header headers[WORLD_HEADERS_MAX];
    rt_http_request req = world_request(lines, headers);
    rt_claim r;
    rt_claim_read(&req, rt_http_header_get(&req, RT_LIT("Origin")), rt_slice_of(default_site),
                  &ports, &r);
    return r;
}

/* --- the site --- */

static const struct {
    const char *headers, *default_site, *site, *source;
} sites[] = {
    /* the order of sources */
    {"Host: a.example\n", "", "a.example", "Host"},
    {"Host: a.example\nOrigin: https://a.example\n", "", "a.example", "Origin"},
    {"Host: a.example\nX-Frappe-Site-Name: site1.local\n", "d.local", "site1.local",
     "X-Frappe-Site-Name"},
    {"Host: localhost:9000\nOrigin: http://localhost:8000\n", "d.local", "d.local", "default_site"},
    {"Host: 127.0.0.1:9000\n", "d.local", "d.local", "default_site"},
    {"Host: [::1]:9000\n", "d.local", "d.local", "default_site"},
    {"Host: LOCALHOST.\n", "d.local", "d.local", "default_site"},
    {"Host: localhost:9000\nX-Frappe-Site-Name: x.local\n", "d.local", "x.local",
     "X-Frappe-Site-Name"},
    {"Host: localhost:9000\n", "", "localhost", "Host"},
    {"Host: localhost.example\n", "d.local", "localhost.example", "Host"},
    {"Host: 127.0.0.10\n", "d.local", "127.0.0.10", "Host"},
    {"Host: erp.example\nOrigin: https://app.example\n", "", "app.example", "Origin"},
    /* a custom domain: the proxy says which site it is of */
    {"Host: shop.example\nOrigin: https://shop.example\nX-Frappe-Site-Name: site1.local\n", "",
     "site1.local", "X-Frappe-Site-Name"},
    /* host name part */
    {"Host: a.example:8000\n", "", "a.example", "Host"},
    {"Host: h\nX-Frappe-Site-Name: site1.local:8000\n", "", "site1.local", "X-Frappe-Site-Name"},
    {"Host: h\nX-Frappe-Site-Name: http://site1.local:8000/x\n", "", "site1.local",
     "X-Frappe-Site-Name"},
    {"Host: a.example.\n", "", "a.example", "Host"},
    {"Host: [2001:db8::1]:9000\n", "", "2001:db8::1", "Host"},
    {"Host: A.Example\n", "", "A.Example", "Host"},
    /* tricks and rubbish */
    {"Host: h\nX-Frappe-Site-Name: https://victim@evil\n", "", "", "X-Frappe-Site-Name"},
    {"Host: h\nX-Frappe-Site-Name: a b\n", "", "", "X-Frappe-Site-Name"},
    {"Host: h\nX-Frappe-Site-Name: \n", "", "h", "Host"},
    {"Host: h\nOrigin: null\n", "", "h", "Host"},
    {"Host: h\nOrigin: https://h:1@evil\n", "", "h", "Host"},
    {"Host: a@b\n", "", "", "Host"},
    {"Cookie: sid=1\n", "", "", "Host"},
};

static void test_site(void **state) {
    (void)state;
    world none = {0};
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        rt_claim r = claim_of(sites[i].headers, sites[i].default_site, &none);
        if (!rt_slice_eq(r.site, rt_slice_of(sites[i].site)) ||
            strcmp(r.source, sites[i].source) != 0)
            fail_msg("%s got \"%.*s\" from %s", sites[i].headers, (int)r.site.n, r.site.p,
                     r.source);
    }
}

/* --- the origin --- */

static const struct {
    const char *headers, *all, *of_site; /* allowed for all, for erp.example */
    bool ok;
} origins[] = {
    /* the same host, ports and schemes ignored */
    {"Host: a.example\nOrigin: https://a.example\n", "", "", true},
    {"Host: a.example:9000\nOrigin: http://a.example:8000\n", "", "", true},
    {"Host: A.example\nOrigin: https://a.EXAMPLE\n", "", "", true},
    {"Host: a.example.\nOrigin: https://a.example\n", "", "", true},
    {"Host: [::1]:9000\nOrigin: http://[::1]:8000\n", "", "", true},
    {"Host: [::1]\nOrigin: http://[::2]\n", "", "", false},
    {"Host: a.example\n", "", "", true},
    {"Host: a.example\nOrigin: \n", "", "", true},
    {"Host: a.example\nOrigin: https://b.example\n", "", "", false},
    {"Host: a.example\nOrigin: https://a.example.evil\n", "", "", false},
    {"Host: a.example\nOrigin: https://evil-a.example\n", "", "", false},
    {"Host: localhost\nOrigin: http://127.0.0.1\n", "", "", false},
    /* no Origin: a browser says when the page is another site's, which cannot send a token */
    {"Host: a.example\nSec-Fetch-Site: same-origin\nCookie: sid=1\n", "", "", true},
    {"Host: a.example\nSec-Fetch-Site: none\nCookie: sid=1\n", "", "", true},
    {"Host: a.example\nSec-Fetch-Site: cross-site\nCookie: sid=1\n", "", "", false},
    {"Host: a.example\nSec-Fetch-Site: same-site\nCookie: sid=1\n", "", "", false},
    {"Host: a.example\nSec-Fetch-Site: cross-site\nAuthorization: token k:s\n", "", "", true},
    {"Host: a.example\nSec-Fetch-Site: cross-site\nOrigin: https://a.example\n", "", "", true},
    /* no host to compare with, no origin that is one */
    {"Origin: https://a.example\n", "", "", false},
    {"Cookie: a=b\n", "", "", false},
    {"Host: \nOrigin: https://a.example\n", "", "", false},
    {"Host: null\nOrigin: null\n", "", "", false},
    {"Host: a.example\nOrigin: null\n", "", "", false},
    {"Host: a.example\nOrigin: ://\n", "", "", false},
    {"Host: a.example\nOrigin: https://\n", "", "", false},
    /* user information */
    {"Host: victim\nOrigin: https://victim:1@evil\n", "", "", false},
    {"Host: evil\nOrigin: https://victim:1@evil\n", "", "", false},
    {"Host: victim\nOrigin: https://evil\\@victim\n", "", "", false},
    {"Host: victim\nOrigin: https://evil/@victim\n", "", "", false},
    {"Host: victim\nOrigin: https://evil#@victim\n", "", "", false},
    {"Host: a@victim\nOrigin: https://victim\n", "", "", false},
    /* configuration */
    {"Host: erp.example\nOrigin: https://app.example\n", "*", "", true},
    {"Host: erp.example\nOrigin: null\n", "*", "", true},
    {"Origin: https://app.example\n", "*", "", false},
    {"Host: erp.example\nOrigin: https://app.example\n", "https://app.example", "", true},
    {"Host: erp.example\nOrigin: https://APP.example:443\n", "https://app.example/", "", true},
    {"Host: erp.example\nOrigin: http://app.example\n", "https://app.example", "", false},
    {"Host: erp.example\nOrigin: https://app.example:8443\n", "https://app.example", "", false},
    {"Host: erp.example\nOrigin: https://app.example:8443\n", "https://app.example:8443", "", true},
    {"Host: erp.example\nOrigin: http://app.example:8080\n", "app.example", "", true},
    {"Host: erp.example\nOrigin: http://app.example:8080\n", "app.example:8080", "", true},
    {"Host: erp.example\nOrigin: http://app.example\n", "app.example:8080", "", false},
    {"Host: erp.example\nOrigin: http://app.example\n", " x.example , app.example ,y", "", true},
    {"Host: erp.example\nOrigin: http://app.example\n", "x.example,,", "", false},
    {"Host: erp.example\nOrigin: https://u@app.example\n", "app.example", "", false},
    {"Host: erp.example\nOrigin: null\n", "null", "", true},
    {"Host: erp.example\nOrigin: https://null\n", "null", "", true},
    {"Host: erp.example\nOrigin: null\n", "app.example", "", false},
    {"Host: erp.example\nOrigin: https://app.example\n", "", "https://app.example", true},
    {"Host: other.example\nOrigin: https://app.example\n", "", "https://app.example", false},
    {"Host: h\nX-Frappe-Site-Name: erp.example\nOrigin: https://app.example\n", "", "*", true},
    /* naming itself by its Origin does not open another site's list */
    {"Host: other.example\nOrigin: https://erp.example\n", "", "*", false},
};

static void test_origin(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        world w = {.allowed_all = origins[i].all,
                   .allowed = *origins[i].of_site ? origins[i].of_site : origins[i].all,
                   .allowed_site = "erp.example"};
        rt_claim r = claim_of(origins[i].headers, "", &w);
        if (rt_claim_origin_ok(&r) != origins[i].ok)
            fail_msg("%s all \"%s\" site \"%s\"", origins[i].headers, origins[i].all,
                     origins[i].of_site);
        if (r.listed &&
            origins[i].ok) /* then it is the server's name that counts, not the page's */
            assert_true(rt_slice_eq(r.site, RT_LIT("erp.example")));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site),
        cmocka_unit_test(test_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
