/* Which of many sockets are ready: an epoll set of our own that libuv watches as one descriptor.
 *
 * A uv_poll_t for each connection would be 160 bytes and three more system calls (docs/
 * architecture.md); here a connection is a pointer in the kernel's set.
 *
 * Ownership: caller's memory; init, then close inside the loop. A watched socket is removed before
 * it is closed. Thread: the loop's. Must not know: what the sockets are for. */
#ifndef RT_NET_POLLER_H
#define RT_NET_POLLER_H

#include "base/status.h"
#include "net/loop.h"

#include <stdint.h>
#include <sys/epoll.h>

#define RT_POLLER_EVENTS 256 /* taken from the kernel at once; the rest comes in the next turn */

/* `events`: EPOLLIN, EPOLLOUT; EPOLLERR comes alone. It may remove `who` and others. */
typedef void rt_poller_fn(void *who, uint32_t events);

typedef struct rt_poller {
    int fd; /* -1 once closed */
    uv_poll_t *handle;
    rt_poller_fn *ready;
    int at, count; /* of `events`, while they are handed out */
    struct epoll_event events[RT_POLLER_EVENTS];
} rt_poller;

RT_MUST_CHECK int rt_poller_init(rt_poller *p, rt_loop *loop,
                                 rt_poller_fn *ready); /* RT_OK, RT_ENOMEM, RT_EIO */
void rt_poller_close(rt_poller *p);
/* RT_OK, or RT_EIO: the kernel takes no more. */
RT_MUST_CHECK int rt_poller_add(rt_poller *p, int fd, void *who, uint32_t events);
RT_MUST_CHECK int rt_poller_change(rt_poller *p, int fd, void *who, uint32_t events);
/* `who` is not called any more, not even for events already taken from the kernel. */
void rt_poller_remove(rt_poller *p, int fd, const void *who);

#endif
