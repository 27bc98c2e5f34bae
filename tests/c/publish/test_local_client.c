/* The writing end of the local socket, against servers in every mood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "publish/local_client.h"
#include "support/faults.h"
#include "support/ports.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[64];
static char path[100];
static char why[300];
static rt_local_client client;

static int begin(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rt-client-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rt.sock", folder);
    rt_local_client_init(&client);
    return 0;
}

static int end(void **state) {
    (void)state;
    rt_local_client_fini(&client);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static int listen_here(int backlog) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static int accept_from(int listener) {
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static int start_line(const char *text) {
    assert_int_equal(rt_buf_puts(&client.line, rt_slice_of(text)), RT_OK);
    return rt_local_client_start(&client, path);
}

static void expect(int fd, const char *text) {
    char got[200];
    size_t n = strlen(text);
    assert_int_equal(recv(fd, got, n, MSG_WAITALL), n);
    assert_memory_equal(got, text, n);
}

static void test_lines_arrive(void **state) {
    (void)state;
    int listener = listen_here(5);
    assert_int_equal(start_line("one\n"), RT_OK);
    assert_int_equal(start_line("two\n"), RT_OK);
    int fd = accept_from(listener);
    expect(fd, "one\ntwo\n");
    rt_local_client_fini(&client); /* may be used again */
    assert_int_equal(recv(fd, why, 1, 0), 0);
    assert_int_equal(start_line("three\n"), RT_OK);
    int second = accept_from(listener);
    expect(second, "three\n");
    close(second);
    close(fd);
    close(listener);
}

static void test_nobody_there(void **state) {
    (void)state;
    assert_int_equal(start_line("x\n"), RT_ENOENT);
    rt_local_client_explain(&client, why, sizeof why);
    char expected[200];
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_string_equal(why, expected);
    assert_int_equal(client.line.n, 0);
}

/* Nobody is remembered to be there for a moment, and is then looked for again. */
static void test_absence_is_remembered(void **state) {
    (void)state;
    assert_int_equal(start_line("x\n"), RT_ENOENT);
    uint64_t began = rt_test_ms();
    int listener = listen_here(5);
    assert_int_equal(start_line("y\n"), RT_ENOENT);
    if (rt_test_ms() - began >= RT_LOCAL_ABSENT_MS)
        skip(); /* this machine stood still for a second */
    while (start_line("z\n") != RT_OK) {
        assert_true(rt_test_ms() < began + 10000);
        rt_test_sleep(10);
    }
    assert_true(rt_test_ms() - began >= RT_LOCAL_ABSENT_MS);
    int fd = accept_from(listener);
    expect(fd, "z\n");
    close(fd);
    close(listener);
}

/* Another path is another server: what is known of the first does not count. */
static void test_another_path(void **state) {
    char first[100];
    (void)state;
    assert_int_equal(start_line("x\n"), RT_ENOENT);
    snprintf(first, sizeof first, "%s", path);
    snprintf(path, sizeof path, "%s/other.sock", folder);
    int listener = listen_here(5);
    assert_int_equal(start_line("x\n"), RT_OK);
    rt_buf_puts(&client.line, RT_LIT("y\n"));
    assert_int_equal(rt_local_client_start(&client, first), RT_ENOENT);
    close(listener);
}

static void test_a_new_server_gets_the_line(void **state) {
    (void)state;
    int listener = listen_here(5);
    assert_int_equal(start_line("one\n"), RT_OK);
    int fd = accept_from(listener);
    expect(fd, "one\n");
    close(fd);
    close(listener);
    listener = listen_here(5);
    assert_int_equal(start_line("two\n"), RT_OK); /* noticed and replaced within the call */
    fd = accept_from(listener);
    expect(fd, "two\n");
    close(fd);
    close(listener);
}

static void test_gone_for_good(void **state) {
    (void)state;
    int listener = listen_here(5);
    assert_int_equal(start_line("one\n"), RT_OK);
    close(listener);
    assert_int_equal(start_line("two\n"), RT_ENOENT);
    rt_local_client_explain(&client, why, sizeof why);
    assert_non_null(strstr(why, "Connection refused"));
}

/* --- a server that reads slowly, or not at all --- */

typedef struct reader {
    int listener;
    size_t n;        /* bytes it wants in the end, on its last connection */
    int close_after; /* connections it closes after some bytes before that */
    bool whole;
} reader;

