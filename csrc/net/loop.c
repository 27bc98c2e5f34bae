/* A uv_loop_t, and what we do at the end of each of its turns. */
#include "net/loop.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void read_clock(rt_loop *l) {
    l->now = uv_now(&l->uv);
}

static void run_timers(rt_loop *l) {
    read_clock(l);
    l->ran_at = l->now;
    rt_timers_run(&l->timers, l->now);
}

static void on_timer(uv_timer_t *timer) {
    run_timers(timer->data);
}

/* libuv serves descriptors before timers. Without this a request that came after its session's
 * deadline, while the loop slept, would find the session alive. */
void rt_loop_enter(rt_loop *l) {
    if (uv_now(&l->uv) != l->ran_at)
        run_timers(l);
    else
        read_clock(l);
}

/* Sets the loop's one timer to the earliest deadline of all queues. */
static void set_timer(rt_loop *l) {
    int64_t next = rt_timers_next(&l->timers, l->now);
    if (next < 0 || l->stopping)
        uv_timer_stop(&l->timer);
    else
        uv_timer_start(&l->timer, on_timer, (uint64_t)next, 0);
}

static void run_hooks(rt_loop *l) {
    for (rt_list *at = l->hooks.next; at != &l->hooks;) {
        rt_loop_hook *hook = RT_OF(at, rt_loop_hook, node);
        at = at->next;
        hook->at_turn_end(hook->arg);
    }
}

/* Last thing before the loop sleeps. Due timers are run here too, with a fresh clock: a long turn
 * must not make deadlines late by another one. */
static void on_prepare(uv_prepare_t *prepare) {
    rt_loop *l = prepare->data;
    l->turns++;
    uv_update_time(&l->uv);
    run_timers(l);
    run_hooks(l);
    set_timer(l);
}

static void on_async(uv_async_t *async) {
    rt_loop *l = async->data;
    read_clock(l);
    l->on_wake(l->wake_arg);
}

/* libuv's own descriptors, so that a forked child closes its copies: epoll's, and the two ends of
 * the wake-up (uv_async_init's; one is -1 where it is an eventfd). */
static int record_fds(const uv_loop_t *uv) {
    int fds[] = {uv_backend_fd(uv), uv->async_io_watcher.fd, uv->async_wfd};
    int status = RT_OK;
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0 && status == RT_OK)
            status = rt_fds_add(fds[i]);
    return status;
}

static void forget_fds(const uv_loop_t *uv) {
    int fds[] = {uv_backend_fd(uv), uv->async_io_watcher.fd, uv->async_wfd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            rt_fds_forget(fds[i]);
}

#define DESCRIPTORS 8 /* what libuv opens for its first loop, and some */

/* libuv aborts the process when it finds no descriptor for the pipe of its signals. */
static bool has_descriptors(void) {
    int fds[DESCRIPTORS], n = 0;
    while (n < DESCRIPTORS && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    int error = errno;
    for (int i = 0; i < n; i++)
        close(fds[i]);
    errno = error;
    return n == DESCRIPTORS;
}

int rt_loop_init(rt_loop *l, void (*on_wake)(void *arg), void *wake_arg) {
    memset(l, 0, sizeof *l);
    if (!has_descriptors())
        return RT_EIO;
    l->on_wake = on_wake;
    l->wake_arg = wake_arg;
    rt_timers_init(&l->timers);
    rt_list_init(&l->hooks);
    l->read_buffer = rt_alloc(RT_READ_BUFFER);
    if (!l->read_buffer)
        return RT_ENOMEM;
    if (uv_loop_init(&l->uv) != 0)
        goto fail_buffer;
    if (uv_async_init(&l->uv, &l->async, on_async) != 0)
        goto fail_loop;
    if (record_fds(&l->uv) != RT_OK)
        goto fail_fds;
    uv_prepare_init(&l->uv, &l->prepare);
    uv_timer_init(&l->uv, &l->timer);
    l->prepare.data = l->timer.data = l->async.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    read_clock(l);
    return RT_OK;

fail_fds:
    forget_fds(&l->uv);
    uv_close((uv_handle_t *)&l->async, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
fail_loop:
    uv_loop_close(&l->uv);
fail_buffer:
    rt_free(l->read_buffer);
    return RT_EIO;
}

void rt_loop_run(rt_loop *l) {
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void rt_loop_stop(rt_loop *l) {
    if (l->stopping)
        return;
    l->stopping = true;
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->async, NULL);
}

void rt_loop_fini(rt_loop *l) {
    forget_fds(&l->uv);
    uv_loop_close(&l->uv);
    rt_free(l->read_buffer);
}

void rt_loop_add_hook(rt_loop *l, rt_loop_hook *hook) {
    rt_list_init(&hook->node);
    rt_list_push(&l->hooks, &hook->node);
}

void rt_loop_remove_hook(rt_loop *l, rt_loop_hook *hook) {
    (void)l;
    rt_list_unlink(&hook->node);
}

void rt_loop_wake(rt_loop *l) {
    uv_async_send(&l->async);
}

uint64_t rt_loop_now(void *loop) {
    return ((rt_loop *)loop)->now;
}
