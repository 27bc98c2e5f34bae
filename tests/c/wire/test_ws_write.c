/* wire/ws_write.c: frames as a server writes them, and its half of the handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"
#include "wire/ws.h"

static void assert_head(size_t n, const char *bytes, size_t length) {
    char out[RT_WS_HEAD_MAX + 1];
    memset(out, 0x55, sizeof out);
    assert_int_equal(rt_ws_head_len(n), length);
    assert_int_equal(rt_ws_put_head(out, RT_WS_TEXT, n), length);
    assert_memory_equal(out, bytes, length);
    assert_int_equal(out[length], 0x55);
}

static void test_heads(void **state) {
    (void)state;
    assert_head(0, "\x81\x00", 2);
    assert_head(1, "\x81\x01", 2);
    assert_head(125, "\x81\x7d", 2);
    assert_head(126, "\x81\x7e\x00\x7e", 4);
    assert_head(255, "\x81\x7e\x00\xff", 4);
    assert_head(256, "\x81\x7e\x01\x00", 4);
    assert_head(65535, "\x81\x7e\xff\xff", 4);
    assert_head(65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
    assert_head(UINT64_C(0x0102030405060708), "\x81\x7f\1\2\3\4\5\6\7\x08", 10);
}

static void assert_frame(rt_msg *m, const char *bytes, size_t n) {
    assert_non_null(m);
    assert_int_equal(m->refs, 1);
    assert_int_equal(m->cap, m->len);
    assert_true(rt_slice_eq(rt_msg_slice(m), rt_slice_make(bytes, n)));
    rt_msg_rele(m);
}

static void test_frames(void **state) {
    (void)state;
    long live = rt_alloc_live();
    assert_frame(rt_ws_frame(RT_WS_TEXT, RT_LIT("Hello")), "\x81\x05Hello", 7);
    assert_frame(rt_ws_frame(RT_WS_BINARY, RT_EMPTY), "\x82\x00", 2);
    assert_frame(rt_ws_frame(RT_WS_PING, RT_LIT("hi")), "\x89\x02hi", 4);
    assert_frame(rt_ws_frame(RT_WS_PONG, RT_EMPTY), "\x8a\x00", 2);
    assert_frame(rt_ws_close_frame(0, RT_EMPTY), "\x88\x00", 2);
    assert_frame(rt_ws_close_frame(0, RT_LIT("unsaid")), "\x88\x00", 2);
    assert_frame(rt_ws_close_frame(1000, RT_EMPTY), "\x88\x02\x03\xe8", 4);
    assert_frame(rt_ws_close_frame(1009, RT_LIT("big")),
                 "\x88\x05\x03\xf1"
                 "big",
                 7);
    assert_null(rt_ws_frame(RT_WS_TEXT, rt_slice_make("", UINT32_MAX - 5)));
    assert_null(rt_ws_frame(RT_WS_TEXT, rt_slice_make("", SIZE_MAX)));
    assert_int_equal(rt_alloc_live(), live);
}

/* The reason fits in a control frame and is never cut within a character. */
static void test_close_reason_is_cut(void **state) {
    (void)state;
    char reason[130];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(reason, 'x', lead);
        for (size_t i = lead; i + 3 <= sizeof reason; i += 3)
            memcpy(reason + i, "\xe2\x82\xac", 3);
        size_t kept = lead + (123 - lead) / 3 * 3;
        rt_msg *m = rt_ws_close_frame(1000, rt_slice_make(reason, lead + 126));
        assert_non_null(m);
        assert_int_equal(m->len, 4 + kept);
        assert_int_equal(m->data[1], 2 + kept);
        assert_memory_equal(m->data + 4, reason, kept);
        rt_msg_rele(m);
    }
}

static int write_frames(void *arg) {
    (void)arg;
    rt_msg *text = rt_ws_frame(RT_WS_TEXT, RT_LIT("a"));
    rt_msg *end = rt_ws_close_frame(1001, RT_LIT("b"));
    int rc = text && end ? RT_OK : RT_ENOMEM;
    rt_msg_rele(text);
    rt_msg_rele(end);
    return rc;
}

