/* Peers of the local socket that stay: their lines, what they are owed, how they go. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/local.h"
#include "support/loop_until.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/un.h>

#define OWED_MAX 1000000
#define LOW 1000

static char folder[64], path[100], why[300];
static rt_loop loop;
static rt_local *local;
static rt_local_peer *peer;   /* that stays; NULL once it has gone */
static rt_local_peer *common; /* the last that said something else */
static char heard[1000];      /* common lines in < >, the others' in [ ], "gone" */
static unsigned rooms;        /* calls of on_room */
static unsigned fill;         /* lines of 1000 bytes that on_room owes */
static rt_local_role role;

static void note(const char *open, rt_slice line, const char *close) {
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof heard - n, "%s%.*s%s", open, (int)line.n, line.p, close);
}

static void owe_to(rt_local_peer *p, size_t bytes) {
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'a', bytes);
    rt_local_answer(p, rt_slice_make(text, bytes - 1));
    free(text);
}

static void owe(size_t bytes) {
    owe_to(peer, bytes);
}

static void on_line(void *arg, rt_local_peer *p, rt_slice line) {
    assert_ptr_equal(arg, &loop);
    note("<", line, ">");
    common = p;
    if (!rt_slice_eq(line, RT_LIT("stay")))
        return;
    peer = p;
    rt_local_adopt(p, &role, heard);
}

static void on_own_line(void *arg, rt_local_peer *p, rt_slice line) {
    assert_ptr_equal(arg, heard);
    assert_ptr_equal(p, peer);
    note("[", line, "]");
    if (rt_slice_eq(line, RT_LIT("end")))
        rt_local_end(p);
}

static void on_room(void *arg, rt_local_peer *p) {
    assert_ptr_equal(arg, heard);
    assert_true(rt_local_owed(p) <= LOW);
    rooms++;
    for (; fill > 0 && rt_local_owed(p) < 10 * LOW; fill--)
        owe(1000);
}

static void on_gone(void *arg, rt_local_peer *p) {
    assert_ptr_equal(arg, heard);
    assert_ptr_equal(p, peer);
    note("", RT_LIT("gone"), "");
    peer = NULL;
}

static int begin(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rt-role-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rt.sock", folder);
    heard[0] = '\0';
    peer = NULL;
    rooms = fill = 0;
    role = (rt_local_role){on_own_line, on_room, on_gone, OWED_MAX, LOW, 4};
    rt_loop_begin(&loop);
    assert_int_equal(rt_local_new(&loop, path, 0, on_line, &loop, &local, why, sizeof why), RT_OK);
    return 0;
}

static int end(void **state) {
    (void)state;
    rt_local_close(local);
    rt_loop_end(&loop);
    rt_local_free(local);
    return rmdir(folder);
}

static int dial(const char *lines) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(send(fd, lines, strlen(lines), MSG_NOSIGNAL), strlen(lines));
    return fd;
}

static void expect(const char *text) {
    uint64_t until = rt_test_ms() + 10000;
    while (strcmp(heard, text) != 0 && rt_test_ms() < until)
        rt_loop_for(&loop, 5);
    assert_string_equal(heard, text);
    heard[0] = '\0';
}

/* Reads until nothing comes any more; true while the other end is open. */
static bool read_all(int fd, size_t *got) {
    static char text[65536];
    ssize_t n = 0;
    *got = 0;
    for (int idle = 0; idle < 10;) {
        n = recv(fd, text, sizeof text, 0);
        *got += n > 0 ? (size_t)n : 0;
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        idle = n < 0 ? idle + 1 : 0;
        if (n < 0)
            rt_loop_for(&loop, 5);
    }
    return true;
}

static uint64_t counted(int which) {
    rt_local_figures f;
    rt_local_get_figures(local, &f);
    return f.counters.v[which];
}

static void test_lines_after_it(void **state) {
    (void)state;
    int fd = dial("one\nstay\ntwo\n\nthree\n");
    expect("<one><stay>[two][three]");
    close(fd);
    expect("gone");
    fd = dial("stay\nend\nnever\n");
    expect("<stay>[end]gone");
    close(fd);
}

