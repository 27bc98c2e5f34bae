/* The table of steps around a fork. */
#include "process/fork.h"

#include "base/status.h"
#include "net/fds.h"
#include "process/clock.h"
#include "process/inbox.h"
#include "process/requests.h"
#include "process/server.h"
#include "publish/remote.h"

typedef struct step {
    void (*before)(const struct timespec *until);
    void (*in_parent)(void);
    void (*in_child)(void);
} step;

static void lock_publishing(const struct timespec *until) {
    (void)until; /* these locks are never held while something waits */
    rt_remote_before_fork();
}

static void lock_requests(const struct timespec *until) {
    (void)until; /* held for an eventfd(2) at most */
    rt_requests_before_fork();
}

static void lock_descriptors(const struct timespec *until) {
    (void)until; /* held for a close(2) at most */
    rt_fds_lock();
}

/* The order of all process-wide locks: a thread that holds one may take a lower one, never a
 * higher one. Before a fork they are taken from the top down, and released from the bottom up
 * afterwards, so that the child closes the descriptors first.
 *
 * Of the steps that may take long, holding the server thread is the last: it stands still until
 * the fork is done. */
static const step steps[] = {
    {lock_publishing, rt_remote_after_fork, rt_remote_in_child},
    {rt_server_before_fork, rt_server_after_fork, rt_server_in_child},
    {lock_requests, rt_requests_after_fork, rt_requests_in_child},
    {rt_inbox_before_fork, rt_inbox_after_fork, rt_inbox_in_child},
    {lock_descriptors, rt_fds_unlock, rt_fds_close_in_child},
};
#define STEPS (sizeof steps / sizeof steps[0])

static void prepare(void) {
    struct timespec until = rt_deadline_in(RT_FORK_WAIT_MS);
    for (size_t i = 0; i < STEPS; i++)
        steps[i].before(&until);
}

static void in_parent(void) {
    for (size_t i = STEPS; i > 0; i--)
        steps[i - 1].in_parent();
}

static void in_child(void) {
    for (size_t i = STEPS; i > 0; i--)
        steps[i - 1].in_child();
}

int rt_fork_register(void) {
    return pthread_atfork(prepare, in_parent, in_child) == 0 ? RT_OK : RT_ENOMEM;
}
