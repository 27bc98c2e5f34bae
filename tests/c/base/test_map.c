#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/status.h"
#include "support/faults.h"
#include "support/guard.h"

#include <stdio.h>

#define MANY 5000

typedef struct thing {
    char key[24];
    bool in_map;
} thing;

static thing things[MANY];

static void name_things(void) {
    for (int i = 0; i < MANY; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "room:%d", i);
        things[i].in_map = false;
    }
}

static rt_slice key_of(const thing *t) {
    return rt_slice_of(t->key);
}

static void test_put_get_del(void **state) {
    (void)state;
    int a, b;
    rt_map m;
    rt_map_init(&m);
    assert_null(rt_map_get(&m, RT_LIT("a")));
    assert_null(rt_map_del(&m, RT_LIT("a")));
    assert_int_equal(rt_map_put(&m, RT_LIT("a"), &a), RT_OK);
    assert_int_equal(rt_map_put(&m, RT_LIT("b"), &b), RT_OK);
    assert_int_equal(rt_map_put(&m, RT_LIT("a"), &b), RT_EINVAL);
    assert_int_equal(rt_map_put(&m, RT_LIT("c"), NULL), RT_EINVAL);
    assert_int_equal(m.count, 2);
    assert_ptr_equal(rt_map_get(&m, RT_LIT("a")), &a);
    assert_ptr_equal(rt_map_del(&m, RT_LIT("a")), &a);
    assert_null(rt_map_del(&m, RT_LIT("a")));
    assert_null(rt_map_get(&m, RT_LIT("a")));
    assert_ptr_equal(rt_map_get(&m, RT_LIT("b")), &b);
    assert_int_equal(m.count, 1);
    rt_map_fini(&m);
    assert_null(rt_map_get(&m, RT_LIT("b")));
}

static void test_keys_are_bytes(void **state) {
    (void)state;
    int v[4];
    rt_map m;
    rt_map_init(&m);
    assert_int_equal(rt_map_put(&m, RT_EMPTY, &v[0]), RT_OK);
    assert_int_equal(rt_map_put(&m, RT_LIT(""), &v[1]), RT_EINVAL);
    assert_int_equal(rt_map_put(&m, RT_LIT("\0"), &v[1]), RT_OK);
    assert_int_equal(rt_map_put(&m, RT_LIT("\0\0"), &v[2]), RT_OK);
    assert_int_equal(rt_map_put(&m, RT_LIT("\0\xff"), &v[3]), RT_OK);
    assert_ptr_equal(rt_map_get(&m, RT_LIT("")), &v[0]);
    assert_ptr_equal(rt_map_get(&m, RT_LIT("\0")), &v[1]);
    assert_ptr_equal(rt_map_get(&m, RT_LIT("\0\0")), &v[2]);
    assert_ptr_equal(rt_map_get(&m, RT_LIT("\0\xff")), &v[3]);
    assert_ptr_equal(rt_map_del(&m, RT_EMPTY), &v[0]);
    assert_int_equal(m.count, 3);
    rt_map_fini(&m);
}

static uint32_t hash_with(uint64_t k0, uint64_t k1, rt_slice key) {
    int value;
    rt_map m;
    rt_map_init(&m);
    m.seed[0] = k0;
    m.seed[1] = k1;
    assert_int_equal(rt_map_put(&m, key, &value), RT_OK);
    size_t cursor = 0;
    uint32_t hash = rt_map_next(&m, &cursor)->hash;
    rt_map_fini(&m);
    return hash;
}

/* CPython >= 3.11 hashes bytes with SipHash-1-3: low halves of hash(b"...") with PYTHONHASHSEED=0
 * (a key of zeros), and with 1 (the key it derives from that). */
static void test_siphash_1_3(void **state) {
    (void)state;
    assert_int_equal(hash_with(0, 0, RT_LIT("a")), 0xb89b1813);
    assert_int_equal(hash_with(0, 0, RT_LIT("1234567")), 0x94fdae81);
    assert_int_equal(hash_with(0, 0, RT_LIT("12345678")), 0x30560a87);
    assert_int_equal(hash_with(0, 0, RT_LIT("doctype:Sales Invoice")), 0xe01711c2);
    assert_int_equal(hash_with(0, 0, RT_LIT("\xc3\xa9\xff")), 0xd92e03b3);
    assert_int_equal(hash_with(0, 0, RT_LIT("12345678\x80")), 0x4ce9a6cb);
    char bytes[64];
    for (int i = 0; i < 64; i++)
        bytes[i] = (char)i;
    assert_int_equal(hash_with(0, 0, rt_slice_make(bytes, 64)), 0xbbc870c6);
    assert_int_equal(hash_with(0xaed66ce184be2329, 0xebe9bbf1f1499052, RT_LIT("1234567")),
                     0x575efe31);
    assert_int_equal(
        hash_with(0xaed66ce184be2329, 0xebe9bbf1f1499052, RT_LIT("doctype:Sales Invoice")),
        0x538130fa);
}

static void test_each_map_has_its_own_seed(void **state) {
    (void)state;
    rt_map a, b;
    rt_map_init(&a);
    rt_map_init(&b);
    assert_memory_not_equal(a.seed, b.seed, sizeof(a.seed));
    rt_map_fini(&a);
    rt_map_fini(&b);
}

