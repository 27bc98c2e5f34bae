/* Frappe's rules on top of Socket.IO: which site, who may connect, which rooms, who views what, and
 * the `events` envelope. docs/frappe.md has the rules in words.
 *
 * The layer's public header. Pure: the web process, Redis and the clock are ports (ports.h), so
 * that a table of cases tests it without a socket.
 *
 * Ownership: rt_frappe owns identities and questions. Thread: the loop's.
 * Must not know: curl, hiredis, libuv, threads, Python. */
#ifndef RT_FRAPPE_FRAPPE_H
#define RT_FRAPPE_FRAPPE_H

#include "base/buf.h"
#include "base/counters.h"
#include "base/status.h"
#include "base/figures.h"
#include "base/timers.h"
#include "frappe/ports.h"
#include "socketio/socketio.h"

/* Limits and times, with their defaults. */
#define RT_FRAPPE_AUTH_PATIENCE_MS 20000   /* retrying while the web process is away, then drop */
#define RT_FRAPPE_WEB_TIMEOUT_MS 10000     /* a slower request is late: others go first */
#define RT_FRAPPE_WEB_IN_FLIGHT 16         /* requests at one time, besides late ones */
#define RT_FRAPPE_RETRY_FIRST_MS 250       /* backoff between retries: doubles ... */
#define RT_FRAPPE_RETRY_MAX_MS 4000        /* ... up to this */
#define RT_FRAPPE_CACHE_MS 10000           /* how long an answer is good */
#define RT_FRAPPE_CACHE_REFUSED_MS 2000    /* how long a refusal is good */
#define RT_FRAPPE_CACHE_MAX 20000          /* answers kept */
#define RT_FRAPPE_WAITING_MAX 100000       /* waiters, all sites together ... */
#define RT_FRAPPE_TICKETS_MAX 100          /* ... and permissions that one socket waits for */
#define RT_FRAPPE_ENVELOPE_MAX (16u << 20) /* bytes of one envelope */
#define RT_FRAPPE_VIEWERS_MS 20            /* debounce of one document's viewers */
#define RT_FRAPPE_VIEWERS_NAMED 100        /* users in one list of viewers; the rest is counted */
#define RT_FRAPPE_VIEWERS_BYTES_PER_MS                                                             \
    1000 /* a doc_viewers of so many bytes: a pause of 1 ms ... */
#define RT_FRAPPE_VIEWERS_PAUSE_MAX_MS 10000 /* ... up to this, before the document's next one */
#define RT_FRAPPE_EVENTS_PER_SECOND 100      /* what clients that send more are told */
#define RT_FRAPPE_AUTH_MAX 16384             /* bytes of a CONNECT payload kept for on_let_in */
/* Bytes of a handshake that wait for its login. Up to SMALL all of it is kept; of a bigger one the
 * fields for the login, up to MAX, and its query. All of any where a handler host is attached. */
#define RT_FRAPPE_HANDSHAKE_SMALL 2048
#define RT_FRAPPE_HANDSHAKE_MAX 4096
#define RT_FRAPPE_HANDSHAKE_QUERY_MAX 512
#define RT_FRAPPE_TELL_MS 1000 /* between two frappe_rt_limit events to one socket */

typedef struct rt_frappe_opts {
    rt_slice default_site;  /* site for localhost and 127.0.0.1; may be empty */
    bool developer_mode;    /* open_in_editor is allowed */
    bool guests_see_others; /* guests may follow tasks and open documents */
    uint32_t auth_patience_ms;
    uint32_t web_timeout_ms;
    uint32_t web_in_flight;
    uint32_t cache_ms;
    uint32_t cache_refused_ms;
    uint32_t cache_max;
    uint32_t events_per_second; /* what engineio is given, to tell clients */
} rt_frappe_opts;
void rt_frappe_opts_default(rt_frappe_opts *opts);

