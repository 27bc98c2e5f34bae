#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/utf8.h"
#include "support/guard.h"

static rt_guard guard;

static int set_up(void **state) {
    (void)state;
    rt_guard_init(&guard, 4096);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_guard_fini(&guard);
    return 0;
}

static bool is_scalar(uint32_t c) {
    return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static void test_encode_every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x110010; c++) {
        char out[4];
        size_t n = rt_utf8_encode(c, out);
        size_t want = !is_scalar(c) ? 0 : c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        assert_int_equal(n, want);
        if (n)
            assert_true(rt_utf8_valid(rt_slice_make(out, n)));
        if (n > 1)
            assert_int_equal(rt_utf8_char(out, out + n), n);
    }
    assert_int_equal(rt_utf8_encode(UINT32_MAX, (char[4]){0}), 0);
    char out[4];
    rt_utf8_encode(0x20ac, out);
    assert_memory_equal(out, "\xe2\x82\xac", 3);
    rt_utf8_encode(0x1f600, out);
    assert_memory_equal(out, "\xf0\x9f\x98\x80", 4);
}

/* The code point that a whole sequence holds, by arithmetic rather than by table; UINT32_MAX when
 * it has the wrong shape or is not the shortest. */
static uint32_t decode(const uint8_t *p, size_t n) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const uint8_t mark[] = {0, 0, 0xc0, 0xe0, 0xf0}, mask[] = {0, 0, 0xe0, 0xf0, 0xf8};
    if (n == 1)
        return p[0] < 0x80 ? p[0] : UINT32_MAX;
    if ((p[0] & mask[n]) != mark[n])
        return UINT32_MAX;
    uint32_t c = (uint32_t)(p[0] & ~mask[n]);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        c = c << 6 | (p[i] & 0x3fU);
    }
    return c >= least[n] ? c : UINT32_MAX;
}

/* Interesting second, third and fourth bytes: all that lie next to a border. */
static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
#define EDGES sizeof(edges)

static void test_every_lead_against_arithmetic(void **state) {
    (void)state;
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (size_t i = 0; i < EDGES * EDGES * EDGES; i++) {
            uint8_t seq[4] = {(uint8_t)lead, edges[i % EDGES], edges[i / EDGES % EDGES],
                              edges[i / EDGES / EDGES]};
            size_t want = 0;
            for (size_t n = 2; n <= 4; n++) {
                if (is_scalar(decode(seq, n)))
                    want = n;
            }
            const char *p = (const char *)seq;
            assert_int_equal(rt_utf8_char(p, p + 4), want);
            if (want) {
                assert_true(rt_utf8_valid(rt_slice_make(p, want)));
                for (size_t cut = 1; cut < want; cut++) {
                    assert_int_equal(rt_utf8_char(p, p + cut), 0);
                    assert_false(rt_utf8_valid(rt_slice_make(p, cut)));
                }
            }
        }
    }
}

static const char mixed[] =
    "plain ASCII text, \xc3\xa9t\xc3\xa9, \xe6\x97\xa5\xe6\x9c\xac, "
    "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80"
    " and the end\0.";

/* True when the text could stop after n bytes. */
static bool at_border(size_t n) {
    return n >= sizeof(mixed) - 1 || (mixed[n] & 0xc0) != 0x80;
}

static void test_every_split(void **state) {
    (void)state;
    size_t n = sizeof(mixed) - 1;
    assert_true(rt_utf8_valid(rt_guard_tail(&guard, mixed, n)));
    assert_true(rt_utf8_valid(rt_guard_head(&guard, mixed, n)));
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = i; j <= n; j++) {
            rt_utf8 s = RT_UTF8_INIT;
            assert_int_equal(rt_utf8_feed(&s, rt_guard_tail(&guard, mixed, i)),
                             at_border(i) ? RT_OK : RT_AGAIN);
            assert_int_equal(rt_utf8_feed(&s, rt_guard_tail(&guard, mixed + i, j - i)),
                             at_border(j) ? RT_OK : RT_AGAIN);
            assert_int_equal(rt_utf8_feed(&s, rt_guard_tail(&guard, mixed + j, n - j)), RT_OK);
        }
    }
}

static const struct {
    const char *bytes;
    size_t wrong; /* index of the byte with which no valid text can go on */
} bad[] = {
    {"\x80", 0},
    {"\xbf", 0},
    {"\xc0\x80", 0},         /* overlong NUL */
    {"\xc1\xbf", 0},         /* overlong */
    {"\xe0\x9f\xbf", 1},     /* overlong */
    {"\xf0\x8f\xbf\xbf", 1}, /* overlong */
    {"\xed\xa0\x80", 1},     /* U+D800 */
    {"\xed\xbf\xbf", 1},     /* U+DFFF */
    {"\xf4\x90\x80\x80", 1}, /* U+110000 */
    {"\xf5\x80\x80\x80", 0},
    {"\xff", 0},
    {"\xc3(", 1},
    {"\xe6\x97(", 2},
    {"\xf0\x9f\x98(", 3},
    {"\xc3\xc3", 1},
    {"\xf0\x9f\x98\xf0", 3},
};

/* Each bad sequence behind 0 to 16 good bytes, so that it falls everywhere in a word; it must be
 * refused as soon as its wrong byte is fed (RFC 6455 wants to fail fast), and not before. */
static void test_bad_sequences_everywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t before = 0; before <= 16; before++) {
            char text[40] = "0123456789abcdef";
            size_t n = before + strlen(bad[i].bytes);
            memcpy(text + before, bad[i].bytes, n - before);
            memcpy(text + n, "0123456789", 10);
            assert_false(rt_utf8_valid(rt_guard_tail(&guard, text, n)));
            assert_false(rt_utf8_valid(rt_guard_tail(&guard, text, n + 10)));
            rt_utf8 s = RT_UTF8_INIT;
            size_t wrong = before + bad[i].wrong;
            assert_int_equal(rt_utf8_feed(&s, rt_guard_tail(&guard, text, wrong)),
                             bad[i].wrong ? RT_AGAIN : RT_OK);
            assert_int_equal(rt_utf8_feed(&s, rt_guard_tail(&guard, text + wrong, 1)), RT_EUTF8);
        }
    }
}

static void test_skip_ascii(void **state) {
    (void)state;
    char text[40];
    for (size_t n = 0; n < sizeof(text); n++) {
        memset(text, 'a', sizeof(text));
        rt_slice s = rt_guard_tail(&guard, text, n);
        assert_ptr_equal(rt_utf8_skip_ascii(s.p, s.p + n), s.p + n);
        for (size_t at = 0; at < n; at++) {
            memset(text, 0x7f, sizeof(text));
            memset(text + at, 0x80, sizeof(text) - at);
            s = rt_guard_tail(&guard, text, n);
            assert_ptr_equal(rt_utf8_skip_ascii(s.p, s.p + n), s.p + at);
        }
    }
}

static void test_nothing(void **state) {
    (void)state;
    assert_true(rt_utf8_valid(RT_EMPTY));
    rt_utf8 s = RT_UTF8_INIT;
    assert_int_equal(rt_utf8_feed(&s, RT_LIT("\xe2")), RT_AGAIN);
    assert_int_equal(rt_utf8_feed(&s, RT_EMPTY), RT_AGAIN);
    assert_int_equal(rt_utf8_feed(&s, RT_LIT("\x82\xac")), RT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_every_code_point),
        cmocka_unit_test(test_every_lead_against_arithmetic),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_bad_sequences_everywhere),
        cmocka_unit_test(test_skip_ascii),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
