/* Random bytes from the kernel, drawn in blocks. */
#include "base/random.h"

#include "base/digest.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void rt_random_init(rt_random *r) {
    r->left = 0;
}

static int draw(void *out, size_t n) {
    uint8_t *at = out;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return RT_EIO;
        at += got;
        n -= (size_t)got;
    }
    return RT_OK;
}

int rt_random_bytes(rt_random *r, void *out, size_t n) {
    if (n > sizeof(r->pool))
        return draw(out, n);
    if (n > r->left) {
        int rc = draw(r->pool, sizeof(r->pool));
        if (rc) {
            r->left = 0;
            return rc;
        }
        r->left = sizeof(r->pool);
    }
    if (n == 0)
        return RT_OK;
    uint8_t *from = r->pool + sizeof(r->pool) - r->left;
    memcpy(out, from, n);
    explicit_bzero(from, n); /* an id handed out is a credential: keep no copy */
    r->left -= n;
    return RT_OK;
}

int rt_random_id(rt_random *r, char out[RT_ID_LEN]) {
    uint8_t raw[RT_ID_LEN / 4 * 3];
    int rc = rt_random_bytes(r, raw, sizeof(raw));
    if (rc)
        return rc;
    rt_base64url_encode(rt_slice_make(raw, sizeof(raw)), out);
    return RT_OK;
}
