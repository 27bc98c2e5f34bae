/* Initialisation, once per process. */
#include "process/process.h"

#include "process/fork.h"
#include "process/inbox.h"
#include "process/server.h"

#include <pthread.h>

static int status;

static void init_once(void) {
    rt_inbox_init();
    rt_server_init();
    status = rt_fork_register();
}

int rt_process_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    return status;
}
