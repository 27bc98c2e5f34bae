/* Reading Redis URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/redis_url.h"
#include "support/guard.h"

#define UNTOUCHED "untouched"

typedef struct good {
    const char *text, *host, *path, *user, *password;
    int port, db;
    bool tls;
    const char *shown;
} good;

static const good goods[] = {
    {"redis://127.0.0.1:11311", "127.0.0.1", "", "", "", 11311, 0, false,
     "redis://127.0.0.1:11311"},
    {"redis://localhost", "localhost", "", "", "", 6379, 0, false, "redis://localhost:6379"},
    {"redis://localhost/", "localhost", "", "", "", 6379, 0, false, "redis://localhost:6379"},
    {"redis://localhost:/3", "localhost", "", "", "", 6379, 3, false, "redis://localhost:6379/3"},
    {"REDIS://Queue:1/65535", "Queue", "", "", "", 1, 65535, false, "redis://Queue:1/65535"},
    {"rediss://r.example.com:6380/2", "r.example.com", "", "", "", 6380, 2, true,
     "rediss://r.example.com:6380/2"},
    {"redis://:secret@h:1", "h", "", "", "secret", 1, 0, false, "redis://h:1"},
    {"redis://joe@h:1", "h", "", "joe", "", 1, 0, false, "redis://h:1"},
    {"redis://joe:secret@h:1/7", "h", "", "joe", "secret", 1, 7, false, "redis://h:1/7"},
    {"redis://joe:a:b@c@h:1", "h", "", "joe", "a:b@c", 1, 0, false, "redis://h:1"},
    {"redis://j%6fe:%23%2F%3a%40%20@h", "h", "", "joe", "#/:@ ", 6379, 0, false, "redis://h:6379"},
    {"redis://[::1]:7", "::1", "", "", "", 7, 0, false, "redis://[::1]:7"},
    {"redis://u:p@[fe80::1]/1", "fe80::1", "", "u", "p", 6379, 1, false,
     "redis://[fe80::1]:6379/1"},
    {"redis-queue:6379", "redis-queue", "", "", "", 6379, 0, false, "redis://redis-queue:6379"},
    {"127.0.0.1:13000/1", "127.0.0.1", "", "", "", 13000, 1, false, "redis://127.0.0.1:13000/1"},
    {"u:p@h:9", "h", "", "u", "p", 9, 0, false, "redis://h:9"},
    {"redis://h?db=4", "h", "", "", "", 6379, 4, false, "redis://h:6379/4"},
    {"redis://h/1?db=4&username=u&password=p%26q&socket_timeout=3&x", "h", "", "u", "p&q", 6379, 4,
     false, "redis://h:6379/4"},
    {"unix:///run/redis.sock", "", "/run/redis.sock", "", "", 0, 0, false,
     "unix:///run/redis.sock"},
    {"Unix:///run/a%20b.sock?db=3", "", "/run/a b.sock", "", "", 0, 3, false,
     "unix:///run/a b.sock?db=3"},
    {"unix://u:p@/r.sock?password=q", "", "/r.sock", "u", "q", 0, 0, false, "unix:///r.sock"},
};

static void test_good(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const good *g = &goods[i];
        rt_redis_url u;
        char shown[400];
        char why[200] = UNTOUCHED;
        assert_int_equal(rt_redis_url_parse(g->text, &u, why, sizeof why), RT_OK);
        assert_string_equal(why, UNTOUCHED);
        assert_string_equal(u.host, g->host);
        assert_string_equal(u.path, g->path);
        assert_string_equal(u.user, g->user);
        assert_string_equal(u.password, g->password);
        assert_int_equal(u.port, g->port);
        assert_int_equal(u.db, g->db);
        assert_int_equal(u.tls, g->tls);
        rt_redis_url_show(&u, shown, sizeof shown);
        assert_string_equal(shown, g->shown);
    }
}

static const struct {
    const char *text, *says;
} bads[] = {
    {"", "empty"},
    {"http://h:1", "redis://, rediss:// or unix://"},
    {"redis://", "host"},
    {"redis://:6379", "host"},
    {"redis://h:65536", "host and port"},
    {"redis://h:x", "host and port"},
    {"redis://h:-1", "host and port"},
    {"redis://[::1:6379", "host"},
    {"redis://h/x", "/database"},
    {"redis://h/1/2", "/database"},
    {"redis://h/65536", "/database"},
    {"redis://h/-1", "/database"},
    {"redis://h?db=", "database"},
    {"redis://h?db=x", "database"},
    {"redis://h\\x", "/database"},
    {"redis://:SECRET%@h", "password"},
    {"redis://:SECRET%4@h", "password"},
    {"redis://:SECRET%zz@h", "password"},
    {"redis://:SECRET%00@h", "password"},
    {"redis://SECRET%00@h", "user"},
    {"redis://h?password=SECRET%", "password"},
    {"redis://h?username=SECRET%", "user"},
    {"redis://:SEC#RET@h", "escape"},
    {"redis://:SEC RET@h", "escape"},
    {"redis://h\r\n", "escape"},
    {"redis://:SECRET@", "host"},
    {"redis://:SEC/RET@h", "host and port"},
    {"unix://", "host"},
    {"unix://run/redis.sock", "unix:///"},
    {"unix://SECRET", "unix:///"},
    {"unix:///a%00b", "socket path"},
};

static void test_bad(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        rt_redis_url u;
        char why[200] = "";
        assert_int_equal(rt_redis_url_parse(bads[i].text, &u, why, sizeof why), RT_EINVAL);
        if (!strstr(why, bads[i].says))
            fail_msg("%s: %s", bads[i].text, why);
        assert_null(strstr(why, "SEC"));
    }
}

static void test_no_why(void **state) {
    rt_redis_url u;
    (void)state;
    assert_int_equal(rt_redis_url_parse("", &u, NULL, 0), RT_EINVAL);
}

/* A text one byte too long for its member is refused, the longest that fits is taken. */
static void check_room(const char *before, size_t fits, const char *after) {
    char text[800];
    char why[100];
    rt_redis_url u;
    for (size_t n = fits; n <= fits + 1; n++) {
        int at = snprintf(text, sizeof text, "%s", before);
        memset(text + at, 'a', n);
        snprintf(text + at + n, sizeof text - (size_t)at - n, "%s", after);
        assert_int_equal(rt_redis_url_parse(text, &u, why, sizeof why),
                         n == fits ? RT_OK : RT_EINVAL);
    }
}

