/* Handler hosts: every line, byte for byte, and every way to come and to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/scan.h"
#include "hosts/state.h"
#include "hosts/world.h"
#include "support/faults.h"

static char id[RT_ID_LEN + 1], other[RT_ID_LEN + 1];

static void expect(fake_host *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void expect(fake_host *h, const char *fmt, ...) {
    char text[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_string_equal(scene_told(h), text);
}

static world_client *client(scene *s, const char *user) {
    world_client *c = session_start(&s->w, user, V16);
    scene_last(s, id);
    return c;
}

/* --- the first line --- */

static void refused(scene *s, const char *members, const char *why) {
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    assert_null(scene_try_attach(s, members));
    rt_buf_putc(&s->answer, '\0');
    assert_string_equal(s->answer.p, why);
}

static void test_first_lines(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    fake_host *h = scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[]");
    assert_non_null(h);
    expect(h,
           "{\"op\":\"welcome\",\"version\":2,\"server\":\"%.20s\",\"web\":\"http://"
           "web:1\",\"threads\":4}\n",
           s.hosts->server_id);
    refused(&s, "\"id\":\"B\",\"events\":[]",
            "{\"error\":\"it speaks version none of the protocol, and this server version 2: run "
            "both from the same installation, and restart the older one\"}");
    refused(&s, "\"version\":1,\"id\":\"B\",\"events\":[]",
            "{\"error\":\"it speaks version 1 of the protocol, and this server version 2: run "
            "both from the same installation, and restart the older one\"}");
    refused(&s, "\"version\":2,\"id\":\"A\",\"events\":[]",
            "{\"error\":\"a host with the id A is already attached\"}");
    refused(&s, "\"version\":2,\"events\":[]",
            "{\"error\":\"its id must be a string of 1 to 64 ASCII characters without spaces\"}");
    refused(&s, "\"version\":2,\"id\":\"B\",\"events\":[\"a\",1]",
            "{\"error\":\"its events must be an array of names, each of 1 to 1024 bytes\"}");
    refused(&s, "\"version\":2,\"id\":\"B\"",
            "{\"error\":\"its events must be an array of names, each of 1 to 1024 bytes\"}");
    static char members[RT_HOST_APPS_MAX + 80];
    memset(members, ' ', sizeof members);
    snprintf(members + RT_HOST_APPS_MAX + 7, 60, "],\"version\":2,\"id\":\"B\",\"events\":[]");
    memcpy(members, "\"apps\":[", 8);
    const char *apps[] = {members, "\"version\":2,\"id\":\"B\",\"events\":[],\"apps\":{}",
                          "\"version\":2,\"id\":\"B\",\"events\":[],\"apps\":[\"a\",null]"};
    for (int i = 0; i < 3; i++)
        refused(
            &s, apps[i],
            "{\"error\":\"its apps must be an array of names, and together at most 16384 bytes\"}");
    assert_int_equal(scene_counter(&s, RT_HOSTS_REFUSED), 9);
    for (int i = 1; i < RT_HOSTS_MAX; i++) {
        snprintf(members, sizeof members, "\"version\":2,\"id\":\"%d\",\"events\":[\"e\"]", i);
        assert_non_null(scene_try_attach(&s, members));
    }
    refused(&s, "\"version\":2,\"id\":\"B\",\"events\":[]",
            "{\"error\":\"8 handler hosts are attached, and more are not allowed\"}");
    assert_int_equal(scene_counter(&s, RT_HOSTS_OVER_MAX), 1);
    scene_leaves(h);
    assert_non_null(scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[]"));
    scene_fini(&s);
}

static void test_too_many_events(void **state) {
    (void)state;
    scene s;
    rt_buf line = RT_BUF_INIT;
    rt_host *host;
    scene_init(&s);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    rt_buf_puts(&line, RT_LIT("{\"rt\":\"host\",\"version\":2,\"id\":\"A\",\"events\":[\"*\""));
    for (int i = 0; i <= RT_HOST_EVENTS_MAX; i++)
        rt_buf_printf(&line, ",\"e%d\"", i);
    rt_buf_puts(&line, RT_LIT("]}"));
    assert_int_equal(rt_host_attach(s.hosts, rt_buf_slice(&line), &host, &s.answer), RT_EINVAL);
    assert_int_equal(s.hosts->takers.count, 0);
    rt_buf_fini(&line);
    scene_fini(&s);
}

/* --- lines to a host --- */

static void test_connect(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"connects\":true");
    world_client *c = world_open(
        &s.w,
        "Host: a.example\nCookie: sid=s1\nX-Odd: \xe9\"\nAccept: a\naccept: b\nCookie: z=1\n");
    world_say(c, "0" NS ",{\"token\":\n1}");
    world_turn(&s.w);
    world_answer(&s.w, 200,
                 "{\"message\":{\"user\":\"x@a\",\"user_type\":\"System User\","
                 "\"installed_apps\":[\"frappe\",\n\"chat\"]}}");
    scene_last(&s, id);
    expect(h,
           "{\"op\":\"connect\",\"s\":\"%s\",\"ns\":\"/a.example\",\"site\":\"a.example\","
           "\"user\":\"x@a\",\"type\":\"System User\",\"apps\":[\"frappe\", \"chat\"],"
           "\"sid\":\"s1\",\"authorization\":null,\"headers\":{\"host\":\"a.example\","
           "\"cookie\":\"sid=s1; z=1\",\"x-odd\":\"\xc3\xa9\\\"\",\"accept\":\"a, b\","
           "\"upgrade\":\"websocket\",\"connection\":\"Upgrade\",\"sec-websocket-version\":\"13\","
           "\"sec-websocket-key\":\"dGhlIHNhbXBsZSBub25jZQ==\"},"
           "\"query\":{\"EIO\":\"4\",\"transport\":\"websocket\"},\"auth\":{\"token\": 1},"
           "\"rooms\":[\"user:x@a\",\"website\",\"all\"]}\n",
           id);
    world_say(c, "1" NS ",");
    expect(h, "{\"op\":\"disconnect\",\"s\":\"%s\",\"reason\":\"client namespace disconnect\"}\n",
           id);
    world_say(c, "0" NS ","); /* the handshake is over */
    scene_last(&s, id);
    expect(h,
           "{\"op\":\"connect\",\"s\":\"%s\",\"ns\":\"/a.example\",\"site\":\"a.example\","
           "\"user\":\"x@a\",\"type\":\"System User\",\"apps\":[\"frappe\", \"chat\"],"
           "\"sid\":\"s1\",\"authorization\":null,\"rooms\":[\"user:x@a\",\"website\",\"all\"]}\n",
           id);
    world_leave(c);
    expect(h, "{\"op\":\"disconnect\",\"s\":\"%s\",\"reason\":\"transport error\"}\n", id);
    scene_fini(&s);
}

