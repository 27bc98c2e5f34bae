/* The server of this process: what becomes of events around a stop, and what a fork waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "process/clock.h"
#include "process/process.h"
#include "process/server.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOUR_MS (3600u * 1000)

static char folder[64], path[108];
static rt_server_address where;

static int start_with(const char *overrides) {
    static const rt_handed nothing = {NULL, 0};
    char why[512];
    rt_config c;
    assert_int_equal(rt_config_load(&c, NULL, overrides, why, sizeof why), RT_OK);
    return rt_server_start(&c, &nothing, &where, why, sizeof why);
}

static int start_on_a_port(void) {
    return start_with("{\"socketio_port\":0,\"frappe_rt_host\":\"127.0.0.1\","
                      "\"frappe_rt_redis\":false,\"frappe_rt_local_socket\":\"off\"}");
}

static int start_on_a_file(void) {
    char overrides[400];
    snprintf(overrides, sizeof overrides,
             "{\"socketio_uds\":\"%s\",\"frappe_rt_redis\":false,"
             "\"frappe_rt_local_socket\":\"off\"}",
             path);
    return start_with(overrides);
}

static int publish(const char *message) {
    return rt_server_publish(
        &(rt_event){RT_LIT("one.localhost"), RT_EMPTY, RT_LIT("e"), rt_slice_of(message)});
}

static void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* --- a thread that is stuck: a broken event makes it log, and the log holds it --- */

static sem_t log_entered, log_may_go_on;
static atomic_bool log_holds;

static void holding_sink(enum rt_log_level level, const char *part, const char *text) {
    (void)level, (void)text;
    if (!atomic_load(&log_holds) || strcmp(part, "frappe") != 0)
        return;
    sem_post(&log_entered);
    sem_wait(&log_may_go_on);
}

static void hold_the_thread(void) {
    atomic_store(&log_holds, true);
    assert_int_equal(publish("{"), RT_OK);
    sem_wait(&log_entered);
    atomic_store(&log_holds, false);
}

static void let_the_thread_go(void) {
    sem_post(&log_may_go_on);
}

/* --- a stop in another thread --- */

static atomic_bool stop_ended;

static void *stop_with_patience(void *arg) {
    (void)arg;
    int status = rt_server_stop(HOUR_MS);
    atomic_store(&stop_ended, true);
    return status == RT_OK ? NULL : &stop_ended;
}

static pthread_t begin_to_stop(void) {
    pthread_t thread;
    atomic_store(&stop_ended, false);
    assert_int_equal(pthread_create(&thread, NULL, stop_with_patience, NULL), 0);
    while (rt_server_running())
        sleep_ms(1);
    return thread;
}

