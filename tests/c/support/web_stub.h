/* A small HTTP server of the test's own: one thread per connection, keep-alive, answers by path.
 *
 *     /ok                200, body "hello"         /echo            200, body: the request itself
 *     /status/N          N, empty body             /size/N          200, N bytes
 *     /chunked/N         200, N bytes, chunked     /to/LOCATION     302 there, with a cookie
 *     /slow/MS           200 after a while         /never           no answer
 *     /hangup            closes without a word     /garbage         no HTTP
 *     /half              a body that ends early    /last            200, Connection: close
 *     /later/SECONDS     503, Retry-After
 *     /reset             a TCP reset               /reset-kept      as /ok, then /reset
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_WEB_STUB_H
#define RT_TESTS_WEB_STUB_H

#include "support/ports.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define RT_WEB_STUB_CONNECTIONS 256
#define RT_WEB_STUB_REQUEST 16384

typedef struct rt_web_stub {
    int listener, port;
    SSL_CTX *tls; /* NULL: plain */
    pthread_t thread;
    pthread_mutex_t lock;
    int accepted, requests; /* read with rt_web_stub_count */
    int at_once, most_at_once;
    atomic_bool stopping;
    int fds[RT_WEB_STUB_CONNECTIONS];
    pthread_t threads[RT_WEB_STUB_CONNECTIONS];
} rt_web_stub;

typedef struct rt_web_stub_client {
    rt_web_stub *stub;
    int fd;
    SSL *ssl;
    int requests;
} rt_web_stub_client;

