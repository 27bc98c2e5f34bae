/* Where the local socket is. The server and its clients both ask here, so they agree.
 *
 * Ownership: the caller's buffers. Thread: any. */
#ifndef RT_CONFIG_LOCAL_PATH_H
#define RT_CONFIG_LOCAL_PATH_H

#include "base/status.h"
#include "config/config.h"

#define RT_LOCAL_PATH_SIZE 108 /* of sun_path, with its NUL */

/* RT_OK; RT_ENOENT: none is wanted; RT_EINVAL: the configured path cannot be used. For both, `why`
 * says why. */
RT_MUST_CHECK int rt_local_path(const rt_config *c, char out[RT_LOCAL_PATH_SIZE], char *why,
                                size_t why_len);

/* Appends the member `"local_socket":"path"`, or `"no_local_socket":"why"`. */
int rt_local_put_path(const rt_config *c, rt_buf *out);

#endif
