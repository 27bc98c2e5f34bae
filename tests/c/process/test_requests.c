/* Requests to the process that owns the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "process/process.h"
#include "process/requests.h"

#include <poll.h>
#include <sys/wait.h>
#include <stdbool.h>
#include <unistd.h>

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Refused until somebody takes requests; equal ones are one; a forked child takes none. */
static void test_requests(void **state) {
    int fd, again, status;
    (void)state;
    assert_int_equal(rt_process_init(), RT_OK);
    assert_int_equal(rt_requests_put(RT_REQUEST_RELOAD), RT_ENOENT);
    assert_int_equal(rt_requests_open(&fd), RT_OK);
    assert_int_equal(rt_requests_open(&again), RT_OK);
    assert_int_equal(fd, again);
    assert_false(readable(fd));
    assert_int_equal(rt_requests_take(), 0);
    assert_int_equal(rt_requests_put(RT_REQUEST_RELOAD), RT_OK);
    assert_int_equal(rt_requests_put(RT_REQUEST_RELOAD), RT_OK);
    assert_true(readable(fd));
    pid_t child = fork();
    if (child == 0)
        _exit(rt_requests_put(RT_REQUEST_RELOAD) == RT_ENOENT && rt_requests_take() == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(rt_requests_take(), RT_REQUEST_RELOAD);
    assert_int_equal(rt_requests_take(), 0);
    assert_false(readable(fd));
    assert_int_equal(rt_requests_put(RT_REQUEST_RELOAD), RT_OK);
    rt_requests_close();
    assert_false(readable(fd));
    assert_int_equal(rt_requests_put(RT_REQUEST_RELOAD), RT_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
