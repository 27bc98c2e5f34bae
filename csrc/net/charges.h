/* Which address each connection is charged to, by descriptor: most connections are those of a proxy
 * and charged to none, so it is not in the connection.
 *
 * Ownership: zero at first, fini; what is added must be dropped before its descriptor is closed.
 * Thread: the loop's. Must not know: connections. */
#ifndef RT_NET_CHARGES_H
#define RT_NET_CHARGES_H

#include "engineio/engineio.h"

typedef struct rt_charges {
    rt_eio_peer **by_fd;
    size_t n;
} rt_charges;

/* RT_OK, also when there is no memory to charge it to anybody; RT_ELIMIT: the address has too many
 * connections. */
RT_MUST_CHECK int rt_charges_add(rt_charges *c, rt_eio *e, int fd, const char *address);
/* Harmless for what was charged to nobody. */
void rt_charges_drop(rt_charges *c, rt_eio *e, int fd);
void rt_charges_fini(rt_charges *c);

#endif
