/* An epoll set inside libuv's. */
#include "net/poller.h"

#include "base/alloc.h"
#include "base/status.h"
#include "net/fds.h"

#include <unistd.h>

/* An error is reported alone, as libuv does: the socket is of no use any more. A hang-up is
 * reported as readable and writable, so whoever waits for either finds it. */
static uint32_t meaning(uint32_t events) {
    if (events & EPOLLERR)
        return EPOLLERR;
    return events & EPOLLHUP ? EPOLLIN | EPOLLOUT : events & (EPOLLIN | EPOLLOUT);
}

static void on_readable(uv_poll_t *handle, int status, int events) {
    (void)status;
    (void)events;
    rt_poller *p = handle->data;
    int n = epoll_wait(p->fd, p->events, RT_POLLER_EVENTS, 0);
    p->count = n > 0 ? n : 0;
    for (p->at = 0; p->at < p->count; p->at++) {
        const struct epoll_event *event = &p->events[p->at];
        if (event->data.ptr)
            p->ready(event->data.ptr, meaning(event->events));
    }
    p->count = 0;
}

int rt_poller_init(rt_poller *p, rt_loop *loop, rt_poller_fn *ready) {
    *p = (rt_poller){.fd = -1, .ready = ready};
    p->handle = rt_alloc0(sizeof *p->handle);
    if (!p->handle)
        return RT_ENOMEM;
    int status = RT_EIO;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0)
        goto fail_handle;
    status = rt_fds_add(p->fd);
    if (status != RT_OK)
        goto fail_fd;
    status = RT_EIO;
    if (uv_poll_init(&loop->uv, p->handle, p->fd) != 0)
        goto fail_record;
    p->handle->data = p;
    uv_poll_start(p->handle, UV_READABLE, on_readable);
    return RT_OK;

fail_record:
    rt_fds_forget(p->fd);
fail_fd:
    close(p->fd);
    p->fd = -1;
fail_handle:
    rt_free(p->handle);
    return status;
}

static void free_handle(uv_handle_t *handle) {
    rt_free(handle);
}

void rt_poller_close(rt_poller *p) {
    if (p->fd < 0)
        return;
    uv_close((uv_handle_t *)p->handle, free_handle);
    rt_fds_close(p->fd);
    p->fd = -1;
    p->count = 0;
}

static int control(const rt_poller *p, int op, int fd, void *who, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = who};
    return epoll_ctl(p->fd, op, fd, &event) == 0 ? RT_OK : RT_EIO;
}

int rt_poller_add(rt_poller *p, int fd, void *who, uint32_t events) {
    return control(p, EPOLL_CTL_ADD, fd, who, events);
}

int rt_poller_change(rt_poller *p, int fd, void *who, uint32_t events) {
    return control(p, EPOLL_CTL_MOD, fd, who, events);
}

/* Tell the kernel, although the socket will be closed: until a forked child has closed its copy,
 * the kernel would go on watching. */
void rt_poller_remove(rt_poller *p, int fd, const void *who) {
    control(p, EPOLL_CTL_DEL, fd, NULL, 0);
    for (int i = p->at + 1; i < p->count; i++)
        if (p->events[i].data.ptr == who)
            p->events[i].data.ptr = NULL;
}