/* By a token, and without a desk. */
static void test_connect_by_token(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_connect(&s.w, NS, "Host: a.example\nCookie: sid=Guest\nAuthorization: token a:b\"\n");
    world_answer(&s.w, 200,
                 "{\"message\":{\"user\":\"x@a\",\"user_type\":\"Website User\","
                 "\"installed_apps\":[]}}");
    scene_last(&s, id);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"connects\":true");
    expect(h,
           "{\"op\":\"connect\",\"s\":\"%s\",\"ns\":\"/a.example\",\"site\":\"a.example\","
           "\"user\":\"x@a\",\"type\":\"Website User\",\"apps\":[],\"sid\":null,"
           "\"authorization\":\"token a:b\\\"\",\"rooms\":[\"user:x@a\",\"website\"],"
           "\"again\":true}\n",
           id);
    scene_fini(&s);
}

/* As the site tells it: it may have made types of its own, and says null of guests and, by a token,
 * of everybody. */
static void test_connect_types(void **state) {
    (void)state;
    static const char *const types[] = {"\"Website User\"", "\"Employee Self Service\"", "null"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        scene s;
        char body[200], told[60];
        scene_init(&s);
        world_connect(&s.w, NS, "Host: a.example\nCookie: sid=s1\n");
        snprintf(body, sizeof body,
                 "{\"message\":{\"user\":\"x@a\",\"user_type\":%s,\"installed_apps\":[]}}",
                 types[i]);
        world_answer(&s.w, 200, body);
        fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"connects\":true");
        snprintf(told, sizeof told, "\"type\":%s,", types[i]);
        assert_non_null(strstr(scene_told(h), told));
        scene_fini(&s);
    }
}

#define CONNECT(user, again)                                                                       \
    "{\"op\":\"connect\",\"s\":\"%s\",\"ns\":\"/"                                                  \
    "a.example\",\"site\":\"a.example\",\"user\":\"" user                                          \
    "\",\"type\":\"System User\",\"apps\":[\"frappe\"],\"sid\":\"" user                            \
    "\",\"authorization\":null,\"rooms\":[\"user:" user "\",\"website\",\"all\"]" again "}\n"
#define AGAIN ",\"again\":true"

static void test_told_again(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"connects\":true");
    expect(h, CONNECT("x@a", AGAIN), id);
    /* the next in the same place knows nothing of what that one was told */
    scene_leaves(h);
    h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"connects\":true");
    expect(h, CONNECT("x@a", AGAIN), id);
    scene_fini(&s);
}

static void test_v15(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    session_start(&s.w, "x@a", V15);
    scene_last(&s, id);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"mirror\":true");
    assert_non_null(strstr(scene_told(h), "\"apps\":null,"));
    scene_fini(&s);
}

static void test_events(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"cursor\",\"7\",\"t\\u00e4g\"]");
    expect(h, "%s", "");
    session_emit(c, "[\"cursor\",{\"x\":1},\"\\n\"]");
    expect(h,
           CONNECT("x@a", "") "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"cursor\","
                              "\"a\":[{\"x\":1},\"\\n\"]}\n",
           id, id);
    world_say(c, "2" NS ",12[\"cursor\" ,\n 1 ,\r\n[ 2 ] ]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"cursor\",\"a\":[1 ,  [ 2 ]],\"i\":12}\n", id);
    world_say(c, "2" NS ",0[\"cursor\"]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"cursor\",\"a\":[],\"i\":0}\n", id);
    session_emit(c, "[7]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"7\",\"a\":[]}\n", id);
    session_emit(c, "[\"t\\u00e4g\"]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"t\\u00e4g\",\"a\":[]}\n", id);
    uint64_t ignored = world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED);
    session_emit(c, "[\"nobody's\"]");
    session_emit(c, "[\"ping\"]");
    expect(h, "%s", "");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), ignored + 1);
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    scene_says(h, "{\"op\":\"events\",\"e\":[\"ping\",\"more\"]}");
    session_emit(c, "[\"ping\"]");
    session_emit(c, "[\"more\"]");
    expect(h,
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"ping\",\"a\":[]}\n"
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"more\",\"a\":[]}\n",
           id, id);
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    fake_host *all = scene_attach(&s, "\"id\":\"B\",\"events\":[\"*\"]");
    session_emit(c, "[\"nobody's\"]");
    session_emit(c, "[\"ping\"]");
    expect(all, CONNECT("x@a", "") "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"nobody's\",\"a\":[]}\n",
           id, id);
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"ping\",\"a\":[]}\n", id);
    scene_leaves(h);
    scene_leaves(all);
    assert_int_equal(s.hosts->takers.count, 0);
    session_emit(c, "[\"cursor\"]");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), ignored + 2);
    scene_fini(&s);
}

