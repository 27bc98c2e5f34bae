/* What hosts emit: to whom, how often, in time, with bytes; and what clients acknowledge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hosts/state.h"
#include "hosts/world.h"

#define HEARD "2" NS ",[\"m\"]"
#define OTHER_SITE "/b.example"

/* Three clients, each in the room of its number and in "all of us", and a host. */
typedef struct crowd {
    scene s;
    world_client *client[3];
    char id[3][RT_ID_LEN + 1];
    fake_host *host;
} crowd;

static void begin(crowd *c) {
    scene_init(&c->s);
    c->host = scene_attach(&c->s, "\"id\":\"A\",\"events\":[\"*\"]");
    for (int i = 0; i < 3; i++) {
        char user[] = {(char)('x' + i), '@', 'a', '\0'};
        c->client[i] = session_start(&c->s.w, user, V16);
        scene_last(&c->s, c->id[i]);
        scene_says(c->host, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"%d\"}", c->id[i], i);
        scene_says(c->host, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"all of us\"}", c->id[i]);
    }
}

/* Emits `m` to what the members say, and expects that these have heard it, once. */
static void emits(crowd *c, const char *heard, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void emits(crowd *c, const char *heard, const char *fmt, ...) {
    char members[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(members, sizeof members, fmt, args);
    va_end(args);
    scene_says(c->host, "{\"op\":\"emit\",\"e\":\"m\",%s}", members);
    for (int i = 0; i < 3; i++)
        assert_string_equal(world_heard(c->client[i]), heard[i] == '1' ? HEARD : "");
    assert_int_equal(c->host->host->counters.v[RT_HOST_LINES_SKIPPED], 0);
}

static void test_to_whom(void **state) {
    (void)state;
    crowd c;
    begin(&c);
    emits(&c, "111", "\"ns\":\"" NS "\"");
    emits(&c, "010", "\"ns\":\"" NS "\",\"r\":\"1\"");
    emits(&c, "101", "\"ns\":\"" NS "\",\"r\":[\"0\",\"2\"]");
    emits(&c, "111", "\"ns\":\"" NS "\",\"r\":[\"all of us\",\"0\",\"%s\",\"2\"]", c.id[1]);
    emits(&c, "100", "\"ns\":\"" NS "\",\"r\":[\"all of us\"],\"x\":[\"%s\",\"%s\"]", c.id[1],
          c.id[2]);
    emits(&c, "100", "\"ns\":\"" NS "\",\"x\":[\"%s\",\"none\",\"%s\"]", c.id[1], c.id[2]);
    emits(&c, "001", "\"s\":\"%s\"", c.id[2]);
    scene_fini(&c.s);
}

/* A socket is reached by its id in its own namespace alone. */
static void test_other_namespace(void **state) {
    (void)state;
    crowd c;
    begin(&c);
    world_client *there = world_connect(&c.s.w, OTHER_SITE, "Host: b.example\nCookie: sid=s\n");
    world_answer(&c.s.w, 200, "{\"message\":{\"user\":\"x@b\",\"installed_apps\":[\"frappe\"]}}");
    world_heard(there);
    emits(&c, "000", "\"ns\":\"" OTHER_SITE "\",\"r\":[\"%s\",\"all of us\"]", c.id[0]);
    emits(&c, "000", "\"ns\":\"" OTHER_SITE "\",\"x\":[\"%s\"]", c.id[0]);
    assert_string_equal(world_heard(there), "2" OTHER_SITE ",[\"m\"]");
    scene_fini(&c.s);
}

/* Volatile is for those who take it at once. */
static void test_volatile(void **state) {
    (void)state;
    crowd c;
    begin(&c);
    c.client[1]->owed = 1;
    emits(&c, "101", "\"ns\":\"" NS "\",\"v\":true");
    emits(&c, "100", "\"ns\":\"" NS "\",\"v\":true,\"r\":[\"0\",\"1\"]");
    emits(&c, "000", "\"s\":\"%s\",\"v\":true", c.id[1]);
    emits(&c, "010", "\"s\":\"%s\",\"v\":false", c.id[1]);
    emits(&c, "111", "\"ns\":\"" NS "\",\"v\":false");
    c.client[1]->owed = 0;
    emits(&c, "010", "\"s\":\"%s\",\"v\":true", c.id[1]);
    scene_fini(&c.s);
}

static void expect_bytes(world_client *c, const char *packet, const char *bytes) {
    size_t n = strlen(bytes);
    world_turn(c->w);
    assert_true(c->heard_n > n);
    assert_memory_equal(c->heard + c->heard_n - n, bytes, n);
    c->heard_n -= n + 2;
    assert_string_equal(world_heard(c), packet);
}

/* Bytes go both ways in events and in acknowledgements, too. */
static void test_binary(void **state) {
    (void)state;
    crowd c;
    begin(&c);
    scene_says(c.host,
               "{\"op\":\"ack\",\"s\":\"%s\",\"i\":0,\"a\":[1,{\"_placeholder\":true,"
               "\"num\":0}],\"b\":[\"ZGF0/w==\"]}",
               c.id[0]);
    expect_bytes(c.client[0], "61-" NS ",0[1,{\"_placeholder\":true,\"num\":0}]", "dat\xff");
    scene_says(c.host,
               "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"m\",\"q\":1,\"a\":[{\"_placeholder\":true,"
               "\"num\":0}],\"b\":[\"ZGF0/w==\"]}",
               c.id[0]);
    expect_bytes(c.client[0], "51-" NS ",0[\"m\",{\"_placeholder\":true,\"num\":0}]", "dat\xff");
    world_say(c.client[0], "61-" NS ",0[{\"_placeholder\":true,\"num\":0},2]");
    char frame[] = {(char)0x82, (char)0x83, 0, 0, 0, 0, 'a', '\0', '\xff'};
    rt_eio_websocket_bytes(c.s.w.eio, &c.client[0]->port, frame, sizeof frame);
    assert_string_equal(scene_told(c.host), "{\"op\":\"ack\",\"q\":1,\"a\":[{\"_placeholder\":true,"
                                            "\"num\":0},2],\"b\":[\"YQD/\"]}\n");
    scene_fini(&c.s);
}

/* An answer is waited for as long as the host says, and 30 s where it does not or says more. */
static void test_times(void **state) {
    static const struct {
        const char *t;
        uint64_t ms;
    } cases[] = {{"", 30000}, {",\"t\":30001", 30000}, {",\"t\":29999", 29999}, {",\"t\":1", 1}};
    (void)state;
    crowd c;
    begin(&c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_says(c.host, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"m\",\"q\":7%s}", c.id[0],
                   cases[i].t);
        world_pass(&c.s.w, cases[i].ms - 1);
        assert_string_equal(scene_told(c.host), "");
        world_pass(&c.s.w, 1);
        assert_string_equal(scene_told(c.host), "{\"op\":\"ack\",\"q\":7,\"error\":\"timeout\"}\n");
    }
    scene_fini(&c.s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_whom),  cmocka_unit_test(test_other_namespace),
        cmocka_unit_test(test_volatile), cmocka_unit_test(test_binary),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
