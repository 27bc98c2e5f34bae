/* Any Location that a web process may answer with: credentials go to no other host or port than the
 * one that was asked. */
#include "base/alloc.h"
#include "base/status.h"
#include "net/web_redirect.h"
#include "wire/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth) {
    if (!truth)
        abort();
}

/* The first byte picks what was asked, and by which Host. */
static bool is_tls(const rt_url *url) {
    return rt_slice_eq_nocase(url->scheme, RT_LIT("https"));
}

static unsigned port_of(const rt_url *url, bool tls) {
    return url->port ? url->port : tls ? 443 : 80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *at, *host;
    } asked[] = {
        {"http://127.0.0.1:8000/api/method/x?a=b", "one.localhost"},
        {"http://one.localhost/x", ""},
        {"https://erp.example.com/x", "erp.example.com"},
        {"http://[::1]:8000/x", "one.localhost:8000"},
    };
    if (size == 0)
        return 0;
    size_t which = data[0] % (sizeof asked / sizeof *asked);
    char *to = malloc(size);
    require(to != NULL);
    memcpy(to, data + 1, size - 1);
    to[size - 1] = '\0';
    char *next = NULL;
    if (rt_web_redirect(asked[which].at, to, rt_slice_of(asked[which].host), &next) == RT_OK) {
        rt_url before, after;
        require(rt_web_url_parse(rt_slice_of(asked[which].at), &before));
        require(next && rt_web_url_parse(rt_slice_of(next), &after));
        require(rt_host_eq(before.host, after.host));
        bool same_port = port_of(&before, is_tls(&before)) == port_of(&after, is_tls(&after));
        require(same_port || (is_tls(&after) && port_of(&after, true) == 443));
        require(!is_tls(&before) || is_tls(&after));
    } else {
        require(next == NULL);
    }
    rt_free(next);
    free(to);
    return 0;
}
