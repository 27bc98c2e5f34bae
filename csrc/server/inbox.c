/* The inbox: one list, one mutex; a wake-up only when the list was empty. */
#include "server/inbox.h"

#include "base/status.h"
#include "server/server.h"

#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rt_loop *open_loop; /* NULL: closed. Written under the lock */
static rt_inbox_item *first;
static rt_inbox_item **last = &first;
static size_t bytes;
static enum { RUNNING, ASKED, HELD } hold;
static pthread_cond_t hold_changed = PTHREAD_COND_INITIALIZER;

void rt_inbox_open(rt_loop *loop) {
    pthread_mutex_lock(&lock);
    __atomic_store_n(&open_loop, loop, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
}

/* Without the lock: who puts something in looks again, under it. */
bool rt_inbox_is_open(void) {
    return __atomic_load_n(&open_loop, __ATOMIC_RELAXED) != NULL;
}

static rt_inbox_item *take_all(void) {
    rt_inbox_item *items = first;
    first = NULL;
    last = &first;
    bytes = 0;
    return items;
}

rt_inbox_item *rt_inbox_close(void) {
    pthread_mutex_lock(&lock);
    __atomic_store_n(&open_loop, NULL, __ATOMIC_RELAXED);
    rt_inbox_item *items = take_all();
    pthread_mutex_unlock(&lock);
    return items;
}

bool rt_inbox_take(const rt_loop *loop, rt_inbox_item **items) {
    pthread_mutex_lock(&lock);
    if (loop == open_loop && hold == ASKED) {
        hold = HELD;
        pthread_cond_broadcast(&hold_changed);
    }
    while (loop == open_loop && hold == HELD)
        pthread_cond_wait(&hold_changed, &lock);
    bool ours = loop == open_loop;
    *items = ours ? take_all() : NULL;
    pthread_mutex_unlock(&lock);
    return ours;
}

int rt_inbox_put(rt_inbox_item *item) {
    int status = RT_OK;
    pthread_mutex_lock(&lock);
    if (!open_loop) {
        status = RT_ENOENT;
    } else if (item->kind == RT_INBOX_PUBLISH && bytes + item->bytes > RT_INBOX_MAX_BYTES) {
        status = RT_ELIMIT;
    } else {
        bool was_empty = first == NULL;
        item->next = NULL;
        *last = item;
        last = &item->next;
        bytes += item->bytes;
        if (was_empty)
            rt_loop_wake(open_loop);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* Under the lock. Asks again when another thread's fork has let the server thread go. */
static void hold_thread(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += RT_INBOX_HOLD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int code = 0;
    while (open_loop && hold != HELD && code == 0) {
        if (hold == RUNNING) {
            hold = ASKED;
            rt_loop_wake(open_loop);
        }
        code = pthread_cond_timedwait(&hold_changed, &lock, &until);
    }
}

void rt_inbox_lock(void) {
    pthread_mutex_lock(&lock);
    hold_thread();
}

void rt_inbox_unlock(void) {
    hold = RUNNING;
    pthread_cond_broadcast(&hold_changed);
    pthread_mutex_unlock(&lock);
}

void rt_inbox_abandon_in_child(void) {
    __atomic_store_n(&open_loop, NULL, __ATOMIC_RELAXED);
    hold = RUNNING;
    hold_changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER; /* those who waited are not here */
    take_all();
    pthread_mutex_unlock(&lock);
}
