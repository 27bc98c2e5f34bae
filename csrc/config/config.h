/* The effective configuration of a bench: one parser for the server, the publisher and the command
 * line. Keys, order of sources and defaults are those of Frappe (docs/configuration.md).
 *
 * Order, later wins: defaults, <bench>/config.json, <bench>/sites/common_site_config.json,
 * environment, overrides given by the caller. As in Frappe, a falsy value in a file (0, false,
 * null, "", [], {}) counts as absent, and so does an empty environment variable. Two exceptions:
 * 0 and false are values for keys that begin with frappe_rt_, which Frappe does not read; and in an
 * override only null counts as absent.
 *
 * Ownership: caller's memory for the struct; the strings inside belong to it (init/fini).
 * Thread: any. */
#ifndef RT_CONFIG_CONFIG_H
#define RT_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

enum rt_config_from {
    RT_FROM_DEFAULT,
    RT_FROM_LEGACY_FILE, /* <bench>/config.json */
    RT_FROM_COMMON_FILE, /* <bench>/sites/common_site_config.json */
    RT_FROM_ENVIRONMENT,
    RT_FROM_CALLER,
};

/* Every option has one row here and nowhere else:
 * X(member, "key", TYPE, WHEN, "default", "ENVIRONMENT" or NULL, min, max, "help").
 *
 * TYPE is STR, INT, BOOL, PATH or WORD. A list given for a STR is joined with commas. A PATH is a
 * string, and false means "off". A WORD is one of the words in its default column; the first is
 * the default. Where "on" and "off" are among them, true and false stand for these.
 *
 * WHEN is START (read once), LIVE (a running server adopts a new value at a reload) or SITE (LIVE,
 * and each site may have its own value, see sites.h; always a string). */
