/* Lines, whatever pieces they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/lines.h"
#include "support/faults.h"
#include "support/guard.h"

#define MAX 64

typedef struct heard {
    char text[4096]; /* each line in < > */
    size_t n;
    unsigned lines;
    unsigned stop_at; /* this line says stop; 0: none */
} heard;

static bool on_line(void *arg, rt_slice line) {
    heard *h = arg;
    assert_true(h->n + line.n + 2 < sizeof h->text);
    h->text[h->n++] = '<';
    if (line.n > 0)
        memcpy(h->text + h->n, line.p, line.n);
    h->n += line.n;
    h->text[h->n++] = '>';
    h->text[h->n] = '\0';
    return ++h->lines != h->stop_at;
}

static const char stream[] = "{\"a\":1}\n\nb\0c\r\n" /* a line may hold anything but its end */
                             "0123456789012345678901234567890123456789012345678901234567890123\n"
                             "last\nno end";
static const char expected[] =
    "<{\"a\":1}><><b\0c\r>"
    "<0123456789012345678901234567890123456789012345678901234567890123><last>";

static void check_heard(const heard *h) {
    assert_int_equal(h->n, sizeof expected - 1);
    assert_memory_equal(h->text, expected, h->n);
}

/* Three pieces, cut at each pair of places; each piece ends where memory does. */
static void test_every_split(void **state) {
    size_t n = sizeof stream - 1;
    rt_guard g;
    (void)state;
    rt_guard_init(&g, n);
    for (size_t a = 0; a <= n; a++) {
        for (size_t b = a; b <= n; b++) {
            heard h = {0};
            rt_lines l;
            rt_lines_init(&l, MAX);
            const size_t at[] = {0, a, b, n};
            for (int i = 0; i < 3; i++) {
                rt_slice piece = rt_guard_tail(&g, stream + at[i], at[i + 1] - at[i]);
                assert_int_equal(rt_lines_feed(&l, piece, on_line, &h), RT_OK);
            }
            check_heard(&h);
            assert_true(rt_lines_held(&l) >= strlen("no end"));
            rt_lines_fini(&l);
        }
    }
    rt_guard_fini(&g);
}

static void test_byte_by_byte(void **state) {
    heard h = {0};
    rt_lines l;
    (void)state;
    rt_lines_init(&l, MAX);
    for (size_t i = 0; i < sizeof stream - 1; i++)
        assert_int_equal(rt_lines_feed(&l, rt_slice_make(stream + i, 1), on_line, &h), RT_OK);
    check_heard(&h);
    rt_lines_fini(&l);
}

/* As long as allowed, and one byte longer, whole and in pieces. */
static void test_longest(void **state) {
    char text[MAX + 2];
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t n = MAX; n <= MAX + 1; n++) {
        for (size_t cut = 0; cut <= n + 1; cut++) {
            heard h = {0};
            rt_lines l;
            rt_lines_init(&l, MAX);
            text[n] = '\n';
            int status = rt_lines_feed(&l, rt_slice_make(text, cut), on_line, &h);
            if (status == RT_OK)
                status = rt_lines_feed(&l, rt_slice_make(text + cut, n + 1 - cut), on_line, &h);
            assert_int_equal(status, n == MAX ? RT_OK : RT_ELIMIT);
            assert_int_equal(h.lines, n == MAX);
            rt_lines_fini(&l);
            text[n] = 'x';
        }
    }
}

/* Nothing is read beyond the line that says stop, whether it came whole or in pieces. */
static void test_stop(void **state) {
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        heard h = {.stop_at = 2};
        rt_lines l;
        rt_lines_init(&l, MAX);
        if (!whole)
            assert_int_equal(rt_lines_feed(&l, RT_LIT("1\n2"), on_line, &h), RT_OK);
        rt_slice rest = whole ? RT_LIT("1\n2\n3\n") : RT_LIT("\n3\n");
        assert_int_equal(rt_lines_feed(&l, rest, on_line, &h), RT_ECLOSED);
        assert_string_equal(h.text, "<1><2>");
        rt_lines_fini(&l);
    }
}

/* A line in pieces gives its memory back when it ends. */
static void test_memory(void **state) {
    heard h = {0};
    rt_lines l;
    (void)state;
    long live = rt_alloc_live();
    rt_lines_init(&l, MAX);
    assert_int_equal(rt_lines_feed(&l, RT_LIT("begun"), on_line, &h), RT_OK);
    assert_true(rt_lines_held(&l) >= 5);
    assert_int_equal(rt_lines_feed(&l, RT_LIT(" and done\n"), on_line, &h), RT_OK);
    assert_string_equal(h.text, "<begun and done>");
    assert_int_equal(rt_lines_held(&l), 0);
    assert_int_equal(rt_alloc_live(), live);
    rt_lines_fini(&l);
}

static int feed_in_two(void *arg) {
    heard h = {0};
    rt_lines l;
    (void)arg;
    rt_lines_init(&l, 1000);
    char text[200];
    memset(text, 'x', sizeof text);
    int status = rt_lines_feed(&l, rt_slice_make(text, 150), on_line, &h);
    text[199] = '\n';
    if (status == RT_OK)
        status = rt_lines_feed(&l, rt_slice_make(text, 200), on_line, &h);
    assert_int_equal(h.lines, status == RT_OK);
    rt_lines_fini(&l);
    return status;
}

static void test_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(feed_in_two, NULL) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_longest),     cmocka_unit_test(test_stop),
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
