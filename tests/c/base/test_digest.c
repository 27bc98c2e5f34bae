#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"

#include <stdio.h>

static void assert_sha1(rt_slice bytes, const char *hex) {
    uint8_t out[20];
    char text[41];
    rt_sha1(bytes, out);
    for (size_t i = 0; i < 20; i++)
        snprintf(text + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(text, hex);
}

static void test_sha1(void **state) {
    (void)state;
    assert_sha1(RT_EMPTY, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1(RT_LIT("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"); /* RFC 3174, 7.3 */
    assert_sha1(RT_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

/* Where the padding just fits into a block, and where it no longer does. */
static void test_sha1_at_block_borders(void **state) {
    (void)state;
    static const struct {
        size_t n;
        const char *hex;
    } cases[] = {
        {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
        {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
        {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"},
        {1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"},
    };
    char text[1000];
    memset(text, 'a', sizeof(text));
    rt_guard g;
    rt_guard_init(&g, sizeof(text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_sha1(rt_guard_tail(&g, text, cases[i].n), cases[i].hex);
    rt_guard_fini(&g);
}

/* RFC 6455, section 1.3. */
static void test_websocket_accept(void **state) {
    (void)state;
    uint8_t digest[20];
    char accept[RT_BASE64_LEN(20)];
    rt_sha1(RT_LIT("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), digest);
    rt_base64_encode(rt_slice_make(digest, 20), accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(accept));
}

static const struct {
    const char *plain;
    const char *text;
} rfc4648[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
};
#define RFC4648_N (sizeof(rfc4648) / sizeof(rfc4648[0]))

static void test_base64_encode(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 64);
    for (size_t i = 0; i < RFC4648_N; i++) {
        rt_slice plain = rt_slice_of(rfc4648[i].plain);
        size_t n = strlen(rfc4648[i].text);
        assert_int_equal(RT_BASE64_LEN(plain.n), n);
        char *out = rt_guard_tail_ptr(&g, NULL, n);
        rt_base64_encode(plain, out);
        assert_memory_equal(out, rfc4648[i].text, n);
    }
    rt_guard_fini(&g);
}

static void test_base64url_encode(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 64);
    static const char *const texts[] = {"", "-w", "-_8", "-__-", "-__--w"};
    for (size_t n = 0; n < 5; n++) {
        size_t want = strlen(texts[n]);
        assert_int_equal((n * 4 + 2) / 3, want);
        char *out = rt_guard_tail_ptr(&g, NULL, want);
        rt_base64url_encode(rt_slice_make("\xfb\xff\xfe\xfb", n), out);
        assert_memory_equal(out, texts[n], want);
    }
    rt_guard_fini(&g);
}

static void assert_decodes(const char *text, rt_slice plain) {
    rt_buf out = RT_BUF_INIT;
    rt_buf_putc(&out, '>');
    rt_guard g;
    rt_guard_init(&g, 64);
    assert_int_equal(rt_base64_decode(rt_guard_tail(&g, text, strlen(text)), &out), RT_OK);
    assert_true(rt_slice_eq(rt_slice_from(rt_buf_slice(&out), 1), plain));
    rt_guard_fini(&g);
    rt_buf_fini(&out);
}

static void test_base64_decode(void **state) {
    (void)state;
    for (size_t i = 0; i < RFC4648_N; i++)
        assert_decodes(rfc4648[i].text, rt_slice_of(rfc4648[i].plain));
    assert_decodes("Zg", RT_LIT("f"));
    assert_decodes("Zg=", RT_LIT("f"));
    assert_decodes("Zm8", RT_LIT("fo"));
    assert_decodes("-_-_", RT_LIT("\xfb\xff\xbf"));
    assert_decodes("+_-/", RT_LIT("\xfb\xff\xbf"));
    assert_decodes("Zh==", RT_LIT("f")); /* the four bits too many are ignored */
    assert_decodes("AAAA", RT_LIT("\0\0\0"));
}

static void test_base64_decode_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {"Z",      "Zg===", "====",  "Z=g=", "Zg==Zg==", "Zm9v Zg",
                                      "Zm9v\n", "Zm9!",  "Zm9vZ", "Z===", "Zm9\x80",  "Zm9,"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rt_buf out = RT_BUF_INIT;
        rt_buf_putc(&out, '>');
        assert_int_equal(rt_base64_decode(rt_slice_of(bad[i]), &out), RT_EINVAL);
        assert_int_equal(out.n, 1);
        assert_int_equal(out.err, RT_OK);
        rt_buf_fini(&out);
    }
}

/* Exactly the characters of both alphabets are taken. */
static void test_base64_alphabet(void **state) {
    (void)state;
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    for (int c = 0; c < 256; c++) {
        char text[4] = {'A', 'A', (char)c, 'A'};
        rt_buf out = RT_BUF_INIT;
        bool is_good = c && strchr(good, c);
        assert_int_equal(rt_base64_decode(rt_slice_make(text, 4), &out),
                         is_good ? RT_OK : RT_EINVAL);
        rt_buf_fini(&out);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    char bytes[300], text[RT_BASE64_LEN(300)];
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(i * 37 + n);
        rt_base64_encode(rt_slice_make(bytes, n), text);
        rt_buf out = RT_BUF_INIT;
        assert_int_equal(rt_base64_decode(rt_slice_make(text, RT_BASE64_LEN(n)), &out), RT_OK);
        assert_true(rt_slice_eq(rt_buf_slice(&out), rt_slice_make(bytes, n)));
        rt_buf_fini(&out);
    }
}

static int decode(void *arg) {
    (void)arg;
    rt_buf out = RT_BUF_INIT;
    int rc = rt_base64_decode(RT_LIT("Zm9vYmFy"), &out);
    rt_buf_fini(&out);
    return rc;
}

static void test_decode_limits(void **state) {
    (void)state;
    assert_int_equal(rt_faults_each(decode, NULL), 1);
    rt_buf out;
    rt_buf_init(&out, 5);
    assert_int_equal(rt_base64_decode(RT_LIT("Zm9vYmE="), &out), RT_OK);
    rt_buf_clear(&out);
    assert_int_equal(rt_base64_decode(RT_LIT("Zm9vYmFy"), &out), RT_ELIMIT);
    rt_buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_sha1_at_block_borders),
        cmocka_unit_test(test_websocket_accept),
        cmocka_unit_test(test_base64_encode),
        cmocka_unit_test(test_base64url_encode),
        cmocka_unit_test(test_base64_decode),
        cmocka_unit_test(test_base64_decode_refuses),
        cmocka_unit_test(test_base64_alphabet),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_decode_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
