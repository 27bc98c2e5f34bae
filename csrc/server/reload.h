/* Reading the configuration again while the server runs.
 *
 * The thread that asks for it reads it (rt_server_reload): the environment belongs to the host
 * program, which may change it while another thread reads. The server thread only adopts the
 * result.
 *
 * Ownership: see below. Thread: the loop's. Must not know: where the values come from. */
#ifndef RT_SERVER_RELOAD_H
#define RT_SERVER_RELOAD_H

#include "server/instance.h"

/* Adopts each changed value of `fresh` that a running server can adopt, and logs it. Logs a warning
 * for each other changed value, which needs a restart. Takes `fresh`. */
void rt_instance_reload(rt_instance *in, rt_config *fresh);

#endif
