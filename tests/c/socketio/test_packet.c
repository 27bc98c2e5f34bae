/* socketio/packet.c, placeholder.c and encode.c: packets, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "socketio/packet.h"
#include "support/guard.h"

#include <stdio.h>

static int parse(rt_guard *g, const char *text, rt_sio_packet *p) {
    return rt_sio_packet_parse(rt_guard_tail(g, text, strlen(text)), 10, p);
}

static void good_packets(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int type;
        unsigned attachments;
        const char *ns;
        long id;
        const char *data;
    } cases[] = {
        {"0", RT_SIO_CONNECT, 0, "/", -1, ""},
        {"0/a,", RT_SIO_CONNECT, 0, "/a", -1, ""},
        {"0/a", RT_SIO_CONNECT, 0, "/a", -1, ""},
        {"0{\"t\":1}", RT_SIO_CONNECT, 0, "/", -1, "{\"t\":1}"},
        {"0/a,{}", RT_SIO_CONNECT, 0, "/a", -1, "{}"},
        {"1", RT_SIO_DISCONNECT, 0, "/", -1, ""},
        {"1/a,", RT_SIO_DISCONNECT, 0, "/a", -1, ""},
        {"2[\"e\",1]", RT_SIO_EVENT, 0, "/", -1, "[\"e\",1]"},
        {"2[7]", RT_SIO_EVENT, 0, "/", -1, "[7]"},
        {"2/a,12[\"e\"]", RT_SIO_EVENT, 0, "/a", 12, "[\"e\"]"},
        {"20[\"e\"]", RT_SIO_EVENT, 0, "/", 0, "[\"e\"]"},
        {"2/a?q=1,[\"e\"]", RT_SIO_EVENT, 0, "/a?q=1", -1, "[\"e\"]"},
        {"2999999999999999[\"e\"]", RT_SIO_EVENT, 0, "/", 999999999999999, "[\"e\"]"},
        {"3/a,5[]", RT_SIO_ACK, 0, "/a", 5, "[]"},
        {"4{\"message\":\"m\"}", RT_SIO_CONNECT_ERROR, 0, "/", -1, "{\"message\":\"m\"}"},
        {"4\"m\"", RT_SIO_CONNECT_ERROR, 0, "/", -1, "\"m\""},
        {"51-[\"e\",{}]", RT_SIO_BINARY_EVENT, 1, "/", -1, "[\"e\",{}]"},
        {"510-/a,3[\"e\"]", RT_SIO_BINARY_EVENT, 10, "/a", 3, "[\"e\"]"},
        {"62-/a,3[1]", RT_SIO_BINARY_ACK, 2, "/a", 3, "[1]"},
    };
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_sio_packet p;
        assert_int_equal(parse(&g, cases[i].text, &p), RT_OK);
        assert_int_equal(p.type, cases[i].type);
        assert_int_equal(p.attachments, cases[i].attachments);
        assert_true(rt_slice_eq(p.ns, rt_slice_of(cases[i].ns)));
        assert_int_equal(p.has_id, cases[i].id >= 0);
        assert_int_equal(p.id, cases[i].id >= 0 ? cases[i].id : 0);
        assert_true(rt_slice_eq(p.data, rt_slice_of(cases[i].data)));
    }
    rt_guard_fini(&g);
}

static void bad_packets(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "7",
        "9[]",
        "x",
        "-1", /* types */
        "0[]",
        "0\"x\"",
        "0null",
        "0{",
        "1{}",
        "1[]",
        "1\"x\"",
        "2{}",
        "2\"e\"",
        "2[]",
        "2[null]",
        "2[{}]",
        "2[[\"e\"]]",
        "2[true]",
        "2[\"e\"",
        "2[\"e\"]x",
        "2[\"e\",]",
        "3{}",
        "3\"x\"",
        "4[]",
        "4null", /* payloads */
        "5[\"e\"]",
        "50-[\"e\"]",
        "511-[\"e\"]",
        "51[\"e\"]",
        "5-[\"e\"]",
        "51-",
        "5x-[\"e\"]",
        "5-1-[\"e\"]",
        "51.5-[\"e\"]",
        "51-{}",
        "61-",
        "61-{}",
        "60-[]", /* attachments */
        "21000000000000000[\"e\"]",
        "2-1[\"e\"]",
        "21e3[\"e\"]", /* ids */
    };
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_sio_packet p;
        if (parse(&g, cases[i], &p) != RT_ESIO_PACKET)
            fail_msg("accepted: %s", cases[i]);
    }
    rt_guard_fini(&g);
}

static void reserved_names(void **state) {
    (void)state;
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener",
                                        "\\u0063onnect"};
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        rt_sio_packet p;
        snprintf(text, sizeof text, "2[\"%s\"]", names[i]);
        assert_int_equal(parse(&g, text, &p), RT_ESIO_PACKET);
        snprintf(text, sizeof text, "51-[\"%s\"]", names[i]);
        assert_int_equal(parse(&g, text, &p), RT_ESIO_PACKET);
        snprintf(text, sizeof text, "2[\"%s2\"]", names[i]);
        assert_int_equal(parse(&g, text, &p), RT_OK);
    }
    rt_guard_fini(&g);
}

