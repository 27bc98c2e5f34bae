/* The process's one publisher of each kind, under locks that fork takes too. */
#include "server/remote.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/local.h"
#include "net/local_client.h"
#include "net/publisher.h"
#include "server/pid.h"

#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that is about Redis */
static rt_publisher *publisher;
static char *publisher_url;
static pid_t owner;
static pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;
static rt_local_client local = {.fd = -1};
static pid_t local_owner;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* Who publishes holds one of the locks and no other; a fork takes them in this order. */
static void before_fork(void) {
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&local_lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&local_lock);
    pthread_mutex_unlock(&lock);
}

/* What Redis needed is freed at the first publish. */
static void in_child(void) {
    if (publisher)
        rt_publisher_close_copy(publisher);
    rt_local_client_forget(&local);
    local_owner = rt_pid();
    after_fork();
}

static void watch_fork(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

static void drop_publisher(void) {
    if (publisher && owner == rt_pid())
        rt_publisher_free(publisher);
    else if (publisher)
        rt_publisher_forget(publisher);
    publisher = NULL;
    rt_free(publisher_url);
    publisher_url = NULL;
}

static int have_publisher(const char *url, char *why, size_t why_len) {
    if (publisher && owner == rt_pid() && strcmp(publisher_url, url) == 0)
        return RT_OK;
    drop_publisher();
    publisher_url = rt_alloc(strlen(url) + 1);
    if (!publisher_url)
        return RT_ENOMEM;
    memcpy(publisher_url, url, strlen(url) + 1);
    owner = rt_pid();
    return rt_publisher_new(url, &publisher, why, why_len);
}

/* Takes a lock; the caller is told when somebody has it. False: it was told. */
static bool take_lock(pthread_mutex_t *which, rt_remote_before_wait *before_wait, void *arg) {
    if (pthread_mutex_trylock(which) == 0)
        return true;
    before_wait(arg);
    pthread_mutex_lock(which);
    return false;
}

int rt_remote_publish(const char *url, const rt_event *e, rt_remote_before_wait *before_wait,
                      void *arg, char *why, size_t why_len) {
    rt_buf envelope = RT_BUF_INIT;
    pthread_once(&fork_once, watch_fork);
    int status = rt_envelope_put(&envelope, RT_EMPTY, e);
    bool untold = take_lock(&lock, before_wait, arg);
    if (status == RT_OK)
        status = have_publisher(url, why, why_len);
    if (status == RT_OK) {
        rt_publisher_tell_before_wait(publisher, untold ? before_wait : NULL, arg);
        status =
            rt_publisher_send(publisher, RT_LIT("events"), rt_buf_slice(&envelope), why, why_len);
    }
    pthread_mutex_unlock(&lock);
    rt_buf_fini(&envelope);
    return status;
}

/* In a child made past the fork handlers. */
static void check_local_owner(void) {
    if (local_owner == rt_pid())
        return;
    if (local_owner != 0)
        rt_local_client_forget(&local);
    local_owner = rt_pid();
}

static int collect(const rt_event *e, char *why, size_t why_len) {
    if (e->message.n > RT_LOCAL_LINE_MAX) {
        snprintf(why, why_len, "the message has %zu bytes, and a line at most %u", e->message.n,
                 RT_LOCAL_LINE_MAX);
        return RT_ELIMIT;
    }
    rt_envelope_put(&local.line, RT_EMPTY, e);
    int status = rt_buf_putc(&local.line, '\n');
    if (status == RT_OK && local.line.n - 1 <= RT_LOCAL_LINE_MAX)
        return RT_OK;
    rt_local_client_clear(&local);
    return status == RT_OK ? RT_ELIMIT : status;
}

int rt_remote_publish_local(const char *path, const rt_event *e, rt_remote_before_wait *before_wait,
                            void *arg, char *why, size_t why_len) {
    pthread_once(&fork_once, watch_fork);
    bool untold = take_lock(&local_lock, before_wait, arg);
    check_local_owner();
    int status = collect(e, why, why_len);
    if (status == RT_OK)
        status = rt_local_client_start(&local, path);
    if (status == RT_AGAIN) {
        if (untold)
            before_wait(arg);
        status = rt_local_client_finish(&local);
    }
    if (status == RT_ENOENT || status == RT_ECLOSED)
        rt_local_client_explain(&local, why, why_len);
    pthread_mutex_unlock(&local_lock);
    return status;
}
