/* The inbox, above all: the server thread stands still while the process forks. */
#include "process/inbox.h"

#include "base/alloc.h"
#include "base/status.h"
#include "process/clock.h"
#include "process/fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A server thread that takes from the inbox and wakes itself again at once, so that it never
 * rests; `turn_ms` makes each turn long. */
typedef struct busy_thread {
    rt_loop loop;
    pthread_t thread;
    atomic_uint turns, taken, turn_ms;
    atomic_bool stop, disowned;
} busy_thread;

static void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void on_wake(void *arg) {
    busy_thread *t = arg;
    rt_inbox_item *item;
    t->disowned = !rt_inbox_take(&t->loop, &item);
    while (item) {
        rt_inbox_item *next = item->next;
        rt_free(item);
        t->taken++;
        item = next;
    }
    t->turns++;
    if (t->turn_ms)
        sleep_ms(t->turn_ms);
    if (t->stop)
        rt_loop_stop(&t->loop);
    else
        rt_loop_wake(&t->loop);
}

static void *run(void *arg) {
    rt_loop_run(&((busy_thread *)arg)->loop);
    return NULL;
}

static void begin(busy_thread *t) {
    memset(t, 0, sizeof *t);
    assert_int_equal(rt_loop_init(&t->loop, on_wake, t), RT_OK);
    assert_int_equal(pthread_create(&t->thread, NULL, run, t), 0);
    rt_inbox_open(&t->loop);
    rt_loop_wake(&t->loop);
    while (t->turns == 0)
        sleep_ms(1);
}

static void end(busy_thread *t) {
    t->stop = true;
    rt_loop_wake(&t->loop);
    pthread_join(t->thread, NULL);
    assert_null(rt_inbox_close());
    rt_loop_fini(&t->loop);
}

static void hold_thread(void) {
    struct timespec until = rt_deadline_in(RT_FORK_WAIT_MS);
    rt_inbox_before_fork(&until);
}

static void test_the_thread_stands_still_while_the_lock_is_held(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    for (int i = 0; i < 20; i++) {
        hold_thread();
        unsigned turns = t.turns;
        sleep_ms(5);
        assert_int_equal(t.turns, turns);
        rt_inbox_after_fork();
        while (t.turns == turns)
            sleep_ms(1);
    }
    end(&t);
}

static void *lock_often(void *arg) {
    busy_thread *t = arg;
    for (int i = 0; i < 50; i++) {
        hold_thread();
        unsigned turns = t->turns;
        sleep_ms(1);
        assert_int_equal(t->turns, turns);
        rt_inbox_after_fork();
    }
    return NULL;
}

static void test_two_forks_at_once_each_hold_it(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, lock_often, &t), 0);
    lock_often(&t);
    pthread_join(other, NULL);
    end(&t);
}

static void test_a_long_turn_delays_a_fork_for_a_while_only(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    t.turn_ms = 20 * RT_FORK_WAIT_MS;
    unsigned turns = t.turns;
    while (t.turns < turns + 2) /* the second begins its long sleep */
        sleep_ms(1);
    turns = t.turns;
    hold_thread();
    assert_int_equal(t.turns, turns); /* it came back within that same turn */
    rt_inbox_after_fork();
    t.turn_ms = 0;
    end(&t);
}

static rt_inbox_item *item_of(enum rt_inbox_kind kind, size_t bytes) {
    rt_inbox_item *item = rt_alloc0(sizeof *item);
    item->kind = kind;
    item->bytes = bytes;
    return item;
}

/* A thread that nobody waits for any more must not take what is meant for the next one, nor say
 * that it stands still in its place. */
static void test_a_thread_left_behind_gets_nothing(void **state) {
    (void)state;
    static busy_thread before, next;
    begin(&before);
    assert_null(rt_inbox_close());
    begin(&next);
    next.turn_ms = 1; /* so that it is seen to go on, if it does */
    while (!before.disowned)
        sleep_ms(1);
    for (unsigned i = 1; i <= 100; i++) {
        assert_int_equal(rt_inbox_put(item_of(RT_INBOX_PUBLISH, 1)), RT_OK);
        hold_thread();
        unsigned turns = next.turns;
        sleep_ms(3);
        assert_int_equal(next.turns, turns);
        rt_inbox_after_fork();
    }
    unsigned turns = next.turns;
    while (next.turns < turns + 2)
        sleep_ms(1);
    assert_int_equal(next.taken, 100);
    assert_int_equal(before.taken, 0);
    end(&next);
    end(&before);
}

