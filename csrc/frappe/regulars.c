/* A hash table with two slots for each key. A mark is 32 bits of a digest with a random seed. */
#include "frappe/regulars.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/status.h"

#include <string.h>

void rt_regulars_init(rt_regulars *r) {
    rt_random random;
    r->marks = NULL;
    memset(r->seed, 0, sizeof r->seed);
    rt_random_init(&random);
    rt_status_ignore(rt_random_bytes(&random, r->seed, sizeof r->seed));
}

void rt_regulars_fini(rt_regulars *r) {
    rt_free(r->marks);
    r->marks = NULL;
}

/* The first of the two slots, and the mark, which is never 0. False: no memory. */
static bool place(const rt_regulars *r, rt_slice site, rt_slice credential, uint32_t *at,
                  uint32_t *mark) {
    rt_buf b = RT_BUF_INIT;
    uint8_t digest[20];
    rt_buf_put(&b, r->seed, sizeof r->seed);
    rt_buf_puts(&b, site);
    rt_buf_putc(&b, '\0');
    bool whole = rt_buf_puts(&b, credential) == RT_OK;
    if (whole) {
        rt_sha1(rt_buf_slice(&b), digest);
        memcpy(at, digest, sizeof *at);
        memcpy(mark, digest + sizeof *at, sizeof *mark);
        *at = *at % RT_REGULARS_MAX & ~1u;
        *mark |= 1;
    }
    rt_buf_fini(&b);
    return whole;
}

void rt_regulars_add(rt_regulars *r, rt_slice site, rt_slice credential) {
    uint32_t at, mark;
    if (!r->marks)
        r->marks = rt_alloc0(RT_REGULARS_MAX * sizeof *r->marks);
    if (!r->marks || !place(r, site, credential, &at, &mark) || r->marks[at] == mark)
        return;
    r->marks[at + 1] = r->marks[at];
    r->marks[at] = mark;
}

bool rt_regulars_has(const rt_regulars *r, rt_slice site, rt_slice credential) {
    uint32_t at, mark;
    return r->marks && place(r, site, credential, &at, &mark) &&
           (r->marks[at] == mark || r->marks[at + 1] == mark);
}
