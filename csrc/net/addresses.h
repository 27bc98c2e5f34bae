/* Where a client is: its address, also behind proxies that are trusted to tell it.
 *
 * An address is the 16 bytes of IPv6, of IPv4 as ::ffff:a.b.c.d.
 *
 * Ownership: caller's memory. Thread: any. Must not know: connections, what addresses are used for.
 */
#ifndef RT_NET_ADDRESSES_H
#define RT_NET_ADDRESSES_H

#include "base/status.h"
#include "wire/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RT_ADDRESS_LEN 16
#define RT_TRUSTED_MAX 64 /* networks */

/* The networks of trusted proxies. */
typedef struct rt_trusted {
    struct {
        char address[RT_ADDRESS_LEN];
        uint8_t bits;
    } nets[RT_TRUSTED_MAX];
    unsigned count;
} rt_trusted;

#define RT_TRUSTED_DEFAULT "loopback, private"

/* Reads addresses and networks (`10.0.0.0/8`, `2001:db8::/32`) with commas between; the words
 * `loopback`, `private` and `none`. RT_OK; RT_EINVAL: *bad is the part that is none; RT_ELIMIT. */
RT_MUST_CHECK int rt_trusted_read(rt_trusted *t, rt_slice text, rt_slice *bad);
RT_MUST_CHECK bool rt_trusted_has(const rt_trusted *t, const char *address);

/* The address in a socket's; false: it has none, as a Unix socket. */
RT_MUST_CHECK bool rt_address_of(const struct sockaddr_storage *from, char *address);
/* An address as text, with or without a port; an IPv6 one also in brackets. */
RT_MUST_CHECK bool rt_address_read(rt_slice text, char *address);
/* What X-Forwarded-For says of a request that came from a trusted proxy: the last address in it
 * that is no trusted proxy's, or the first one. False: it says nothing that can be read. */
RT_MUST_CHECK bool rt_address_forwarded(const rt_http_request *req, const rt_trusted *t,
                                        char *address);
/* A client of IPv6 has a whole /64: only that is kept. */
void rt_address_cut(char *address);

#endif