/* A binary event's attachments come as base64, one of them empty. */
static void test_binary_event(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"connects\":true");
    scene_told(h);
    world_say(c, "52-" NS ",1[\"b\",{\"_placeholder\":true,\"num\":0},"
                 "{\"_placeholder\":true,\"num\":1}]");
    char frame[] = {(char)0x82, (char)0x84, 0, 0, 0, 0, 'd', 'a', 't', '\xff'};
    rt_eio_websocket_bytes(s.w.eio, &c->port, frame, sizeof frame);
    char empty[] = {(char)0x82, (char)0x80, 0, 0, 0, 0};
    rt_eio_websocket_bytes(s.w.eio, &c->port, empty, sizeof empty);
    expect(h,
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"b\",\"a\":[{\"_placeholder\":true,\"num\":0},"
           "{\"_placeholder\":true,\"num\":1}],\"b\":[\"ZGF0/w==\",\"\"],\"i\":1}\n",
           id);
    scene_fini(&s);
}

static void test_mirror(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[],\"mirror\":true");
    fake_host *plain = scene_attach(&s, "\"id\":\"B\",\"events\":[],\"connects\":true");
    scene_told(h);
    scene_told(plain);
    session_emit(c, "[\"task_subscribe\",\"t\\\"\"]");
    session_emit(c, "[\"task_unsubscribe\",\"t\\\"\"]");
    scene_says(plain, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"any room\"}", id);
    expect(h,
           "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"task_progress:t\\\"\"}\n"
           "{\"op\":\"leave\",\"s\":\"%s\",\"r\":\"task_progress:t\\\"\"}\n"
           "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"any room\"}\n",
           id, id, id);
    world_leave(c);
    expect(h, "{\"op\":\"disconnect\",\"s\":\"%s\",\"reason\":\"transport error\"}\n", id);
    expect(plain, "{\"op\":\"disconnect\",\"s\":\"%s\",\"reason\":\"transport error\"}\n", id);
    scene_leaves(h);
    scene_fini(&s);
}

/* --- lines from a host --- */

static void test_rooms_and_emits(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *a = client(&s, "x@a");
    memcpy(other, id, sizeof id);
    world_client *b = client(&s, "y@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"r\\u0031\"}", id);
    scene_says(h,
               "{\"op\":\"emit\",\"ns\":\"" NS "\",\"r\":[\"r1\",\"%s\",\"none\"],\"e\":\"m\","
               "\"a\":[1,{\"b\":NaN}]}",
               other);
    assert_string_equal(world_heard(a), "2" NS ",[\"m\",1,{\"b\":null}]");
    assert_string_equal(world_heard(b), "2" NS ",[\"m\",1,{\"b\":null}]");
    scene_says(h, "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"x\":[\"%s\"]}", id);
    assert_string_equal(world_heard(a), "2" NS ",[\"m\"]");
    scene_says(h, "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"r\":[]}");
    scene_says(h, "{\"op\":\"emit\",\"ns\":\"/gone\",\"e\":\"m\"}");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"gone\",\"e\":\"m\"}");
    assert_string_equal(world_heard(a), "");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"m\",\"a\":[\"only you\"],\"v\":true}", id);
    assert_string_equal(world_heard(b), "2" NS ",[\"m\",\"only you\"]");
    scene_says(h,
               "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"m\",\"a\":[{\"_placeholder\":true,"
               "\"num\":0}],\"b\":[\"ZGF0\\/w==\"]}",
               id);
    assert_memory_equal(b->heard + b->heard_n - 6,
                        "\x82\x04"
                        "dat\xff",
                        6);
    world_heard(b);
    scene_says(h, "{\"op\":\"leave\",\"s\":\"%s\",\"r\":\"r1\"}", id);
    scene_says(h, "{\"op\":\"emit\",\"ns\":\"" NS "\",\"r\":\"r1\",\"e\":\"m\"}");
    assert_string_equal(world_heard(b), "");
    scene_says(h, "{\"op\":\"ack\",\"s\":\"%s\",\"i\":12,\"a\":[\"yes\",null]}", id);
    assert_string_equal(world_heard(b), "3" NS ",12[\"yes\",null]");
    scene_says(h, "{\"op\":\"disconnect\",\"s\":\"%s\"}", id);
    assert_string_equal(world_heard(b), "1" NS ",");
    assert_true(b->open);
    scene_says(h, "{\"op\":\"disconnect\",\"s\":\"%s\",\"close\":true}", other);
    assert_false(a->open);
    expect(h, "%s", "");
    assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], 0);
    assert_int_equal(h->host->counters.v[RT_HOST_EMITS], 8);
    scene_fini(&s);
}

