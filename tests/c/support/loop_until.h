/* Turns a loop until something has happened.
 *
 *     rt_loop_until(&loop, &flag, 5000);          fails the test after so many milliseconds
 *     rt_loop_for(&loop, 50);                     turns it for so long
 *     rt_loop_end(&loop);                         stops it and waits for all handles to close
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_LOOP_UNTIL_H
#define RT_TESTS_LOOP_UNTIL_H

#include "net/loop.h"
#include "support/ports.h"

static inline void rt_loop_tick(uv_timer_t *timer) {
    (void)timer;
}

static inline void rt_loop_closed(uv_handle_t *handle) {
    *(bool *)handle->data = true;
}

/* True when *flag is set within the time; a NULL flag waits all of it. */
static inline bool rt_loop_turn(rt_loop *l, const bool *flag, unsigned ms) {
    uv_timer_t ticks;
    uint64_t end = rt_test_ms() + ms;
    assert_int_equal(uv_timer_init(&l->uv, &ticks), 0);
    assert_int_equal(uv_timer_start(&ticks, rt_loop_tick, 5, 5), 0);
    while (!(flag && *flag) && rt_test_ms() < end)
        uv_run(&l->uv, UV_RUN_ONCE);
    bool closed = false;
    ticks.data = &closed;
    uv_close((uv_handle_t *)&ticks, rt_loop_closed);
    while (!closed)
        uv_run(&l->uv, UV_RUN_NOWAIT);
    return flag && *flag;
}

static inline void rt_loop_until(rt_loop *l, const bool *flag, unsigned ms) {
    assert_true(rt_loop_turn(l, flag, ms));
}

static inline void rt_loop_for(rt_loop *l, unsigned ms) {
    rt_loop_turn(l, NULL, ms);
}

static inline void rt_loop_no_wake(void *arg) {
    (void)arg;
}

static inline void rt_loop_begin(rt_loop *l) {
    assert_int_equal(rt_loop_init(l, rt_loop_no_wake, NULL), 0);
}

static inline void rt_loop_end(rt_loop *l) {
    rt_loop_stop(l);
    rt_loop_run(l);
    assert_int_equal(uv_loop_alive(&l->uv), 0);
    rt_loop_fini(l);
}

#endif
