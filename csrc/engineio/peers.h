/* Who handshakes and connections come from, and what each may have: handshakes a second (a bucket
 * of credit), sessions that are not let in yet, connections.
 *
 *     first handshake or connection            nothing of it is left        10 s
 *   ───────────────────────────────► in use ◄─────────────────────────► idle ────► forgotten
 *
 * Who is forgotten has all its credit again. A peer is an address or, behind a proxy that names
 * none, one connection, which may shake hands a tenth as often.
 *
 * Ownership: init/fini; peers belong to the table. Thread: the loop's. Must not know: sessions, how
 * an address is found. */
#ifndef RT_ENGINEIO_PEERS_H
#define RT_ENGINEIO_PEERS_H

#include "base/map.h"
#include "base/status.h"
#include "base/timers.h"
#include "engineio/newcomers.h"
#include "engineio/port.h"

typedef struct rt_eio_peer {
    char address[RT_EIO_ADDRESS_LEN];
    uint32_t newcomers, connections;
    uint32_t credit;    /* thousandths of a handshake ... */
    uint64_t credit_at; /* ... at this time */
    rt_list silent;     /* rt_eio_newcomer.own, oldest first: those that have sent nothing */
    rt_timer idle;
} rt_eio_peer;

typedef struct rt_eio_peers {
    rt_map by_address;
    rt_timerq idle_due;
    uint32_t per_second; /* handshakes of one address */
    uint32_t max;
} rt_eio_peers;

void rt_eio_peers_init(rt_eio_peers *all, rt_timers *timers, uint32_t per_second, uint32_t max);
void rt_eio_peers_fini(rt_eio_peers *all);
/* The peer of an address, new if need be; it is idle until something of it is added. An idle one
 * may be forgotten for it. NULL: all are in use, or no memory. */
RT_MUST_CHECK rt_eio_peer *rt_eio_peers_get(rt_eio_peers *all, const char *address, uint64_t now);
/* Takes the credit for one handshake. False: there is none. */
RT_MUST_CHECK bool rt_eio_peers_pay(const rt_eio_peers *all, rt_eio_peer *p, uint64_t now);
void rt_eio_peers_add(rt_eio_peer *p, rt_eio_newcomer *n);
/* It has sent a message. */
void rt_eio_peers_spoke(rt_eio_newcomer *n);
/* It is no newcomer any more. Harmless when repeated. */
void rt_eio_peers_remove(rt_eio_peers *all, rt_eio_newcomer *n, uint64_t now);
void rt_eio_peers_connected(rt_eio_peer *p);
void rt_eio_peers_disconnected(rt_eio_peers *all, rt_eio_peer *p, uint64_t now);

#endif
