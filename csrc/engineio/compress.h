/* Compresses polling answers. The only user of zlib.
 *
 * Ownership: the server object owns one compressor. It is made at first use: it takes a quarter of
 * a megabyte, which a server with WebSocket clients alone never needs. Thread: the loop's. Must not
 * know: what is compressed. */
#ifndef RT_ENGINEIO_COMPRESS_H
#define RT_ENGINEIO_COMPRESS_H

#include "base/msg.h"
#include "base/status.h"
#include "wire/coding.h"

typedef struct rt_eio_compressor rt_eio_compressor;

/* The bytes in that coding (gzip or deflate) as a new message; NULL: out of memory. `*c` is NULL
 * before the first call. */
RT_MUST_CHECK rt_msg *rt_eio_compress(rt_eio_compressor **c, enum rt_coding coding, rt_slice plain);
void rt_eio_compressor_free(rt_eio_compressor *c); /* NULL is fine */

#endif
