/* Publishing through Redis from this process: one connection, made by the first publish.
 *
 * Ownership: process-wide. Thread: any; may wait for Redis, so never the loop's.
 * Fork: a child inherits the connection, closes its copy without a word and makes its own. */
#ifndef RT_SERVER_REMOTE_H
#define RT_SERVER_REMOTE_H

#include "base/slice.h"

/* PUBLISH on `events`. RT_OK; RT_EINVAL (the URL), RT_ECLOSED or RT_EIO (Redis) with `why`;
 * RT_ENOMEM. */
int rt_remote_publish(const char *url, rt_slice envelope, char *why, size_t why_len);

#endif
