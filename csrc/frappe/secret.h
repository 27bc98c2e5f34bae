/* The socket secret: Redis key `socketio_auth_secret`. The web process creates it at its first
 * get_user_info and expects the server to send it (Frappe develop and v16 since February 2026). It
 * is read when first needed, kept, and read again when an answer shows that it is wrong.
 *
 * Handler hosts send it along as well, so it is read for them, too (rt_frappe_read_secret). It
 * never stands in a log or an answer to people.
 *
 * Ownership: caller's memory; a read in flight survives rt_secret_fini and is then dropped.
 * Thread: the loop's. Must not know: who needs it. */
#ifndef RT_FRAPPE_SECRET_H
#define RT_FRAPPE_SECRET_H

#include "base/buf.h"
#include "base/status.h"
#include "frappe/ports.h"

#define RT_SECRET_KEY RT_LIT("socketio_auth_secret")

struct rt_secret_read;

typedef struct rt_secret {
    const rt_frappe_ports *ports;
    struct rt_secret_read *read; /* in flight, or NULL */
    /* After a read: RT_OK (value empty: no such key), or why Redis did not answer.
     */
    void (*done)(void *arg, int status);
    void *arg;
    rt_buf value;
    bool known;       /* Redis has answered */
    uint32_t version; /* counts the answers of Redis */
} rt_secret;

void rt_secret_init(rt_secret *s, const rt_frappe_ports *ports, void (*done)(void *arg, int status),
                    void *arg);
void rt_secret_fini(rt_secret *s);

/* Starts a read, unless one is in flight. RT_OK: `done` will be called, later; else it will not,
 * and this is why. */
RT_MUST_CHECK int rt_secret_read(rt_secret *s);

/* True for what a header can carry; anything else that Redis has counts as no secret. */
bool rt_secret_is_clean(rt_slice value);

#endif