#define RT_CONFIG_TABLE(X)                                                                         \
    X(socketio_port, "socketio_port", INT, START, "9000", "FRAPPE_SOCKETIO_PORT", 0, 65535,        \
      "TCP port, all interfaces, IPv4 and IPv6; 0 takes a free one")                               \
    X(socketio_uds, "socketio_uds", STR, START, "", "FRAPPE_SOCKETIO_UDS", 0, 0,                   \
      "listen on this Unix socket instead of a port")                                              \
    X(socketio_host, "frappe_rt_host", STR, START, "", "FRAPPE_RT_HOST", 0, 0,                     \
      "listen on this address only; empty: all interfaces")                                        \
    X(redis_queue, "redis_queue", STR, START, "redis://127.0.0.1:11311", "FRAPPE_REDIS_QUEUE", 0,  \
      0, "Redis that carries the events channel and the socket secret")                            \
    X(use_redis, "frappe_rt_redis", BOOL, START, "1", "FRAPPE_RT_REDIS", 0, 1,                     \
      "connect to Redis at all")                                                                   \
    X(default_site, "default_site", STR, LIVE, "", "FRAPPE_SITE", 0, 0,                            \
      "site used when Host is localhost or 127.0.0.1")                                             \
    X(developer_mode, "developer_mode", BOOL, LIVE, "0", NULL, 0, 1,                               \
      "allow open_in_editor; run handlers of apps anew when their files change")                   \
    X(webserver_port, "webserver_port", INT, LIVE, "8000", NULL, 1, 65535,                         \
      "port of the web process")                                                                   \
    X(webserver_host, "webserver_host", STR, LIVE, "", NULL, 0, 0,                                 \
      "host of the web process; a scheme or a port in it is kept")                                 \
    X(server_ip, "server_ip", STR, LIVE, "", NULL, 0, 0,                                           \
      "callbacks go to http://{server_ip} with the site as Host")                                  \
    X(allowed_origins, "socketio_allowed_origins", STR, SITE, "", NULL, 0, 0,                      \
      "origins allowed besides the site's own host: list, comma-separated, or *; also per site")   \
    X(allow_cors, "allow_cors", STR, SITE, "", NULL, 0, 0,                                         \
      "the same, as Frappe's web process has it; the two add up")                                  \
    X(ping_interval_ms, "frappe_rt_ping_interval_ms", INT, START, "25000",                         \
      "FRAPPE_RT_PING_INTERVAL_MS", 100, 3600000, "heartbeat: time between pings")                 \
    X(ping_timeout_ms, "frappe_rt_ping_timeout_ms", INT, START, "20000",                           \
      "FRAPPE_RT_PING_TIMEOUT_MS", 100, 3600000, "heartbeat: time for the answer")                 \
    X(max_payload, "frappe_rt_max_payload", INT, START, "1000000", "FRAPPE_RT_MAX_PAYLOAD", 1024,  \
      67108864, "bytes of one message from a client")                                              \
    X(max_owed, "frappe_rt_max_owed", INT, LIVE, "8388608", "FRAPPE_RT_MAX_OWED", 65536,           \
      1073741824, "bytes owed to one client before it is dropped as slow")                         \
    X(owed_budget, "frappe_rt_owed_budget", INT, LIVE, "268435456", "FRAPPE_RT_OWED_BUDGET",       \
      1048576, 1099511627776,                                                                      \
      "bytes of memory for all that clients are owed; beyond it those owed the most are dropped")  \
    X(max_newcomers, "frappe_rt_max_newcomers", INT, LIVE, "20000", "FRAPPE_RT_MAX_NEWCOMERS",     \
      100, 1000000, "connections that are not logged in yet; beyond it the oldest makes room")     \
    X(max_newcomer_bytes, "frappe_rt_max_newcomer_bytes", INT, LIVE, "33554432",                   \
      "FRAPPE_RT_MAX_NEWCOMER_BYTES", 1048576, 1073741824,                                         \
      "bytes that they may take together; beyond it the oldest makes room")                        \
    X(max_unfinished, "frappe_rt_max_unfinished", INT, LIVE, "33554432",                           \
      "FRAPPE_RT_MAX_UNFINISHED", 65536, 1073741824,                                               \
      "bytes of messages that have come in part, all clients together")                            \
    X(handshakes_per_second, "frappe_rt_handshakes_per_second", INT, LIVE, "200",                  \
      "FRAPPE_RT_HANDSHAKES_PER_SECOND", 1, 10000,                                                 \
      "handshakes that one address may make in a second, and ten times that at once")              \
    X(connections_per_address, "frappe_rt_connections_per_address", INT, LIVE, "10000",            \
      "FRAPPE_RT_CONNECTIONS_PER_ADDRESS", 1, 1000000,                                             \
      "connections of one address that is no trusted proxy")                                       \
    X(trusted_proxies, "frappe_rt_trusted_proxies", STR, START, "loopback, private",               \
      "FRAPPE_RT_TRUSTED_PROXIES", 0, 0,                                                           \
      "proxies whose X-Forwarded-For counts: addresses, networks, loopback, private; or none")     \
    X(events_per_second, "frappe_rt_events_per_second", INT, LIVE, "100",                          \
      "FRAPPE_RT_EVENTS_PER_SECOND", 1, 10000,                                                     \
      "packets of a client that are read in a second, and four times that at once")                \
    X(guests_see_others, "frappe_rt_guests_see_others", BOOL, LIVE, "1",                           \
      "FRAPPE_RT_GUESTS_SEE_OTHERS", 0, 1,                                                         \
      "guests may follow a task whose id they know, and who views a document they may read")       \
    X(web_in_flight, "frappe_rt_web_in_flight", INT, LIVE, "16", "FRAPPE_RT_WEB_IN_FLIGHT", 1,     \
      1000, "requests to the web process at one time, besides late ones")                          \
    X(web_timeout_ms, "frappe_rt_web_timeout_ms", INT, LIVE, "10000", "FRAPPE_RT_WEB_TIMEOUT_MS",  \
      100, 120000, "after it, a request to the web process is late: it stays, others go first")    \
    X(auth_patience_ms, "frappe_rt_auth_patience_ms", INT, START, "20000",                         \
      "FRAPPE_RT_AUTH_PATIENCE_MS", 100, 600000,                                                   \
      "how long a connection waits for a web process that is away (longer if it is slow)")         \
    X(cache_ms, "frappe_rt_cache_ms", INT, START, "10000", "FRAPPE_RT_CACHE_MS", 0, 60000,         \
      "how long an answer of the web process is good; 0: no cache")                                \
    X(local_socket, "frappe_rt_local_socket", PATH, START, "", "FRAPPE_RT_LOCAL_SOCKET", 0, 0,     \
      "Unix socket for this host's processes; empty: config/frappe_rt.sock of the bench; or off")  \
    X(publish, "frappe_rt_publish", WORD, START, "auto|redis|local", "FRAPPE_RT_PUBLISH", 0, 0,    \
      "where a publish goes: auto, redis (there alone) or local (nowhere beyond this host)")       \
    X(forward, "frappe_rt_forward", WORD, START, "auto|on|off", "FRAPPE_RT_FORWARD", 0, 0,         \
      "pass local publishes on to other servers at Redis: auto (if there are any), on or off")     \
    X(handlers, "frappe_rt_handlers", WORD, START, "auto|off", "FRAPPE_RT_HANDLERS", 0, 0,         \
      "run the realtime handlers of apps: auto (where an app has some) or off")                    \
    X(worker_threads, "socketio_worker_threads", INT, LIVE, "4", NULL, 1, 256,                     \
      "threads for handlers of apps that are plain Python functions")

