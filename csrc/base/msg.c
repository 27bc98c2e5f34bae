/* Refcounted messages. */
#include "base/msg.h"

#include "base/alloc.h"

static _Thread_local size_t memory;

size_t rt_msg_memory(void) {
    return memory;
}

void rt_msg_note_memory(ptrdiff_t bytes) {
    memory += (size_t)bytes;
}

rt_msg *rt_msg_new(size_t cap) {
    if (cap > UINT32_MAX - sizeof(rt_msg))
        return NULL;
    rt_msg *m = rt_alloc(sizeof(*m) + cap);
    if (!m)
        return NULL;
    memory += sizeof(*m) + cap;
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
    if (!moved)
        return NULL;
    memory += cap - moved->cap;
    moved->cap = (uint32_t)cap;
    return moved;
}

void rt_msg_rele(rt_msg *m) {
    if (!m || --m->refs > 0)
        return;
    memory -= sizeof(*m) + m->cap;
    rt_free(m);
}