static void test_frames_out_of_memory(void **state) {
    (void)state;
    assert_int_equal(rt_faults_each(write_frames, NULL), 2);
}

static void test_next_frame(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 3};
    rt_buf run = RT_BUF_INIT;
    char head[RT_WS_HEAD_MAX];
    for (size_t i = 0; i < 7; i++) {
        rt_buf_put(&run, head, rt_ws_put_head(head, i % 2 ? RT_WS_TEXT : RT_WS_BINARY, sizes[i]));
        for (size_t n = 0; n < sizes[i]; n++)
            rt_buf_putc(&run, (char)('a' + i));
    }
    assert_int_equal(run.err, RT_OK);
    rt_guard guard;
    rt_guard_init(&guard, run.n);
    rt_slice left = rt_guard_tail(&guard, run.p, run.n), payload;
    enum rt_ws_opcode opcode;
    for (size_t i = 0; i < 7; i++) {
        assert_true(rt_ws_next_frame(&left, &opcode, &payload));
        assert_int_equal(opcode, i % 2 ? RT_WS_TEXT : RT_WS_BINARY);
        assert_int_equal(payload.n, sizes[i]);
        if (payload.n > 0)
            assert_int_equal(payload.p[payload.n - 1], 'a' + i);
    }
    assert_false(rt_ws_next_frame(&left, &opcode, &payload));
    assert_int_equal(left.n, 0);
    rt_guard_fini(&guard);
    rt_buf_fini(&run);
}

static void test_next_frame_cut_short(void **state) {
    (void)state;
    static const rt_slice cut[] = {{"\x81\x05Hell", 6},
                                   {"\x82\x7e\x00\x7e", 4},
                                   {"\x82\x7f\0\0\0\0\0\1\0\0", 10},
                                   {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10}};
    rt_guard guard;
    rt_guard_init(&guard, 64);
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        for (size_t n = 0; n <= cut[i].n; n++) {
            rt_slice left = rt_guard_tail(&guard, cut[i].p, n), payload;
            enum rt_ws_opcode opcode;
            assert_false(rt_ws_next_frame(&left, &opcode, &payload));
            assert_int_equal(left.n, n);
        }
    rt_guard_fini(&guard);
}

/* --- handshake --- */

static void test_accept(void **state) {
    (void)state;
    char out[RT_WS_ACCEPT_LEN + 1];
    out[RT_WS_ACCEPT_LEN] = 0x55;
    rt_ws_accept(RT_LIT("dGhlIHNhbXBsZSBub25jZQ=="), out); /* RFC 6455, section 1.3 */
    assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", RT_WS_ACCEPT_LEN);
    assert_int_equal(out[RT_WS_ACCEPT_LEN], 0x55);
    rt_ws_accept(RT_LIT("x3JJHMbDL1EzLkh9GBhXDw=="), out);
    assert_memory_equal(out, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=", RT_WS_ACCEPT_LEN);
}

static void test_keys(void **state) {
    (void)state;
    static const char *const good[] = {
        "dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==", "++++++++++++++++++++//=="};
    static const char *const bad[] = {
        "",
        "=",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQQ=",
        "dGhlIHNhbXBsZSBub25jZQQQ",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBs=SBub25jZQ==",
        "dGhlIHNhbXBs SBub25jZQ==",
        "dGhlIHNhbXBs-SBub25jZQ==",
        "dGhlIHNhbXBs_SBub25jZQ==",
        " GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ\xc3==",
    };
    rt_guard guard;
    rt_guard_init(&guard, 64);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(rt_ws_key_valid(rt_guard_tail(&guard, good[i], strlen(good[i]))));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rt_ws_key_valid(rt_guard_tail(&guard, bad[i], strlen(bad[i]))));
    assert_false(rt_ws_key_valid(rt_guard_tail(&guard, "dGhlIHNhbXBsZSBub25j\0Q==", 24)));
    rt_guard_fini(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_close_reason_is_cut),
        cmocka_unit_test(test_frames_out_of_memory),
        cmocka_unit_test(test_next_frame),
        cmocka_unit_test(test_next_frame_cut_short),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