typedef struct rt_config {
#define RT_CONFIG_MEMBER_STR(member) char *member;
#define RT_CONFIG_MEMBER_PATH(member) char *member;
#define RT_CONFIG_MEMBER_WORD(member) char *member;
#define RT_CONFIG_MEMBER_INT(member) long member;
#define RT_CONFIG_MEMBER_BOOL(member) bool member;
#define RT_CONFIG_MEMBER(member, key, type, when, def, env, min, max, help)                        \
    RT_CONFIG_MEMBER_##type(member)
    RT_CONFIG_TABLE(RT_CONFIG_MEMBER)
#undef RT_CONFIG_MEMBER
#define RT_CONFIG_SOURCE(member, key, type, when, def, env, min, max, help) uint8_t member##_from;
    RT_CONFIG_TABLE(RT_CONFIG_SOURCE)
#undef RT_CONFIG_SOURCE
    char *bench; /* absolute path of the bench, or NULL: defaults, environment and overrides only */
} rt_config;

/* `bench`: its folder, or NULL. `overrides`: a JSON object with keys of the table, or NULL; a wrong
 * key or type is an error. RT_OK; RT_EINVAL with a message for people in `why`, which names the
 * file, line, key, value and what was expected; RT_ENOMEM. A missing file is fine, a broken one is
 * an error. */
RT_MUST_CHECK int rt_config_load(rt_config *c, const char *bench, const char *overrides, char *why,
                                 size_t n);
void rt_config_fini(rt_config *c);

/* Applies one more source, a JSON text, to `c`, which rt_config_load has filled. `name` is what
 * messages call the text. RT_OK; RT_EINVAL: some values may have been stored already; RT_ENOMEM. */
RT_MUST_CHECK int rt_config_apply(rt_config *c, enum rt_config_from from, const char *name,
                                  rt_slice text, char *why, size_t n);

/* `{"key": {"value": v, "from": "default" | "config.json" | "common_site_config.json" |
 * "environment" | "caller", "default": v, "environment": name | null, "help": text}, ...}` in
 * memory of rt_alloc, for the caller to free. Passwords in URLs are masked. NULL: out of memory. */
RT_MUST_CHECK char *rt_config_describe(const rt_config *c);

/* Where the value of `key` comes from, for people: one of the words under "from" above. */
const char *rt_config_origin(const rt_config *c, const char *key);

/* Appends `{"key": value, ...}`, passwords included: for this process only, never to be shown. */
int rt_config_put_values(const rt_config *c, rt_buf *out);

#endif
