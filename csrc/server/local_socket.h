/* The local socket of the server: what its lines mean.
 *
 * A line whose object has the member "rt" is a command, and gets one line of JSON as its answer.
 * Any other line is an envelope, exactly as on the Redis channel. The name "rt" must be written
 * without escapes.
 *
 *     {"rt":"stats"}     all figures               {"rt":"health"}   {"ok":true,"degraded":null}
 *     {"rt":"figures"}   each with its help        {"rt":"metrics"}  {"text": for Prometheus}
 *     {"rt":"forget","site":"one.localhost","user":"ada@example.com"}                  {"ok":true}
 *     {"rt":"hosts"}     {"hosts":[..]}            {"rt":"reload"}   {"ok":true}
 *     {"rt":"host",..}   makes the peer a handler host (docs/handlers.md)
 *     {"event":"e","message":1,"room":"all","namespace":"one.localhost"}
 *
 * Ownership: rt_instance owns the socket. Thread: the loop's, once it runs. Must not know: bytes
 * and descriptors. */
#ifndef RT_SERVER_LOCAL_SOCKET_H
#define RT_SERVER_LOCAL_SOCKET_H

#include "base/alarm.h"
#include "base/buf.h"
#include "base/counters.h"
#include "base/status.h"
#include "net/local.h"

#define RT_LOCAL_LINE_COUNTERS(X)                                                                  \
    X(RT_LOCAL_LINE_ENVELOPES, "envelopes", "Events published through the local socket.")          \
    X(RT_LOCAL_LINE_COMMANDS, "commands", "Commands received on the local socket.")                \
    X(RT_LOCAL_LINE_BAD, "bad_lines",                                                              \
      "Lines on the local socket that were neither event nor command.")                            \
    X(RT_LOCAL_LINE_BAD_COMMANDS, "bad_commands", "Commands on the local socket that were refused.")
RT_COUNTERS_DECLARE(rt_local_line, RT_LOCAL_LINE_COUNTERS)

/* If opening fails, time until the next try. It doubles from the first value up to the second. */
#define RT_LOCAL_RETRY_FIRST_MS 100
#define RT_LOCAL_RETRY_MAX_MS 10000

typedef struct rt_local_opening {
    rt_alarm retry;
    uint32_t retry_ms; /* time to wait after the next failure */
    uint64_t failed;   /* count of failures */
} rt_local_opening;

struct rt_instance;

void rt_instance_init_local(struct rt_instance *in);
/* Opens it if the configuration asks for one. A server works without it, so a failure is logged
 * once and opening is tried again until it works: an old server may release its port a moment
 * before this file. May wait RT_LISTEN_LOCK_MS: call it before the loop runs. */
void rt_instance_open_local(struct rt_instance *in);
/* Call it while in->frappe still exists: it delivers what was sent so far. */
void rt_instance_close_local(struct rt_instance *in);

/* A line of the socket. If it is a command, it is valid JSON. */
typedef struct rt_local_request {
    rt_slice command; /* value of "rt", JSON; empty: the line is an envelope or malformed */
    rt_slice line;
    rt_local_peer *peer; /* its sender */
} rt_local_request;
rt_local_request rt_local_parse(rt_slice line);

/* Carries out a command and appends its answer or `{"error":..}`. Appends nothing if the peer has
 * its answer already. RT_OK; RT_EINVAL: the command was wrong; or the buffer's error. */
RT_MUST_CHECK int rt_instance_do_command(struct rt_instance *in, const rt_local_request *request,
                                         rt_buf *answer);

/* Turns a peer into a handler host, or refuses and disconnects it (host_socket.c). */
void rt_instance_attach_host(struct rt_instance *in, rt_local_peer *peer, rt_slice line);

#endif
