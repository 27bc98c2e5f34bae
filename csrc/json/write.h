/* JSON text, appended to a buffer.
 *
 * Ownership: the caller's buffer, whose sticky error is the only result. Thread: the owner's.
 * Must not know: what the text means; structure is the caller's business. */
#ifndef RT_JSON_WRITE_H
#define RT_JSON_WRITE_H

#include "base/buf.h"

/* A quoted string: `"`, `\` and control characters escaped, everything else as it is. `text` must
 * be valid UTF-8. */
int rt_json_put_str(rt_buf *b, rt_slice text);

/* `"key":` with a comma before it unless the buffer is empty or ends in `{` or `[`. */
int rt_json_put_key(rt_buf *b, rt_slice key);
int rt_json_put_member_str(rt_buf *b, rt_slice key, rt_slice text);
int rt_json_put_member_u64(rt_buf *b, rt_slice key, uint64_t v);
/* `raw` is JSON text already. */
int rt_json_put_member_raw(rt_buf *b, rt_slice key, rt_slice raw);

#endif
