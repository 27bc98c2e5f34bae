/* The socket secret, read from Redis. */
#include "frappe/secret.h"

#include "base/alloc.h"
#include "base/status.h"

#define SECRET_MAX 256 /* bytes; Frappe's has 32 */

struct rt_secret_read {
    rt_secret *secret; /* NULL after rt_secret_fini: a Redis read cannot be cancelled */
};

void rt_secret_init(rt_secret *s, const rt_frappe_ports *ports, void (*done)(void *arg, int status),
                    void *arg) {
    *s = (rt_secret){.ports = ports, .done = done, .arg = arg};
    rt_buf_init(&s->value, SECRET_MAX);
}

void rt_secret_fini(rt_secret *s) {
    if (s->read)
        s->read->secret = NULL;
    s->read = NULL;
    rt_buf_fini(&s->value);
}

/* Safe as a header value: printable ASCII without spaces. */
bool rt_secret_is_clean(rt_slice value) {
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] <= ' ' || value.p[i] > '~')
            return false;
    return value.n <= SECRET_MAX;
}

static int keep(rt_secret *s, bool found, rt_slice value) {
    rt_buf_clear(&s->value);
    s->known = false;
    if (found && rt_secret_is_clean(value) && rt_buf_puts(&s->value, value))
        return RT_ENOMEM;
    s->known = true;
    s->version++;
    return RT_OK;
}

static void came(void *arg, int status, bool found, rt_slice value) {
    struct rt_secret_read *read = arg;
    rt_secret *s = read->secret;
    rt_free(read);
    if (!s)
        return;
    s->read = NULL;
    if (status == RT_OK)
        status = keep(s, found, value);
    s->done(s->arg, status);
}

int rt_secret_read(rt_secret *s) {
    if (s->read)
        return RT_OK;
    s->read = rt_alloc(sizeof *s->read);
    if (!s->read)
        return RT_ENOMEM;
    s->read->secret = s;
    int status = s->ports->redis_get(s->ports->ctx, RT_SECRET_KEY, came, s->read);
    if (status) {
        rt_free(s->read);
        s->read = NULL;
    }
    return status;
}
