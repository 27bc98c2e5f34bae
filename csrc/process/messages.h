/* The messages in the inbox: made by any thread, carried out by the server thread.
 *
 * Ownership: a message is freed once it is carried out or dropped; in both cases a caller that
 * waits for an answer is woken. Thread: given for each function. */
#ifndef RT_PROCESS_MESSAGES_H
#define RT_PROCESS_MESSAGES_H

#include "base/status.h"
#include "process/inbox.h"
#include "server/instance.h"

/* Server thread only. Carries out a list, oldest first, and frees it. Drops what comes after the
 * message to stop. */
void rt_messages_carry_out(rt_instance *in, rt_inbox_item *first);

/* Frees a list that nobody will carry out. Returns the number of events in it; they are lost,
 * and counted in rt_server_lost. */
unsigned rt_messages_drop(rt_inbox_item *first);

/* Any thread. Asks the server to stop within `patience_ms`. RT_OK, RT_ENOENT, RT_ENOMEM.
 */
RT_MUST_CHECK int rt_messages_stop(uint32_t patience_ms);

#endif