static void test_rooms(void **state) {
    (void)state;
    check_room("redis://", sizeof((rt_redis_url *)0)->host - 1, ":1");
    check_room("redis://", sizeof((rt_redis_url *)0)->user - 1, "@h");
    check_room("redis://:", sizeof((rt_redis_url *)0)->password - 1, "@h");
    check_room("unix:///", sizeof((rt_redis_url *)0)->path - 2, "");
}

/* The parser stops at the NUL of a text that ends at an unreadable page, wherever it is cut. */
static void test_guard_page(void **state) {
    rt_guard g;
    (void)state;
    rt_guard_init(&g, 200);
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        for (size_t n = 0; n <= strlen(goods[i].text); n++) {
            rt_redis_url u;
            char why[100];
            char *text = rt_guard_tail_ptr(&g, NULL, n + 1);
            memcpy(text, goods[i].text, n);
            text[n] = '\0';
            int rc = rt_redis_url_parse(text, &u, why, sizeof why);
            assert_true(rc == RT_OK || rc == RT_EINVAL);
        }
    }
    rt_guard_fini(&g);
}

static void test_show_cuts(void **state) {
    rt_redis_url u;
    char why[100];
    char shown[10];
    (void)state;
    assert_int_equal(rt_redis_url_parse("redis://localhost:1", &u, why, sizeof why), RT_OK);
    rt_redis_url_show(&u, shown, sizeof shown);
    assert_string_equal(shown, "redis://l");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_no_why),     cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_guard_page), cmocka_unit_test(test_show_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
