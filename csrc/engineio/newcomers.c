/* Two lists and two sums. */
#include "engineio/newcomers.h"

void rt_eio_newcomers_init(rt_eio_newcomers *all, uint32_t max, size_t max_bytes) {
    *all = (rt_eio_newcomers){.max = max, .max_bytes = max_bytes};
    rt_list_init(&all->silent);
    rt_list_init(&all->spoken);
}

void rt_eio_newcomer_init(rt_eio_newcomer *n) {
    *n = (rt_eio_newcomer){.bytes = 0};
    rt_list_init(&n->node);
    rt_list_init(&n->own);
}

void rt_eio_newcomers_add(rt_eio_newcomers *all, rt_eio_newcomer *n, size_t bytes) {
    n->bytes = (uint32_t)bytes;
    all->count++;
    all->bytes += n->bytes;
    rt_list_push(&all->silent, &n->node);
}

void rt_eio_newcomers_spoke(rt_eio_newcomers *all, rt_eio_newcomer *n) {
    if (n->spoken || !rt_list_linked(&n->node))
        return;
    n->spoken = true;
    rt_list_unlink(&n->node);
    rt_list_push(&all->spoken, &n->node);
}

void rt_eio_newcomers_remove(rt_eio_newcomers *all, rt_eio_newcomer *n) {
    if (!rt_list_linked(&n->node))
        return;
    rt_list_unlink(&n->node);
    all->count--;
    all->bytes -= n->bytes;
}

rt_eio_newcomer *rt_eio_newcomers_over(const rt_eio_newcomers *all) {
    if (all->count == 0 || (all->count < all->max && all->bytes < all->max_bytes))
        return NULL;
    const rt_list *from = rt_list_empty(&all->silent) ? &all->spoken : &all->silent;
    return RT_OF(rt_list_first(from), rt_eio_newcomer, node);
}
