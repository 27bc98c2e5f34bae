/* One deflate stream for each coding; it is reset for each answer. */
#include "engineio/compress.h"

#include "base/alloc.h"

#include <zlib.h>

#define WINDOW_BITS 15     /* zlib's and HTTP's largest window */
#define GZIP_WRAPPER 16    /* added to the window bits: a gzip header instead of zlib's */
#define MEMORY_LEVEL 8     /* zlib's default */
#define LEVEL Z_BEST_SPEED /* the loop waits; JSON shrinks well at any level */

struct rt_eio_compressor {
    z_stream streams[RT_CODINGS];
    bool ready[RT_CODINGS];
};

static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    return rt_alloc((size_t)items * size);
}

static void zlib_free(voidpf opaque, voidpf p) {
    (void)opaque;
    rt_free(p);
}

/* The stream, reset; NULL: no memory. */
static z_stream *stream_of(rt_eio_compressor *c, enum rt_coding coding) {
    z_stream *z = &c->streams[coding];
    if (c->ready[coding])
        return deflateReset(z) == Z_OK ? z : NULL;
    z->zalloc = zlib_alloc;
    z->zfree = zlib_free;
    int bits = coding == RT_CODING_GZIP ? WINDOW_BITS + GZIP_WRAPPER : WINDOW_BITS;
    if (deflateInit2(z, LEVEL, Z_DEFLATED, bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    c->ready[coding] = true;
    return z;
}

rt_msg *rt_eio_compress(rt_eio_compressor **c, enum rt_coding coding, rt_slice plain) {
    if (!*c)
        *c = rt_alloc0(sizeof **c);
    z_stream *z = *c ? stream_of(*c, coding) : NULL;
    if (!z)
        return NULL;
    rt_msg *m = rt_msg_new(deflateBound(z, plain.n));
    if (!m)
        return NULL;
    z->next_in = (z_const Bytef *)plain.p;
    z->avail_in = (uInt)plain.n;
    z->next_out = (Bytef *)m->data;
    z->avail_out = m->cap;
    int done = deflate(z, Z_FINISH); /* the room is deflateBound's, so one call is enough */
    m->len = (uint32_t)z->total_out;
    if (done == Z_STREAM_END)
        return m;
    rt_msg_rele(m);
    return NULL;
}

void rt_eio_compressor_free(rt_eio_compressor *c) {
    for (int coding = 0; c && coding < RT_CODINGS; coding++)
        if (c->ready[coding])
            deflateEnd(&c->streams[coding]);
    rt_free(c);
}
