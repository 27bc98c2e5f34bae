/* The local socket's listening end, spoken to over real sockets. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/fds.h"
#include "net/listen.h"
#include "net/local.h"
#include "support/faults.h"
#include "support/loop_until.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[64];
static char path[100];
static char why[300];
static rt_loop loop;
static rt_local *local;

static char heard[4096]; /* each line in < > */
static size_t heard_n;
static unsigned lines;
static bool reached; /* `lines` is `wanted` */
static unsigned wanted;
static size_t answer_size; /* what a line "?" is answered with */

static void on_line(void *arg, rt_local_peer *peer, rt_slice line) {
    assert_ptr_equal(arg, &loop);
    if (rt_slice_eq(line, RT_LIT("?"))) {
        char *text = malloc(answer_size + 1);
        assert_non_null(text);
        memset(text, 'a', answer_size);
        rt_local_answer(peer, rt_slice_make(text, answer_size));
        free(text);
    } else if (line.n < 100 && heard_n + line.n + 3 < sizeof heard) {
        heard_n += (size_t)snprintf(heard + heard_n, sizeof heard - heard_n, "<%.*s>", (int)line.n,
                                    line.p);
    }
    reached = ++lines == wanted;
}

static int open_local_waiting(unsigned lock_ms) {
    return rt_local_new(&loop, path, lock_ms, on_line, &loop, &local, why, sizeof why);
}

static int open_local(void) {
    return open_local_waiting(RT_LISTEN_LOCK_MS);
}

static int begin(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rt-local-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rt.sock", folder);
    memset(heard, 0, sizeof heard);
    heard_n = lines = wanted = 0;
    reached = false;
    answer_size = 5;
    rt_loop_begin(&loop);
    assert_int_equal(open_local(), RT_OK);
    return 0;
}

static int end(void **state) {
    (void)state;
    if (local)
        rt_local_close(local);
    rt_loop_end(&loop);
    rt_local_free(local);
    local = NULL;
    assert_int_equal(rmdir(folder), 0); /* nothing is left in it */
    return 0;
}

static int connect_peer(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void wait_lines(unsigned n) {
    wanted = n;
    reached = lines == n;
    rt_loop_until(&loop, &reached, 10000);
}

static uint64_t counted(int which) {
    rt_local_figures f;
    rt_local_get_figures(local, &f);
    return f.counters.v[which];
}

static uint32_t peers(void) {
    rt_local_figures f;
    rt_local_get_figures(local, &f);
    return f.peers;
}

static void wait_counted(int which, uint64_t n) {
    uint64_t until = rt_test_ms() + 10000;
    while (counted(which) < n) {
        assert_true(rt_test_ms() < until);
        rt_loop_for(&loop, 10);
    }
    assert_int_equal(counted(which), n);
}

static void test_lines_in_order(void **state) {
    (void)state;
    int a = connect_peer(), b = connect_peer();
    say(a, "one\ntw");
    say(b, "\n"); /* an empty line says nothing */
    wait_lines(1);
    say(a, "o\nthree\n");
    wait_lines(3);
    say(b, "four\n");
    wait_lines(4);
    assert_string_equal(heard, "<one><two><three><four>");
    assert_int_equal(peers(), 2);
    assert_int_equal(counted(RT_LOCAL_LINES), 5);
    close(a);
    close(b);
    rt_loop_for(&loop, 30);
    assert_int_equal(peers(), 0);
}

/* One that has written and gone before it was even accepted. */
static void test_writes_and_goes(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        int fd = connect_peer();
        say(fd, "x\n");
        close(fd);
    }
    wait_lines(50);
    rt_loop_for(&loop, 20);
    assert_int_equal(peers(), 0);
}

static void test_answers(void **state) {
    char text[20];
    (void)state;
    int fd = connect_peer();
    say(fd, "?\nx\n?\n");
    wait_lines(3);
    assert_int_equal(recv(fd, text, sizeof text, MSG_DONTWAIT), 12);
    assert_memory_equal(text, "aaaaa\naaaaa\n", 12);
    close(fd);
}

