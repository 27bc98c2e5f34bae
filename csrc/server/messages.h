/* The messages that go through the inbox: made by the functions of server.h, carried out by the
 * server thread.
 *
 * Ownership: a message is freed once it was carried out or dropped; whoever waits for an answer is
 * told in both cases. Thread: making, any; the rest as said. */
#ifndef RT_SERVER_MESSAGES_H
#define RT_SERVER_MESSAGES_H

#include "server/inbox.h"
#include "server/instance.h"

#include <time.h>

typedef struct rt_stats_ask rt_stats_ask;

/* The figures, to who asked for them; NULL: there are none any more. The server thread's, or of
 * who has joined it. Takes the ask. */
void rt_message_answer_stats(const rt_instance *in, rt_stats_ask *ask);
void rt_message_free(rt_inbox_item *item);
void rt_messages_drop(rt_inbox_item *first);

/* So many milliseconds from now. */
struct timespec rt_deadline_in(clockid_t clock, uint32_t ms);

#endif
