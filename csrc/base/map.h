/* Hash map from byte strings to pointers, keyed with SipHash so that a peer who chooses the keys
 * cannot choose the collisions.
 *
 * Ownership: keys and values stay the caller's; a key's bytes must live as long as its entry, so
 * keep them inside the value. Open addressing with linear probing and backward-shift deletion
 * (no tombstones); shrinks again after mass removal.
 * Thread: the owner's. */
#ifndef RT_BASE_MAP_H
#define RT_BASE_MAP_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

typedef struct rt_map_entry {
    const char *key; /* NULL: free slot */
    void *value;
    uint32_t key_len;
    uint32_t hash;
} rt_map_entry;

typedef struct rt_map {
    rt_map_entry *slots; /* NULL until the first insert */
    size_t count;
    size_t cap; /* a power of two, or 0 */
    uint64_t seed[2];
} rt_map;

void rt_map_init(rt_map *m); /* draws the seed; never fails */
void rt_map_fini(rt_map *m); /* frees the table, not the values */
void *rt_map_get(const rt_map *m, rt_slice key);
/* RT_OK; RT_EINVAL when the key is there already or the value is NULL; RT_ENOMEM. */
RT_MUST_CHECK int rt_map_put(rt_map *m, rt_slice key, void *value);
void *rt_map_del(rt_map *m, rt_slice key); /* the value, or NULL */
/* Next entry at or after *cursor (start at 0), or NULL. No put or del between calls. */
const rt_map_entry *rt_map_next(const rt_map *m, size_t *cursor);

#endif