#define RT_FRAPPE_COUNTERS(X)                                                                      \
    X(RT_FRAPPE_REFUSED_NAMESPACE, "refused_namespace",                                            \
      "Sockets refused: the namespace is not the site's.")                                         \
    X(RT_FRAPPE_REFUSED_ORIGIN, "refused_origin",                                                  \
      "Sockets refused: the page's origin is not allowed.")                                        \
    X(RT_FRAPPE_REFUSED_NO_CREDENTIAL, "refused_no_credential",                                    \
      "Sockets refused: no usable cookie or authorization header.")                                \
    X(RT_FRAPPE_REFUSED_UNAUTHORIZED, "refused_unauthorized",                                      \
      "Sockets refused because the web process refused the login.")                                \
    X(RT_FRAPPE_AUTH_WAITING_DROPPED, "auth_dropped_web_away",                                     \
      "Clients dropped because the web process did not answer about their login in time.")         \
    X(RT_FRAPPE_QUESTIONS, "questions_asked",                                                      \
      "Questions about logins and permissions handed to the web client.")                          \
    X(RT_FRAPPE_QUESTIONS_SHARED, "questions_shared",                                              \
      "Questions that joined an equal one in flight.")                                             \
    X(RT_FRAPPE_QUESTIONS_CACHED, "questions_from_cache", "Questions answered from memory.")       \
    X(RT_FRAPPE_QUESTIONS_FAILED, "questions_failed",                                              \
      "Requests to the web process that gave no usable answer.")                                   \
    X(RT_FRAPPE_QUESTIONS_LATE, "questions_late",                                                  \
      "Requests that took longer than frappe_rt_web_timeout_ms.")                                  \
    X(RT_FRAPPE_SITE_PAUSES, "site_pauses",                                                        \
      "Pauses before one more request to a site that was away or late.")                           \
    X(RT_FRAPPE_QUESTIONS_OVER_MAX, "questions_over_max",                                          \
      "Questions not asked because too many were waiting.")                                        \
    X(RT_FRAPPE_ANSWERS_OVER_MAX, "answers_over_max",                                              \
      "Kept answers forgotten because there were too many.")                                       \
    X(RT_FRAPPE_PERMISSION_DENIED, "permission_denied",                                            \
      "Permissions that the web process denied.")                                                  \
    X(RT_FRAPPE_PERMISSION_UNANSWERED, "permission_unanswered",                                    \
      "Permissions not granted because no answer came.")                                           \
    X(RT_FRAPPE_AUTH_OVER_MAX, "auth_over_max",                                                    \
      "CONNECT payloads not kept for handlers because they were too big.")                         \
    X(RT_FRAPPE_EVENTS_IGNORED, "client_events_ignored",                                           \
      "Client events ignored because their arguments were wrong.")                                 \
    X(RT_FRAPPE_GUEST_EVENTS_REFUSED, "guest_events_refused",                                      \
      "Client events of guests refused by frappe_rt_guests_see_others.")                           \
    X(RT_FRAPPE_NAMES_OVER_MAX, "names_over_max",                                                  \
      "Client events ignored because a name was too long.")                                        \
    X(RT_FRAPPE_LIMITS_TOLD, "limits_told",                                                        \
      "Times a client was told that it had reached a limit.")                                      \
    X(RT_FRAPPE_VIEWERS_OVER_MAX, "viewers_over_max",                                              \
      "Events doc_viewers that named only some users, because there were too many.")               \
    X(RT_FRAPPE_VIEWERS_PAUSED, "viewers_paused",                                                  \
      "Events doc_viewers sent later because the one before was large.")                           \
    X(RT_FRAPPE_ENVELOPES, "envelopes", "Published events delivered, to nobody included.")         \
    X(RT_FRAPPE_ENVELOPES_MALFORMED, "envelopes_malformed",                                        \
      "Published events skipped because they were malformed.")                                     \
    X(RT_FRAPPE_ENVELOPES_NO_NAMESPACE, "envelopes_room_without_namespace",                        \
      "Published events skipped: a room without a namespace.")                                     \
    X(RT_FRAPPE_ENVELOPES_TO_NOBODY, "envelopes_to_nobody",                                        \
      "Published events for which nobody was there.")                                              \
    X(RT_FRAPPE_ENVELOPES_NO_MEMORY, "envelopes_no_memory",                                        \
      "Published events lost because memory ran out.")                                             \
    X(RT_FRAPPE_PYTHON_NUMBERS, "nan_replaced",                                                    \
      "NaN and Infinity replaced by null in published events.")
RT_COUNTERS_DECLARE(rt_frappe, RT_FRAPPE_COUNTERS)

typedef struct rt_frappe rt_frappe;

RT_MUST_CHECK rt_frappe *
rt_frappe_new(const rt_frappe_opts *opts, const rt_frappe_ports *ports,
              rt_timers *timers); /* NULL: out of memory; opts are copied */
/* Cancels and forgets all questions. Call it after rt_eio_close_all, when every on_disconnect and
 * on_client_gone has been called, and while the ports still work. */
void rt_frappe_free(rt_frappe *f);

/* Changes these options. RT_OK, or RT_ENOMEM: nothing has changed. */
RT_MUST_CHECK int rt_frappe_set_rules(rt_frappe *f, rt_slice default_site, bool developer_mode);
void rt_frappe_set_events_per_second(rt_frappe *f, uint32_t events);
/* Counts for what guests ask from now on; they stay in the rooms where they are. */
void rt_frappe_set_guests_see_others(rt_frappe *f, bool allowed);
void rt_frappe_set_web_limits(rt_frappe *f, uint32_t in_flight, uint32_t timeout_ms);

