/* A bitmap of descriptors under a mutex. */
#include "net/fds.h"

#include "base/alloc.h"
#include "base/status.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *bits;
static size_t bytes;

static int reserve(size_t wanted) {
    if (wanted <= bytes)
        return RT_OK;
    size_t grown = (wanted + 127) / 128 * 128;
    uint8_t *p = rt_realloc(bits, grown);
    if (!p)
        return RT_ENOMEM;
    memset(p + bytes, 0, grown - bytes);
    bits = p;
    bytes = grown;
    return RT_OK;
}

int rt_fds_add(int fd) {
    pthread_mutex_lock(&lock);
    int status = reserve((size_t)fd / 8 + 1);
    if (status == RT_OK)
        bits[fd / 8] |= (uint8_t)(1u << (fd % 8));
    pthread_mutex_unlock(&lock);
    return status;
}

void rt_fds_forget(int fd) {
    pthread_mutex_lock(&lock);
    if ((size_t)fd / 8 < bytes)
        bits[fd / 8] &= (uint8_t) ~(1u << (fd % 8));
    pthread_mutex_unlock(&lock);
}

void rt_fds_close(int fd) {
    shutdown(fd, SHUT_RDWR);
    rt_fds_close_ours(fd);
}

void rt_fds_close_ours(int fd) {
    pthread_mutex_lock(&lock);
    if ((size_t)fd / 8 < bytes)
        bits[fd / 8] &= (uint8_t) ~(1u << (fd % 8));
    close(fd); /* under the lock: a fork in between would leave it open, unrecorded, in the child */
    pthread_mutex_unlock(&lock);
}

void rt_fds_lock(void) {
    pthread_mutex_lock(&lock);
}

void rt_fds_unlock(void) {
    pthread_mutex_unlock(&lock);
}

void rt_fds_close_in_child(void) {
    for (size_t i = 0; i < bytes * 8; i++)
        if (bits[i / 8] & (1u << (i % 8)))
            close((int)i);
    if (bytes)
        memset(bits, 0, bytes);
    pthread_mutex_unlock(&lock);
}
