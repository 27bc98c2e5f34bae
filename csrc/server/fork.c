/* pthread_atfork handlers. */
#include "server/fork.h"

#include "base/status.h"
#include "net/fds.h"
#include "server/inbox.h"
#include "server/requests.h"

#include <pthread.h>

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;

void rt_life_lock(void) {
    pthread_mutex_lock(&life);
}

void rt_life_unlock(void) {
    pthread_mutex_unlock(&life);
}

static void prepare(void) {
    rt_life_lock();
    rt_server_await_late(RT_INBOX_HOLD_MS);
    rt_inbox_lock();
    rt_fds_lock();
}

static void in_parent(void) {
    rt_fds_unlock();
    rt_inbox_unlock();
    rt_life_unlock();
}

static void in_child(void) {
    rt_fds_close_in_child();
    rt_inbox_abandon_in_child();
    rt_requests_forget();
    rt_server_forget_late();
    rt_life_unlock();
}

static int registered;

static void watch_once(void) {
    registered = pthread_atfork(prepare, in_parent, in_child) == 0;
}

int rt_fork_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_once);
    return registered ? RT_OK : RT_ENOMEM;
}
