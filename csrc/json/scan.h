/* Validating JSON scanner over slices: it checks text and finds the parts of it, builds no tree,
 * keeps no state, does not recurse.
 *
 * It accepts exactly what JSON.parse accepts (RFC 8259, valid UTF-8, no raw control characters),
 * because what it lets through is forwarded to browsers as it is: one bad byte would make every
 * browser close its socket. The one concession is RT_JSON_PYTHON_NUMBERS.
 *
 * Ownership: none; results are slices of the input. Thread: any.
 * Must not know: what the text means. */
#ifndef RT_JSON_SCAN_H
#define RT_JSON_SCAN_H

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

/* Deepest nesting accepted: above what any application sends, and within a 128-byte bit stack. */
#define RT_JSON_DEPTH_MAX 1024

enum rt_json_flags {
    RT_JSON_STRICT = 0,
    /* Accept the words NaN, Infinity and -Infinity, which Python's encoder writes; they are counted
     * so that the caller can replace them (rt_json_copy_fixed). */
    RT_JSON_PYTHON_NUMBERS = 1,
};

enum rt_json_type {
    RT_JSON_NONE, /* not the start of a value */
    RT_JSON_NULL,
    RT_JSON_BOOL,
    RT_JSON_NUMBER,
    RT_JSON_STRING,
    RT_JSON_ARRAY,
    RT_JSON_OBJECT,
};

/* Checks that `text` is one JSON value with optional white space (space, \t, \n, \r) around it.
 * RT_OK, RT_EJSON_SYNTAX, RT_EJSON_DEPTH or RT_EUTF8. On RT_OK `*python_numbers` (may be
 * NULL) counts the words accepted by the flag. On error `*error_at` (may be NULL) is the offset of
 * the first byte that cannot be: text.n when the text ends too early, the bracket that is one too
 * deep, or the start of the character that is no UTF-8. */
RT_MUST_CHECK int rt_json_check(rt_slice text, enum rt_json_flags flags, unsigned *python_numbers,
                                size_t *error_at);

/* ---- everything below takes text that rt_json_check has accepted ---- */

/* The value without the white space around it. */
rt_slice rt_json_trim(rt_slice value);
enum rt_json_type rt_json_type_of(rt_slice value);

/* Walks an array or object. Start with rt_json_iter_init; each _next gives one element (for an
 * object `key` is the raw string with its quotes). False at the end. `value` is trimmed. */
typedef struct rt_json_iter {
    const char *at;
    const char *end;
} rt_json_iter;
/* RT_OK, or RT_EJSON_TYPE when the value is neither array nor object. */
RT_MUST_CHECK int rt_json_iter_init(rt_json_iter *it, rt_slice value);
RT_MUST_CHECK bool rt_json_next(rt_json_iter *it, rt_slice *value);                     /* array */
RT_MUST_CHECK bool rt_json_next_pair(rt_json_iter *it, rt_slice *key, rt_slice *value); /* object */

/* The value of the last member called `key` (as JSON.parse: the last one wins), or an empty slice
 * when there is none or the value is no object.
 * `key` is plain text; a member whose raw key holds escapes is compared decoded. */
rt_slice rt_json_get(rt_slice object, rt_slice key);

/* True when `value` is a string whose decoded text is `text`. */
bool rt_json_str_is(rt_slice value, rt_slice text);

/* Appends the decoded text of a string value. RT_EJSON_TYPE when it is not a string, RT_EUTF8 when
 * it holds a lone surrogate escape (legal in JSON, but no UTF-8 text); then nothing is appended. */
RT_MUST_CHECK int rt_json_str_decode(rt_slice value, rt_buf *out);
/* The decoded text without copying, when the string has no escapes: true and *text set. */
RT_MUST_CHECK bool rt_json_str_plain(rt_slice value, rt_slice *text);

/* Appends `text` with NaN, Infinity and -Infinity replaced by null. RT_OK or the buffer's error. */
int rt_json_copy_fixed(rt_slice text, rt_buf *out);

#endif
