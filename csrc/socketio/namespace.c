/* Namespaces: made when the first socket asks for one, freed when the last one has gone. */
#include "base/alloc.h"
#include "socketio/state.h"

static rt_sio_ns *ns_new(rt_sio *io, rt_slice name) {
    rt_sio_ns *ns = rt_alloc0(sizeof *ns + name.n);
    if (!ns)
        return NULL;
    ns->io = io;
    rt_map_init(&ns->rooms);
    ns->name_len = (uint32_t)name.n;
    memcpy(ns->name, name.p, name.n);
    if (rt_map_put(&io->namespaces, rt_sio_ns_name(ns), ns) != RT_OK) {
        rt_free(ns);
        return NULL;
    }
    return ns;
}

rt_sio_ns *rt_sio_ns_enter(rt_sio *io, rt_slice name) {
    rt_sio_ns *ns = rt_map_get(&io->namespaces, name);
    if (!ns)
        ns = ns_new(io, name);
    if (ns)
        ns->users++;
    return ns;
}

void rt_sio_ns_exit(rt_sio_ns *ns) {
    if (--ns->users > 0)
        return;
    rt_map_del(&ns->io->namespaces, rt_sio_ns_name(ns));
    rt_map_fini(&ns->rooms);
    rt_free(ns->sockets);
    rt_free(ns);
}

int rt_sio_ns_add(rt_sio_ns *ns, rt_sio_socket *s) {
    if (ns->count == ns->cap) {
        uint32_t cap = ns->cap ? ns->cap * 2 : 4;
        rt_sio_socket **grown = rt_realloc(ns->sockets, cap * sizeof(rt_sio_socket *));
        if (!grown)
            return RT_ENOMEM;
        ns->sockets = grown;
        ns->cap = cap;
    }
    s->at = ns->count;
    ns->sockets[ns->count++] = s;
    return RT_OK;
}

void rt_sio_ns_remove(rt_sio_ns *ns, rt_sio_socket *s) {
    rt_sio_socket *last = ns->sockets[--ns->count];
    ns->sockets[s->at] = last;
    last->at = s->at;
}

rt_sio_ns *rt_sio_ns_find(const rt_sio *io, rt_slice name) {
    rt_sio_ns *ns = rt_map_get(&io->namespaces, name);
    return ns && ns->count ? ns : NULL;
}

uint32_t rt_sio_ns_size(const rt_sio_ns *ns) {
    return ns->count;
}

rt_sio_socket *rt_sio_ns_socket(const rt_sio_ns *ns, uint32_t i) {
    return i < ns->count ? ns->sockets[i] : NULL;
}

rt_slice rt_sio_ns_name(const rt_sio_ns *ns) {
    return rt_slice_make(ns->name, ns->name_len);
}

rt_sio_ns *rt_sio_ns_next(const rt_sio *io, size_t *cursor) {
    const rt_map_entry *entry;
    while ((entry = rt_map_next(&io->namespaces, cursor))) {
        rt_sio_ns *ns = entry->value;
        if (ns->count)
            return ns;
    }
    return NULL;
}
