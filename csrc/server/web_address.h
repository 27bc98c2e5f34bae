/* Where the web process is, by the configuration alone: a client's Origin never decides which host
 * is called. One rule for the server's own requests and for those of handler hosts.
 *
 * Ownership: the caller's buffer. Thread: any. Must not know: who calls the web process. */
#ifndef RT_SERVER_WEB_ADDRESS_H
#define RT_SERVER_WEB_ADDRESS_H

#include "config/config.h"

/* Appends "http://127.0.0.1:8000", say, to which a path is added. */
void rt_web_address_put(const rt_config *c, rt_buf *b);

#endif
