/* Unguessable ids: session ids are the only credential of a polling client.
 *
 * Thread: one owner per rt_random. Bytes come from getrandom(2) in blocks. After a
 * fork the child calls rt_random_init again, or both would hand out the same ids. */
#ifndef RT_BASE_RANDOM_H
#define RT_BASE_RANDOM_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define RT_ID_LEN 20 /* base64url characters of 15 random bytes, as the reference server's ids */

typedef struct rt_random {
    uint8_t pool[240];
    size_t left; /* unused bytes at the end of the pool */
} rt_random;

void rt_random_init(rt_random *r);
RT_MUST_CHECK int rt_random_bytes(rt_random *r, void *out, size_t n); /* RT_OK or RT_EIO */
RT_MUST_CHECK int rt_random_id(rt_random *r, char out[RT_ID_LEN]);    /* no NUL; RT_OK or RT_EIO */

#endif
