/* Any bytes through the JSON scanner; what it accepts is walked to the last part, and what it
 * accepts from Python must be accepted strictly once it is fixed. */
#include "base/status.h"
#include "json/scan.h"
#include "json/write.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

/* Decodes a string and writes it again: both must agree on what it says. */
static void visit_string(rt_slice value) {
    rt_buf text = RT_BUF_INIT;
    int rc = rt_json_str_decode(value, &text);
    require(rc == RT_OK || rc == RT_EUTF8);
    rt_slice plain;
    if (rc == RT_OK) {
        require(rt_json_str_is(value, rt_buf_slice(&text)));
        require(!rt_json_str_plain(value, &plain) || rt_slice_eq(plain, rt_buf_slice(&text)));
        rt_buf again = RT_BUF_INIT;
        require(rt_json_put_str(&again, rt_buf_slice(&text)) == RT_OK);
        require(rt_json_check(rt_buf_slice(&again), RT_JSON_STRICT, NULL, NULL) == RT_OK);
        require(rt_json_str_is(rt_buf_slice(&again), rt_buf_slice(&text)));
        rt_buf_fini(&again);
    } else {
        require(!rt_json_str_plain(value, &plain));
    }
    rt_buf_fini(&text);
}

/* The last member of that name must be the one that rt_json_get finds. */
static void visit_member(rt_slice object, rt_slice key) {
    rt_buf name = RT_BUF_INIT;
    if (rt_json_str_decode(key, &name) == RT_OK) {
        rt_slice found = rt_json_get(object, rt_buf_slice(&name));
        require(rt_json_type_of(found) != RT_JSON_NONE);
    }
    rt_buf_fini(&name);
}

/* One level of a value; the parts that have parts themselves go on the stack. */
static void visit(rt_slice value, rt_buf *stack) {
    require(rt_json_check(value, RT_JSON_PYTHON_NUMBERS, NULL, NULL) == RT_OK);
    rt_json_iter it;
    rt_slice key, part;
    switch (rt_json_type_of(value)) {
    case RT_JSON_NONE:
        abort();
    case RT_JSON_STRING:
        visit_string(value);
        break;
    case RT_JSON_ARRAY:
        require(rt_json_iter_init(&it, value) == RT_OK);
        while (rt_json_next(&it, &part))
            require(rt_buf_put(stack, &part, sizeof(part)) == RT_OK);
        break;
    case RT_JSON_OBJECT:
        require(rt_json_iter_init(&it, value) == RT_OK);
        while (rt_json_next_pair(&it, &key, &part)) {
            visit_string(key);
            visit_member(value, key);
            require(rt_buf_put(stack, &part, sizeof(part)) == RT_OK);
        }
        break;
    default:
        require(rt_json_iter_init(&it, value) == RT_EJSON_TYPE);
        break;
    }
}

static void visit_all(rt_slice text) {
    rt_buf stack = RT_BUF_INIT; /* of slices */
    rt_slice next = text;
    for (;;) {
        visit(next, &stack);
        if (stack.n == 0)
            break;
        stack.n -= sizeof(next);
        memcpy(&next, stack.p + stack.n, sizeof(next));
    }
    rt_buf_fini(&stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rt_slice text = rt_slice_make(data, size);
    size_t at = 0;
    unsigned count = 0;
    int strict = rt_json_check(text, RT_JSON_STRICT, NULL, &at);
    require(strict == RT_OK || at <= size);
    int rc = rt_json_check(text, RT_JSON_PYTHON_NUMBERS, &count, &at);
    if (rc) {
        require(at <= size);
        require(strict != RT_OK);
        return 0;
    }
    require((strict == RT_OK) == (count == 0));
    visit_all(text);

    rt_buf fixed = RT_BUF_INIT;
    require(rt_json_copy_fixed(text, &fixed) == RT_OK);
    require(rt_json_check(rt_buf_slice(&fixed), RT_JSON_STRICT, NULL, NULL) == RT_OK);
    require(count > 0 || rt_slice_eq(rt_buf_slice(&fixed), text));
    rt_buf_fini(&fixed);
    return 0;
}
