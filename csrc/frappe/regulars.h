/* Credentials that were let in before, one mark each, so that known users go first in a crowd. A
 * later mark may overwrite an earlier one, and two credentials may share a mark: use it for the
 * order of questions and nothing else.
 *
 * Ownership: caller's memory; the table (128 KB) is allocated with the first mark. Thread: the
 * loop's. Must not know: whose a credential is, what is ordered. */
#ifndef RT_FRAPPE_REGULARS_H
#define RT_FRAPPE_REGULARS_H

#include "base/random.h"
#include "base/slice.h"

#define RT_REGULARS_MAX 32768 /* marks; a power of two */

typedef struct rt_regulars {
    uint32_t *marks; /* NULL: none yet */
    uint8_t seed[16];
} rt_regulars;

void rt_regulars_init(rt_regulars *r);
void rt_regulars_fini(rt_regulars *r);
/* Without memory it does nothing. */
void rt_regulars_add(rt_regulars *r, rt_slice site, rt_slice credential);
bool rt_regulars_has(const rt_regulars *r, rt_slice site, rt_slice credential);

#endif