/* The callbacks for rt_sio_new; then pass its result to rt_frappe_attach. */
rt_sio_app rt_frappe_socketio_app(rt_frappe *f);
void rt_frappe_attach(rt_frappe *f, rt_sio *io);
/* For rt_eio_app.allow_origin: the same rule as at CONNECT. */
bool rt_frappe_allow_origin(void *f, const rt_http_request *req, rt_slice origin);
/* For rt_eio_app.keep: what login and handler hosts read. */
RT_MUST_CHECK int rt_frappe_keep(void *f, const rt_http_request *req, rt_http_header *headers,
                                 rt_http_request *kept);

/* --- publishing --- */

/* One envelope, `{"event":..,"message":..,"room":..,"namespace":..}`, as on the Redis channel.
 * Malformed: RT_EFRAPPE_ENVELOPE; lost for want of memory: RT_ENOMEM. Both are counted, and logged
 * at most once a second. Never closes anything. */
RT_MUST_CHECK int rt_frappe_envelope(rt_frappe *f, rt_slice json);

/* The same in parts (in-process publishing). `message` is JSON text and is validated here. `event`
 * and `room` are plain text. Empty `room`: the whole namespace; empty `site`: every namespace. */
RT_MUST_CHECK int rt_frappe_publish(rt_frappe *f, rt_slice site, rt_slice room, rt_slice event,
                                    rt_slice message);

/* Drops cached answers about a user of a site (an empty user: of the whole site). */
void rt_frappe_forget(rt_frappe *f, rt_slice site, rt_slice user);

/* --- what others may do with clients besides these rules --- */

/* Callbacks about sockets that were let in. All but on_gone may close the socket they are about, or
 * others; on_gone closes nothing. */
typedef struct rt_frappe_watcher {
    void *ctx;
    /* `auth` is the CONNECT payload, an object, or empty. The handshake is still there if this is
     * the client's first socket. */
    void (*on_let_in)(void *ctx, rt_sio_socket *s, rt_slice auth);
    /* A client's event. `own`: it is one of Frappe's, already carried out. True: somebody handles
     * it. */
    bool (*on_event)(void *ctx, rt_sio_socket *s, const rt_sio_event *ev, bool own);
    void (*on_gone)(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason);
} rt_frappe_watcher;
/* NULL: nobody. Borrowed. */
void rt_frappe_watch(rt_frappe *f, const rt_frappe_watcher *watcher);

/* Who is behind a socket, borrowed from it. */
typedef struct rt_frappe_person {
    rt_slice site, user;
    rt_slice type;               /* user_type; empty: the site sent none */
    rt_slice apps;               /* installed_apps, JSON; empty: the site sent none (v15) */
    rt_slice sid, authorization; /* the credential that was used; the other one is empty */
} rt_frappe_person;
/* False: it was not let in. */
RT_MUST_CHECK bool rt_frappe_person_of(const rt_sio_socket *s, rt_frappe_person *out);

/* Asks for permission as a subscription does, but joins no room. Empty `name`: asks about the
 * doctype. RT_OK: *allowed is the answer; RT_AGAIN: `done` is called with it, once. RT_EINVAL: not
 * a name; RT_ELIMIT: too many wait; RT_ECLOSED: the socket was not let in; RT_ENOMEM. */
enum rt_frappe_allowed { RT_FRAPPE_DENIED, RT_FRAPPE_ALLOWED, RT_FRAPPE_UNANSWERED };
typedef void rt_frappe_allowed_fn(void *arg, enum rt_frappe_allowed allowed);
RT_MUST_CHECK int rt_frappe_permission(rt_frappe *f, rt_sio_socket *s, rt_slice doctype,
                                       rt_slice name, rt_frappe_allowed_fn *done, void *arg,
                                       enum rt_frappe_allowed *allowed);

/* Reads the socket secret for somebody else who asks the web process; what does not satisfy
 * rt_secret_is_clean (secret.h) is none. As the port redis_get. */
RT_MUST_CHECK int rt_frappe_read_secret(rt_frappe *f, rt_frappe_redis_fn *done, void *arg);

/* --- figures --- */
typedef struct rt_frappe_figures {
    uint32_t identities; /* distinct (site, credential) pairs connected */
    uint32_t questions;  /* without an answer yet */
    uint32_t waiting;    /* sockets waiting for one */
    uint32_t in_line;    /* questions that wait for their turn */
    uint32_t cached;     /* answers kept */
    rt_frappe_counters counters;
} rt_frappe_figures;
void rt_frappe_get_figures(const rt_frappe *f, rt_frappe_figures *out);
void rt_frappe_show_figures(const rt_frappe *f, const rt_figures *to);
/* Appends `{"site": {"seconds": n, "for": "get_user_info", "why": "HTTP 503"}, ...}`: the sites
 * with unanswered questions, for how long, and what came instead of an answer. */
int rt_frappe_put_waiting_sites(const rt_frappe *f, rt_buf *out);

#endif
