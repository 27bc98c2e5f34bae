/* Eight bytes at a time: loads and byte searches within a 64-bit word, where byte i of the memory
 * is bits 8i to 8i+7 on every machine.
 *
 * A search gives a mask whose lowest set bit belongs to the first match; bits above it may be
 * wrong, because a borrow runs upwards. A mask of 0 is always right.
 * Ownership: none. Thread: any. */
#ifndef RT_BASE_WORD_H
#define RT_BASE_WORD_H

#include <stdint.h>
#include <string.h>

#define RT_WORD_ONES UINT64_C(0x0101010101010101)
#define RT_WORD_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t rt_word_load(const char *p) {
    uint64_t w;
    memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* Bytes below `limit`, which is at most 0x80. */
static inline uint64_t rt_word_below(uint64_t w, uint8_t limit) {
    return (w - RT_WORD_ONES * limit) & ~w & RT_WORD_HIGHS;
}

/* Bytes equal to `c`. */
static inline uint64_t rt_word_equal(uint64_t w, uint8_t c) {
    return rt_word_below(w ^ (RT_WORD_ONES * c), 1);
}

/* Bytes from 0x80 on: not ASCII. */
static inline uint64_t rt_word_high(uint64_t w) {
    return w & RT_WORD_HIGHS;
}

/* Index of the first byte in a mask that is not 0. */
static inline unsigned rt_word_first(uint64_t mask) {
    return (unsigned)__builtin_ctzll(mask) / 8;
}

#endif
