/* engineio/payload.c: packets as text, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/status.h"
#include "engineio/payload.h"
#include "support/faults.h"
#include "support/guard.h"
#include "wire/ws.h"

#define RS "\x1e"

/* A message of several frames: `t` text and `b` binary, one letter for each packet. */
static rt_msg *frames_of(const char *kinds, const rt_slice *packets) {
    rt_msg *m = rt_msg_new(1 << 18);
    if (!m)
        return NULL;
    for (size_t i = 0; kinds[i]; i++) {
        m->len += (uint32_t)rt_ws_put_head(
            m->data + m->len, kinds[i] == 'b' ? RT_WS_BINARY : RT_WS_TEXT, packets[i].n);
        if (packets[i].n)
            memcpy(m->data + m->len, packets[i].p, packets[i].n);
        m->len += (uint32_t)packets[i].n;
    }
    return m;
}

static void assert_bytes(const rt_msg *m, rt_slice expected) {
    assert_non_null(m);
    assert_int_equal(m->len, expected.n);
    assert_memory_equal(m->data, expected.p, expected.n);
}

static void payload_joins_packets(void **state) {
    (void)state;
    const rt_slice packets[] = {RT_LIT("4a"), RT_LIT("\x01\x02\x03\x04"), RT_LIT("4"), RT_EMPTY};
    rt_outq q;
    rt_outq_init(&q);
    rt_msg *first = frames_of("tb", packets), *second = frames_of("tb", packets + 2);
    assert_int_equal(rt_outq_push(&q, first), RT_OK);
    assert_int_equal(rt_outq_push(&q, second), RT_OK);
    rt_msg *m = rt_eio_payload_encode(&q);
    assert_bytes(m, RT_LIT("4a" RS "bAQIDBA==" RS "4" RS "b"));
    rt_msg_rele(m);
    rt_msg_rele(first);
    rt_msg_rele(second);
    rt_outq_fini(&q);
}

static void text_frames_as_they_are(void **state) {
    (void)state;
    const rt_slice packets[] = {RT_LIT("4a"), RT_LIT("4b")};
    rt_msg *frames = frames_of("tt", packets);
    rt_msg *same = rt_eio_payload_as_text_frames(frames);
    assert_ptr_equal(same, frames);
    assert_int_equal(frames->refs, 2);
    rt_msg_rele(same);
    rt_msg_rele(frames);
}

static void binary_frames_become_text(void **state) {
    (void)state;
    static char big[60000];
    memset(big, 0xab, sizeof big);
    const rt_slice packets[] = {RT_LIT("451-[]"), RT_LIT("\x01\x02\x03\x04"), RT_EMPTY,
                                rt_slice_make(big, sizeof big)};
    rt_msg *frames = frames_of("tbbb", packets);
    rt_msg *text = rt_eio_payload_as_text_frames(frames);
    assert_non_null(text);
    assert_memory_equal(text->data,
                        "\x81\x06"
                        "451-[]"
                        "\x81\x09"
                        "bAQIDBA=="
                        "\x81\x01"
                        "b",
                        22);
    /* 60000 bytes are 80000 characters, which need the 64-bit length. */
    assert_memory_equal(text->data + 22,
                        "\x81\x7f\0\0\0\0\0\x01\x38\x81"
                        "bq6ur",
                        15);
    assert_int_equal(text->len, 22 + 10 + 80001);
    rt_msg_rele(text);
    rt_msg_rele(frames);
}

static void jsonp(void **state) {
    (void)state;
    static const struct {
        const char *index, *payload, *script;
    } cases[] = {
        {"0", "4x", "___eio[0](\"4x\");"},
        {"", "6", "___eio[](\"6\");"},
        {"12", "4[\"a\\n\"]" RS "4\n", "___eio[12](\"4[\\\"a\\\\n\\\"]\\u001e4\\n\");"},
        {"1", "\xe2\x80\xa8\xe2\x80\xa9", "___eio[1](\"\\u2028\\u2029\");"},
        {"1", "\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac",
         "___eio[1](\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac\");"},
    };
    rt_guard g;
    rt_guard_init(&g, 64);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_slice payload = rt_guard_tail(&g, cases[i].payload, strlen(cases[i].payload));
        rt_msg *m = rt_eio_payload_jsonp(rt_slice_of(cases[i].index), payload);
        assert_bytes(m, rt_slice_of(cases[i].script));
        rt_msg_rele(m);
    }
    rt_guard_fini(&g);
}

static void forms(void **state) {
    (void)state;
    static const struct {
        const char *body, *payload; /* NULL: refused */
    } cases[] = {
        {"d=4a", "4a"},
        {"d=4a%1E4b", "4a" RS "4b"},
        {"d=4%E2%82%AC+x", "4\xe2\x82\xac x"},
        {"d=4a%5Cn", "4a\n"},          /* \n */
        {"d=4a%5C%5Cn", "4a\\n"},      /* \\n */
        {"d=4a%5C%5C%5Cn", "4a\\\\n"}, /* \\\n */
        {"d=4a%5C%22", "4a\\\""},      /* \" stays */
        {"d=4a%5C", "4a\\"},
        {"x=1&d=4b&y=2", "4b"},
        {"d=", ""},
        {"4a", NULL},
        {"", NULL},
        {"dd=4a", NULL},
    };
    rt_guard g;
    rt_guard_init(&g, 64);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_buf out;
        rt_buf_init(&out, 0);
        int status =
            rt_eio_payload_from_form(rt_guard_tail(&g, cases[i].body, strlen(cases[i].body)), &out);
        assert_int_equal(status, cases[i].payload ? RT_OK : RT_EINVAL);
        if (cases[i].payload)
            assert_true(rt_slice_eq(rt_buf_slice(&out), rt_slice_of(cases[i].payload)));
        rt_buf_fini(&out);
    }
    rt_guard_fini(&g);
}

static int without_memory(void *arg) {
    (void)arg;
    const rt_slice packets[] = {RT_LIT("\x01\x02\x03\x04"), RT_LIT("4a")};
    rt_msg *frames = frames_of("bt", packets);
    rt_msg *text = frames ? rt_eio_payload_as_text_frames(frames) : NULL;
    rt_msg *script = text ? rt_eio_payload_jsonp(RT_LIT("1"), RT_LIT("4\n\xe2\x80\xa8")) : NULL;
    rt_buf out;
    rt_buf_init(&out, 0);
    int status = script ? rt_eio_payload_from_form(RT_LIT("d=4%5Cn%20"), &out) : RT_ENOMEM;
    if (status == RT_OK)
        assert_true(rt_slice_eq(rt_buf_slice(&out), RT_LIT("4\n ")));
    rt_buf_fini(&out);
    rt_msg_rele(script);
    rt_msg_rele(text);
    rt_msg_rele(frames);
    return status;
}

static void no_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(without_memory, NULL) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_joins_packets),
        cmocka_unit_test(text_frames_as_they_are),
        cmocka_unit_test(binary_frames_become_text),
        cmocka_unit_test(jsonp),
        cmocka_unit_test(forms),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
