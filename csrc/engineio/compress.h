/* Compressing polling answers: the one owner of zlib.
 *
 * Ownership: a compressor belongs to the server object and is made at first use, since a server
 * whose clients all speak WebSocket never needs its quarter of a megabyte. Thread: the loop's.
 * Must not know: what is compressed. */
#ifndef RT_ENGINEIO_COMPRESS_H
#define RT_ENGINEIO_COMPRESS_H

#include "base/msg.h"
#include "wire/coding.h"

typedef struct rt_eio_compressor rt_eio_compressor;

/* The bytes in that coding (gzip or deflate) as a message; NULL: out of memory.
 * `*c` is NULL before the first call. */
rt_msg *rt_eio_compress(rt_eio_compressor **c, enum rt_coding coding, rt_slice plain);
void rt_eio_compressor_free(rt_eio_compressor *c); /* NULL is fine */

#endif
