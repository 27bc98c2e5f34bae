/* The number of this process without asking for it: in children of every kind, and in theirs. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "publish/pid.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As vfork's and clone's users do it: libc's fork handlers do not run. */
static pid_t fork_past_libc(void) {
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static bool child_is_well(pid_t (*make_child)(void), int depth) {
    int status;
    pid_t child = make_child();
    if (child == 0) {
        bool right = rt_pid() == getpid() && rt_pid() == getpid();
        _exit(right && (depth == 0 || child_is_well(make_child, depth - 1)) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void test_children_have_their_own(void **state) {
    (void)state;
    assert_int_equal(rt_pid(), getpid());
    assert_true(child_is_well(fork, 2));
    assert_true(child_is_well(fork_past_libc, 2));
    assert_int_equal(rt_pid(), getpid());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_have_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
