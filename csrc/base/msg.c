/* Refcounted messages. */
#include "base/msg.h"

#include "base/alloc.h"

rt_msg *rt_msg_new(size_t cap) {
    if (cap > UINT32_MAX - sizeof(rt_msg))
        return NULL;
    rt_msg *m = rt_alloc(sizeof(*m) + cap);
    if (!m)
        return NULL;
    m->refs = 1;
    m->len = 0;
    m->cap = (uint32_t)cap;
    return m;
}

rt_msg *rt_msg_copy(rt_slice bytes) {
    rt_msg *m = rt_msg_new(bytes.n);
    if (!m)
        return NULL;
    if (bytes.n)
        memcpy(m->data, bytes.p, bytes.n);
    m->len = m->cap;
    return m;
}

rt_msg *rt_msg_resize(rt_msg *m, size_t cap) {
    if (cap < m->len)
        cap = m->len;
    if (cap > UINT32_MAX - sizeof(rt_msg))
        return NULL;
    rt_msg *moved = rt_realloc(m, sizeof(*m) + cap);
    if (moved)
        moved->cap = (uint32_t)cap;
    return moved;
}

void rt_msg_rele(rt_msg *m) {
    if (m && --m->refs == 0)
        rt_free(m);
}
