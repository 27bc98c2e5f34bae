/* Starts, runs and stops the server thread.
 *
 * The lock is never held during slow work. `phase` says what is under way, and a start or stop
 * waits until it is IDLE. So a fork takes the lock, and waits only for BUILDING, where another
 * thread is inside libraries; a stop that waits for its thread (JOINING) does not delay a fork. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "process/server.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "process/clock.h"
#include "process/inbox.h"
#include "process/log_sink.h"
#include "process/messages.h"
#include "process/requests.h"
#include "server/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct running {
    rt_instance *instance;
    pthread_t thread;
    bool ended;  /* the thread has nothing more to do */
    bool joined; /* and was joined */
    struct running *next_late;
} running;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t changed;                           /* phase or an `ended` has changed */
static enum { IDLE, BUILDING /* or freeing */, JOINING } phase;
static running *current;
static running *late; /* threads that did not end within the deadline of their stop */
static pid_t owner;   /* the process that `current` belongs to */

void rt_server_init(void) {
    rt_cond_init(&changed);
}

static void set_phase(int to) {
    pthread_mutex_lock(&lock);
    phase = to;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Until set_phase(IDLE), no other thread can start or stop the server. */
static void begin_to_build(void) {
    pthread_mutex_lock(&lock);
    while (phase != IDLE)
        pthread_cond_wait(&changed, &lock);
    phase = BUILDING;
    pthread_mutex_unlock(&lock);
}

/* The same for a stop. False: another start or stop is still under way at `until`. */
static bool begin_to_stop(const struct timespec *until) {
    int code = 0;
    pthread_mutex_lock(&lock);
    while (phase != IDLE && code == 0)
        code = pthread_cond_timedwait(&changed, &lock, until);
    bool begun = phase == IDLE;
    if (begun)
        phase = JOINING;
    pthread_mutex_unlock(&lock);
    return begun;
}

/* A forked child inherits the pointer but not the thread, and must not touch what it owned. */
static bool mine(void) {
    return current && owner == getpid();
}

/* --- the thread --- */

static int reload_handlers(void) {
    return rt_requests_put(RT_REQUEST_RELOAD);
}

static void on_wake(rt_instance *in) {
    rt_inbox_item *items;
    if (rt_inbox_take(&in->loop, &items))
        rt_messages_carry_out(in, items);
    else
        rt_instance_shut_down(in, 0); /* nobody waits for this thread any more */
}

static void *thread_main(void *arg) {
    running *r = arg;
    pthread_setname_np(pthread_self(), "frappe_rt");
    rt_instance_run(r->instance);
    rt_inbox_thread_ended(&r->instance->loop);
    pthread_mutex_lock(&lock);
    r->ended = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The thread blocks all signals: their handlers belong to the host program. */
static int start_thread(running *r) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&r->thread, NULL, thread_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return code == 0 ? RT_OK : RT_EIO;
}

/* With the lock. A thread that has ended does nothing but return. */
static void join(running *r) {
    if (!r->joined)
        pthread_join(r->thread, NULL);
    r->joined = true;
}

/* With the lock, which is given up meanwhile. False: the thread has not ended by `until`; else it
 * is gone. Only who starts or stops may call it: nobody else frees `r`. */
static bool await_end(running *r, const struct timespec *until) {
    int code = 0;
    while (!r->ended && code == 0)
        code = pthread_cond_timedwait(&changed, &lock, until);
    if (r->ended)
        join(r);
    return r->ended;
}

static void running_free(running *r) {
    rt_instance_free(r->instance);
    rt_free(r);
}

/* --- those left behind --- */

/* Unlinks and returns the first late server whose thread ends by `until`. */
static running *take_late(const struct timespec *until) {
    running *r = NULL;
    pthread_mutex_lock(&lock);
    for (running **at = &late; *at && !r; at = &(*at)->next_late) {
        if (!await_end(*at, until))
            continue;
        r = *at;
        *at = r->next_late;
        break;
    }
    pthread_mutex_unlock(&lock);
    return r;
}

/* Frees late servers whose threads end by `until`. */
static void free_late(const struct timespec *until) {
    running *r;
    while ((r = take_late(until)))
        running_free(r);
}

/* --- start --- */

/* A host process may have closed 0, 1 or 2. A socket that took such a number would get what is
 * printed there, and libuv aborts when it has to close one. So they lead nowhere from now on; a
 * program that this process starts finds them closed, as before. */
static void take_standard_descriptors(void) {
    int fd;
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
        continue;
    if (fd >= 0)
        close(fd);
}

static int start(rt_config *config, const rt_handed *handed, rt_server_address *where, char *why,
                 size_t why_len) {
    rt_surroundings around = {handed, on_wake, reload_handlers, rt_log_lines_lost};
    running *r = rt_alloc0(sizeof *r);
    if (!r) {
        rt_config_fini(config);
        return RT_ENOMEM;
    }
    int status = rt_instance_new(config, &around, where, &r->instance, why, why_len);
    if (status != RT_OK) {
        rt_free(r);
        return status;
    }
    rt_inbox_open(&r->instance->loop);
    status = start_thread(r);
    if (status != RT_OK) {
        int saved = errno;
        snprintf(why, why_len, "cannot start the server's thread: %s", strerror(saved));
        rt_messages_drop(rt_inbox_close());
        r->joined = true; /* there is none */
        running_free(r);
        errno = saved;
        return status;
    }
    owner = getpid();
    current = r;
    return RT_OK;
}

int rt_server_start(rt_config *config, const rt_handed *handed, rt_server_address *where, char *why,
                    size_t why_len) {
    int status = RT_ECLOSED;
    *why = '\0';
    begin_to_build();
    struct timespec now = rt_deadline_in(0);
    free_late(&now);
    take_standard_descriptors();
    if (mine())
        rt_config_fini(config);
    else
        status = start(config, handed, where, why, why_len);
    int saved = errno;
    set_phase(IDLE);
    errno = saved;
    return status;
}

/* --- stop --- */

/* The thread is stuck in a callback and will take nothing more from the inbox. */
static void leave_behind(running *r, uint32_t deadline_ms) {
    unsigned lost = rt_messages_drop(rt_inbox_close());
    pthread_mutex_lock(&lock);
    r->next_late = late;
    late = r;
    pthread_mutex_unlock(&lock);
    rt_loop_wake(&r->instance->loop); /* the message to stop may have been dropped, too */
    rt_log(RT_LOG_ERROR, "server",
           "the server thread did not end within %u ms; lost %u event%s that it had not taken",
           deadline_ms, lost, lost == 1 ? "" : "s");
}

static int stop(uint32_t deadline_ms, const struct timespec *until) {
    running *r = current;
    int status = rt_messages_stop(rt_ms_until(until) / 4 * 3); /* the rest: for the thread to end */
    if (status != RT_OK)
        return status;
    pthread_mutex_lock(&lock);
    bool ended = await_end(r, until);
    current = NULL;
    phase = BUILDING;
    pthread_mutex_unlock(&lock);
    if (!ended) {
        leave_behind(r, deadline_ms);
        return RT_AGAIN;
    }
    rt_messages_drop(rt_inbox_close());
    running_free(r);
    return RT_OK;
}

int rt_server_stop(uint32_t deadline_ms) {
    struct timespec until = rt_deadline_in(deadline_ms);
    if (!begin_to_stop(&until))
        return RT_AGAIN;
    struct timespec now = rt_deadline_in(0);
    bool runs = mine();
    int status = runs ? stop(deadline_ms, &until) : RT_ENOENT;
    free_late(runs ? &now : &until);
    set_phase(IDLE);
    return status;
}

bool rt_server_running(void) {
    return rt_inbox_is_open();
}

/* --- fork --- */

static bool late_ones_run(void) {
    for (const running *r = late; r; r = r->next_late)
        if (!r->ended)
            return true;
    return false;
}

/* A thread that builds or frees a server, or was left behind, may be inside libraries: wait for
 * it, but not beyond `until`. A server thread that runs, or stops in time, stands still for the
 * fork (inbox.h). */
void rt_server_before_fork(const struct timespec *until) {
    int code = 0;
    pthread_mutex_lock(&lock);
    while ((phase == BUILDING || late_ones_run()) && code == 0)
        code = pthread_cond_timedwait(&changed, &lock, until);
    for (running *r = late; r; r = r->next_late)
        if (r->ended)
            join(r);
}

void rt_server_after_fork(void) {
    pthread_mutex_unlock(&lock);
}

/* Abandons the memory of the servers: the state that their threads left it in is unknown. */
void rt_server_in_child(void) {
    current = late = NULL;
    phase = IDLE;
    rt_cond_init(&changed); /* its waiters do not exist in the child */
    pthread_mutex_unlock(&lock);
}
