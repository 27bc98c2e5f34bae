/* server/web_address.c: where requests to the web process go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "server/web_address.h"

#include <string.h>

static void assert_address(const char *overrides, const char *want) {
    rt_config c;
    char why[300];
    rt_buf b = RT_BUF_INIT;
    assert_int_equal(rt_config_load(&c, NULL, overrides, why, sizeof why), RT_OK);
    rt_web_address_put(&c, &b);
    rt_buf_putc(&b, '\0');
    assert_string_equal(b.p, want);
    rt_buf_fini(&b);
    rt_config_fini(&c);
}

static void test_addresses(void **state) {
    (void)state;
    assert_address(NULL, "http://127.0.0.1:8000");
    assert_address("{\"webserver_port\":80}", "http://127.0.0.1:80");
    assert_address("{\"webserver_host\":\"web\"}", "http://web:8000");
    assert_address("{\"webserver_host\":\"https://web\"}", "https://web:8000");
    assert_address("{\"webserver_host\":\"https://web:444\"}", "https://web:444");
    assert_address("{\"webserver_host\":\"[::1]\"}", "http://[::1]:8000");
    assert_address("{\"webserver_host\":\"[::1]:1\"}", "http://[::1]:1");
    assert_address("{\"webserver_host\":\"web\",\"server_ip\":\"10.0.0.1\"}", "http://10.0.0.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
