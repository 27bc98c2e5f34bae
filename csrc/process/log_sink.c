/* Writes a line without blocking, to any kind of descriptor. */
#define _GNU_SOURCE /* splice */
#include "process/log_sink.h"

#include "base/log.h"
#include "net/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1200 /* at most PIPE_BUF: a pipe takes such a line whole or not at all */

static atomic_int log_fd = 2;
static atomic_ullong lost;
static atomic_ullong lost_told; /* how many of `lost` were reported */

/* Writes if poll says that it will not block. Another process may fill it in between, so this is
 * the last resort. */
static ssize_t write_if_ready(int fd, const char *line, size_t n) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 1 && ready.revents & POLLOUT)
        return write(fd, line, n);
    errno = EAGAIN;
    return -1;
}

/* O_NONBLOCK is shared with other holders of this pipe, so we may not set it. But a splice from
 * a pipe of our own can be told not to block. */
static ssize_t splice_pipe(int fd, const char *line, size_t n) {
    int own[2];
    if (pipe2(own, O_CLOEXEC | O_NONBLOCK) != 0)
        return write_if_ready(fd, line, n);
    ssize_t wrote = write(own[1], line, n);
    if (wrote > 0)
        wrote = splice(own[0], NULL, fd, NULL, (size_t)wrote, SPLICE_F_NONBLOCK);
    int error = errno;
    close(own[0]);
    close(own[1]);
    errno = error;
    return wrote < 0 && error == EINVAL ? write_if_ready(fd, line, n) : wrote;
}

/* A description of our own, with O_NONBLOCK. -1: there is no /proc, or the pipe or terminal is
 * another user's, as behind a supervisor that runs as root, or su. */
static int open_anew(int fd) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static ssize_t write_and_close(int own, const char *line, size_t n) {
    ssize_t wrote = write(own, line, n);
    int error = errno;
    close(own);
    errno = error;
    return wrote;
}

/* A pipe that may be opened anew takes lines one behind the other. Spliced, each line takes a page
 * of it, so that a burst fills it sooner; but that needs no right to open it. */
static ssize_t write_pipe(int fd, const char *line, size_t n) {
    int own = open_anew(fd);
    return own >= 0 ? write_and_close(own, line, n) : splice_pipe(fd, line, n);
}

static ssize_t write_device(int fd, const char *line, size_t n) {
    int own = open_anew(fd);
    return own >= 0 ? write_and_close(own, line, n) : write_if_ready(fd, line, n);
}

static ssize_t write_now(int fd, const char *line, size_t n) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    if (S_ISSOCK(st.st_mode))
        return send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (S_ISFIFO(st.st_mode))
        return write_pipe(fd, line, n);
    if (S_ISCHR(st.st_mode))
        return write_device(fd, line, n);
    return write(fd, line, n);
}

static bool put(const char *line, size_t n) {
    rt_sigpipe sigpipe;
    rt_sigpipe_block(&sigpipe);
    ssize_t wrote = write_now(atomic_load(&log_fd), line, n);
    rt_sigpipe_unblock(&sigpipe);
    return wrote == (ssize_t)n;
}

/* Formats a whole line; cuts a longer one. */
static size_t make_line(char line[LINE_SIZE], enum rt_log_level level, const char *part,
                        const char *text) {
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    char stamp[32];
    struct timespec now;
    struct tm day;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &day);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &day);
    int n = snprintf(line, LINE_SIZE, "%s,%03ld %s frappe_rt.%s %s\n", stamp, now.tv_nsec / 1000000,
                     names[level], part, text);
    if (n < 0)
        return 0;
    size_t len = n < LINE_SIZE ? (size_t)n : LINE_SIZE - 1;
    line[len - 1] = '\n';
    return len;
}

/* The first line that can be written after a loss is preceded by one that reports it. */
static bool tell_lost(void) {
    char line[LINE_SIZE], text[100];
    unsigned long long all = atomic_load(&lost);
    unsigned long long told = atomic_exchange(&lost_told, all);
    if (told >= all)
        return true;
    snprintf(text, sizeof text, "lost %llu log line%s before this one: nobody read the log",
             all - told, all - told == 1 ? "" : "s");
    size_t n = make_line(line, RT_LOG_WARN, "log", text);
    if (put(line, n))
        return true;
    atomic_store(&lost_told, told);
    return false;
}

static void sink(enum rt_log_level level, const char *part, const char *text) {
    char line[LINE_SIZE];
    size_t n = make_line(line, level, part, text);
    if (!tell_lost() || !put(line, n))
        atomic_fetch_add(&lost, 1);
}

void rt_log_to(int level, int fd) {
    atomic_store(&log_fd, fd);
    rt_log_set_sink(sink, (enum rt_log_level)level);
}

uint64_t rt_log_lines_lost(void) {
    return atomic_load(&lost);
}
