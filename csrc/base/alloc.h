/* All memory of the heap comes from here, so that tests can let the n-th allocation fail.
 *
 * Ownership: what rt_alloc returns is freed with rt_free. Thread: any; the fault counter exists
 * only in test builds (RT_ALLOC_FAULTS) and is for single-threaded tests. */
#ifndef RT_BASE_ALLOC_H
#define RT_BASE_ALLOC_H

#include "base/status.h"

#include <stddef.h>

RT_MUST_CHECK void *rt_alloc(size_t n);            /* uninitialised; NULL when out of memory */
RT_MUST_CHECK void *rt_alloc0(size_t n);           /* zeroed */
RT_MUST_CHECK void *rt_realloc(void *p, size_t n); /* p stays valid when NULL comes back */
void rt_free(void *p);                             /* NULL is fine */

#ifdef RT_ALLOC_FAULTS
/* The n-th call from now (1 = the next) returns NULL, once; 0 switches faults off. */
void rt_alloc_fail_at(long n);
/* Allocations asked for since the last rt_alloc_fail_at. */
long rt_alloc_count(void);
/* Blocks handed out and not yet freed, for leak checks. */
long rt_alloc_live(void);
#endif

#endif
