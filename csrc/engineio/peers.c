/* The table of peers, and their credit. */
#include "engineio/peers.h"

#include "base/alloc.h"
#include "base/status.h"

#define BURST_SECONDS 10 /* so much credit can be saved up */
#define IDLE_MS (BURST_SECONDS * 1000)
#define CONNECTION_PART 10 /* a connection may shake hands so much less often than an address */

static void forget(rt_eio_peers *all, rt_eio_peer *p) {
    rt_timer_disarm(&p->idle);
    (void)rt_map_del(&all->by_address, rt_slice_make(p->address, RT_EIO_ADDRESS_LEN));
    rt_free(p);
}

static void on_idle_due(rt_timerq *q, rt_timer *t) {
    forget(q->arg, RT_OF(t, rt_eio_peer, idle));
}

void rt_eio_peers_init(rt_eio_peers *all, rt_timers *timers, uint32_t per_second, uint32_t max) {
    all->per_second = per_second;
    all->max = max;
    rt_map_init(&all->by_address);
    rt_timerq_init(&all->idle_due, timers, IDLE_MS, on_idle_due, all);
}

void rt_eio_peers_fini(rt_eio_peers *all) {
    size_t cursor = 0;
    const rt_map_entry *e;
    rt_timerq_fini(&all->idle_due);
    while ((e = rt_map_next(&all->by_address, &cursor)))
        rt_free(e->value);
    rt_map_fini(&all->by_address);
}

/* --- credit --- */

/* Handshakes a second; as thousandths a millisecond the same number. */
static uint32_t rate_of(const rt_eio_peers *all, const rt_eio_peer *p) {
    bool connection = p->address[0] == RT_EIO_ADDRESS_CONNECTION;
    uint32_t rate = connection ? all->per_second / CONNECTION_PART : all->per_second;
    return rate ? rate : 1;
}

bool rt_eio_peers_pay(const rt_eio_peers *all, rt_eio_peer *p, uint64_t now) {
    uint64_t most = (uint64_t)rate_of(all, p) * IDLE_MS;
    uint64_t credit = p->credit + (now - p->credit_at) * rate_of(all, p);
    p->credit_at = now;
    p->credit = (uint32_t)(credit < most ? credit : most);
    if (p->credit < 1000)
        return false;
    p->credit -= 1000;
    return true;
}

/* --- the table --- */

/* The one that has been idle for longest makes room. False: none is idle. */
static bool make_room(rt_eio_peers *all) {
    if (all->by_address.count < all->max)
        return true;
    rt_list *oldest = rt_list_first(&all->idle_due.armed);
    if (!oldest)
        return false;
    forget(all, RT_OF(RT_OF(oldest, rt_timer, node), rt_eio_peer, idle));
    return true;
}

static rt_eio_peer *make(rt_eio_peers *all, const char *address, uint64_t now) {
    rt_eio_peer *p = make_room(all) ? rt_alloc0(sizeof *p) : NULL;
    if (!p)
        return NULL;
    memcpy(p->address, address, RT_EIO_ADDRESS_LEN);
    rt_list_init(&p->silent);
    rt_timer_init(&p->idle);
    p->credit = rate_of(all, p) * IDLE_MS;
    p->credit_at = now;
    if (rt_map_put(&all->by_address, rt_slice_make(p->address, RT_EIO_ADDRESS_LEN), p) == RT_OK)
        return p;
    rt_free(p);
    return NULL;
}

static void settle(rt_eio_peers *all, rt_eio_peer *p, uint64_t now) {
    if (p->newcomers == 0 && p->connections == 0)
        rt_timer_arm(&all->idle_due, &p->idle, now);
}

rt_eio_peer *rt_eio_peers_get(rt_eio_peers *all, const char *address, uint64_t now) {
    rt_eio_peer *p = rt_map_get(&all->by_address, rt_slice_make(address, RT_EIO_ADDRESS_LEN));
    if (!p)
        p = make(all, address, now);
    if (p)
        settle(all, p, now);
    return p;
}

/* --- what it has --- */

void rt_eio_peers_add(rt_eio_peer *p, rt_eio_newcomer *n) {
    n->peer = p;
    p->newcomers++;
    rt_list_push(&p->silent, &n->own);
    rt_timer_disarm(&p->idle);
}

void rt_eio_peers_spoke(rt_eio_newcomer *n) {
    rt_list_unlink(&n->own);
}

void rt_eio_peers_remove(rt_eio_peers *all, rt_eio_newcomer *n, uint64_t now) {
    rt_eio_peer *p = n->peer;
    if (!p)
        return;
    n->peer = NULL;
    rt_list_unlink(&n->own);
    p->newcomers--;
    settle(all, p, now);
}

void rt_eio_peers_connected(rt_eio_peer *p) {
    p->connections++;
    rt_timer_disarm(&p->idle);
}

void rt_eio_peers_disconnected(rt_eio_peers *all, rt_eio_peer *p, uint64_t now) {
    p->connections--;
    settle(all, p, now);
}