static void *read_all(void *arg) {
    reader *r = arg;
    static char piece[65536];
    size_t got = 0;
    for (;;) {
        int fd = accept(r->listener, NULL, NULL);
        if (fd < 0)
            break; /* the test has shut it: nobody will come */
        rt_test_sleep(50);
        for (ssize_t n = 1; got < r->n && n > 0; got += n > 0 ? (size_t)n : 0) {
            n = recv(fd, piece, sizeof piece, 0);
            if (r->close_after > 0)
                break;
        }
        close(fd);
        if (r->close_after-- <= 0)
            break;
        got = 0;
    }
    r->whole = got == r->n;
    return NULL;
}

static int send_large(reader *r, size_t n) {
    pthread_t thread;
    r->n = n;
    r->listener = listen_here(5);
    assert_int_equal(pthread_create(&thread, NULL, read_all, r), 0);
    assert_int_equal(rt_buf_reserve(&client.line, n), RT_OK);
    memset(client.line.p, 'x', n);
    client.line.n = n;
    int status = rt_local_client_start(&client, path);
    assert_int_equal(status, RT_AGAIN);
    status = rt_local_client_finish(&client, NULL);
    rt_local_client_fini(&client);
    if (status != RT_OK)
        shutdown(r->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(r->listener);
    return status;
}

static void test_more_than_the_kernel_takes(void **state) {
    reader r = {0};
    (void)state;
    assert_int_equal(send_large(&r, 5 << 20), RT_OK);
    assert_true(r.whole);
    assert_int_equal(client.line.cap, 0); /* its memory is given back */
}

/* In the middle of a line the connection is closed: the next gets all of it. */
static void test_closed_in_the_middle(void **state) {
    reader r = {.close_after = 1};
    (void)state;
    assert_int_equal(send_large(&r, 5 << 20), RT_OK);
    assert_true(r.whole);
}

static void test_closed_again_and_again(void **state) {
    reader r = {.close_after = 2};
    (void)state;
    assert_int_equal(send_large(&r, 5 << 20), RT_ECLOSED);
    rt_local_client_explain(&client, why, sizeof why);
    assert_non_null(strstr(why, "the server closed the connection"));
}

static void test_never_reads(void **state) {
    (void)state;
    int listener = listen_here(5);
    char *line = malloc(2000001);
    assert_non_null(line);
    memset(line, 'x', 2000000);
    line[2000000] = '\0';
    uint64_t began = rt_test_ms();
    assert_int_equal(start_line(line), RT_AGAIN);
    assert_int_equal(rt_local_client_finish(&client, NULL), RT_ECLOSED);
    assert_true(rt_test_ms() - began >= RT_LOCAL_WAIT_MS);
    assert_true(rt_test_ms() - began < RT_LOCAL_WAIT_MS + 10000);
    rt_local_client_explain(&client, why, sizeof why);
    assert_non_null(strstr(why, "the server does not read"));
    assert_int_equal(start_line("at once\n"), RT_ENOENT); /* and not a second for each */
    free(line);
    close(listener);
}

typedef struct late_acceptor {
    int listener;
    int accepted[2]; /* open until the client has written to them */
} late_acceptor;

static void *accept_late(void *arg) {
    late_acceptor *late = arg;
    rt_test_sleep(100);
    for (int i = 0; i < 2; i++)
        late->accepted[i] = accept(late->listener, NULL, NULL);
    return NULL;
}

/* The backlog is full: it is waited for a place in it. */
static void test_backlog_is_full(void **state) {
    rt_local_client others[2];
    pthread_t thread;
    (void)state;
    int listener = listen_here(0);
    int status = RT_OK, n = 0;
    while (n < 2) { /* Linux lets one more wait than the backlog says */
        rt_local_client_init(&others[n]);
        rt_buf_puts(&others[n].line, RT_LIT("x\n"));
        status = rt_local_client_start(&others[n], path);
        n++;
        if (status == RT_AGAIN)
            break;
    }
    assert_int_equal(status, RT_AGAIN);
    assert_int_equal(others[n - 1].fd, -1);
    late_acceptor late = {.listener = listener};
    assert_int_equal(pthread_create(&thread, NULL, accept_late, &late), 0);
    assert_int_equal(rt_local_client_finish(&others[n - 1], NULL), RT_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(late.accepted[0]);
    close(late.accepted[1]);
    while (n > 0)
        rt_local_client_fini(&others[--n]);
    close(listener);
}

/* After each vain wait the pause is longer. It is short again once the server has read. */
static void test_pauses_grow(void **state) {
    static char line[2000001], piece[65536];
    (void)state;
    int listener = listen_here(5);
    memset(line, 'x', sizeof line - 1);
    for (uint32_t pause = RT_LOCAL_ABSENT_MS; pause <= 4 * RT_LOCAL_ABSENT_MS; pause *= 2) {
        uint64_t before = rt_test_ms();
        client.absent_until = 0; /* the pause before is over */
        assert_int_equal(start_line(line), RT_AGAIN);
        assert_int_equal(rt_local_client_finish(&client, NULL), RT_ECLOSED);
        assert_int_equal(client.pause_ms, pause);
        assert_true(client.absent_until >= before + pause);
    }
    client.pause_ms = RT_LOCAL_PAUSE_MAX_MS - 1;
    client.absent_until = 0;
    assert_int_equal(start_line("taken by the kernel\n"), RT_OK);
    assert_int_equal(start_line("and this\n"), RT_OK);
    assert_int_equal(client.pause_ms, RT_LOCAL_PAUSE_MAX_MS - 1); /* nobody has read them */
    for (int i = 0; i < 3; i++) {
        int dropped = accept_from(listener);
        while (recv(dropped, piece, sizeof piece, 0) > 0)
            continue;
        close(dropped);
    }
    int fd = accept_from(listener);
    expect(fd, "taken by the kernel\nand this\n");
    assert_int_equal(start_line("read\n"), RT_OK);
    assert_int_equal(client.pause_ms, 0);
    close(fd);
    close(listener);
}

static void test_pauses_end(void **state) {
    (void)state;
    int listener = listen_here(0);
    rt_local_client others[2];
    for (int i = 0; i < 2; i++) { /* the backlog is full: no byte needs to be written */
        rt_local_client_init(&others[i]);
        rt_buf_puts(&others[i].line, RT_LIT("x\n"));
        assert_int_not_equal(rt_local_client_start(&others[i], path), RT_ENOENT);
    }
    snprintf(client.path, sizeof client.path, "%s", path);
    client.pause_ms = RT_LOCAL_PAUSE_MAX_MS - 1;
    assert_int_equal(start_line("x\n"), RT_AGAIN);
    assert_int_equal(rt_local_client_finish(&client, NULL), RT_ECLOSED);
    assert_int_equal(client.pause_ms, RT_LOCAL_PAUSE_MAX_MS);
    for (int i = 0; i < 2; i++)
        rt_local_client_fini(&others[i]);
    close(listener);
}

/* --- another user's --- */

/* A child of another user listens at `path` and takes what comes; its pid. */
static pid_t start_squatter(int *ready) {
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        char got[100];
        if (setuid(65534) != 0)
            _exit(1);
        int listener = listen_here(5);
        chmod(path, 0666);
        if (write(pipe_ends[1], "x", 1) != 1)
            _exit(2);
        int fd = accept_from(listener);
        _exit(recv(fd, got, sizeof got, 0) == 0 ? 0 : 3); /* the end, and not one byte before */
    }
    close(pipe_ends[1]);
    *ready = pipe_ends[0];
    return child;
}

static void test_another_user_gets_nothing(void **state) {
    int ready, status;
    char byte, expected[300];
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t child = start_squatter(&ready);
    assert_int_equal(read(ready, &byte, 1), 1);
    assert_int_equal(start_line("secret\n"), RT_EPERM);
    rt_local_client_explain(&client, why, sizeof why);
    snprintf(expected, sizeof expected,
             "%s: another user's process listens there, and only this user's or root's may", path);
    assert_string_equal(why, expected);
    assert_int_equal(client.line.n, 0);
    assert_int_equal(start_line("secret\n"), RT_ENOENT); /* not looked at again at once */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ready);
}

