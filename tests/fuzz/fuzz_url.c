/* Any bytes as a URL, a Host header, a Cookie header, a query string and a form field, and echoed
 * into a response head. What is handed out must lie within the input and keep its promises. */
#include "base/status.h"
#include "wire/cookie.h"
#include "wire/query.h"
#include "wire/reply.h"
#include "wire/url.h"

#include <stdlib.h>

static void require(bool truth) {
    if (!truth)
        abort();
}

static bool within(rt_slice outer, rt_slice inner) {
    return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

static bool holds(rt_slice s, const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (rt_slice_find(s, bytes[i]) < s.n)
            return true;
    return false;
}

static void check_host(rt_slice text, const rt_url *url) {
    static const char never[] = "\0\t\r\n \"#%,/<>?@[\\]^`{|}";
    require(url->host.n > 0 && within(text, url->host));
    require(!holds(url->host, never, sizeof never - 1));
    require(url->ipv6 == (rt_slice_find(url->host, ':') < url->host.n));
    require(rt_host_eq(url->host, url->host) || rt_slice_eq(url->host, RT_LIT(".")));
}

static void fuzz_url(rt_slice text) {
    rt_url url, alone;
    if (rt_url_parse(text, &url) == RT_OK) {
        check_host(text, &url);
        require(within(text, url.scheme) && within(text, url.userinfo) && within(text, url.path));
        require(!holds(url.userinfo, "/\\?#", 4));
        require(url.path.n == 0 || memchr("/\\?#", url.path.p[0], 4) != NULL);
        require(url.scheme.n + url.userinfo.n + url.host.n + url.path.n <= text.n);
    }
    if (rt_url_host_header(text, &alone) == RT_OK) {
        check_host(text, &alone);
        require(alone.userinfo.n == 0 && alone.path.n == 0 && alone.scheme.n == 0);
    }
}

static void fuzz_pairs(rt_slice text) {
    rt_slice value, name = {text.p, text.n < 3 ? text.n : 3};
    require(rt_cookie_get(text, RT_LIT("sid"), &value) || value.n == 0);
    require(within(text, value) && rt_slice_find(value, ';') == value.n);
    require(rt_query_get(text, RT_LIT("sid"), &value) || value.n == 0);
    require(within(text, value) && rt_slice_find(value, '&') == value.n);
    require(rt_cookie_get(text, name, &value) || value.n == 0);
    require(within(text, value));
    require(rt_query_get(text, name, &value) || value.n == 0);
    require(within(text, value));
}

static void fuzz_coding(rt_slice text) {
    rt_buf encoded = RT_BUF_INIT, decoded = RT_BUF_INIT, form = RT_BUF_INIT;
    require(rt_query_decode(text, false, &decoded) == RT_OK && decoded.n <= text.n);
    require(rt_query_decode(text, true, &form) == RT_OK && form.n == decoded.n);
    rt_buf_clear(&decoded);
    require(rt_query_encode(text, &encoded) == RT_OK);
    require(!holds(rt_buf_slice(&encoded), "\0\r\n &=+#?/;", 11));
    require(rt_query_decode(rt_buf_slice(&encoded), true, &decoded) == RT_OK);
    require(rt_slice_eq(rt_buf_slice(&decoded), text));
    rt_buf_fini(&encoded);
    rt_buf_fini(&decoded);
    rt_buf_fini(&form);
}

/* However it is fed, a head has as many lines as were asked for. */
static void fuzz_reply(rt_slice text) {
    rt_buf b = RT_BUF_INIT;
    size_t lines = 0;
    rt_reply_start(&b, 200);
    rt_reply_header(&b, RT_LIT("Access-Control-Allow-Origin"), text);
    if (rt_reply_end(&b, 0, true) == RT_OK) {
        for (size_t i = 0; i < b.n; i++)
            lines += b.p[i] == '\n';
        require(lines == 5);
    }
    rt_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rt_slice text = rt_slice_make(data, size);
    fuzz_url(text);
    fuzz_pairs(text);
    fuzz_coding(text);
    fuzz_reply(text);
    return 0;
}
