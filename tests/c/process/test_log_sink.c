/* Log lines that nobody reads: writing one never waits, and what was lost is told. */
#define _GNU_SOURCE /* pipe2, usleep */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "process/log_sink.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static char text[1 << 20];

/* All that can be read now. */
static const char *drain(int fd) {
    size_t n = 0;
    ssize_t got;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    fcntl(fd, F_SETFL, flags);
    text[n] = '\0';
    return text;
}

/* As full as a writer that waits for nobody can make it; afterwards it is as it was. A terminal
 * hands bytes on to its other half a moment later, and has room again until that is full, too. */
static void fill(int fd) {
    static const char junk[4096];
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    for (int quiet = 0; quiet < 20; quiet++) {
        while (write(fd, junk, sizeof junk) > 0)
            quiet = 0;
        while (write(fd, junk, 1) > 0)
            quiet = 0;
        usleep(1000);
    }
    fcntl(fd, F_SETFL, flags);
}

static unsigned count_lines(const char *part) {
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* `to` is written to, and blocks; `from` is read. */
static void never_waits(int to, int from) {
    uint64_t before = rt_log_lines_lost();
    rt_log_to(RT_LOG_INFO, to);
    rt_log(RT_LOG_INFO, "part", "first %d", 1);
    assert_non_null(strstr(drain(from), "INFO frappe_rt.part first 1\n"));
    fill(to);
    for (int i = 0; i < 3; i++)
        rt_log(RT_LOG_WARN, "part", "nobody reads %d", i);
    assert_int_equal(rt_log_lines_lost() - before, 3);
    assert_int_equal(fcntl(to, F_GETFL) & O_NONBLOCK, 0); /* others share it */
    drain(from);
    rt_log(RT_LOG_ERROR, "part", "again");
    drain(from);
    assert_int_equal(count_lines("lost 3 log lines before this one: nobody read the log"), 1);
    assert_int_equal(count_lines("ERROR frappe_rt.part again\n"), 1);
    rt_log(RT_LOG_INFO, "part", "and on");
    drain(from);
    assert_int_equal(count_lines("\n"), 1); /* it is told once */
    assert_int_equal(rt_log_lines_lost() - before, 3);
}

static void test_a_pipe(void **state) {
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    never_waits(fds[1], fds[0]);
    close(fds[0]);
    close(fds[1]);
}

/* The host program may treat SIGPIPE as it comes: it ends the process. */
static void test_a_reader_that_has_gone(void **state) {
    int fds[2];
    sigset_t pending;
    (void)state;
    uint64_t before = rt_log_lines_lost();
    signal(SIGPIPE, SIG_DFL);
    for (int socket = 0; socket < 2; socket++) {
        assert_int_equal(socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)
                                : pipe2(fds, O_CLOEXEC),
                         0);
        close(fds[0]);
        rt_log_to(RT_LOG_INFO, fds[1]);
        rt_log(RT_LOG_INFO, "part", "to nobody");
        close(fds[1]);
    }
    assert_int_equal(rt_log_lines_lost() - before, 2);
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
}

/* As many lines as its bytes are enough for, and not one for each of its pages. */
static void test_a_burst_into_a_pipe(void **state) {
    int fds[2];
    (void)state;
    uint64_t before = rt_log_lines_lost();
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    rt_log_to(RT_LOG_INFO, fds[1]);
    for (int i = 0; i < 300; i++)
        rt_log(RT_LOG_INFO, "part", "line %d", i);
    drain(fds[0]);
    assert_int_equal(count_lines("INFO frappe_rt.part line "), 300);
    assert_int_equal(rt_log_lines_lost(), before);
    close(fds[0]);
    close(fds[1]);
}

static void test_a_socket(void **state) {
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    never_waits(fds[1], fds[0]);
    close(fds[0]);
    close(fds[1]);
}

/* Ctrl-S, or a terminal whose other end has stopped. */
static void test_a_terminal(void **state) {
    int ours, theirs;
    struct termios raw;
    (void)state;
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(theirs, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(theirs, TCSANOW, &raw), 0);
    never_waits(theirs, ours);
    close(ours);
    close(theirs);
}

static void test_a_file_gets_every_line(void **state) {
    char path[] = "/tmp/rt_log_XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    rt_log_to(RT_LOG_INFO, fd);
    for (int i = 0; i < 100; i++)
        rt_log(RT_LOG_INFO, "part", "line %d", i);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    drain(fd);
    assert_int_equal(count_lines("INFO frappe_rt.part line "), 100);
    close(fd);
}

static void test_a_closed_descriptor_loses_lines(void **state) {
    (void)state;
    uint64_t before = rt_log_lines_lost();
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    rt_log_to(RT_LOG_INFO, fd);
    rt_log(RT_LOG_INFO, "part", "to nowhere");
    assert_int_equal(rt_log_lines_lost(), before);
    close(fd);
    rt_log(RT_LOG_INFO, "part", "to nobody");
    assert_int_equal(rt_log_lines_lost(), before + 1);
}

/* One that a reader takes whole even when another process writes beside it. */
static void test_a_long_line_is_cut_and_ends(void **state) {
    int fds[2];
    char much[5000];
    (void)state;
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    rt_log_to(RT_LOG_INFO, fds[1]);
    rt_log(RT_LOG_INFO, "part", "%s", much);
    rt_log(RT_LOG_INFO, "part", "next");
    drain(fds[0]);
    assert_non_null(strstr(text, "xxx\n"));
    assert_non_null(strstr(text, "INFO frappe_rt.part next\n"));
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pipe),
        cmocka_unit_test(test_a_reader_that_has_gone),
        cmocka_unit_test(test_a_burst_into_a_pipe),
        cmocka_unit_test(test_a_socket),
        cmocka_unit_test(test_a_terminal),
        cmocka_unit_test(test_a_closed_descriptor_loses_lines),
        cmocka_unit_test(test_a_file_gets_every_line),
        cmocka_unit_test(test_a_long_line_is_cut_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