/* --- fork --- */

/* The child's line comes on a connection of its own; the parent's is as it was. */
static void test_fork(void **state) {
    int status;
    (void)state;
    int listener = listen_here(5);
    assert_int_equal(start_line("parent\n"), RT_OK);
    int fd = accept_from(listener);
    pid_t child = fork();
    if (child == 0) {
        int inherited = client.fd;
        rt_local_client_forget(&client);
        if (client.fd != -1 || send(inherited, "x", 1, MSG_NOSIGNAL) >= 0 || errno != EBADF)
            _exit(1);
        _exit(start_line("child\n") == RT_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int second = accept_from(listener);
    expect(second, "child\n");
    assert_int_equal(start_line("again\n"), RT_OK);
    expect(fd, "parent\nagain\n");
    close(second);
    close(fd);
    close(listener);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_folder(test_lines_arrive),
        with_folder(test_nobody_there),
        with_folder(test_absence_is_remembered),
        with_folder(test_another_path),
        with_folder(test_a_new_server_gets_the_line),
        with_folder(test_gone_for_good),
        with_folder(test_more_than_the_kernel_takes),
        with_folder(test_closed_in_the_middle),
        with_folder(test_closed_again_and_again),
        with_folder(test_never_reads),
        with_folder(test_backlog_is_full),
        with_folder(test_pauses_grow),
        with_folder(test_pauses_end),
        with_folder(test_another_user_gets_nothing),
        with_folder(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