/* What is owed outside of a peer's own line goes out with the turn. */
static void test_written_at_the_end_of_the_turn(void **state) {
    (void)state;
    size_t got;
    int stays = dial("stay\n");
    expect("<stay>");
    rooms = 0;
    owe(1000);
    owe(1000);
    assert_int_equal(rt_local_owed(peer), 2000);
    assert_true(read_all(stays, &got));
    assert_int_equal(got, 2000);
    assert_int_equal(rt_local_owed(peer), 0);
    assert_int_equal(rooms, 1); /* one write for both */
    int other = dial("common\n");
    expect("<common>");
    owe_to(common, 500);
    assert_true(read_all(other, &got));
    assert_int_equal(got, 500);
    close(other);
    close(stays);
    expect("gone");
}

/* There is room whenever little is owed, so that any amount goes out in bounded memory. */
static void test_room(void **state) {
    (void)state;
    size_t got;
    int fd = dial("stay\n");
    fill = 5000;
    expect("<stay>");
    owe(1000);
    assert_true(read_all(fd, &got));
    assert_int_equal(got, 5001 * 1000);
    assert_int_equal(fill, 0);
    close(fd);
    expect("gone");
}

/* Bytes written do not count against the limit, however they lie in memory. */
static void test_limit(void **state) {
    (void)state;
    size_t got, sum = 0;
    int fd = dial("stay\n");
    expect("<stay>");
    for (int i = 0; i < 30; i++) {
        while (rt_local_owed(peer) < OWED_MAX - 100000)
            owe(100000);
        rt_loop_for(&loop, 10); /* the kernel takes some */
        static char text[50000];
        ssize_t n = recv(fd, text, sizeof text, 0);
        sum += n > 0 ? (size_t)n : 0;
        assert_non_null(peer);
    }
    owe(OWED_MAX - rt_local_owed(peer));
    assert_non_null(peer);
    assert_int_equal(rt_local_owed(peer), OWED_MAX);
    owe(1);
    expect("gone");
    assert_int_equal(counted(RT_LOCAL_OWED_OVER_MAX), 1);
    assert_false(read_all(fd, &got));
    assert_true(sum + got > 1000000);
    close(fd);
}

/* Others make room for a new one, also when the one that stays has been silent for longest. */
static void test_makes_no_room(void **state) {
    static int fds[RT_LOCAL_PEERS_MAX];
    struct rlimit files;
    rt_local_figures f;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * RT_LOCAL_PEERS_MAX + 100)
        skip();
    int stays = dial("stay\n");
    expect("<stay>");
    for (int i = 0; i < RT_LOCAL_PEERS_MAX; i++) {
        fds[i] = dial("");
        if (i % 50 == 49)
            uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    rt_loop_for(&loop, 50);
    assert_int_equal(counted(RT_LOCAL_PEERS_OVER_MAX), 1);
    rt_local_get_figures(local, &f);
    assert_int_equal(f.peers, RT_LOCAL_PEERS_MAX);
    assert_non_null(peer);
    for (int i = 0; i < RT_LOCAL_PEERS_MAX; i++)
        close(fds[i]);
    close(stays);
    expect("gone");
}

static void test_closing_the_socket(void **state) {
    (void)state;
    int fd = dial("stay\n");
    expect("<stay>");
    assert_int_equal(send(fd, "last\n", 5, MSG_NOSIGNAL), 5);
    rt_local_close(local);
    assert_string_equal(heard, "[last]gone");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_after_it, begin, end),
        cmocka_unit_test_setup_teardown(test_written_at_the_end_of_the_turn, begin, end),
        cmocka_unit_test_setup_teardown(test_room, begin, end),
        cmocka_unit_test_setup_teardown(test_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_makes_no_room, begin, end),
        cmocka_unit_test_setup_teardown(test_closing_the_socket, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
