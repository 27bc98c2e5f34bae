/* SIGPIPE of one write. */
#include "net/sigpipe.h"

#include <errno.h>
#include <time.h>

static sigset_t pipe_only(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

void rt_sigpipe_block(rt_sigpipe *s) {
    sigset_t pending, set = pipe_only();
    sigemptyset(&pending);
    s->blocked = sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE) &&
                 pthread_sigmask(SIG_BLOCK, &set, &s->before) == 0;
}

void rt_sigpipe_unblock(const rt_sigpipe *s) {
    const struct timespec at_once = {0, 0};
    sigset_t set = pipe_only();
    int error = errno;
    if (!s->blocked)
        return;
    while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
        continue;
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    errno = error;
}