static void assert_agrees(const rt_map *m) {
    size_t in = 0;
    for (int i = 0; i < MANY; i++) {
        void *found = rt_map_get(m, key_of(&things[i]));
        assert_ptr_equal(found, things[i].in_map ? &things[i] : NULL);
        in += things[i].in_map;
    }
    assert_int_equal(m->count, in);
}

/* Puts and deletes in an order that leaves runs, wraps and gaps, checked against a flag per key. */
static void test_against_a_model(void **state) {
    (void)state;
    name_things();
    rt_map m;
    rt_map_init(&m);
    uint32_t rnd = 12345;
    for (int step = 0; step < 60000; step++) {
        rnd = rnd * 1664525 + 1013904223;
        /* The number of keys in play swings, so that the table grows and shrinks. */
        int range = (step / 10000) % 2 ? 40 : MANY;
        thing *t = &things[(rnd >> 8) % (uint32_t)range];
        if (rnd >> 31) {
            assert_int_equal(rt_map_put(&m, key_of(t), t), t->in_map ? RT_EINVAL : RT_OK);
            t->in_map = true;
        } else {
            assert_ptr_equal(rt_map_del(&m, key_of(t)), t->in_map ? t : NULL);
            t->in_map = false;
        }
        if (step % 5000 == 0)
            assert_agrees(&m);
    }
    assert_agrees(&m);
    rt_map_fini(&m);
}

/* Many entries in few slots: every deletion has to move others, across the end of the table too. */
static void test_gaps_close_in_small_tables(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        name_things();
        rt_map m;
        rt_map_init(&m);
        m.seed[0] = seed;
        for (int i = 0; i < 6; i++) {
            assert_int_equal(rt_map_put(&m, key_of(&things[i]), &things[i]), RT_OK);
            things[i].in_map = true;
        }
        assert_int_equal(m.cap, 8);
        for (int i = 0; i < 6; i++) {
            int gone = (int)((seed + (uint64_t)i * 5) % 6);
            assert_ptr_equal(rt_map_del(&m, key_of(&things[gone])), &things[gone]);
            things[gone].in_map = false;
            for (int j = 0; j < 6; j++) {
                void *want = things[j].in_map ? &things[j] : NULL;
                assert_ptr_equal(rt_map_get(&m, key_of(&things[j])), want);
            }
        }
        rt_map_fini(&m);
    }
}

static void test_shrinks(void **state) {
    (void)state;
    name_things();
    rt_map m;
    rt_map_init(&m);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(rt_map_put(&m, key_of(&things[i]), &things[i]), RT_OK);
    assert_int_equal(m.cap, 8192);
    for (int i = 0; i < MANY - 3; i++)
        assert_ptr_equal(rt_map_del(&m, key_of(&things[i])), &things[i]);
    assert_true(m.cap <= 32);
    for (int i = MANY - 3; i < MANY; i++)
        assert_ptr_equal(rt_map_get(&m, key_of(&things[i])), &things[i]);
    rt_map_fini(&m);
}

static void test_walk(void **state) {
    (void)state;
    name_things();
    rt_map m;
    rt_map_init(&m);
    size_t cursor = 0;
    assert_null(rt_map_next(&m, &cursor));
    for (int i = 0; i < 100; i++)
        assert_int_equal(rt_map_put(&m, key_of(&things[i]), &things[i]), RT_OK);
    cursor = 0;
    const rt_map_entry *e;
    int seen = 0;
    while ((e = rt_map_next(&m, &cursor))) {
        thing *t = e->value;
        assert_false(t->in_map);
        t->in_map = true;
        assert_true(rt_slice_eq(rt_slice_make(e->key, e->key_len), key_of(t)));
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_null(rt_map_next(&m, &cursor));
    rt_map_fini(&m);
}

static void test_reads_only_the_key(void **state) {
    (void)state;
    rt_guard g;
    rt_guard_init(&g, 64);
    rt_map m;
    rt_map_init(&m);
    for (size_t n = 0; n <= 40; n++) {
        rt_slice key = rt_guard_tail(&g, "0123456789012345678901234567890123456789", n);
        assert_int_equal(rt_map_put(&m, key, &m), RT_OK);
        assert_ptr_equal(rt_map_del(&m, key), &m);
    }
    rt_map_fini(&m);
    rt_guard_fini(&g);
}

static int fill(void *arg) {
    (void)arg;
    rt_map m;
    rt_map_init(&m);
    int rc = RT_OK;
    int put = 0;
    for (; put < 100; put++) {
        rc = rt_map_put(&m, key_of(&things[put]), &things[put]);
        if (rc)
            break;
    }
    assert_int_equal(m.count, put);
    for (int i = 0; i < put; i++)
        assert_ptr_equal(rt_map_get(&m, key_of(&things[i])), &things[i]);
    for (int i = 0; i < put; i++)
        assert_ptr_equal(rt_map_del(&m, key_of(&things[i])), &things[i]);
    assert_int_equal(m.count, 0);
    rt_map_fini(&m);
    return rc;
}

static void test_allocation_failures(void **state) {
    (void)state;
    name_things();
    /* 8, 16, 32, 64, 128, 256 slots, and two steps down again: 64 and 16 (at 7 of 64). */
    assert_true(rt_faults_each(fill, NULL) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_del),
        cmocka_unit_test(test_keys_are_bytes),
        cmocka_unit_test(test_siphash_1_3),
        cmocka_unit_test(test_each_map_has_its_own_seed),
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_gaps_close_in_small_tables),
        cmocka_unit_test(test_shrinks),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_reads_only_the_key),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
