/* Requests: a mask and an eventfd. */
#include "process/requests.h"

#include "base/status.h"
#include "net/fds.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Never closed while the process lives: another thread's put may be about to write to it. */
static atomic_int event_fd = -1;
static atomic_bool taken_here;
static atomic_uint waiting;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static int make(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return RT_EIO;
    int status = rt_fds_add(fd);
    if (status != RT_OK) {
        close(fd);
        return status;
    }
    atomic_store(&event_fd, fd);
    return RT_OK;
}

int rt_requests_open(int *fd) {
    pthread_mutex_lock(&opening);
    int status = atomic_load(&event_fd) < 0 ? make() : RT_OK;
    pthread_mutex_unlock(&opening);
    if (status != RT_OK)
        return status;
    *fd = atomic_load(&event_fd);
    atomic_store(&taken_here, true);
    return RT_OK;
}

void rt_requests_close(void) {
    atomic_store(&taken_here, false);
    rt_requests_take();
}

int rt_requests_put(enum rt_request request) {
    if (!atomic_load(&taken_here))
        return RT_ENOENT;
    uint64_t one = 1;
    atomic_fetch_or(&waiting, (unsigned)request);
    ssize_t n = write(atomic_load(&event_fd), &one, sizeof one);
    (void)n; /* fails only at a count of 2^64 - 2, when it is readable anyway */
    return RT_OK;
}

unsigned rt_requests_take(void) {
    uint64_t count;
    int fd = atomic_load(&event_fd);
    if (fd >= 0 && read(fd, &count, sizeof count) != sizeof count)
        return 0;
    return atomic_exchange(&waiting, 0);
}

void rt_requests_before_fork(void) {
    pthread_mutex_lock(&opening);
}

void rt_requests_after_fork(void) {
    pthread_mutex_unlock(&opening);
}

void rt_requests_in_child(void) {
    atomic_store(&event_fd, -1);
    atomic_store(&taken_here, false);
    atomic_store(&waiting, 0);
    pthread_mutex_unlock(&opening);
}