static inline bool rt_web_stub_write(rt_web_stub_client *c, const char *text, size_t n) {
    while (n > 0) {
        ssize_t sent =
            c->ssl ? SSL_write(c->ssl, text, (int)n) : send(c->fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool rt_web_stub_head(rt_web_stub_client *c, int status, const char *more, size_t n) {
    char head[RT_WEB_STUB_REQUEST];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d Text\r\nSet-Cookie: stolen=1; Path=/\r\n%sContent-Length: "
                       "%zu\r\n\r\n",
                       status, more, n);
    return rt_web_stub_write(c, head, (size_t)len);
}

static inline bool rt_web_stub_bytes(rt_web_stub_client *c, size_t n, bool chunked) {
    char piece[1000];
    memset(piece, 'x', sizeof piece);
    while (n > 0) {
        char size[16];
        size_t part = n < sizeof piece ? n : sizeof piece;
        int len = snprintf(size, sizeof size, "%zx\r\n", part);
        if ((chunked && !rt_web_stub_write(c, size, (size_t)len)) ||
            !rt_web_stub_write(c, piece, part) || (chunked && !rt_web_stub_write(c, "\r\n", 2)))
            return false;
        n -= part;
    }
    return !chunked || rt_web_stub_write(c, "0\r\n\r\n", 5);
}

static inline void rt_web_stub_wait(rt_web_stub *s, unsigned ms) {
    for (unsigned slept = 0; slept < ms && !s->stopping; slept += 5)
        rt_test_sleep(5);
}

/* The connection ends by RST, while the client waits for an answer; the descriptor stays. */
static inline bool rt_web_stub_reset(rt_web_stub_client *c) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    rt_web_stub_wait(c->stub, 50);
    if (connect(c->fd, &none, sizeof none) != 0)
        abort();
    return false;
}

static inline const char *rt_web_stub_after(const char *path, const char *word) {
    size_t n = strlen(word);
    return strncmp(path, word, n) == 0 ? path + n : NULL;
}

/* False: the connection is to be closed. */
static inline bool rt_web_stub_answer(rt_web_stub_client *c, const char *request, char *path) {
    const char *arg;
    if ((arg = rt_web_stub_after(path, "/status/")))
        return rt_web_stub_head(c, atoi(arg), "", 0);
    if ((arg = rt_web_stub_after(path, "/later/"))) {
        char more[64];
        snprintf(more, sizeof more, "Retry-After: %.30s\r\n", arg);
        return rt_web_stub_head(c, 503, more, 0);
    }
    if ((arg = rt_web_stub_after(path, "/size/")))
        return rt_web_stub_head(c, 200, "", (size_t)atoi(arg)) &&
               rt_web_stub_bytes(c, (size_t)atoi(arg), false);
    if ((arg = rt_web_stub_after(path, "/chunked/"))) {
        static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        return rt_web_stub_write(c, head, sizeof head - 1) &&
               rt_web_stub_bytes(c, (size_t)atoi(arg), true);
    }
    if ((arg = rt_web_stub_after(path, "/to/"))) {
        char location[2000];
        snprintf(location, sizeof location, "Location: %s\r\n", arg);
        return rt_web_stub_head(c, 302, location, 0);
    }
    if (strcmp(path, "/reset") == 0 || (strcmp(path, "/reset-kept") == 0 && c->requests > 1))
        return rt_web_stub_reset(c);
    if ((arg = rt_web_stub_after(path, "/slow/")))
        rt_web_stub_wait(c->stub, (unsigned)atoi(arg));
    if (strcmp(path, "/never") == 0)
        rt_web_stub_wait(c->stub, 60000);
    if (strcmp(path, "/never") == 0 || strcmp(path, "/hangup") == 0)
        return false;
    if (strcmp(path, "/garbage") == 0)
        return rt_web_stub_write(c, "220 mail\r\n\r\n", 12) && false;
    if (strcmp(path, "/half") == 0)
        return rt_web_stub_head(c, 200, "", 100) && rt_web_stub_write(c, "half", 4) && false;
    bool echo = rt_web_stub_after(path, "/echo") != NULL;
    const char *body = echo ? request : "hello";
    bool last = strcmp(path, "/last") == 0;
    return rt_web_stub_head(c, 200, last ? "Connection: close\r\n" : "", strlen(body)) &&
           rt_web_stub_write(c, body, strlen(body)) && !last;
}

/* One request head, which is all of a GET. False at the end of the connection. */
static inline bool rt_web_stub_read(rt_web_stub_client *c, char *request) {
    size_t n = 0;
    for (;;) {
        char *at = request + n;
        size_t room = RT_WEB_STUB_REQUEST - 1 - n;
        ssize_t got = c->ssl ? SSL_read(c->ssl, at, (int)room) : recv(c->fd, at, room, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n"))
            return true;
    }
}

static inline void rt_web_stub_add(rt_web_stub *s, int *what, int n) {
    pthread_mutex_lock(&s->lock);
    *what += n;
    if (s->at_once > s->most_at_once)
        s->most_at_once = s->at_once;
    pthread_mutex_unlock(&s->lock);
}

static inline int rt_web_stub_count(rt_web_stub *s, const int *what) {
    pthread_mutex_lock(&s->lock);
    int n = *what;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static inline void *rt_web_stub_serve(void *arg) {
    rt_web_stub_client c = *(rt_web_stub_client *)arg;
    char *request = malloc(RT_WEB_STUB_REQUEST);
    char *path = malloc(RT_WEB_STUB_REQUEST);
    free(arg);
    bool goes_on = request && path && (!c.ssl || SSL_accept(c.ssl) == 1);
    while (goes_on && rt_web_stub_read(&c, request)) {
        c.requests++;
        rt_web_stub_add(c.stub, &c.stub->requests, 1);
        rt_web_stub_add(c.stub, &c.stub->at_once, 1);
        goes_on =
            sscanf(request, "GET %16000s", path) == 1 && rt_web_stub_answer(&c, request, path);
        rt_web_stub_add(c.stub, &c.stub->at_once, -1);
    }
    shutdown(c.fd, SHUT_RDWR); /* closed by rt_web_stub_stop */
    SSL_free(c.ssl);
    free(request);
    free(path);
    return NULL;
}

static inline void *rt_web_stub_accept(void *arg) {
    rt_web_stub *s = arg;
    int fd;
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        rt_web_stub_client *c = calloc(1, sizeof *c);
        int n = s->accepted;
        if (!c || n == RT_WEB_STUB_CONNECTIONS)
            abort();
        c->stub = s;
        c->fd = s->fds[n] = fd;
        if (s->tls) {
            c->ssl = SSL_new(s->tls);
            SSL_set_fd(c->ssl, fd);
        }
        rt_web_stub_add(s, &s->accepted, 1);
        if (pthread_create(&s->threads[n], NULL, rt_web_stub_serve, c) != 0)
            abort();
    }
    return NULL;
}

/* On s->port, 0 for a free one. `cert` and `key` are PEM files, or NULL for plain HTTP. */
static inline void rt_web_stub_start(rt_web_stub *s, const char *cert, const char *key) {
    int port = s->port;
    memset(s, 0, sizeof *s);
    s->port = port;
    if (cert) {
        s->tls = SSL_CTX_new(TLS_server_method());
        assert_non_null(s->tls);
        assert_int_equal(SSL_CTX_use_certificate_chain_file(s->tls, cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM), 1);
    }
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    s->listener = rt_listen_local(&s->port);
    assert_int_equal(pthread_create(&s->thread, NULL, rt_web_stub_accept, s), 0);
}

static inline void rt_web_stub_stop(rt_web_stub *s) {
    s->stopping = true;
    shutdown(s->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
    for (int i = 0; i < s->accepted; i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        assert_int_equal(pthread_join(s->threads[i], NULL), 0);
        close(s->fds[i]);
    }
    SSL_CTX_free(s->tls);
    pthread_mutex_destroy(&s->lock);
}

#endif
