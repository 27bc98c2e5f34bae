/* Any text through the decoder, and any bytes through the encoders and back. */
#include "base/alloc.h"
#include "base/digest.h"
#include "base/status.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

static void must_decode_to(rt_slice text, rt_slice bytes) {
    rt_buf out = RT_BUF_INIT;
    require(rt_base64_decode(text, &out) == RT_OK);
    require(rt_slice_eq(rt_buf_slice(&out), bytes));
    rt_buf_fini(&out);
}

static void round_trip(rt_slice bytes) {
    size_t padded = RT_BASE64_LEN(bytes.n);
    size_t bare = (bytes.n * 4 + 2) / 3;
    char *text = rt_alloc(padded);
    char *url = rt_alloc(bare);
    require(text && url);
    rt_base64_encode(bytes, text);
    rt_base64url_encode(bytes, url);
    must_decode_to(rt_slice_make(text, padded), bytes);
    must_decode_to(rt_slice_make(text, bare), bytes);
    must_decode_to(rt_slice_make(url, bare), bytes);
    rt_free(text);
    rt_free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rt_slice in = rt_slice_make(data, size);
    round_trip(in);
    rt_buf out = RT_BUF_INIT;
    int rc = rt_base64_decode(in, &out);
    require(rc == RT_OK || (rc == RT_EINVAL && out.n == 0));
    if (rc == RT_OK)
        require(out.n <= size / 4 * 3 + 2);
    rt_buf_fini(&out);
    return 0;
}
