#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/outq.h"
#include "base/status.h"
#include "support/faults.h"

#include <stdio.h>

/* Pushes a message that only the queue keeps. */
static int push(rt_outq *q, const char *text) {
    rt_msg *m = rt_msg_copy(rt_slice_of(text));
    if (!m)
        return RT_ENOMEM;
    int rc = rt_outq_push(q, m);
    rt_msg_rele(m);
    return rc;
}

/* Bytes not yet written. */
static size_t bytes_left(const rt_outq *q) {
    return q->taken - (size_t)RT_OUTQ_ENTRY * q->count - q->head_off;
}

/* Writes the queue to `out` in steps of at most `max` bytes and `n` iovecs. */
static void drain(rt_outq *q, rt_buf *out, int n, size_t max) {
    while (!rt_outq_empty(q)) {
        struct iovec iov[8];
        int used = rt_outq_iov(q, iov, n, max);
        assert_true(used > 0 && used <= n);
        size_t sum = 0;
        for (int i = 0; i < used; i++) {
            rt_buf_put(out, iov[i].iov_base, iov[i].iov_len);
            sum += iov[i].iov_len;
        }
        assert_true(sum <= max);
        size_t owed = bytes_left(q);
        rt_outq_wrote(q, sum);
        assert_int_equal(bytes_left(q), owed - sum);
    }
}

static void test_idle_queue_keeps_nothing(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_outq q;
    rt_outq_init(&q);
    assert_true(rt_outq_empty(&q));
    assert_int_equal(push(&q, "abc"), RT_OK);
    assert_int_equal(rt_alloc_live(), live + 1); /* the message; a single one needs no ring */
    assert_int_equal(push(&q, "de"), RT_OK);
    assert_int_equal(rt_alloc_live(), live + 3);
    rt_outq_wrote(&q, 5);
    assert_true(rt_outq_empty(&q));
    assert_int_equal(rt_alloc_live(), live);
    rt_outq_wrote(&q, 0);
    rt_outq_pop(&q);
    assert_int_equal(bytes_left(&q), 0);
    rt_outq_fini(&q);
}

/* A single message is in the queue itself: read, cut, moved and released there. */
static void test_a_single_message(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_outq q, other;
    struct iovec iov[2];
    rt_outq_init(&q);
    rt_outq_init(&other);
    assert_int_equal(push(&q, "abc"), RT_OK);
    assert_memory_equal(rt_outq_at(&q, 0)->data, "abc", 3);
    rt_outq_wrote(&q, 1);
    assert_int_equal(rt_outq_iov(&q, iov, 2, 100), 1);
    assert_memory_equal(iov[0].iov_base, "bc", 2);
    assert_int_equal(push(&other, "x"), RT_OK);
    assert_int_equal(rt_outq_move(&other, &q), RT_EINVAL); /* half written */
    rt_outq_wrote(&q, 2);
    assert_true(rt_outq_empty(&q));
    assert_int_equal(push(&q, "de"), RT_OK);
    assert_int_equal(rt_outq_move(&other, &q), RT_OK); /* one behind one */
    assert_true(rt_outq_empty(&q));
    assert_int_equal(other.count, 2);
    assert_memory_equal(rt_outq_at(&other, 0)->data, "x", 1);
    assert_memory_equal(rt_outq_at(&other, 1)->data, "de", 2);
    rt_outq_fini(&other);
    assert_int_equal(push(&other, "f"), RT_OK);
    assert_int_equal(rt_outq_move(&q, &other), RT_OK); /* one to where none is */
    assert_memory_equal(rt_outq_at(&q, 0)->data, "f", 1);
    rt_outq_pop(&q);
    assert_int_equal(rt_alloc_live(), live);
}

static void test_every_way_to_cut_a_write(void **state) {
    (void)state;
    long live = rt_alloc_live();
    for (int n = 1; n <= 8; n++) {
        for (size_t max = 1; max < 80; max++) {
            rt_outq q;
            rt_outq_init(&q);
            rt_buf want = RT_BUF_INIT;
            rt_buf got = RT_BUF_INIT;
            for (int i = 0; i < 11; i++) {
                char text[32];
                snprintf(text, sizeof(text), "<%d%.*s>", i, i % 4, "xyz");
                assert_int_equal(push(&q, text), RT_OK);
                rt_buf_puts(&want, rt_slice_of(text));
            }
            assert_int_equal(bytes_left(&q), want.n);
            drain(&q, &got, n, max);
            assert_true(rt_slice_eq(rt_buf_slice(&got), rt_buf_slice(&want)));
            rt_buf_fini(&want);
            rt_buf_fini(&got);
            rt_outq_fini(&q);
        }
    }
    assert_int_equal(rt_alloc_live(), live);
}

/* The head goes round while the queue grows, so the ring must be unrolled in order. */
static void test_grows_while_wrapped(void **state) {
    (void)state;
    rt_outq q;
    rt_outq_init(&q);
    char text[16];
    int in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof(text), "m%d", in++);
            assert_int_equal(push(&q, text), RT_OK);
        }
        snprintf(text, sizeof(text), "m%d", out++);
        assert_true(rt_slice_eq(rt_msg_slice(rt_outq_at(&q, 0)), rt_slice_of(text)));
        rt_outq_pop(&q);
        for (uint32_t i = 0; i < q.count; i++) {
            snprintf(text, sizeof(text), "m%d", out + (int)i);
            assert_true(rt_slice_eq(rt_msg_slice(rt_outq_at(&q, i)), rt_slice_of(text)));
        }
    }
    assert_int_equal(q.count, in - out);
    rt_outq_fini(&q);
}

