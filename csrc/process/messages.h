/* The messages that go through the inbox: made by any thread, carried out by the server thread.
 *
 * Ownership: a message is freed once it was carried out or dropped; whoever waits for an answer is
 * told in both cases. Thread: as said. */
#ifndef RT_PROCESS_MESSAGES_H
#define RT_PROCESS_MESSAGES_H

#include "process/inbox.h"
#include "server/instance.h"

/* The server thread's: carries out a list, oldest first, and frees it. What is left behind the word
 * to stop is dropped. */
void rt_messages_carry_out(rt_instance *in, rt_inbox_item *first);

/* Frees a list that nobody will carry out. How many events were in it: they are lost, and counted
 * (rt_server_lost). */
unsigned rt_messages_drop(rt_inbox_item *first);

/* Any thread's: the word to stop, with the time that the end may take. RT_OK, RT_ENOENT, RT_ENOMEM.
 */
int rt_messages_stop(uint32_t patience_ms);

#endif