static void test_questions(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, "{\"op\":\"rooms\",\"q\":1,\"s\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"rooms\",\"q\":2,\"s\":\"gone\"}");
    scene_says(h, "{\"op\":\"participants\",\"q\":3,\"ns\":\"" NS "\",\"r\":\"all\"}");
    scene_says(h, "{\"op\":\"participants\",\"q\":4,\"ns\":\"" NS "\"}");
    scene_says(h, "{\"op\":\"participants\",\"q\":5,\"ns\":\"" NS "\",\"r\":\"none\"}");
    scene_says(h, "{\"op\":\"participants\",\"q\":6,\"ns\":\"/gone\",\"r\":\"all\"}");
    scene_says(h, "{\"op\":\"participants\",\"q\":61,\"ns\":\"" NS "\",\"r\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"participants\",\"q\":62,\"ns\":\"/gone\",\"r\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"%s\"}", id, id);
    scene_says(h, "{\"op\":\"participants\",\"q\":63,\"ns\":\"" NS "\",\"r\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"leave\",\"s\":\"%s\",\"r\":\"%s\"}", id, id);
    scene_says(h, "{\"op\":\"sync\",\"q\":9007199254740991}");
    expect(h,
           "{\"op\":\"result\",\"q\":1,\"rooms\":[\"user:x@a\",\"website\",\"all\"]}\n"
           "{\"op\":\"result\",\"q\":2,\"rooms\":[]}\n"
           "{\"op\":\"result\",\"q\":3,\"sockets\":[[\"%s\",\"x@a\"]]}\n"
           "{\"op\":\"result\",\"q\":4,\"sockets\":[[\"%s\",\"x@a\"]]}\n"
           "{\"op\":\"result\",\"q\":5,\"sockets\":[]}\n"
           "{\"op\":\"result\",\"q\":6,\"sockets\":[]}\n"
           "{\"op\":\"result\",\"q\":61,\"sockets\":[[\"%s\",\"x@a\"]]}\n"
           "{\"op\":\"result\",\"q\":62,\"sockets\":[]}\n"
           "{\"op\":\"result\",\"q\":63,\"sockets\":[[\"%s\",\"x@a\"]]}\n"
           "{\"op\":\"result\",\"q\":9007199254740991}\n",
           id, id, id, id);
    scene_says(h, "{\"op\":\"permission\",\"q\":7,\"s\":\"%s\",\"doctype\":\"T\",\"name\":\"n\"}",
               id);
    scene_says(h, "{\"op\":\"permission\",\"q\":8,\"s\":\"%s\",\"doctype\":\"T\",\"name\":null}",
               id);
    expect(h, "%s", "");
    world_answer(&s.w, 200, "{\"message\":true}");
    world_answer(&s.w, 403, "");
    scene_says(h, "{\"op\":\"permission\",\"q\":9,\"s\":\"%s\",\"doctype\":\"T\",\"name\":\"n\"}",
               id);
    scene_says(h, "{\"op\":\"permission\",\"q\":10,\"s\":\"gone\",\"doctype\":\"T\"}");
    scene_says(h, "{\"op\":\"permission\",\"q\":11,\"s\":\"%s\",\"doctype\":\"Other\"}", id);
    world_leave(c);
    expect(h, "{\"op\":\"result\",\"q\":7,\"ok\":true}\n"
              "{\"op\":\"result\",\"q\":8,\"ok\":false}\n"
              "{\"op\":\"result\",\"q\":9,\"ok\":true}\n"
              "{\"op\":\"result\",\"q\":10,\"ok\":null}\n"
              "{\"op\":\"result\",\"q\":11,\"ok\":null}\n");
    scene_fini(&s);
}

static void test_acknowledgements(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"a\":[1],\"q\":1}", id);
    assert_string_equal(world_heard(c), "2" NS ",0[\"ask\",1]");
    world_say(c, "3" NS ",0[ \"yes\" ,\n2]");
    expect(h, "{\"op\":\"ack\",\"q\":1,\"a\":[\"yes\" , 2]}\n");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":2,\"t\":70}", id);
    world_pass(&s.w, 69);
    expect(h, "%s", "");
    world_pass(&s.w, 1);
    expect(h, "{\"op\":\"ack\",\"q\":2,\"error\":\"timeout\"}\n");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":3}", id);
    world_pass(&s.w, RT_SIO_ACK_TIMEOUT_MS);
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":4}", id);
    scene_says(h, "{\"op\":\"emit\",\"s\":\"gone\",\"e\":\"ask\",\"q\":5}");
    for (int i = 1; i < RT_SIO_ACKS_PER_SOCKET_MAX; i++)
        scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":100}", id);
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":6}", id);
    expect(h, "{\"op\":\"ack\",\"q\":3,\"error\":\"timeout\"}\n"
              "{\"op\":\"ack\",\"q\":5,\"error\":\"gone\"}\n"
              "{\"op\":\"ack\",\"q\":6,\"error\":\"limit\"}\n");
    assert_int_equal(h->host->ask_count, RT_SIO_ACKS_PER_SOCKET_MAX);
    world_leave(c);
    assert_true(strncmp(scene_told(h), "{\"op\":\"ack\",\"q\":4,\"error\":\"gone\"}\n", 34) == 0);
    assert_int_equal(h->host->ask_count, 0);
    scene_fini(&s);
}

/* The host goes while clients and the web process have its questions. */
static void test_gone_with_questions(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":1}", id);
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":2}", id);
    scene_says(h, "{\"op\":\"permission\",\"q\":3,\"s\":\"%s\",\"doctype\":\"T\"}", id);
    scene_leaves(h);
    fake_host *next = scene_attach(&s, "\"id\":\"B\",\"events\":[]"); /* in the same place */
    assert_ptr_equal(next->host, h->host);
    world_say(c, "3" NS ",0[]");
    world_answer(&s.w, 200, "{\"message\":true}");
    world_leave(c);
    expect(next, "%s", "");
    scene_fini(&s);
}

static void test_asks_over_max(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    h->host->ask_count = RT_HOST_ASKS_MAX;
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":1}", id);
    scene_says(h, "{\"op\":\"permission\",\"q\":2,\"s\":\"%s\",\"doctype\":\"T\"}", id);
    expect(h, "{\"op\":\"ack\",\"q\":1,\"error\":\"limit\"}\n"
              "{\"op\":\"result\",\"q\":2,\"ok\":null}\n");
    assert_int_equal(h->host->counters.v[RT_HOST_ASKS_OVER_MAX], 2);
    h->host->ask_count = 0;
    scene_fini(&s);
}

