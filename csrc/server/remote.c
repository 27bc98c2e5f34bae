/* The process's one publisher, under a lock that fork takes too. */
#include "server/remote.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/publisher.h"

#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rt_publisher *publisher;
static char *publisher_url;
static pid_t owner;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

static void watch_fork(void) {
    pthread_atfork(before_fork, after_fork, after_fork);
}

static void drop_publisher(void) {
    if (publisher && owner == getpid())
        rt_publisher_free(publisher);
    else if (publisher)
        rt_publisher_forget(publisher);
    publisher = NULL;
    rt_free(publisher_url);
    publisher_url = NULL;
}

static int have_publisher(const char *url, char *why, size_t why_len) {
    if (publisher && owner == getpid() && strcmp(publisher_url, url) == 0)
        return RT_OK;
    drop_publisher();
    publisher_url = rt_alloc(strlen(url) + 1);
    if (!publisher_url)
        return RT_ENOMEM;
    memcpy(publisher_url, url, strlen(url) + 1);
    owner = getpid();
    return rt_publisher_new(url, &publisher, why, why_len);
}

int rt_remote_publish(const char *url, rt_slice envelope, char *why, size_t why_len) {
    pthread_once(&fork_once, watch_fork);
    pthread_mutex_lock(&lock);
    int status = have_publisher(url, why, why_len);
    if (status == RT_OK)
        status = rt_publisher_send(publisher, RT_LIT("events"), envelope, why, why_len);
    pthread_mutex_unlock(&lock);
    return status;
}
