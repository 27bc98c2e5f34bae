/* Which credentials were let in before: a mark for each, so that they go first when there is a
 * crowd. It may be wrong both ways, seldom: a mark makes room for a later one, and two credentials
 * may share one. So it decides about order and nothing else.
 *
 * Ownership: caller's memory; the marks (128 KB) come with the first. Thread: the loop's.
 * Must not know: who a credential is, where it goes first. */
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
/* Without memory it is not noted. */
void rt_regulars_add(rt_regulars *r, rt_slice site, rt_slice credential);
bool rt_regulars_has(const rt_regulars *r, rt_slice site, rt_slice credential);

#endif