/* What does not fit in a line is left out, and whoever waits for it is told so. */
static void test_long_lines(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"connects\":true");
    scene_told(h);
    assert_int_equal(s.hosts->line.max, RT_HOST_LINE_MAX);
    s.hosts->line.max = 80; /* in place of 16 MB */
    rt_buf_fini(&s.hosts->line);
    session_emit(c, "[\"e\",1]");
    session_emit(c, "[\"e\",\"0123456789012345678901234567890123456789\"]");
    session_emit(c, "[\"e\",2]");
    scene_says(h, "{\"op\":\"rooms\",\"q\":1,\"s\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"r23456789012345678901234567\"}", id);
    scene_says(h, "{\"op\":\"rooms\",\"q\":2,\"s\":\"%s\"}", id);
    scene_says(h, "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"ask\",\"q\":3}", id);
    world_say(c, "3" NS ",0[\"0123456789012345678901234567890123456789012345678901234567890\"]");
    expect(h,
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[1]}\n"
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[2]}\n"
           "{\"op\":\"result\",\"q\":1,\"rooms\":[\"user:x@a\",\"website\",\"all\"]}\n"
           "{\"op\":\"result\",\"q\":2,\"rooms\":[],\"error\":\"limit\"}\n"
           "{\"op\":\"ack\",\"q\":3,\"error\":\"limit\"}\n",
           id, id);
    assert_int_equal(h->host->counters.v[RT_HOST_EVENTS_LOST], 1);
    assert_true(h->open);
    scene_fini(&s);
}

static unsigned logged;
static char last_line[600];

static void count_line(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    assert_string_equal(part, "handlers");
    logged++;
    snprintf(last_line, sizeof last_line, "%s", text);
}

static void test_skipped_lines(void **state) {
    static const char *const lines[] = {
        "x",
        "{",
        "[]",
        "null",
        "{}",
        "{\"op\":1}",
        "{\"op\":\"fly\"}",
        "{\"op\":\"sync\"}",
        "{\"op\":\"sync\",\"q\":-1}",
        "{\"op\":\"sync\",\"q\":\"1\"}",
        "{\"op\":\"sync\",\"q\":9007199254740992}",
        "{\"op\":\"join\",\"r\":\"x\"}",
        "{\"op\":\"join\",\"s\":\"gone\",\"r\":\"\"}",
        "{\"op\":\"join\",\"s\":\"gone\",\"r\":[\"x\"]}",
        "{\"op\":\"leave\",\"s\":\"gone\"}",
        "{\"op\":\"ack\",\"s\":\"gone\"}",
        "{\"op\":\"ack\",\"s\":\"gone\",\"i\":1,\"a\":{}}",
        "{\"op\":\"ack\",\"s\":\"gone\",\"i\":1000000000000000}",
        "{\"op\":\"disconnect\"}",
        "{\"op\":\"emit\",\"e\":\"m\"}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\"}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":[]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"disconnect\"}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"r\":1}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"r\":[1]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"r\":[\"\\ud800\"]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"x\":[{}]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"b\":\"AAAA\"}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"b\":[\"?\"]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"b\":[1]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\","
        "\"b\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
        "{\"op\":\"emit\",\"ns\":\"" NS "\",\"e\":\"m\",\"b\":[\"\"],"
        "\"a\":[{\"_placeholder\":true,\"num\":1}]}",
        "{\"op\":\"emit\",\"s\":\"gone\",\"e\":\"m\",\"q\":1,\"t\":-1}",
        "{\"op\":\"emit\",\"s\":1,\"e\":\"m\"}",
        "{\"op\":\"permission\",\"q\":1,\"s\":\"gone\"}",
        "{\"op\":\"permission\",\"q\":1,\"s\":\"gone\",\"doctype\":\"T\",\"name\":1}",
        "{\"op\":\"participants\",\"q\":1}",
        "{\"op\":\"events\"}",
        "{\"op\":\"events\",\"e\":[1]}",
        "{\"op\":\"events\",\"e\":[\"\"]}",
    };
    (void)state;
    scene s;
    char text[200];
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    logged = 0;
    rt_log_set_sink(count_line, RT_LOG_WARN);
    size_t n = sizeof lines / sizeof lines[0];
    for (size_t i = 0; i < n; i++) {
        rt_host_line(h->host, rt_slice_of(lines[i]));
        assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], i + 1);
    }
    assert_int_equal(logged, 1);
    s.w.now += 1000;
    scene_says(h, "x");
    assert_int_equal(logged, 2);
    snprintf(text, sizeof text,
             "a line of the unnamed handlers (process 0) is skipped: it is not JSON: x (%zu more "
             "since the last such message)",
             n - 1);
    assert_string_equal(last_line, text);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    /* unknown members are nothing to complain about, and of two of one name the last counts */
    scene_says(h, " {\"new\":{\"op\":1},\"op\":\"fly\",\"q\":1,\"o\\u0070\":\"sync\"} ");
    expect(h, "{\"op\":\"result\",\"q\":1}\n");
    assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], n + 1);
    assert_string_equal(world_heard(c), "");
    scene_fini(&s);
}

