/* What is kept of handshakes for the host that takes over: its bytes, its bounds, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hosts/state.h"
#include "hosts/world.h"
#include "support/faults.h"

#define ASKING ",\"events\":[\"*\"],\"mirror\":true,\"handshakes\":true"
#define HEAD "Host: a.example\nCookie: sid=s1\n"
#define LOGIN                                                                                      \
    "{\"message\":{\"user\":\"x@a\",\"user_type\":\"System User\",\"installed_apps\":"             \
    "[\"frappe\"]}}"
#define QUERY "{\"EIO\":\"4\",\"transport\":\"websocket\"}"

static char id[RT_ID_LEN + 1];

/* A client that connects with this payload, and its socket's id. */
static world_client *come(scene *s, const char *auth) {
    rt_buf packet = RT_BUF_INIT;
    world_client *c = world_open(&s->w, HEAD);
    rt_buf_printf(&packet, "0" NS ",%s", auth);
    world_say_n(c, packet.p, packet.n);
    rt_buf_fini(&packet);
    world_turn(&s->w);
    if (s->w.calls)
        world_answer(&s->w, 200, LOGIN);
    world_heard(c);
    scene_last(s, id);
    return c;
}

/* What a host that comes now is told of the only socket. */
static void expect_again(fake_host *h, const char *handshake) {
    char text[1000];
    snprintf(text, sizeof text,
             "{\"op\":\"connect\",\"s\":\"%s\",\"ns\":\"/a.example\",\"site\":\"a.example\","
             "\"user\":\"x@a\",\"type\":\"System User\",\"apps\":[\"frappe\"],\"sid\":\"s1\","
             "\"authorization\":null%s,\"rooms\":[\"user:x@a\",\"website\",\"all\"],"
             "\"again\":true}\n",
             id, handshake);
    assert_string_equal(scene_told(h), text);
}

static void test_told_to_the_successor(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    scene_attach(&s, "\"id\":\"A\"" ASKING);
    come(&s, "{\"token\":\n\"\\u00e9\"}");
    fake_host *next = scene_attach(&s, "\"id\":\"B\",\"replaces\":\"A\"" ASKING);
    expect_again(next, ",\"query\":" QUERY ",\"auth\":{\"token\": \"\\u00e9\"}");
    /* from one successor to the next */
    scene_leaves(&s.fake[0]);
    next = scene_attach(&s, "\"id\":\"C\",\"replaces\":\"B\"" ASKING);
    expect_again(next, ",\"query\":" QUERY ",\"auth\":{\"token\": \"\\u00e9\"}");
    /* who has not asked is not told */
    expect_again(scene_attach(&s, "\"id\":\"D\",\"events\":[],\"mirror\":true"), "");
    scene_fini(&s);
}

static void test_without_a_payload(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    scene_attach(&s, "\"id\":\"A\"" ASKING);
    come(&s, "");
    expect_again(scene_attach(&s, "\"id\":\"B\"" ASKING), ",\"query\":" QUERY ",\"auth\":{}");
    scene_fini(&s);
}

/* Nothing is kept while nobody asks, nor when the last who did has gone. */
static void test_only_while_asked_for(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = come(&s, "{\"n\":1}");
    scene_attach(&s, "\"id\":\"A\",\"events\":[],\"mirror\":true");
    world_leave(c);
    c = come(&s, "{\"n\":2}");
    assert_int_equal(s.hosts->kept.count, 0);
    fake_host *asks = scene_attach(&s, "\"id\":\"B\"" ASKING);
    expect_again(asks, "");
    world_leave(c);
    c = come(&s, "{\"n\":3}");
    assert_int_equal(s.hosts->kept.count, 1);
    assert_int_equal(s.hosts->kept_bytes, strlen("\"query\":" QUERY ",\"auth\":{\"n\":3}"));
    world_leave(c);
    assert_int_equal(s.hosts->kept.count, 0);
    assert_int_equal(s.hosts->kept_bytes, 0);
    come(&s, "{\"n\":4}");
    scene_leaves(asks);
    assert_int_equal(s.hosts->kept.cap, 0);
    assert_int_equal(s.hosts->kept_bytes, 0);
    expect_again(scene_attach(&s, "\"id\":\"C\"" ASKING), "");
    scene_fini(&s);
}

/* The second socket of a connection comes when its handshake is over. */
static void test_second_socket(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    scene_attach(&s, "\"id\":\"A\"" ASKING);
    world_client *c = come(&s, "{\"n\":1}");
    world_say(c, "1" NS ",");
    world_say(c, "0" NS ",{\"n\":2}");
    scene_last(&s, id);
    assert_int_equal(s.hosts->kept.count, 0);
    expect_again(scene_attach(&s, "\"id\":\"B\"" ASKING), "");
    scene_fini(&s);
}

/* A payload of n bytes. */
static const char *long_auth(size_t n) {
    static char text[RT_HOST_KEPT_MAX + 1];
    snprintf(text, sizeof text, "{\"t\":\"%0*d\"}", (int)n - 8, 0);
    assert_int_equal(strlen(text), n);
    return text;
}

static void test_bounds(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    fake_host *h = scene_attach(&s, "\"id\":\"A\"" ASKING);
    size_t rest = strlen("\"query\":" QUERY ",\"auth\":");
    world_client *c = come(&s, long_auth(RT_HOST_KEPT_MAX - rest));
    assert_int_equal(s.hosts->kept_bytes, RT_HOST_KEPT_MAX);
    world_leave(c);
    c = come(&s, long_auth(RT_HOST_KEPT_MAX - rest + 1));
    assert_int_equal(s.hosts->kept.count, 0);
    assert_int_equal(scene_counter(&s, RT_HOSTS_KEPT_OVER_MAX), 1);
    assert_non_null(strstr(scene_told(h), "000\"},\"rooms\"")); /* who is there is told of it all */
    world_leave(c);
    s.hosts->kept_bytes = RT_HOST_KEPT_ALL - rest - 2;
    c = come(&s, "{}");
    assert_int_equal(s.hosts->kept_bytes, RT_HOST_KEPT_ALL);
    come(&s, "{}");
    assert_int_equal(s.hosts->kept.count, 1);
    assert_int_equal(scene_counter(&s, RT_HOSTS_KEPT_OVER_MAX), 2);
    world_leave(c);
    come(&s, "{}");
    assert_int_equal(s.hosts->kept.count, 1);
    assert_int_equal(scene_counter(&s, RT_HOSTS_KEPT_OVER_MAX), 2);
    scene_fini(&s);
}

static int whole_life(void *arg) {
    (void)arg;
    scene s;
    if (!scene_try_init(&s))
        return RT_ENOMEM;
    fake_host *h = scene_try_attach(&s, "\"version\":2,\"id\":\"A\"" ASKING);
    world_client *c = world_connect(&s.w, NS, HEAD);
    if (s.w.calls)
        world_answer(&s.w, 200, LOGIN);
    bool whole =
        h && h->open && c->open && s.hosts->kept.count + scene_counter(&s, RT_HOSTS_NO_MEMORY) == 1;
    scene_fini(&s);
    return whole ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    assert_true(rt_faults_each(whole_life, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_to_the_successor),
        cmocka_unit_test(test_without_a_payload),
        cmocka_unit_test(test_only_while_asked_for),
        cmocka_unit_test(test_second_socket),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
