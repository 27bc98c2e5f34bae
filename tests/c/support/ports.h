/* TCP ports on 127.0.0.1 for tests, and a peer that plays a fixed part on one of them.
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_PORTS_H
#define RT_TESTS_PORTS_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline struct sockaddr_in rt_local_address(int port) {
    struct sockaddr_in a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

/* A listening socket; 0 takes a free port, which *port then holds. */
static inline int rt_listen_local(int *port) {
    struct sockaddr_in a = rt_local_address(*port);
    socklen_t n = sizeof a;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* A port nobody listens on, below those the system gives out for outgoing connections: no client of
 * another test, nor one connecting to itself, gets it in the meantime. */
static inline int rt_free_port(void) {
    static unsigned step;
    for (int tries = 0; tries < 1000; tries++) {
        int port = 20000 + (int)(((unsigned)getpid() * 37u + step++ * 101u) % 12000u);
        struct sockaddr_in a = rt_local_address(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        int rc = bind(fd, (struct sockaddr *)&a, sizeof a);
        close(fd);
        if (rc == 0)
            return port;
    }
    fail_msg("no free port");
    return 0;
}

static inline uint64_t rt_test_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void rt_test_sleep(unsigned ms) {
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

#endif