/* A room that a socket may not join is told to whoever looks after the host. */
static void test_rooms_over_max(void **state) {
    (void)state;
    scene s;
    rt_buf line = RT_BUF_INIT;
    scene_init(&s);
    client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[]");
    logged = 0;
    rt_log_set_sink(count_line, RT_LOG_WARN);
    for (int n = RT_SIO_ROOM_NAME_MAX; n <= RT_SIO_ROOM_NAME_MAX + 1; n++) {
        rt_buf_clear(&line);
        rt_buf_printf(&line, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"%0*d\"}", id, n, 0);
        rt_host_line(h->host, rt_buf_slice(&line));
    }
    assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], 1);
    assert_non_null(strstr(last_line, "in too many rooms, or the room's name is too long"));
    for (int n = 4; n < RT_SIO_ROOMS_PER_SOCKET_MAX; n++)
        scene_says(h, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"%d\"}", id, n);
    assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], 1);
    scene_says(h, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"one more\"}", id);
    assert_int_equal(h->host->counters.v[RT_HOST_LINES_SKIPPED], 2);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    rt_buf_fini(&line);
    scene_fini(&s);
}

/* --- what the log says of an active host --- */

static void test_says_what_it_takes(void **state) {
    static const struct {
        const char *members, *said;
    } cases[] = {
        {"\"id\":\"A\",\"events\":[\"e\"]", "the unnamed handlers (process 0) take 1 named event"},
        {"\"id\":\"B\",\"events\":[\"e\",\"f\"]",
         "the unnamed handlers (process 0) take 2 named events"},
        {"\"id\":\"C\",\"events\":[\"e\",\"*\"]",
         "the unnamed handlers (process 0) take 1 named event and all others"},
    };
    (void)state;
    scene s;
    scene_init(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_log_set_sink(count_line, RT_LOG_INFO);
        scene_attach(&s, cases[i].members);
        rt_log_set_sink(NULL, RT_LOG_ERROR);
        assert_string_equal(last_line, cases[i].said);
    }
    scene_fini(&s);
}

/* --- slow, replaced, gone --- */

static void test_slow(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"mirror\":true");
    scene_told(h);
    h->owed_more = RT_HOST_OWED_SOFT;
    session_emit(c, "[\"e\",1]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[1]}\n", id);
    h->owed_more++;
    session_emit(c, "[\"e\",2]");
    session_emit(c, "[\"task_subscribe\",\"t\"]");
    scene_says(h, "{\"op\":\"sync\",\"q\":1}");
    expect(h,
           "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"task_progress:t\"}\n"
           "{\"op\":\"result\",\"q\":1}\n",
           id);
    assert_int_equal(h->host->counters.v[RT_HOST_EVENTS_LOST], 1);
    assert_int_equal(scene_counter(&s, RT_HOSTS_EVENTS_LOST), 1);
    h->owed_more = 0;
    session_emit(c, "[\"e\",3]");
    expect(h, "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[3]}\n", id);
    const char *line = "{\"op\":\"result\",\"q\":1}\n";
    h->owed_more = RT_HOST_OWED_MAX - strlen(line);
    scene_says(h, "{\"op\":\"sync\",\"q\":1}");
    assert_true(h->open);
    h->told_n = 0;
    h->owed_more++;
    scene_says(h, "{\"op\":\"sync\",\"q\":1}");
    assert_false(h->open);
    assert_int_equal(scene_counter(&s, RT_HOSTS_CLOSED_SLOW), 1);
    session_emit(c, "[\"ping\"]");
    assert_string_equal(world_heard(c), "2" NS ",[\"pong\"]");
    scene_fini(&s);
}

/* What is lost is in the log, once in ten seconds, and so is the end of a host that reads nothing.
 */
static void test_loss_is_logged(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"language\":\"python\","
                                    "\"pid\":77");
    h->owed_more = RT_HOST_OWED_SOFT + 1;
    logged = 0;
    rt_log_set_sink(count_line, RT_LOG_WARN);
    for (int i = 0; i < 3; i++)
        session_emit(c, "[\"e\"]");
    assert_int_equal(logged, 1);
    assert_string_equal(last_line, "the python handlers (process 77) lose events: they do not "
                                   "read, and 8 MB wait for them (0 more since the last such "
                                   "message)");
    s.w.now += 9999;
    session_emit(c, "[\"e\"]");
    assert_int_equal(logged, 1);
    s.w.now += 1;
    session_emit(c, "[\"e\"]");
    assert_int_equal(logged, 2);
    assert_string_equal(last_line, "the python handlers (process 77) lose events: they do not "
                                   "read, and 8 MB wait for them (3 more since the last such "
                                   "message)");
    h->owed_more = RT_HOST_OWED_MAX;
    scene_says(h, "{\"op\":\"sync\",\"q\":1}");
    assert_int_equal(logged, 3);
    assert_string_equal(last_line, "the python handlers (process 77) are disconnected: they do "
                                   "not read, and 32 MB wait for them");
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    scene_fini(&s);
}

/* A lost event does not tell of its socket either, and the next one that comes does. */
static void test_slow_before_its_first_event(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"]");
    h->owed_more = RT_HOST_OWED_SOFT + 1;
    session_emit(c, "[\"e\",1]");
    h->owed_more = 0;
    expect(h, "%s", "");
    session_emit(c, "[\"e\",2]");
    expect(h, CONNECT("x@a", "") "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[2]}\n", id, id);
    scene_fini(&s);
}

