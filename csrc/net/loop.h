/* The event loop of one server thread: a uv_loop_t, its timers, and the turn's end.
 *
 * A turn ends in a fixed order, before the loop sleeps: timers due -> engineio answers polls ->
 * every connection that owes bytes gets one write -> what was closed is freed. Whoever has work at
 * that point registers a hook.
 *
 * A poll handle is closed before its descriptor: libuv takes the number out of its set, which by
 * then could be another thread's.
 *
 * Ownership: caller's memory. Thread: the loop's, except rt_loop_wake.
 * Must not know: what its users do. */
#ifndef RT_NET_LOOP_H
#define RT_NET_LOOP_H

#include "base/list.h"
#include "base/status.h"
#include "base/timers.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define RT_READ_BUFFER 65536 /* bytes; one per loop, shared by all connections */

typedef struct rt_loop rt_loop;

/* Called at the end of each turn, in the order of registration. */
typedef struct rt_loop_hook {
    rt_list node;
    void (*at_turn_end)(void *arg);
    void *arg;
} rt_loop_hook;

struct rt_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_async_t async;
    rt_timers timers;
    rt_list hooks;
    uint64_t now;               /* monotonic ms, of this turn */
    uint64_t ran_at;            /* when the timers last ran */
    void (*on_wake)(void *arg); /* rt_loop_wake was called, perhaps several times */
    void *wake_arg;
    char *read_buffer; /* RT_READ_BUFFER bytes */
    uint64_t turns;
    bool stopping;
};

/* RT_OK; RT_ENOMEM; RT_EIO with errno: the system has no descriptors left, mostly. */
RT_MUST_CHECK int rt_loop_init(rt_loop *l, void (*on_wake)(void *arg), void *wake_arg);
/* Runs until rt_loop_stop; then closes its own handles and waits for everybody else's to close. */
void rt_loop_run(rt_loop *l);
void rt_loop_stop(rt_loop *l);
void rt_loop_fini(rt_loop *l);
void rt_loop_add_hook(rt_loop *l, rt_loop_hook *hook);
void rt_loop_remove_hook(rt_loop *l, rt_loop_hook *hook);
/* Call it first in a callback of a descriptor. It reads the clock, and runs the timers that fell
 * due while the loop slept. They may close any connection, the caller's too. */
void rt_loop_enter(rt_loop *l);
/* The only call for other threads. Async-signal-safe; many calls may become one on_wake. */
void rt_loop_wake(rt_loop *l);
/* Monotonic ms of this turn; the `now` that engineio, socketio and frappe are given. */
uint64_t rt_loop_now(void *loop);

#endif