/* More than the kernel takes at once: the rest follows as the peer reads. */
static void test_long_answer(void **state) {
    size_t got = 0;
    char *text = malloc(RT_LOCAL_OWED_MAX);
    (void)state;
    assert_non_null(text);
    answer_size = RT_LOCAL_OWED_MAX - 1;
    int fd = connect_peer();
    say(fd, "?\n");
    wait_lines(1);
    while (got < RT_LOCAL_OWED_MAX) {
        ssize_t n = recv(fd, text + got, RT_LOCAL_OWED_MAX - got, MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
        got += n > 0 ? (size_t)n : 0;
        rt_loop_for(&loop, 5);
    }
    assert_int_equal(text[RT_LOCAL_OWED_MAX - 2], 'a');
    assert_int_equal(text[RT_LOCAL_OWED_MAX - 1], '\n');
    assert_int_equal(peers(), 1);
    close(fd);
    free(text);
}

static void expect_closed(int fd) {
    char rest[65536];
    ssize_t n;
    uint64_t until = rt_test_ms() + 10000;
    while ((n = recv(fd, rest, sizeof rest, MSG_DONTWAIT)) > 0 || (n < 0 && errno == EAGAIN)) {
        assert_true(rt_test_ms() < until);
        rt_loop_for(&loop, 5);
    }
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void test_never_reads_its_answers(void **state) {
    (void)state;
    answer_size = 100000;
    int fd = connect_peer(), other = connect_peer();
    for (int i = 0; i < 40; i++)
        say(fd, "?\n");
    wait_counted(RT_LOCAL_OWED_OVER_MAX, 1);
    expect_closed(fd);
    lines = 0;
    say(other, "x\n");
    wait_lines(1);
    assert_int_equal(peers(), 1);
    close(other);
}

/* Writes `n` bytes of an unfinished line, turning the loop. Less when the server closes. */
static size_t flood(int fd, size_t n) {
    static char text[65536];
    size_t sent = 0;
    memset(text, 'x', sizeof text);
    while (sent < n) {
        size_t piece = n - sent < sizeof text ? n - sent : sizeof text;
        ssize_t wrote = send(fd, text, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (wrote < 0 && errno != EAGAIN)
            return sent;
        sent += wrote > 0 ? (size_t)wrote : 0;
        if (wrote < 0)
            uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    return sent;
}

static void test_longest_line(void **state) {
    (void)state;
    int fd = connect_peer(), other = connect_peer();
    assert_int_equal(flood(fd, RT_LOCAL_LINE_MAX), RT_LOCAL_LINE_MAX);
    say(fd, "\nx\n");
    wait_lines(2);
    assert_string_equal(heard, "<x>");
    flood(fd, RT_LOCAL_LINE_MAX + 1);
    wait_counted(RT_LOCAL_LINE_OVER_MAX, 1);
    expect_closed(fd);
    say(other, "y\n");
    wait_lines(3);
    assert_string_equal(heard, "<x><y>");
    close(other);
}

/* Unfinished lines together: who goes beyond is closed, the others end theirs. */
static void test_held_over_max(void **state) {
    int fds[5];
    (void)state;
    for (int i = 0; i < 4; i++) {
        fds[i] = connect_peer();
        assert_int_equal(flood(fds[i], RT_LOCAL_HELD_MAX / 4), RT_LOCAL_HELD_MAX / 4);
        rt_loop_for(&loop, 20);
    }
    assert_int_equal(counted(RT_LOCAL_HELD_OVER_MAX), 0);
    fds[4] = connect_peer();
    say(fds[4], "x");
    wait_counted(RT_LOCAL_HELD_OVER_MAX, 1);
    expect_closed(fds[4]);
    for (int i = 0; i < 4; i++)
        say(fds[i], "\n");
    wait_lines(4);
    rt_local_figures f;
    rt_local_get_figures(local, &f);
    assert_int_equal(f.held, 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

/* When all places are taken the one idle longest makes room, and has lost nothing it had sent. */
static void test_peers_over_max(void **state) {
    struct rlimit files;
    static int fds[RT_LOCAL_PEERS_MAX];
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * RT_LOCAL_PEERS_MAX + 100)
        skip();
    for (int i = 0; i < RT_LOCAL_PEERS_MAX; i++) {
        while ((fds[i] = connect_peer()) < 0)
            rt_loop_for(&loop, 5);
        if (i % 50 == 0)
            uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    wait_counted(RT_LOCAL_ACCEPTED, RT_LOCAL_PEERS_MAX);
    say(fds[0], "active\n"); /* so the second is the one idle longest */
    wait_lines(1);
    int one_more = connect_peer();
    say(one_more, "new\n");
    say(fds[1], "last words\n"); /* perhaps read when it has to go already */
    wait_lines(3);
    assert_non_null(strstr(heard, "<new>"));
    assert_non_null(strstr(heard, "<last words>"));
    assert_int_equal(counted(RT_LOCAL_PEERS_OVER_MAX), 1);
    assert_int_equal(peers(), RT_LOCAL_PEERS_MAX);
    assert_int_equal(send(fds[0], "y\n", 2, MSG_NOSIGNAL), 2);
    close(one_more);
    for (int i = 0; i < RT_LOCAL_PEERS_MAX; i++)
        close(fds[i]);
}

/* Without descriptors connections wait in the backlog; nothing spins, nothing is lost. */
static void test_out_of_descriptors(void **state) {
    struct rlimit before, few;
    (void)state;
    int fd = connect_peer();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)fd; /* none may be opened that is not below it */
    int plugs[256], n = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 256 && (plugs[n] = dup(0)) >= 0)
        n++;
    say(fd, "x\n");
    uint64_t turns = loop.turns;
    rt_loop_for(&loop, 100);
    assert_int_equal(lines, 0);
    assert_in_range(counted(RT_LOCAL_ACCEPT_FAILED), 1, 2);
    assert_true(loop.turns - turns < 60); /* the test's own ticks, not a turn for each glance */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (n > 0)
        close(plugs[--n]);
    wait_lines(1);
    close(fd);
}

static void test_mode_from_the_first_moment(void **state) {
    struct stat st;
    (void)state;
    rt_local_close(local);
    rt_loop_for(&loop, 5);
    rt_local_free(local);
    mode_t before = umask(0);
    assert_int_equal(open_local(), RT_OK);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_another_user_is_turned_away(void **state) {
    int status;
    char byte;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setuid(65534) != 0)
            _exit(1);
        int fd = connect_peer();
        if (fd < 0)
            _exit(2);
        send(fd, "x\n", 2, MSG_NOSIGNAL); /* fails when it has been closed already */
        _exit(recv(fd, &byte, 1, 0) <= 0 ? 0 : 3);
    }
    wait_counted(RT_LOCAL_REFUSED_USER, 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(lines, 0);
}

/* --- the file --- */

static void test_in_use(void **state) {
    rt_local *second = NULL;
    (void)state;
    assert_int_equal(rt_local_new(&loop, path, 0, on_line, &loop, &second, why, sizeof why),
                     RT_EIO);
    assert_int_equal(errno, EADDRINUSE);
    assert_non_null(strstr(why, path));
    assert_null(second);
    int fd = connect_peer();
    say(fd, "x\n");
    wait_lines(1);
    close(fd);
}

static void close_local(void) {
    rt_local_close(local);
    rt_loop_for(&loop, 5);
    rt_local_free(local);
    local = NULL;
}

static void test_stale_file_is_replaced(void **state) {
    (void)state;
    close_local();
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    assert_int_equal(open_local(), RT_OK);
    fd = connect_peer();
    say(fd, "x\n");
    wait_lines(1);
    close(fd);
}

static void test_no_socket_in_the_way(void **state) {
    (void)state;
    close_local();
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(open_local(), RT_EIO);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(unlink(path), 0); /* it was left alone */
}

/* Another server is just looking at the same file. The loop does not wait for it. */
static void test_locked_folder(void **state) {
    (void)state;
    close_local();
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(open_local_waiting(0), RT_EIO);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(open_local_waiting(20), RT_OK);
    close_local();
    close(lock);
    assert_int_equal(open_local_waiting(0), RT_OK);
}

static void test_no_folder(void **state) {
    (void)state;
    close_local();
    snprintf(path, sizeof path, "%s/none/rt.sock", folder);
    assert_int_equal(open_local(), RT_EIO);
    assert_int_equal(errno, ENOENT);
}

static void test_too_long(void **state) {
    char name[200];
    rt_local *none = NULL;
    (void)state;
    memset(name, 'x', sizeof name);
    name[108] = '\0';
    assert_int_equal(rt_local_new(&loop, name, 0, on_line, &loop, &none, why, sizeof why), RT_EIO);
    assert_int_equal(errno, ENAMETOOLONG);
}

/* Somebody else's file at our path stays. */
static void test_removes_only_its_own(void **state) {
    struct stat st;
    (void)state;
    assert_int_equal(unlink(path), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    close_local();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(unlink(path), 0);
}

/* --- closing --- */

/* What was sent before the close is heard: read or not, accepted or not. Later sends fail. */
static void test_nothing_is_lost_at_the_end(void **state) {
    (void)state;
    int known = connect_peer();
    say(known, "first\n");
    wait_lines(1);
    int waiting = connect_peer();
    say(known, "second\nunfinished");
    say(waiting, "third\n");
    rt_local_close(local);
    assert_int_equal(lines, 3);
    assert_non_null(strstr(heard, "<second>"));
    assert_non_null(strstr(heard, "<third>"));
    assert_int_equal(send(known, "x\n", 2, MSG_NOSIGNAL), -1);
    assert_int_equal(send(waiting, "x\n", 2, MSG_NOSIGNAL), -1);
    assert_int_equal(connect_peer(), -1);
    close(known);
    close(waiting);
}

/* Forked children keep nothing. */
static void test_descriptors_are_recorded(void **state) {
    (void)state;
    int fd = connect_peer();
    say(fd, "x\n");
    wait_lines(1);
    pid_t child = fork();
    if (child == 0) {
        close(fd);
        rt_fds_lock();
        rt_fds_close_in_child();
        struct stat st;
        for (int i = 3; i < 64; i++)
            if (fstat(i, &st) == 0 && S_ISSOCK(st.st_mode))
                _exit(i);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(fd);
}

static int open_and_talk(void *arg) {
    (void)arg;
    lines = 0;
    int status = open_local();
    if (status != RT_OK)
        return status;
    int fd = connect_peer();
    say(fd, "in pie");
    rt_loop_for(&loop, 10);
    bool cut = send(fd, "ces\n?\n", 6, MSG_NOSIGNAL) < 0;
    rt_loop_for(&loop, 10);
    close_local();
    close(fd);
    assert_true(cut || lines == 2 || lines == 0);
    return cut || lines == 0 ? RT_ENOMEM : RT_OK;
}

/* Who cannot be served for lack of memory is closed; the server goes on. */
static void test_out_of_memory(void **state) {
    (void)state;
    close_local();
    assert_true(rt_faults_each(open_and_talk, NULL) >= 5);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_server(test_lines_in_order),
        with_server(test_writes_and_goes),
        with_server(test_answers),
        with_server(test_long_answer),
        with_server(test_never_reads_its_answers),
        with_server(test_longest_line),
        with_server(test_held_over_max),
        with_server(test_peers_over_max),
        with_server(test_out_of_descriptors),
        with_server(test_mode_from_the_first_moment),
        with_server(test_another_user_is_turned_away),
        with_server(test_in_use),
        with_server(test_stale_file_is_replaced),
        with_server(test_no_socket_in_the_way),
        with_server(test_locked_folder),
        with_server(test_no_folder),
        with_server(test_too_long),
        with_server(test_removes_only_its_own),
        with_server(test_nothing_is_lost_at_the_end),
        with_server(test_descriptors_are_recorded),
        with_server(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
