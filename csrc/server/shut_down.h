/* The end of a running server, in two steps. First it takes nothing more in, delivers what it has
 * taken, and closes the sessions. Then it waits, for a while, until clients have got what they are
 * owed and other servers what is to be forwarded, and drops all connections.
 *
 * Clients get no Socket.IO DISCONNECT, which is final to them: they are to come back.
 *
 * Ownership: the timer is the instance's. Thread: the loop's, or that which starts it and fails. */
#ifndef RT_SERVER_SHUT_DOWN_H
#define RT_SERVER_SHUT_DOWN_H

#include "base/timers.h"

#include <stdint.h>

struct rt_instance;

/* Waiting for what is owed. */
typedef struct rt_last_words {
    rt_timerq due;
    rt_timer look;
    uint64_t until; /* ms, of the loop's clock */
} rt_last_words;

/* Ends the loop at last, which may be at once. The second call changes nothing. */
void rt_instance_shut_down(struct rt_instance *in, uint32_t patience_ms);

#endif
