/* A table that grows with the highest descriptor. */
#include "net/charges.h"

#include "base/alloc.h"
#include "base/status.h"

#define FIRST 256

static bool reach(rt_charges *c, size_t fd) {
    size_t n = c->n ? c->n : FIRST;
    while (n <= fd)
        n *= 2;
    if (n == c->n)
        return true;
    rt_eio_peer **by_fd = rt_realloc(c->by_fd, n * sizeof *by_fd);
    if (!by_fd)
        return false;
    memset(by_fd + c->n, 0, (n - c->n) * sizeof *by_fd);
    c->by_fd = by_fd;
    c->n = n;
    return true;
}

int rt_charges_add(rt_charges *c, rt_eio *e, int fd, const char *address) {
    rt_eio_peer *peer;
    if (!reach(c, (size_t)fd))
        return RT_OK;
    int status = rt_eio_connected(e, address, &peer);
    if (status == RT_OK)
        c->by_fd[fd] = peer;
    return status;
}

void rt_charges_drop(rt_charges *c, rt_eio *e, int fd) {
    if ((size_t)fd >= c->n)
        return;
    rt_eio_disconnected(e, c->by_fd[fd]);
    c->by_fd[fd] = NULL;
}

void rt_charges_fini(rt_charges *c) {
    rt_free(c->by_fd);
    *c = (rt_charges){0};
}