static void end_of_stop(pthread_t thread) {
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

/* --- tests --- */

static void test_start_and_stop(void **state) {
    (void)state;
    assert_false(rt_server_running());
    assert_int_equal(publish("1"), RT_ENOENT);
    assert_int_equal(rt_server_stop(0), RT_ENOENT);
    assert_int_equal(start_on_a_port(), RT_OK);
    assert_true(rt_server_running());
    assert_int_equal(start_on_a_port(), RT_ECLOSED);
    assert_int_equal(publish("1"), RT_OK);
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
    assert_false(rt_server_running());
    assert_int_equal(rt_server_lost(), 0);
}

/* Behind the word to stop nothing is taken, so that it takes another way. */
static void test_a_stopping_server_takes_nothing(void **state) {
    rt_buf figures = RT_BUF_INIT;
    (void)state;
    assert_int_equal(start_on_a_port(), RT_OK);
    hold_the_thread();
    assert_int_equal(publish("1"), RT_OK); /* it will be carried out */
    pthread_t stopping = begin_to_stop();
    assert_int_equal(publish("2"), RT_ENOENT);
    assert_int_equal(rt_server_stats(HOUR_MS, &figures), RT_ENOENT);
    let_the_thread_go();
    end_of_stop(stopping);
    assert_int_equal(rt_server_lost(), 0);
}

/* They are three allocations away: the question, its place in the inbox, and the first byte of the
 * answer, which the server's thread fails to get. */
static void test_figures_without_memory(void **state) {
    rt_buf figures = RT_BUF_INIT;
    (void)state;
    assert_int_equal(start_on_a_port(), RT_OK);
    for (long at = 1; at <= 3; at++) {
        rt_alloc_fail_at(at);
        assert_int_equal(rt_server_stats(HOUR_MS, &figures), RT_ENOMEM);
        assert_int_equal(rt_alloc_count(), at);
        rt_alloc_fail_at(0);
    }
    assert_int_equal(rt_server_stats(HOUR_MS, &figures), RT_OK);
    rt_buf_fini(&figures);
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
}

/* What was taken by a thread that then never looks at it is counted as lost. */
static void test_a_thread_left_behind_loses_what_it_has_not_seen(void **state) {
    (void)state;
    assert_int_equal(start_on_a_port(), RT_OK);
    hold_the_thread();
    uint64_t before = rt_server_lost();
    for (int i = 0; i < 3; i++)
        assert_int_equal(publish("1"), RT_OK);
    assert_int_equal(rt_server_stop(50), RT_AGAIN);
    assert_int_equal(rt_server_lost() - before, 3);
    assert_int_equal(publish("1"), RT_ENOENT);
    assert_int_equal(start_on_a_port(), RT_OK); /* beside it */
    let_the_thread_go();
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
    assert_int_equal(rt_server_stop(HOUR_MS), RT_ENOENT); /* waits for the late one */
}

/* The other stop ends only after this one has returned. */
static void test_a_stop_waits_for_another_within_its_deadline(void **state) {
    (void)state;
    assert_int_equal(start_on_a_port(), RT_OK);
    hold_the_thread();
    pthread_t stopping = begin_to_stop();
    assert_int_equal(rt_server_stop(0), RT_AGAIN);
    assert_int_equal(rt_server_stop(5), RT_AGAIN);
    assert_false(atomic_load(&stop_ended));
    let_the_thread_go();
    end_of_stop(stopping);
}

/* An hour would be over before the stop is. */
static void test_a_fork_does_not_wait_for_a_stop(void **state) {
    struct timespec until = rt_deadline_in(HOUR_MS);
    (void)state;
    assert_int_equal(start_on_a_port(), RT_OK);
    hold_the_thread();
    pthread_t stopping = begin_to_stop();
    rt_server_before_fork(&until);
    assert_false(atomic_load(&stop_ended));
    rt_server_after_fork();
    let_the_thread_go();
    end_of_stop(stopping);
}

static void *start_slowly(void *arg) {
    (void)arg;
    return start_on_a_file() == RT_OK ? NULL : &stop_ended;
}

/* A start that waits for the folder of its socket is waited for until the deadline only. */
static void test_a_fork_waits_for_a_start_within_its_deadline(void **state) {
    pthread_t starting;
    void *result;
    (void)state;
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(pthread_create(&starting, NULL, start_slowly, NULL), 0);
    for (int i = 0; i < 3; i++) {
        struct timespec now = rt_deadline_in(0);
        rt_server_before_fork(&now);
        rt_server_after_fork();
        sleep_ms(1);
    }
    close(lock);
    assert_int_equal(pthread_join(starting, &result), 0);
    assert_null(result);
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
}

#ifdef __SANITIZE_THREAD__
#define CHILD_MAY_START false /* ThreadSanitizer cannot start a thread in a forked child */
#else
#define CHILD_MAY_START true
#endif

/* A whole fork, beside a server and beside a stop: the child has neither. */
static void test_a_child_has_no_server(void **state) {
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        int status;
        assert_int_equal(start_on_a_port(), RT_OK);
        if (stops)
            hold_the_thread();
        pthread_t stopping = stops ? begin_to_stop() : pthread_self();
        pid_t child = fork();
        if (child == 0) {
            bool none = !rt_server_running() && rt_server_stop(0) == RT_ENOENT;
            bool own = !CHILD_MAY_START || (start_on_a_port() == RT_OK && publish("1") == RT_OK &&
                                            rt_server_stop(HOUR_MS) == RT_OK);
            _exit(none && own ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        if (stops) {
            assert_false(atomic_load(&stop_ended));
            let_the_thread_go();
            end_of_stop(stopping);
        } else {
            assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
        }
    }
}

static int bind_there(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, sizeof un.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static void test_a_stop_removes_its_own_file(void **state) {
    (void)state;
    assert_int_equal(start_on_a_file(), RT_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* A successor may have put its own in its place. */
static void test_a_stop_leaves_the_file_of_another_server(void **state) {
    (void)state;
    assert_int_equal(start_on_a_file(), RT_OK);
    unlink(path);
    int other = bind_there();
    assert_int_equal(rt_server_stop(HOUR_MS), RT_OK);
    assert_int_equal(access(path, F_OK), 0);
    close(other);
    unlink(path);
}

/* From the first step of a stop the place is free, while clients still get what they are owed. */
static void test_the_file_is_free_before_the_stop_has_ended(void **state) {
    (void)state;
    assert_int_equal(start_on_a_file(), RT_OK);
    hold_the_thread();
    pthread_t stopping = begin_to_stop();
    let_the_thread_go();
    while (access(path, F_OK) == 0)
        sleep_ms(1);
    int other = bind_there();
    end_of_stop(stopping);
    assert_int_equal(access(path, F_OK), 0);
    close(other);
    unlink(path);
}

static int init(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rt_server_XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s.sock", folder);
    sem_init(&log_entered, 0, 0);
    sem_init(&log_may_go_on, 0, 0);
    rt_log_set_sink(holding_sink, RT_LOG_WARN);
    return rt_process_init();
}

static int fini(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_stop),
        cmocka_unit_test(test_a_stopping_server_takes_nothing),
        cmocka_unit_test(test_figures_without_memory),
        cmocka_unit_test(test_a_thread_left_behind_loses_what_it_has_not_seen),
        cmocka_unit_test(test_a_stop_waits_for_another_within_its_deadline),
        cmocka_unit_test(test_a_fork_does_not_wait_for_a_stop),
        cmocka_unit_test(test_a_fork_waits_for_a_start_within_its_deadline),
        cmocka_unit_test(test_a_child_has_no_server),
        cmocka_unit_test(test_a_stop_removes_its_own_file),
        cmocka_unit_test(test_a_stop_leaves_the_file_of_another_server),
        cmocka_unit_test(test_the_file_is_free_before_the_stop_has_ended),
    };
    return cmocka_run_group_tests(tests, init, fini);
}
