/* The Accept-Encoding header: which content coding an answer may have (RFC 9110, 12.5.3).
 *
 * Ownership: none. Thread: any. Must not know: how anything is compressed. */
#ifndef RT_WIRE_CODING_H
#define RT_WIRE_CODING_H

#include "base/slice.h"

enum rt_coding { RT_CODING_IDENTITY, RT_CODING_GZIP, RT_CODING_DEFLATE, RT_CODINGS };

/* gzip or deflate, whichever has the higher weight, gzip when they are level; identity when neither
 * is acceptable. `*` stands for what is not named, a weight of 0 refuses, an item that cannot be
 * read is passed over. Without the header (empty) it is identity: the client may know no other. */
enum rt_coding rt_coding_choose(rt_slice accept_encoding);

/* The word of Content-Encoding; empty for identity. */
rt_slice rt_coding_name(enum rt_coding coding);

#endif
