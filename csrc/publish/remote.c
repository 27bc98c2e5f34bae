/* The process's one connection of each kind, and the turns to use it.
 *
 * One thread at a time uses a connection and marks it `busy`. It holds the lock while it works,
 * but releases it while it waits, so that a fork finds everything in a consistent state. */
#include "publish/remote.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/local.h"
#include "publish/local_client.h"
#include "publish/pid.h"
#include "publish/publisher.h"

#include <pthread.h>
#include <stdio.h>

/* The right to use a connection. */
typedef struct turn {
    pthread_mutex_t lock;
    pthread_cond_t free;
    bool busy;
} turn;

#define TURN_INIT                                                                                  \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false }

static turn redis_turn = TURN_INIT;
static rt_publisher *publisher;
static char *publisher_url;
static pid_t owner;

static turn local_turn = TURN_INIT;
static rt_local_client local = {.fd = -1};
static pid_t local_owner;

/* --- turns --- */

/* One publish: its turn, and the callback before its first wait. */
typedef struct use {
    turn *turn;
    rt_remote_before_wait *before_wait; /* NULL once called */
    void *arg;
} use;

static void tell(use *u) {
    rt_remote_before_wait *before_wait = u->before_wait;
    u->before_wait = NULL;
    if (before_wait)
        before_wait(u->arg);
}

static void wait_begins(void *arg) {
    use *u = arg;
    tell(u);
    pthread_mutex_unlock(&u->turn->lock);
}

static void wait_ends(void *arg) {
    pthread_mutex_lock(&((use *)arg)->turn->lock);
}

static void begin(use *u) {
    turn *t = u->turn;
    if (pthread_mutex_trylock(&t->lock) != 0) {
        tell(u);
        pthread_mutex_lock(&t->lock);
    }
    while (t->busy) {
        tell(u);
        pthread_cond_wait(&t->free, &t->lock);
    }
    t->busy = true;
}

static void end(turn *t) {
    t->busy = false;
    pthread_cond_signal(&t->free);
    pthread_mutex_unlock(&t->lock);
}

static void turn_in_child(turn *t) {
    t->busy = false;
    t->free = (pthread_cond_t)PTHREAD_COND_INITIALIZER; /* its waiters do not exist in the child */
    pthread_mutex_unlock(&t->lock);
}

/* --- fork --- */

/* A publish holds one of these locks at a time, so their order does not matter. */
void rt_remote_before_fork(void) {
    pthread_mutex_lock(&redis_turn.lock);
    pthread_mutex_lock(&local_turn.lock);
}

void rt_remote_after_fork(void) {
    pthread_mutex_unlock(&local_turn.lock);
    pthread_mutex_unlock(&redis_turn.lock);
}

/* The publisher's memory is freed at the child's first publish. */
void rt_remote_in_child(void) {
    if (publisher)
        rt_publisher_close_copy(publisher);
    rt_local_client_forget(&local);
    local_owner = rt_pid();
    turn_in_child(&local_turn);
    turn_in_child(&redis_turn);
}

/* --- through Redis --- */

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

int rt_remote_publish(const char *url, const rt_event *e, rt_remote_before_wait *before_wait,
                      void *arg, char *why, size_t why_len) {
    rt_buf envelope = RT_BUF_INIT;
    use u = {&redis_turn, before_wait, arg};
    rt_waits waits = {wait_begins, wait_ends, &u};
    int status = rt_envelope_put(&envelope, RT_EMPTY, e);
    begin(&u);
    if (status == RT_OK)
        status = have_publisher(url, why, why_len);
    if (status == RT_OK)
        status = rt_publisher_send(publisher, RT_LIT(RT_FRAPPE_CHANNEL), rt_buf_slice(&envelope),
                                   &waits, why, why_len);
    end(&redis_turn);
    rt_buf_fini(&envelope);
    return status;
}

/* --- through the local socket --- */

/* In a child whose fork bypassed the fork handlers. */
static void check_local_owner(void) {
    if (local_owner == rt_pid())
        return;
    if (local_owner != 0)
        rt_local_client_forget(&local);
    local_owner = rt_pid();
}

static int collect(const rt_event *e, char *why, size_t why_len) {
    if (e->message.n > RT_LOCAL_LINE_MAX) {
        snprintf(why, why_len, "the message has %zu bytes, more than the %u of a line",
                 e->message.n, RT_LOCAL_LINE_MAX);
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
    use u = {&local_turn, before_wait, arg};
    rt_waits waits = {wait_begins, wait_ends, &u};
    begin(&u);
    check_local_owner();
    int status = collect(e, why, why_len);
    if (status == RT_OK)
        status = rt_local_client_start(&local, path);
    if (status == RT_AGAIN)
        status = rt_local_client_finish(&local, &waits);
    if (status == RT_ENOENT || status == RT_ECLOSED || status == RT_EPERM)
        rt_local_client_explain(&local, why, why_len);
    end(&local_turn);
    return status;
}
