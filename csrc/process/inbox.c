/* The inbox: one list, one mutex; a wake-up only when the list was empty. */
#include "process/inbox.h"

#include "base/status.h"
#include "process/clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static rt_loop *the_loop;                                /* NULL: none */
static bool accepts;      /* written under the lock, read without it */
static bool thread_ended; /* the thread of the_loop */
static rt_inbox_item *first;
static rt_inbox_item **last = &first;
static size_t bytes;
static enum { RUNNING, ASKED, HELD } hold;
static pthread_cond_t hold_changed;

void rt_inbox_init(void) {
    rt_cond_init(&hold_changed);
}

static void set_accepts(bool value) {
    __atomic_store_n(&accepts, value, __ATOMIC_RELAXED);
}

void rt_inbox_open(rt_loop *loop) {
    pthread_mutex_lock(&lock);
    the_loop = loop;
    thread_ended = false;
    set_accepts(true);
    pthread_mutex_unlock(&lock);
}

/* Reads without the lock; rt_inbox_put checks again under it. */
bool rt_inbox_is_open(void) {
    return __atomic_load_n(&accepts, __ATOMIC_RELAXED);
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
    set_accepts(false);
    the_loop = NULL;
    rt_inbox_item *items = take_all();
    pthread_mutex_unlock(&lock);
    return items;
}

bool rt_inbox_take(const rt_loop *loop, rt_inbox_item **items) {
    pthread_mutex_lock(&lock);
    if (loop == the_loop && hold == ASKED) {
        hold = HELD;
        pthread_cond_broadcast(&hold_changed);
    }
    while (loop == the_loop && hold == HELD)
        pthread_cond_wait(&hold_changed, &lock);
    bool ours = loop == the_loop;
    *items = ours ? take_all() : NULL;
    pthread_mutex_unlock(&lock);
    return ours;
}

void rt_inbox_thread_ended(const rt_loop *loop) {
    pthread_mutex_lock(&lock);
    if (loop == the_loop) {
        thread_ended = true;
        pthread_cond_broadcast(&hold_changed);
    }
    pthread_mutex_unlock(&lock);
}

static void append(rt_inbox_item *item) {
    bool was_empty = first == NULL;
    item->next = NULL;
    *last = item;
    last = &item->next;
    bytes += item->bytes;
    if (item->kind == RT_INBOX_STOP)
        set_accepts(false);
    if (was_empty)
        rt_loop_wake(the_loop);
}

int rt_inbox_put(rt_inbox_item *item) {
    int status = RT_OK;
    pthread_mutex_lock(&lock);
    if (!accepts)
        status = RT_ENOENT;
    else if (item->kind == RT_INBOX_PUBLISH && bytes + item->bytes > RT_INBOX_MAX_BYTES)
        status = RT_ELIMIT;
    else
        append(item);
    pthread_mutex_unlock(&lock);
    return status;
}

/* Loops, because another thread's fork may have let the server thread go meanwhile. */
void rt_inbox_before_fork(const struct timespec *until) {
    int code = 0;
    pthread_mutex_lock(&lock);
    while (the_loop && !thread_ended && hold != HELD && code == 0) {
        if (hold == RUNNING) {
            hold = ASKED;
            rt_loop_wake(the_loop);
        }
        code = pthread_cond_timedwait(&hold_changed, &lock, until);
    }
}

void rt_inbox_after_fork(void) {
    hold = RUNNING;
    pthread_cond_broadcast(&hold_changed);
    pthread_mutex_unlock(&lock);
}

/* The items belong to the server thread, which does not exist in the child: they are
 * abandoned, not freed. */
void rt_inbox_in_child(void) {
    set_accepts(false);
    the_loop = NULL;
    hold = RUNNING;
    rt_cond_init(&hold_changed); /* its waiters do not exist in the child */
    take_all();
    pthread_mutex_unlock(&lock);
}