static void test_without_a_server_nobody_is_waited_for(void **state) {
    (void)state;
    hold_thread();
    rt_inbox_after_fork();
    assert_false(rt_inbox_is_open());
}

static void test_what_was_put_before_a_fork_is_there_after_it(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rt_inbox_put(item_of(RT_INBOX_PUBLISH, 1)), RT_OK);
        hold_thread();
        rt_inbox_after_fork();
    }
    unsigned turns = t.turns;
    while (t.turns < turns + 2)
        sleep_ms(1);
    assert_int_equal(t.taken, 100);
    end(&t);
}

static void test_a_child_finds_the_inbox_closed(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    hold_thread();
    pid_t child = fork();
    if (child == 0) {
        rt_inbox_in_child();
        rt_inbox_item *item = item_of(RT_INBOX_PUBLISH, 1);
        int status = rt_inbox_put(item);
        rt_free(item);
        _exit(status == RT_ENOENT && !rt_inbox_is_open() ? 0 : 1);
    }
    rt_inbox_after_fork();
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    end(&t);
}

/* The loop is held, so that nothing is taken meanwhile. */
static void test_publishes_are_bounded_and_commands_are_not(void **state) {
    (void)state;
    rt_loop loop;
    assert_int_equal(rt_loop_init(&loop, on_wake, &loop), RT_OK);
    rt_inbox_open(&loop);
    assert_int_equal(rt_inbox_put(item_of(RT_INBOX_PUBLISH, RT_INBOX_MAX_BYTES)), RT_OK);
    rt_inbox_item *more = item_of(RT_INBOX_PUBLISH, 1);
    assert_int_equal(rt_inbox_put(more), RT_ELIMIT);
    more->kind = RT_INBOX_STOP;
    assert_int_equal(rt_inbox_put(more), RT_OK);
    rt_inbox_item *item = rt_inbox_close();
    assert_ptr_equal(item->next, more);
    rt_free(item);
    rt_free(more);
    rt_loop_stop(&loop);
    rt_loop_run(&loop);
    rt_loop_fini(&loop);
}

/* What comes behind the word to stop takes another way, and nothing before it is forgotten. */
static void test_nothing_is_taken_behind_the_word_to_stop(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    assert_int_equal(rt_inbox_put(item_of(RT_INBOX_PUBLISH, 1)), RT_OK);
    assert_int_equal(rt_inbox_put(item_of(RT_INBOX_STOP, 0)), RT_OK);
    assert_false(rt_inbox_is_open());
    for (int kind = RT_INBOX_PUBLISH; kind <= RT_INBOX_STOP; kind++) {
        rt_inbox_item *late = item_of((enum rt_inbox_kind)kind, 1);
        assert_int_equal(rt_inbox_put(late), RT_ENOENT);
        rt_free(late);
    }
    while (t.taken < 2)
        sleep_ms(1);
    hold_thread(); /* a thread that stops stands still for a fork like any other */
    unsigned turns = t.turns;
    sleep_ms(5);
    assert_int_equal(t.turns, turns);
    rt_inbox_after_fork();
    end(&t);
}

/* A fork that found it still running would wait for all of its time. */
static void test_a_thread_that_has_ended_is_not_waited_for(void **state) {
    (void)state;
    static busy_thread t;
    begin(&t);
    t.stop = true;
    rt_loop_wake(&t.loop);
    pthread_join(t.thread, NULL);
    rt_inbox_thread_ended(&t.loop);
    struct timespec never = rt_deadline_in(3600 * 1000);
    rt_inbox_before_fork(&never);
    rt_inbox_after_fork();
    assert_null(rt_inbox_close());
    rt_loop_fini(&t.loop);
}

static int init(void **state) {
    (void)state;
    rt_inbox_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_thread_stands_still_while_the_lock_is_held),
        cmocka_unit_test(test_two_forks_at_once_each_hold_it),
        cmocka_unit_test(test_a_long_turn_delays_a_fork_for_a_while_only),
        cmocka_unit_test(test_a_thread_left_behind_gets_nothing),
        cmocka_unit_test(test_without_a_server_nobody_is_waited_for),
        cmocka_unit_test(test_what_was_put_before_a_fork_is_there_after_it),
        cmocka_unit_test(test_a_child_finds_the_inbox_closed),
        cmocka_unit_test(test_publishes_are_bounded_and_commands_are_not),
        cmocka_unit_test(test_nothing_is_taken_behind_the_word_to_stop),
        cmocka_unit_test(test_a_thread_that_has_ended_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
