/* Reading the configuration again while the server runs.
 *
 * It is read by whoever asks (server.h: rt_server_reload), since the environment is the host
 * program's and may change under a thread; the server thread only takes over what is new.
 *
 * Ownership: see below. Thread: the loop's. Must not know: where the values come from. */
#ifndef RT_SERVER_RELOAD_H
#define RT_SERVER_RELOAD_H

#include "server/instance.h"

/* Takes the values of `fresh` that a running server may take, and logs each; what has changed and
 * counts from the next start only is logged as well. Frees `fresh`. */
void rt_instance_reload(rt_instance *in, rt_config *fresh);

#endif
