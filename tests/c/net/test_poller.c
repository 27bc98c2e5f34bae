/* net/poller.c: who is told of what, and who is not told any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "net/poller.h"

#include <sys/socket.h>
#include <unistd.h>

typedef struct end {
    int fd, peer;
    struct end *removes; /* when it is told */
    uint32_t events;     /* of all calls */
    int calls;
} end;

static rt_loop loop;
static rt_poller poller;
static long live;

static void on_wake(void *arg) {
    (void)arg;
}

static void on_ready(void *who, uint32_t events) {
    end *e = who;
    e->calls++;
    e->events |= events;
    if (e->removes)
        rt_poller_remove(&poller, e->removes->fd, e->removes);
}

static void open_end(uint32_t events, end *where) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *where = (end){.fd = fds[0], .peer = fds[1]};
    assert_int_equal(rt_poller_add(&poller, where->fd, where, events), RT_OK);
}

static void close_end(end *e) {
    close(e->fd);
    close(e->peer);
}

static void turn(void) {
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static int set_up(void **state) {
    (void)state;
    assert_int_equal(rt_loop_init(&loop, on_wake, NULL), RT_OK);
    assert_int_equal(rt_poller_init(&poller, &loop, on_ready), RT_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_poller_close(&poller);
    rt_poller_close(&poller); /* twice is harmless */
    rt_loop_stop(&loop);
    rt_loop_run(&loop);
    rt_loop_fini(&loop);
    return rt_alloc_live() != live;
}

/* What the process keeps for good (the table of descriptors) is there before the tests. */
static int measure(void **state) {
    set_up(state);
    tear_down(state);
    live = rt_alloc_live();
    return 0;
}

static void tells_what_is_asked_for(void **state) {
    (void)state;
    end e;
    open_end(EPOLLIN, &e);
    turn();
    assert_int_equal(e.calls, 0); /* it is writable, but nobody asked */
    assert_int_equal(write(e.peer, "x", 1), 1);
    turn();
    assert_int_equal(e.events, EPOLLIN);
    turn();
    assert_int_equal(e.calls, 2); /* until it is read */
    e.events = 0;
    assert_int_equal(rt_poller_change(&poller, e.fd, &e, EPOLLOUT), RT_OK);
    turn();
    assert_int_equal(e.events, EPOLLOUT);
    rt_poller_remove(&poller, e.fd, &e);
    turn();
    assert_int_equal(e.calls, 3);
    close_end(&e);
}

/* Both were ready when the kernel was asked; whoever is told first removes the other. */
static void nobody_is_told_who_was_removed_meanwhile(void **state) {
    (void)state;
    end a, b;
    open_end(EPOLLIN, &a);
    open_end(EPOLLIN, &b);
    a.removes = &b;
    b.removes = &a;
    assert_int_equal(write(a.peer, "x", 1), 1);
    assert_int_equal(write(b.peer, "x", 1), 1);
    turn();
    assert_int_equal(a.calls + b.calls, 1);
    close_end(&a);
    close_end(&b);
}

static void a_hang_up_is_for_readers_and_writers(void **state) {
    (void)state;
    end reader, writer;
    open_end(EPOLLIN, &reader);
    open_end(EPOLLOUT, &writer);
    close(reader.peer);
    close(writer.peer);
    turn();
    assert_int_equal(reader.events, EPOLLIN | EPOLLOUT);
    assert_int_equal(writer.events, EPOLLIN | EPOLLOUT);
    close(reader.fd);
    close(writer.fd);
}

/* More than fit into one question to the kernel. */
static void a_crowd_is_told_in_turns(void **state) {
    (void)state;
    enum { CROWD = RT_POLLER_EVENTS + 50 };
    static end crowd[CROWD];
    int told = 0;
    for (int i = 0; i < CROWD; i++) {
        open_end(EPOLLIN, &crowd[i]);
        assert_int_equal(write(crowd[i].peer, "x", 1), 1);
    }
    turn();
    turn();
    for (int i = 0; i < CROWD; i++) {
        told += crowd[i].calls > 0;
        rt_poller_remove(&poller, crowd[i].fd, &crowd[i]);
        close_end(&crowd[i]);
    }
    assert_int_equal(told, CROWD);
}

static void what_the_kernel_refuses_is_said(void **state) {
    (void)state;
    end e;
    open_end(EPOLLIN, &e);
    assert_int_equal(rt_poller_add(&poller, e.fd, &e, EPOLLIN), RT_EIO);
    rt_poller_remove(&poller, e.fd, &e);
    assert_int_equal(rt_poller_change(&poller, e.fd, &e, EPOLLIN), RT_EIO);
    close_end(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_told_who_was_removed_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_hang_up_is_for_readers_and_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crowd_is_told_in_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_kernel_refuses_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, measure, NULL);
}