/* No packet cut short reads past its end. */
static void every_prefix(void **state) {
    (void)state;
    static const char text[] = "52-/a,12[\"e\",{\"_placeholder\":true,\"num\":0}]";
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        rt_sio_packet p;
        assert_int_equal(rt_sio_packet_parse(rt_guard_tail(&g, text, n), 10, &p), RT_ESIO_PACKET);
    }
    rt_guard_fini(&g);
}

static void event_parts(void **state) {
    (void)state;
    rt_slice name, args;
    assert_true(rt_sio_packet_event(RT_LIT("[ \"e\" , 1 , {\"a\":[2]} ]"), &name, &args));
    assert_true(rt_slice_eq(name, RT_LIT("\"e\"")));
    assert_true(rt_slice_eq(args, RT_LIT("1 , {\"a\":[2]}")));
    assert_true(rt_sio_packet_event(RT_LIT("[7]"), &name, &args));
    assert_true(rt_slice_eq(name, RT_LIT("7")));
    assert_int_equal(args.n, 0);
    assert_false(rt_sio_packet_event(RT_EMPTY, &name, &args));
    assert_true(rt_slice_eq(rt_sio_packet_elements(RT_LIT("[ 1,2 ]")), RT_LIT("1,2")));
    assert_int_equal(rt_sio_packet_elements(RT_LIT("[]")).n, 0);
}

#define PLACEHOLDER(num) "{\"_placeholder\":true,\"num\":" num "}"

static void placeholders(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool valid;
    } cases[] = {
        {"[\"e\"]", true},
        {"[\"e\"," PLACEHOLDER("0") "," PLACEHOLDER("1") "]", true},
        {"[\"e\",{\"a\":[" PLACEHOLDER("1") "]}]", true},
        {"[\"e\",{\"num\":0,\"_placeholder\":true}]", true},
        {"[\"e\",{\"_placeholder\":false,\"num\":9}]", true},
        {"[\"_placeholder\",{\"num\":9}]", true},
        {"[\"e\"," PLACEHOLDER("2") "]", false},
        {"[\"e\"," PLACEHOLDER("-1") "]", false},
        {"[\"e\"," PLACEHOLDER("0.5") "]", false},
        {"[\"e\"," PLACEHOLDER("1e0") "]", false},
        {"[\"e\"," PLACEHOLDER("\"0\"") "]", false},
        {"[\"e\"," PLACEHOLDER("null") "]", false},
        {"[\"e\"," PLACEHOLDER("99999999999999999999999") "]", false},
        {"[\"e\",{\"_placeholder\":true}]", false},
        {"[\"e\",{\"_placeholder\":true,\"a\":{\"num\":0}}]", false},
        {"[\"e\",{\"\\u005fplaceholder\":true,\"num\":7}]", false},
    };
    rt_guard g;
    rt_guard_init(&g, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (rt_sio_placeholders_valid(rt_guard_tail(&g, cases[i].json, strlen(cases[i].json)), 2) !=
            cases[i].valid)
            fail_msg("%s", cases[i].json);
    rt_guard_fini(&g);
}

static void assert_out(const rt_sio_out *o, const char *bytes, size_t n) {
    rt_msg *m = rt_sio_out_msg(o);
    assert_non_null(m);
    assert_int_equal(rt_sio_out_len(o), n);
    assert_int_equal(m->len, n);
    assert_int_equal(m->cap, n);
    assert_memory_equal(m->data, bytes, n);
    rt_msg_rele(m);
}

#define assert_out_is(o, text) assert_out(o, text, sizeof(text) - 1)

static void encoding(void **state) {
    (void)state;
    const rt_slice attachments[] = {RT_LIT("\x01\x02"), RT_LIT("")};
    rt_sio_out o = {.type = RT_SIO_EVENT, .ns = RT_LIT("/"), .event = RT_LIT("\"e\"")};
    assert_out_is(&o, "\x81\x07"
                      "42[\"e\"]");
    o.args = RT_LIT("1,2");
    o.ns = RT_LIT("/a");
    assert_out_is(&o, "\x81\x0e"
                      "42/a,[\"e\",1,2]");
    o.has_id = true;
    o.id = 107;
    assert_out_is(&o, "\x81\x11"
                      "42/a,107[\"e\",1,2]");
    o.type = RT_SIO_BINARY_EVENT;
    o.attachments = attachments;
    o.attachment_count = 2;
    assert_out_is(&o, "\x81\x13"
                      "452-/a,107[\"e\",1,2]"
                      "\x82\x02\x01\x02"
                      "\x82\x00");
    assert_out_is((&(rt_sio_out){.type = RT_SIO_ACK, .ns = RT_LIT("/"), .has_id = true}), "\x81\x05"
                                                                                          "430[]");
    assert_out_is((&(rt_sio_out){.type = RT_SIO_DISCONNECT, .ns = RT_LIT("/a"), .no_data = true}),
                  "\x81\x05"
                  "41/a,");
    assert_out_is((&(rt_sio_out){.type = RT_SIO_CONNECT, .ns = RT_LIT("/"), .data = RT_LIT("{}")}),
                  "\x81\x04"
                  "40{}");
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(good_packets, leaks),
        cmocka_unit_test_teardown(bad_packets, leaks),
        cmocka_unit_test_teardown(reserved_names, leaks),
        cmocka_unit_test_teardown(every_prefix, leaks),
        cmocka_unit_test_teardown(event_parts, leaks),
        cmocka_unit_test_teardown(placeholders, leaks),
        cmocka_unit_test_teardown(encoding, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
