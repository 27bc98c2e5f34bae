/* Log lines of the server thread, one write each, to a descriptor. */
#include "base/log.h"
#include "server/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int log_fd = 2;

static void sink(enum rt_log_level level, const char *part, const char *text) {
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    char line[1200], stamp[32];
    struct timespec now;
    struct tm day;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &day);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &day);
    int n = snprintf(line, sizeof line, "%s,%03ld %s frappe_rt.%s %s\n", stamp,
                     now.tv_nsec / 1000000, names[level], part, text);
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    line[len - 1] = '\n';
    ssize_t wrote = write(log_fd, line, len);
    (void)wrote; /* nobody to tell */
}

void rt_server_log_to(int level, int fd) {
    log_fd = fd;
    rt_log_set_sink(sink, (enum rt_log_level)level);
}
