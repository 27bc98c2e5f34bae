/* Hash map: linear probing, backward-shift deletion, SipHash-1-3 (Aumasson and Bernstein, "SipHash:
 * a fast short-input PRF", with one compression and three finalisation rounds). */
#include "base/map.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/word.h"

#include <sys/random.h>
#include <time.h>

#define FIRST_CAP 8

static uint64_t rotl(uint64_t v, int by) {
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint32_t hash_of(const rt_map *m, rt_slice key) {
    uint64_t v[4] = {m->seed[0] ^ 0x736f6d6570736575, m->seed[1] ^ 0x646f72616e646f6d,
                     m->seed[0] ^ 0x6c7967656e657261, m->seed[1] ^ 0x7465646279746573};
    size_t at = 0;
    for (; at + 8 <= key.n; at += 8)
        sip_word(v, rt_word_load(key.p + at));
    uint64_t last = (uint64_t)key.n << 56;
    for (int shift = 0; at < key.n; at++, shift += 8)
        last |= (uint64_t)(uint8_t)key.p[at] << shift;
    sip_word(v, last);
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

/* Early at boot the kernel may have no randomness yet. Waiting would be worse than a seed that is
 * only hard to guess. */
static void draw_seed(rt_map *m) {
    if (getrandom(m->seed, sizeof(m->seed), GRND_NONBLOCK) == (ssize_t)sizeof(m->seed))
        return;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    m->seed[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15 + (uint64_t)now.tv_sec;
    m->seed[1] = (uint64_t)(uintptr_t)m ^ rotl(m->seed[0], 32);
}

void rt_map_init(rt_map *m) {
    m->slots = NULL;
    m->count = 0;
    m->cap = 0;
    draw_seed(m);
}

void rt_map_fini(rt_map *m) {
    rt_free(m->slots);
    m->slots = NULL;
    m->count = 0;
    m->cap = 0;
}

/* The slot that holds the key, or the free slot where it would go. The table is never full. */
static size_t find_slot(const rt_map *m, rt_slice key, uint32_t hash) {
    size_t mask = m->cap - 1;
    size_t i = hash & mask;
    for (; m->slots[i].key; i = (i + 1) & mask) {
        const rt_map_entry *e = &m->slots[i];
        if (e->hash == hash && rt_slice_eq(key, rt_slice_make(e->key, e->key_len)))
            break;
    }
    return i;
}

static int resize(rt_map *m, size_t cap) {
    if (cap > SIZE_MAX / sizeof(rt_map_entry))
        return RT_ENOMEM;
    rt_map_entry *slots = rt_alloc0(cap * sizeof(*slots));
    if (!slots)
        return RT_ENOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        if (!m->slots[i].key)
            continue;
        size_t to = m->slots[i].hash & (cap - 1);
        while (slots[to].key)
            to = (to + 1) & (cap - 1);
        slots[to] = m->slots[i];
    }
    rt_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return RT_OK;
}

void *rt_map_get(const rt_map *m, rt_slice key) {
    if (m->count == 0)
        return NULL;
    return m->slots[find_slot(m, key, hash_of(m, key))].value;
}

int rt_map_put(rt_map *m, rt_slice key, void *value) {
    if (!value || key.n > UINT32_MAX)
        return RT_EINVAL;
    uint32_t hash = hash_of(m, key);
    if (m->count && m->slots[find_slot(m, key, hash)].key)
        return RT_EINVAL;
    if (m->count + 1 > m->cap / 4 * 3) {
        int rc = resize(m, m->cap ? m->cap * 2 : FIRST_CAP);
        if (rc)
            return rc;
    }
    rt_map_entry *e = &m->slots[find_slot(m, key, hash)];
    e->key = key.p ? key.p : ""; /* NULL would mark the slot as free */
    e->key_len = (uint32_t)key.n;
    e->hash = hash;
    e->value = value;
    m->count++;
    return RT_OK;
}

/* Closes the gap at `hole`: each entry further along its run moves into it, unless that would put
 * the entry before its home slot. */
static void close_gap(rt_map *m, size_t hole) {
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (rt_map_entry){0};
}

void *rt_map_del(rt_map *m, rt_slice key) {
    if (m->count == 0)
        return NULL;
    size_t i = find_slot(m, key, hash_of(m, key));
    void *value = m->slots[i].value;
    if (!value)
        return NULL;
    close_gap(m, i);
    m->count--;
    /* Between an eighth and three quarters full nothing moves, so a map that swings around one size
     * does not resize for ever. Without memory it stays large. */
    if (m->cap > FIRST_CAP && m->count < m->cap / 8)
        (void)resize(m, m->cap / 4 < FIRST_CAP ? FIRST_CAP : m->cap / 4);
    return value;
}

const rt_map_entry *rt_map_next(const rt_map *m, size_t *cursor) {
    while (*cursor < m->cap) {
        const rt_map_entry *e = &m->slots[(*cursor)++];
        if (e->key)
            return e;
    }
    return NULL;
}
