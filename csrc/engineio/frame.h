/* Writes the frames that rt_eio_send wants, so that the layer above need not know their bytes.
 *
 * A message is framed once for all its receivers; a transport that is no WebSocket removes the
 * frames again. Ownership: caller's memory. Thread: any. Must not know: what is sent. */
#ifndef RT_ENGINEIO_FRAME_H
#define RT_ENGINEIO_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the head of a frame with n bytes. */
size_t rt_eio_frame_head_len(size_t n);
/* Writes the head; returns where the n bytes go. */
char *rt_eio_frame_put_head(char *at, bool binary, size_t n);

#endif
