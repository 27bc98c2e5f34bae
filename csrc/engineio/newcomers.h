/* Sessions that the app has not let in yet: how many there may be, what they may take together, and
 * which one goes first. Most attackers never log in, so what they get is bounded here.
 *
 *     handshake ──► silent ──► spoken ──► let in (rt_eio_drop_handshake), or ended: no newcomer
 *                        first message
 *
 * A silent one goes before one that has spoken, and the oldest before the others.
 *
 * Ownership: the caller's memory; a newcomer is part of what is kept of its handshake. Thread: the
 * loop's. Must not know: sessions. */
#ifndef RT_ENGINEIO_NEWCOMERS_H
#define RT_ENGINEIO_NEWCOMERS_H

#include "base/list.h"
#include "base/status.h"

#include <stdint.h>

typedef struct rt_eio_newcomer {
    rt_list node; /* in silent or spoken, oldest first; in neither once it is none any more */
    rt_list own;  /* in its peer's silent ones */
    struct rt_eio_peer *peer; /* whom it is charged to (peers.h); NULL: nobody */
    uint32_t bytes;           /* that it takes */
    bool spoken;
} rt_eio_newcomer;

typedef struct rt_eio_newcomers {
    rt_list silent, spoken;
    uint32_t count;
    uint32_t max; /* newcomers */
    size_t bytes;
    size_t max_bytes;
} rt_eio_newcomers;

void rt_eio_newcomers_init(rt_eio_newcomers *all, uint32_t max, size_t max_bytes);
void rt_eio_newcomer_init(rt_eio_newcomer *n);
void rt_eio_newcomers_add(rt_eio_newcomers *all, rt_eio_newcomer *n, size_t bytes);
/* It has sent a message. */
void rt_eio_newcomers_spoke(rt_eio_newcomers *all, rt_eio_newcomer *n);
/* It was let in, or has ended. Harmless when repeated. */
void rt_eio_newcomers_remove(rt_eio_newcomers *all, rt_eio_newcomer *n);
/* Who must go before another comes; NULL: nobody. */
RT_MUST_CHECK rt_eio_newcomer *rt_eio_newcomers_over(const rt_eio_newcomers *all);

#endif
