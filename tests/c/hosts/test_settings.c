/* What hosts are told of the configuration, and the socket secret that they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "hosts/world.h"
#include "support/faults.h"

static void set(scene *s, const char *web, uint32_t threads) {
    rt_hosts_opts opts = {.web = rt_slice_of(web), .threads = threads};
    assert_int_equal(rt_hosts_set_opts(s->hosts, &opts), RT_OK);
}

/* --- settings --- */

static void test_hosts_are_told_what_is_new(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    set(&s, "http://other:1", 5); /* nobody is there to be told */
    fake_host *a = scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[]");
    assert_non_null(strstr(scene_told(a), ",\"web\":\"http://other:1\",\"threads\":5}\n"));
    fake_host *b = scene_attach(&s, "\"id\":\"B\",\"events\":[],\"replaces\":\"A\"");
    assert_string_equal(scene_told(a), "{\"op\":\"drain\"}\n");
    set(&s, "http://other:1", 5); /* the same */
    set(&s, "http://\"web\":2", 5);
    set(&s, "http://\"web\":2", 256);
    const char *told = "{\"op\":\"config\",\"web\":\"http://\\\"web\\\":2\",\"threads\":5}\n"
                       "{\"op\":\"config\",\"web\":\"http://\\\"web\\\":2\",\"threads\":256}\n";
    assert_string_equal(scene_told(a),
                        told); /* on its way out it may still have requests to make */
    assert_string_equal(scene_told(b), told);
    scene_fini(&s);
}

static void test_settings_stay_without_memory(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    rt_hosts_opts opts = {.web = RT_LIT("http://new:1"), .threads = 9};
    rt_alloc_fail_at(1);
    assert_int_equal(rt_hosts_set_opts(s.hosts, &opts), RT_ENOMEM);
    rt_alloc_fail_at(0);
    fake_host *h = scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[]");
    assert_non_null(strstr(scene_told(h), ",\"web\":\"http://web:1\",\"threads\":4}\n"));
    scene_fini(&s);
}

/* --- the secret --- */

#define ASKS "{\"op\":\"secret\",\"q\":1}"

static void test_secret(void **state) {
    (void)state;
    static const struct {
        const char *has;
        int fails, refuses;
        const char *answer;
    } cases[] = {
        {"s3cret", 0, 0, "\"secret\":\"s3cret\""},
        {NULL, 0, 0, "\"secret\":null"},
        {"", 0, 0, "\"secret\":null"},
        {"a\r\nX-Other: b", 0, 0, "\"secret\":null"}, /* no header's value */
        {"\xe9", 0, 0, "\"secret\":null"},
        {"s3cret", RT_EIO, 0, "\"secret\":null,\"error\":\"redis\""},
        {"s3cret", 0, RT_ECLOSED, "\"secret\":null,\"error\":\"redis\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        char want[100];
        scene_init(&s);
        fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
        s.w.secret = cases[i].has;
        s.w.redis_fails = cases[i].fails;
        s.w.redis_refuses = cases[i].refuses;
        scene_says(h, ASKS);
        world_turn(&s.w);
        snprintf(want, sizeof want, "{\"op\":\"result\",\"q\":1,%s}\n", cases[i].answer);
        assert_string_equal(scene_told(h), want);
        scene_fini(&s);
    }
}

static void test_secret_is_asked_anew(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    s.w.secret = "new";
    scene_says(h, ASKS);
    world_turn(&s.w);
    s.w.secret = "newer";
    scene_says(h, ASKS);
    scene_says(h, "{\"op\":\"secret\"}"); /* no question: skipped */
    world_turn(&s.w);
    assert_string_equal(scene_told(h), "{\"op\":\"result\",\"q\":1,\"secret\":\"new\"}\n"
                                       "{\"op\":\"result\",\"q\":1,\"secret\":\"newer\"}\n");
    scene_fini(&s);
}

static void test_gone_before_the_secret_comes(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    s.w.redis_silent = true;
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, ASKS);
    scene_leaves(h);
    world_turn(&s.w);
    scene_fini(&s); /* Redis answers at its end */
}

/* Not what people are shown. */
static void test_secret_is_not_listed(void **state) {
    (void)state;
    scene s;
    rt_buf out = RT_BUF_INIT;
    scene_init(&s);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, ASKS);
    world_turn(&s.w);
    assert_int_equal(rt_hosts_put(s.hosts, true, &out), RT_OK);
    rt_buf_putc(&out, '\0');
    assert_null(strstr(out.p, "s3cret"));
    rt_buf_fini(&out);
    scene_fini(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_are_told_what_is_new),
        cmocka_unit_test(test_settings_stay_without_memory),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_secret_is_asked_anew),
        cmocka_unit_test(test_gone_before_the_secret_comes),
        cmocka_unit_test(test_secret_is_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
