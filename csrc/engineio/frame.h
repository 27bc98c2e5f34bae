/* The form in which rt_eio_send wants its messages: complete frames, built once for everybody.
 *
 * A transport that is no WebSocket takes them apart again. Ownership: caller's memory.
 * Thread: any. It keeps the layer above from knowing what a frame is made of. */
#ifndef RT_ENGINEIO_FRAME_H
#define RT_ENGINEIO_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes in front of a packet of n bytes. */
size_t rt_eio_frame_head_len(size_t n);
/* Writes them; returns where the packet goes. */
char *rt_eio_frame_put_head(char *at, bool binary, size_t n);

#endif
