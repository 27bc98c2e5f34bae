/* Any bytes as a form with a payload in it, as a payload to be made a script, and as an
 * Accept-Encoding header. */
#include "base/status.h"
#include "base/utf8.h"
#include "engineio/payload.h"
#include "wire/coding.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

static void fuzz_form(rt_slice text) {
    rt_buf out;
    rt_buf_init(&out, 0);
    int status = rt_eio_payload_from_form(text, &out);
    require(status == RT_OK || (status == RT_EINVAL && out.n == 0));
    require(out.n <= text.n);
    rt_buf_fini(&out);
}

/* Nothing in it may end the string early, or the line. */
static void fuzz_script(rt_slice text) {
    rt_msg *m = rt_eio_payload_jsonp(RT_LIT("0"), text);
    require(m != NULL);
    rt_slice script = rt_msg_slice(m);
    require(rt_slice_starts(script, RT_LIT("___eio[0](\"")));
    require(rt_slice_eq(rt_slice_from(script, script.n - 3), RT_LIT("\");")));
    for (size_t i = 11; i < script.n - 3; i++) {
        require(script.p[i] != '"' && (unsigned char)script.p[i] >= 0x20);
        i += script.p[i] == '\\';
    }
    rt_msg_rele(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rt_slice text = rt_slice_make(data, size);
    require(rt_coding_choose(text) < RT_CODINGS);
    fuzz_form(text);
    if (rt_utf8_valid(text))
        fuzz_script(text);
    return 0;
}