static void test_replaced(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *a = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"mirror\":true");
    scene_told(a);
    session_emit(c, "[\"e\",1]");
    fake_host *b =
        scene_attach(&s, "\"id\":\"B\",\"events\":[\"*\"],\"mirror\":true,\"replaces\":\"A\"");
    session_emit(c, "[\"e\",2]");
    expect(a,
           "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[1]}\n"
           "{\"op\":\"drain\"}\n",
           id);
    expect(b, CONNECT("x@a", AGAIN) "{\"op\":\"event\",\"s\":\"%s\",\"e\":\"e\",\"a\":[2]}\n", id,
           id);
    /* what the old one still does is done, and what it was told of goes on to be told */
    scene_says(a, "{\"op\":\"ack\",\"s\":\"%s\",\"i\":5}", id);
    scene_says(a, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"r\"}", id);
    assert_string_equal(world_heard(c), "3" NS ",5[]");
    expect(a, "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"r\"}\n", id);
    memcpy(other, id, sizeof id);
    client(&s, "y@a");
    expect(a, "%s", "");
    world_pass(&s.w, RT_HOST_DRAIN_MS - 1);
    assert_true(a->open);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    world_pass(&s.w, 1);
    assert_false(a->open);
    assert_int_equal(scene_counter(&s, RT_HOSTS_DRAINED_LATE), 1);
    assert_int_equal(scene_counter(&s, RT_HOSTS_REPLACED), 1);
    assert_true(b->open);
    scene_fini(&s);
}

/* A host that is on its way out is not replaced again: it leaves when it was told to. */
static void test_replaced_once(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    fake_host *a = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"]");
    scene_attach(&s, "\"id\":\"B\",\"events\":[\"*\"],\"replaces\":\"A\"");
    expect(a, "{\"op\":\"drain\"}\n");
    s.w.now += RT_HOST_DRAIN_MS - 1;
    scene_attach(&s, "\"id\":\"C\",\"events\":[\"*\"],\"replaces\":\"A\"");
    expect(a, "%s", "");
    assert_int_equal(scene_counter(&s, RT_HOSTS_REPLACED), 1);
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    world_pass(&s.w, 1);
    assert_false(a->open);
    scene_fini(&s);
}

/* Of two that start at a time the one to be replaced may be the slower: it comes too late. */
static void test_replaced_before_it_came(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *b = scene_attach(&s, "\"id\":\"B\",\"events\":[\"*\"],\"replaces\":\"A\"");
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    assert_null(scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[\"*\"]"));
    static const char why[] = "{\"error\":\"another host replaced A before it attached\"}";
    assert_int_equal(s.answer.n, sizeof why - 1);
    assert_memory_equal(s.answer.p, why, sizeof why - 1);
    assert_int_equal(scene_counter(&s, RT_HOSTS_REFUSED), 1);
    session_emit(c, "[\"e\"]");
    assert_non_null(strstr(scene_told(b), "\"event\""));
    /* it is the last few that are known, and nobody else is meant */
    scene_attach(&s, "\"id\":\"C\",\"events\":[\"*\"]");
    char members[100];
    for (int i = 0; i < RT_HOSTS_MAX; i++) {
        snprintf(members, sizeof members, "\"id\":\"N%d\",\"events\":[\"*\"],\"replaces\":\"O%d\"",
                 i, i);
        scene_leaves(scene_attach(&s, members));
    }
    assert_null(scene_try_attach(&s, "\"version\":2,\"id\":\"O0\",\"events\":[\"*\"]"));
    assert_non_null(scene_try_attach(&s, "\"version\":2,\"id\":\"A\",\"events\":[\"*\"]"));
    scene_fini(&s);
}

/* Who does not read what was there before it does not take over. */
static void test_takes_over_when_it_has_read(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    world_client *c = client(&s, "x@a");
    fake_host *a = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"]");
    fake_host *b = scene_try_attach(&s, "\"version\":2,\"id\":\"B\",\"events\":[\"*\"],"
                                        "\"connects\":true,\"replaces\":\"A\"");
    assert_int_equal(b->host->state, RT_HOST_ACTIVE); /* one socket is told at once */
    scene_leaves(a);
    scene_told(b);
    fake_host *slow = &s.fake[s.fakes++];
    assert_int_equal(rt_host_attach(s.hosts,
                                    RT_LIT("{\"version\":2,\"id\":\"C\",\"events\":[\"*\"],"
                                           "\"connects\":true,\"replaces\":\"B\"}"),
                                    &slow->host, &s.answer),
                     RT_OK);
    slow->open = true;
    slow->owed_more = RT_HOST_TELL_OWED;
    rt_host_begin(slow->host, slow);
    uint64_t ignored = world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED);
    for (int i = 0; i < 3; i++)
        session_emit(c, "[\"e\"]");
    assert_int_equal(slow->host->state, RT_HOST_JOINING);
    assert_non_null(strstr(scene_told(b), "\"event\""));
    assert_int_equal(((char *)memchr(slow->told, '\n', slow->told_n) - slow->told) + 1,
                     slow->told_n);                        /* welcome, and no more */
    scene_says(slow, "{\"op\":\"events\",\"e\":[\"e\"]}"); /* whatever it takes, not yet */
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), ignored);
    scene_leaves(b);
    session_emit(c, "[\"e\"]");
    assert_int_equal(world_counter(&s.w, RT_FRAPPE_EVENTS_IGNORED), ignored + 1);
    b = scene_attach(&s, "\"id\":\"B\",\"events\":[\"*\"]");
    slow->owed_more = 0;
    scene_told(slow);
    assert_int_equal(slow->host->state, RT_HOST_ACTIVE);
    assert_non_null(strstr(scene_told(slow), AGAIN));
    expect(b, "{\"op\":\"drain\"}\n");
    scene_fini(&s);
}

/* Many sockets are told as they are read, within the limit, and those that come and go meanwhile
 * are told once and in order. */
