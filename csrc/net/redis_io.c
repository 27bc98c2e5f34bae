/* One socket to Redis: collecting commands, writing, reading replies, TLS. */
#include "net/redis_io.h"

#include "base/status.h"

#include <errno.h>
#include <hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ELEMENTS_MAX 64      /* of an array reply; a pub/sub message has three */
#define COMMAND_HEAD 32      /* bytes around a word: its length, and the ends of two lines */
#define OUT_KEPT (64u << 10) /* a larger write buffer is given back once it is empty */

static int fail(rt_redis_io *io, int status, const char *text) {
    snprintf(io->error, sizeof io->error, "%s", text);
    return status;
}

/* What OpenSSL says about a failure. The certificate comes first: people can mend that. */
static int fail_tls(rt_redis_io *io, struct ssl_st *ssl, const char *otherwise) {
    long verdict = SSL_get_verify_result(ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (verdict != X509_V_OK) {
        snprintf(io->error, sizeof io->error, "TLS: certificate not accepted: %s",
                 X509_verify_cert_error_string(verdict));
        return RT_EIO;
    }
    snprintf(io->error, sizeof io->error, "TLS: %s", reason ? reason : otherwise);
    return RT_ECLOSED;
}

/* A message is an array of strings. Deeper nesting is not Redis, and freeing it would recurse. */
static void *make_flat_array(const redisReadTask *task, size_t n) {
    const rt_redis_io *io = task->privdata;
    return task->parent ? NULL : io->make_array(task, n);
}

void rt_redis_io_init(rt_redis_io *io) {
    memset(io, 0, sizeof *io);
    rt_buf_init(&io->out, 0);
}

static struct ssl_ctx_st *new_tls(void) {
    struct ssl_ctx_st *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_default_verify_paths(ctx) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

void rt_redis_io_free_tls(struct ssl_ctx_st *tls) {
    SSL_CTX_free(tls);
}

/* The certificate must name the host asked for: an address in its address entries, else a name. */
static bool expect_host(struct ssl_st *ssl, const char *host) {
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static int start_tls(rt_redis_io *io, const char *host, struct ssl_ctx_st **tls) {
    ERR_clear_error();
    if (!*tls && !(*tls = new_tls()))
        return fail(io, RT_EIO, "TLS: cannot be set up on this machine");
    struct ssl_st *ssl = SSL_new(*tls);
    if (!ssl)
        return fail(io, RT_ENOMEM, "out of memory");
    /* hiredis appends to the text it has begun to write, and that may move it. */
    SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!expect_host(ssl, host) || redisInitiateSSL(io->redis, ssl) != REDIS_OK) {
        int rc = fail_tls(io, ssl, io->redis->err ? io->redis->errstr : "unusable host name");
        SSL_free(ssl);
        return rc;
    }
    io->tls = ssl;
    return RT_OK;
}

static void limit_replies(rt_redis_io *io, redisReader *reader) {
    io->makers = *reader->fn;
    io->make_array = io->makers.createArray;
    io->makers.createArray = make_flat_array;
    reader->fn = &io->makers;
    reader->privdata = io;
    reader->maxelements = ELEMENTS_MAX;
}

int rt_redis_io_open(rt_redis_io *io, int fd, const rt_redis_url *url, struct ssl_ctx_st **tls) {
    redisOptions options = {
        .type = REDIS_CONN_USERFD, .options = REDIS_OPT_NONBLOCK, .endpoint = {.fd = fd}};
    io->redis = redisConnectWithOptions(&options);
    if (!io->redis) {
        close(fd);
        return fail(io, RT_ENOMEM, "out of memory");
    }
    limit_replies(io, io->redis->reader);
    int rc = url->tls ? start_tls(io, url->host, tls) : RT_OK;
    if (rc != RT_OK)
        rt_redis_io_close(io);
    return rc;
}

void rt_redis_io_close(rt_redis_io *io) {
    if (io->redis)
        shutdown(io->redis->fd, SHUT_RDWR);
    rt_redis_io_forget(io);
}

void rt_redis_io_close_copy(rt_redis_io *io) {
    if (!io->redis || io->redis->fd == REDIS_INVALID_FD)
        return;
    close(io->redis->fd);
    io->redis->fd = REDIS_INVALID_FD;
}

void rt_redis_io_forget(rt_redis_io *io) {
    if (io->redis)
        redisFree(io->redis);
    io->redis = NULL;
    io->tls = NULL;
    io->tls_owes = false;
    rt_buf_fini(&io->out);
}

/* "$5\r\n", without printf: a publish has three of these. */
static void put_length(rt_buf *out, char kind, size_t n) {
    rt_buf_putc(out, kind);
    rt_buf_put_u64(out, n);
    rt_buf_puts(out, RT_LIT("\r\n"));
}

int rt_redis_io_command(rt_redis_io *io, const rt_slice *words, unsigned n) {
    rt_buf *out = &io->out;
    size_t before = out->n;
    size_t bytes = COMMAND_HEAD;
    for (unsigned i = 0; i < n; i++)
        bytes += COMMAND_HEAD + words[i].n;
    rt_buf_reserve(out, bytes);
    put_length(out, '*', n);
    for (unsigned i = 0; i < n; i++) {
        put_length(out, '$', words[i].n);
        rt_buf_puts(out, words[i]);
        rt_buf_puts(out, RT_LIT("\r\n"));
    }
    if (out->err == RT_OK)
        return RT_OK;
    out->n = before; /* after half a command Redis would misread all the others */
    out->err = RT_OK;
    return fail(io, RT_ENOMEM, "out of memory");
}

int rt_redis_io_greeting(rt_redis_io *io, const rt_redis_url *url, unsigned *count) {
    int rc = RT_OK;
    char db[16];
    rt_slice password = rt_slice_of(url->password);
    *count = 0;
    if (url->user[0]) {
        rt_slice words[] = {RT_LIT("AUTH"), rt_slice_of(url->user), password};
        rc = rt_redis_io_command(io, words, 3);
        ++*count;
    } else if (url->password[0]) {
        rt_slice words[] = {RT_LIT("AUTH"), password};
        rc = rt_redis_io_command(io, words, 2);
        ++*count;
    }
    if (rc == RT_OK && url->db) {
        snprintf(db, sizeof db, "%d", url->db);
        rt_slice words[] = {RT_LIT("SELECT"), rt_slice_of(db)};
        rc = rt_redis_io_command(io, words, 2);
        ++*count;
    }
    return rc;
}

static void written(rt_buf *out, size_t n) {
    if (n == out->n && out->cap > OUT_KEPT)
        rt_buf_fini(out);
    else
        rt_buf_drop(out, n);
}

static int write_plain(rt_redis_io *io) {
    while (io->out.n > 0) {
        ssize_t n = send(io->redis->fd, io->out.p, io->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            written(&io->out, (size_t)n);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return RT_AGAIN;
        else if (errno != EINTR)
            return fail(io, RT_ECLOSED, strerror(errno));
    }
    return RT_OK;
}

static int write_tls(rt_redis_io *io) {
    if (io->out.n > 0) {
        if (redisAppendFormattedCommand(io->redis, io->out.p, io->out.n) != REDIS_OK)
            return fail(io, RT_ECLOSED, "out of memory");
        written(&io->out, io->out.n);
        io->tls_owes = true;
    }
    int done = 1;
    ERR_clear_error();
    if (io->tls_owes && redisBufferWrite(io->redis, &done) != REDIS_OK)
        return fail_tls(io, io->tls, "connection closed");
    io->tls_owes = !done;
    return done ? RT_OK : RT_AGAIN;
}

int rt_redis_io_write(rt_redis_io *io) {
    return io->tls ? write_tls(io) : write_plain(io);
}

int rt_redis_io_read(rt_redis_io *io) {
    redisContext *redis = io->redis;
    if (io->tls)
        ERR_clear_error();
    if (redisBufferRead(redis) != REDIS_OK) {
        bool eof = redis->err == REDIS_ERR_EOF;
        if (io->tls && !eof)
            return fail_tls(io, io->tls, "connection closed");
        return fail(io, RT_ECLOSED, eof ? "Redis closed the connection" : redis->errstr);
    }
    if (redis->reader->len - redis->reader->pos > RT_REDIS_REPLY_MAX)
        return fail(io, RT_ELIMIT, "a reply is larger than 64 MB");
    return RT_OK;
}

int rt_redis_io_reply(rt_redis_io *io, redisReply **reply) {
    void *got = NULL;
    if (redisGetReplyFromReader(io->redis, &got) != REDIS_OK)
        return fail(io, RT_EIO, io->redis->errstr);
    *reply = got;
    return got ? RT_OK : RT_AGAIN;
}

bool rt_redis_io_has_input(const rt_redis_io *io) {
    return io->redis->reader->pos < io->redis->reader->len;
}

const char *rt_redis_io_why_late(const rt_redis_io *io) {
    if (io->tls && !SSL_is_init_finished(io->tls))
        return "Redis does not answer in time, and has not begun with TLS: is that its TLS port?";
    return "Redis does not answer in time";
}

/* During the TLS handshake we always wait for the peer, so do not ask for writable: that would wake
 * us for nothing. */
short rt_redis_io_events(const rt_redis_io *io) {
    bool owes = io->out.n > 0 || io->tls_owes;
    if (io->tls && !SSL_is_init_finished(io->tls))
        owes = false;
    return (short)(owes ? POLLIN | POLLOUT : POLLIN);
}
