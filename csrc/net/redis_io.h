/* Inside net/ only: one connected, non-blocking socket to Redis, plain or TLS. Commands are
 * collected and written here, replies are parsed by hiredis, TLS is hiredis_ssl's with the
 * certificate checked against the host's name. The publisher drives it with poll, the server's
 * connections with the loop.
 *
 * hiredis' asynchronous context is left aside: it asserts on replies it does not expect, and a host
 * process must not abort because something else than Redis listens on that port.
 *
 * Ownership: caller's memory, at one address from open to close. Thread: the owner's.
 * Signals: plain sockets never raise SIGPIPE; OpenSSL's writes may, the caller masks it. */
#ifndef RT_NET_REDIS_IO_H
#define RT_NET_REDIS_IO_H

#include "base/buf.h"
#include "base/status.h"
#include "net/redis_url.h"

#include <hiredis.h>

#define RT_REDIS_REPLY_MAX (64u << 20) /* bytes of a reply not yet complete */

struct ssl_ctx_st;
struct ssl_st;

typedef struct rt_redis_io {
    redisContext *redis;              /* NULL: closed */
    struct ssl_st *tls;               /* NULL: plain. Belongs to `redis` */
    bool tls_owes;                    /* hiredis holds bytes that OpenSSL has not taken yet */
    rt_buf out;                       /* commands not yet written */
    redisReplyObjectFunctions makers; /* hiredis' own, but for nested arrays */
    void *(*make_array)(const redisReadTask *task, size_t n);
    char error[192]; /* of the last call that failed, for people */
} rt_redis_io;

void rt_redis_io_init(rt_redis_io *io);
/* Takes the connected socket `fd`, also when it fails. `*tls` is the TLS context, made when first
 * needed and kept by the caller for the next connection. RT_OK (with TLS the handshake goes on
 * while reading and writing), RT_ENOMEM or RT_EIO. */
RT_MUST_CHECK int rt_redis_io_open(rt_redis_io *io, int fd, const rt_redis_url *url,
                                   struct ssl_ctx_st **tls);
/* Closes the socket, so that Redis sees it even if a forked process holds a copy. */
void rt_redis_io_close(rt_redis_io *io);
/* In a fork handler of the child: closes the copy without a word to Redis, and frees nothing. */
void rt_redis_io_close_copy(rt_redis_io *io);
/* In a forked process, any time: the same if it was not done yet, and frees. */
void rt_redis_io_forget(rt_redis_io *io);
void rt_redis_io_free_tls(struct ssl_ctx_st *tls);

/* Collects one command. RT_OK, RT_ENOMEM. */
RT_MUST_CHECK int rt_redis_io_command(rt_redis_io *io, const rt_slice *words, unsigned n);
/* Collects AUTH and SELECT, as far as the URL asks for them; each gives one reply, which must be a
 * status. `*count` is how many. */
RT_MUST_CHECK int rt_redis_io_greeting(rt_redis_io *io, const rt_redis_url *url, unsigned *count);

/* RT_OK: all is written. RT_AGAIN: go on when the events of rt_redis_io_events come (with TLS, read
 * first). RT_ECLOSED; RT_EIO: the certificate is not accepted. */
RT_MUST_CHECK int rt_redis_io_write(rt_redis_io *io);
/* Takes one read's worth from the socket. RT_OK (also when there was nothing), RT_ECLOSED, RT_EIO
 * as above, or RT_ELIMIT: the reply is larger than RT_REDIS_REPLY_MAX. */
RT_MUST_CHECK int rt_redis_io_read(rt_redis_io *io);
/* The next reply of what was read: RT_OK, RT_AGAIN, or RT_EIO: this is not Redis speaking. The
 * caller frees it with freeReplyObject. */
RT_MUST_CHECK int rt_redis_io_reply(rt_redis_io *io, redisReply **reply);
/* Something was read that no reply has been made of. */
bool rt_redis_io_has_input(const rt_redis_io *io);
/* POLLIN, and POLLOUT while there is something to write. */
short rt_redis_io_events(const rt_redis_io *io);
/* What to say when no answer comes. */
const char *rt_redis_io_why_late(const rt_redis_io *io);

#endif
