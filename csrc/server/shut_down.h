/* Stops a running server in two steps:
 *
 *     1. Accept nothing more, deliver what has arrived, close the sessions.
 *     2. Wait until pending data has been sent to clients and to other servers, or until
 * patience_ms have passed. Then drop all connections.
 *
 * Clients get no Socket.IO DISCONNECT: after that they would not reconnect.
 *
 * Ownership: the timer belongs to the instance. Thread: the loop's; after a failed start,
 * the thread that tried it. */
#ifndef RT_SERVER_SHUT_DOWN_H
#define RT_SERVER_SHUT_DOWN_H

#include "base/timers.h"

#include <stdint.h>

struct rt_instance;

/* The state of step 2. */
typedef struct rt_last_words {
    rt_timerq due;
    rt_timer look;
    uint64_t until; /* ms, of the loop's clock */
} rt_last_words;

/* Starts the stop. It ends the loop when it is done, maybe at once. Later calls do nothing. */
void rt_instance_shut_down(struct rt_instance *in, uint32_t patience_ms);

#endif