static void test_telling_is_paced(void **state) {
    (void)state;
    enum { MANY = 12000 };
    scene s;
    scene_init(&s);
    world_client *first = NULL, *last = NULL;
    for (int i = 0; i < MANY; i++) {
        last = session_start(&s.w, "x@a", V16);
        first = first ? first : last;
    }
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"],\"mirror\":true");
    unsigned told = 0, gone = 0, rounds = 0;
    size_t most = 0;
    while (h->host->state == RT_HOST_JOINING || h->told_n) {
        most = h->told_n > most ? h->told_n : most;
        if (rounds == 1) {
            session_emit(last, "[\"task_subscribe\",\"t\"]");
            world_leave(last);  /* has been told of as one of the first */
            world_leave(first); /* not yet */
            session_start(&s.w, "new@a", V16);
        }
        rounds++;
        for (const char *at = scene_told(h); (at = strstr(at, "{\"op\":\"")); at++) {
            told += strncmp(at + 7, "connect", 7) == 0;
            gone += strncmp(at + 7, "disconnect", 10) == 0;
        }
    }
    assert_true(rounds > 2);
    assert_true(most < RT_HOST_TELL_OWED + 2000);
    assert_int_equal(gone, 1);
    assert_int_equal(told, MANY); /* one was never told of, one more has come */
    assert_int_equal(h->host->counters.v[RT_HOST_SOCKETS_TOLD], MANY);
    scene_fini(&s);
}

static void test_hosts_listed(void **state) {
    (void)state;
    scene s;
    scene_init(&s);
    rt_buf b = RT_BUF_INIT;
    rt_hosts_put(s.hosts, true, &b);
    assert_memory_equal(b.p, "[]", 2);
    rt_buf_clear(&b);
    fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\",\"e\"],\"language\":\"python\","
                                    "\"pid\":77,\"apps\":[\"x\", \"\\u00e4\"]");
    h->owed_more = 5;
    s.w.now += 40;
    scene_says(h, "x");
    assert_int_equal(rt_hosts_put(s.hosts, true, &b), RT_OK);
    rt_buf_putc(&b, '\0');
    assert_string_equal(b.p,
                        "[{\"id\":\"A\",\"language\":\"python\",\"pid\":77,\"state\":\"active\","
                        "\"connects\":false,\"mirror\":false,\"attached_ms\":40,\"owed_bytes\":5,"
                        "\"waits_for\":0,\"apps\":[\"x\", "
                        "\"\\u00e4\"],\"takes\":[\"*\",\"e\"],\"events\":0,\"events_lost\":0,"
                        "\"sockets_told\":0,\"lines\":1,\"lines_skipped\":1,\"emits\":0,\"acks\":0,"
                        "\"asks_over_max\":0}]");
    rt_buf_fini(&b);
    scene_fini(&s);
}

/* --- memory --- */

static int whole_life(void *arg) {
    (void)arg;
    scene s;
    if (!scene_try_init(&s))
        return RT_ENOMEM;
    world_client *c = world_connect(&s.w, NS, "Host: a.example\nCookie: sid=s\n");
    if (s.w.calls)
        world_answer(&s.w, 200, "{\"message\":{\"user\":\"x@a\",\"installed_apps\":[]}}");
    fake_host *a = scene_try_attach(
        &s, "\"version\":2,\"id\":\"A\",\"events\":[\"e\",\"ping\"],\"mirror\":true,"
            "\"apps\":[\"x\"]");
    fake_host *b =
        scene_try_attach(&s, "\"version\":2,\"id\":\"B\",\"events\":[\"e\"],\"replaces\":\"A\"");
    world_client *d = world_connect(&s.w, NS, "Host: a.example\nCookie: sid=s\n");
    rt_sio_ns *ns = rt_sio_ns_find(s.w.io, RT_LIT(NS));
    if (ns) {
        scene_last(&s, id);
        if (d->open)
            session_emit(d, "[\"e\",1]");
        static const char *const lines[] = {
            "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"r\"}",
            "{\"op\":\"emit\",\"s\":\"%s\",\"e\":\"m\",\"a\":[1],\"q\":1}",
            "{\"op\":\"emit\",\"ns\":\"" NS "\",\"r\":[\"r\",\"%s\"],\"e\":\"m\",\"x\":[\"z\"]}",
            "{\"op\":\"permission\",\"q\":2,\"s\":\"%s\",\"doctype\":\"T\"}",
            "{\"op\":\"rooms\",\"q\":3,\"s\":\"%s\"}",
            "{\"op\":\"ack\",\"s\":\"%s\",\"i\":1,\"a\":[NaN]}",
            "{\"op\":\"secret\",\"q\":4}",
            "{\"op\":\"disconnect\",\"s\":\"%s\"}"};
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            char line[300];
            snprintf(line, sizeof line, lines[i], id);
            if (b && b->open)
                rt_host_line(b->host, rt_slice_of(line));
        }
    }
    bool whole = c->open && a && b && a->open && b->open && ns;
    world_pass(&s.w, 1000);
    scene_fini(&s);
    return whole ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    assert_true(rt_faults_each(whole_life, NULL) > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_too_many_events),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_by_token),
        cmocka_unit_test(test_connect_types),
        cmocka_unit_test(test_told_again),
        cmocka_unit_test(test_v15),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_binary_event),
        cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_rooms_and_emits),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_acknowledgements),
        cmocka_unit_test(test_gone_with_questions),
        cmocka_unit_test(test_asks_over_max),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_skipped_lines),
        cmocka_unit_test(test_rooms_over_max),
        cmocka_unit_test(test_says_what_it_takes),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_loss_is_logged),
        cmocka_unit_test(test_slow_before_its_first_event),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_replaced_once),
        cmocka_unit_test(test_replaced_before_it_came),
        cmocka_unit_test(test_takes_over_when_it_has_read),
        cmocka_unit_test(test_telling_is_paced),
        cmocka_unit_test(test_hosts_listed),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