static void test_messages_without_bytes(void **state) {
    (void)state;
    long live = rt_alloc_live();
    rt_outq q;
    rt_outq_init(&q);
    struct iovec iov[4];
    assert_int_equal(push(&q, ""), RT_OK);
    assert_int_equal(push(&q, "x"), RT_OK);
    assert_int_equal(push(&q, ""), RT_OK);
    assert_int_equal(rt_outq_iov(&q, iov, 4, 100), 1);
    rt_outq_wrote(&q, 1);
    assert_true(rt_outq_empty(&q));
    assert_int_equal(rt_alloc_live(), live);
}

static void test_pop_forgets_the_offset(void **state) {
    (void)state;
    rt_outq q;
    rt_outq_init(&q);
    assert_int_equal(push(&q, "abc"), RT_OK);
    assert_int_equal(push(&q, "defg"), RT_OK);
    rt_outq_wrote(&q, 2);
    assert_int_equal(q.head_off, 2);
    assert_int_equal(bytes_left(&q), 5);
    rt_outq_pop(&q);
    assert_int_equal(bytes_left(&q), 4);
    rt_outq_wrote(&q, 1000); /* more than there is: all of it is gone */
    assert_true(rt_outq_empty(&q));
    rt_outq_fini(&q);
}

static void test_replace_last(void **state) {
    (void)state;
    rt_outq q;
    rt_msg *m = rt_msg_copy(RT_LIT("longer"));
    assert_non_null(m);
    rt_outq_init(&q);
    assert_false(rt_outq_replace_last(&q, m));
    assert_int_equal(push(&q, "abc"), RT_OK);
    assert_true(rt_outq_replace_last(&q, m));
    assert_ptr_equal(rt_outq_at(&q, 0), m);
    assert_int_equal(bytes_left(&q), 6);
    rt_outq_wrote(&q, 1);
    assert_false(rt_outq_replace_last(&q, m)); /* the peer has its first byte */
    assert_int_equal(push(&q, "de"), RT_OK);
    assert_true(rt_outq_replace_last(&q, m));
    assert_ptr_equal(rt_outq_at(&q, 1), m);
    assert_int_equal(m->refs, 3);
    assert_int_equal(bytes_left(&q), 11);
    rt_outq_fini(&q);
    assert_int_equal(m->refs, 1);
    rt_msg_rele(m);
}

static void test_move(void **state) {
    (void)state;
    rt_outq a, b;
    rt_outq_init(&a);
    rt_outq_init(&b);
    assert_int_equal(rt_outq_move(&a, &b), RT_OK);
    assert_int_equal(push(&b, "one"), RT_OK);
    rt_outq_wrote(&b, 1);
    assert_int_equal(rt_outq_move(&a, &b), RT_OK); /* whole, with what was written of it */
    assert_true(rt_outq_empty(&b));
    assert_int_equal(bytes_left(&a), 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(push(&b, "two"), RT_OK);
    rt_outq_wrote(&b, 1);
    assert_int_equal(rt_outq_move(&a, &b), RT_EINVAL);
    assert_int_equal(b.count, 5);
    assert_int_equal(a.count, 1);
    rt_outq_pop(&b);
    assert_int_equal(rt_outq_move(&a, &b), RT_OK);
    assert_int_equal(rt_outq_move(&a, &b), RT_OK);
    rt_buf got = RT_BUF_INIT;
    drain(&a, &got, 3, 100);
    assert_true(rt_slice_eq(rt_buf_slice(&got), RT_LIT("netwotwotwotwo")));
    rt_buf_fini(&got);
    rt_outq_fini(&a);
    rt_outq_fini(&b);
}

static int push_and_move(void *arg) {
    (void)arg;
    rt_outq a, b;
    rt_outq_init(&a);
    rt_outq_init(&b);
    int rc = RT_OK;
    for (int i = 0; i < 9 && !rc; i++) {
        rc = push(&a, "abc");
        assert_int_equal(a.count, rc ? i : i + 1);
    }
    for (int i = 0; i < 9 && !rc; i++)
        rc = push(&b, "def");
    uint32_t in_a = a.count, in_b = b.count;
    if (!rc) {
        rc = rt_outq_move(&a, &b);
        assert_int_equal(a.count, rc ? in_a : in_a + in_b);
        assert_int_equal(b.count, rc ? in_b : 0);
    }
    rt_outq_fini(&a);
    rt_outq_fini(&b);
    return rc;
}

static void test_allocation_failures(void **state) {
    (void)state;
    assert_int_equal(rt_faults_each(push_and_move, NULL), 18 + 3 + 3 + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_queue_keeps_nothing),
        cmocka_unit_test(test_a_single_message),
        cmocka_unit_test(test_every_way_to_cut_a_write),
        cmocka_unit_test(test_grows_while_wrapped),
        cmocka_unit_test(test_messages_without_bytes),
        cmocka_unit_test(test_pop_forgets_the_offset),
        cmocka_unit_test(test_replace_last),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
