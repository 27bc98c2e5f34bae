/* The address of the web process. Only the configuration decides it, never a client's Origin. The
 * server's own requests and those of handler hosts use the same address.
 *
 * Ownership: the caller's buffer. Thread: any. Must not know: who calls the web process. */
#ifndef RT_SERVER_WEB_ADDRESS_H
#define RT_SERVER_WEB_ADDRESS_H

#include "config/config.h"

/* Appends the URL without a path, for example "http://127.0.0.1:8000". */
void rt_web_address_put(const rt_config *c, rt_buf *b);

#endif
