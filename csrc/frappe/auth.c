/* Letting a socket in.
 *
 *      CONNECT
 *         │
 *         ▼        ▼           ▼             ▼
 *     namespace ► origin ► credential ► get_user_info ──────────► rooms ► accepted
 *         │        │           │          │   (ask.h)  yes
 *         └────────┴───────────┴──────────┤no      └── no answer within auth_patience_ms
 *                                         ▼                          │
 *                                      refused                       ▼
 *                                (CONNECT_ERROR: final          client dropped
 *                                 for a Socket.IO client)     (it comes back by itself)
 *
 * A client whose handshake was dropped after its first login may CONNECT again: its identity, kept
 * as rt_sio_client_user, has the site and the credential. */
#include "frappe/state.h"

#include "base/shown.h"
#include "base/status.h"
#include "frappe/claim.h"
#include "frappe/rooms.h"
#include "json/scan.h"

#define USER_MAX 1000 /* bytes: `user:{user}` must fit a room name */
#define TYPE_MAX 1000 /* bytes of a user_type; a longer one counts as missing */

/* --- the question --- */

static int put_path(rt_question *q, rt_buf *path) {
    (void)q;
    return rt_buf_puts(path, RT_LIT("/api/method/frappe.realtime.get_user_info"));
}

static enum rt_meaning store_user(rt_question *q, rt_slice message, rt_slice user) {
    rt_slice kind, value;
    rt_question_subject(q, &kind, &value);
    rt_credential credential = {(enum rt_credential_kind)kind.p[0], value};
    rt_slice apps = rt_json_get(message, RT_LIT("installed_apps"));
    if (rt_json_type_of(apps) == RT_JSON_NULL)
        apps = RT_EMPTY;
    rt_buf type;
    rt_buf_init(&type, TYPE_MAX);
    int rc = rt_json_str_decode(rt_json_get(message, RT_LIT("user_type")), &type);
    if (rc != RT_ENOMEM)
        q->who = rt_identity_get(q->site, credential, user,
                                 rc == RT_OK ? rt_buf_slice(&type) : RT_EMPTY, apps);
    rt_buf_fini(&type);
    return q->who ? RT_MEANS_YES : RT_MEANS_NOTHING;
}

/* A user name with control characters is not Frappe's, and would break the lines of the log. */
static bool is_clean(rt_slice user) {
    for (size_t i = 0; i < user.n; i++) {
        if ((unsigned char)user.p[i] < ' ' || user.p[i] == 0x7f)
            return false;
    }
    return true;
}

/* Without the right secret, Frappe (develop, and v16 since February 2026) answers `{}` or something
 * else without a user. */
static enum rt_meaning judge(rt_question *q, int status, rt_slice message) {
    if (status != 200)
        return RT_MEANS_NO;
    rt_buf user;
    rt_buf_init(&user, USER_MAX);
    enum rt_meaning meaning = RT_MEANS_WRONG_SECRET;
    int rc = rt_json_str_decode(rt_json_get(message, RT_LIT("user")), &user);
    if (rc == RT_ENOMEM)
        meaning = RT_MEANS_NOTHING;
    else if (rc == RT_ELIMIT || rc == RT_EUTF8 || !is_clean(rt_buf_slice(&user)))
        meaning = RT_MEANS_NO;
    else if (rc == RT_OK && user.n > 0)
        meaning = store_user(q, message, rt_buf_slice(&user));
    rt_buf_fini(&user);
    return meaning;
}

/* --- the ways out --- */

static void turn_away(rt_frappe *f, rt_sio_socket *s, enum rt_frappe_gate why, rt_slice message) {
    static const int counters[] = {
        [RT_GATE_NAMESPACE] = RT_FRAPPE_REFUSED_NAMESPACE,
        [RT_GATE_ORIGIN] = RT_FRAPPE_REFUSED_ORIGIN,
        [RT_GATE_CREDENTIAL] = RT_FRAPPE_REFUSED_NO_CREDENTIAL,
        [RT_GATE_UNAUTHORIZED] = RT_FRAPPE_REFUSED_UNAUTHORIZED,
    };
    rt_frappe_count(f, counters[why]);
    rt_member_free(rt_member_of(s));
    rt_sio_socket_set_user(s, NULL);
    rt_sio_refuse(s, message);
}

static void refuse(rt_frappe *f, rt_sio_socket *s, enum rt_frappe_gate why, rt_slice message) {
    char more[RT_LOG_MORE];
    if (rt_frappe_may_log(f, why))
        rt_log(RT_LOG_INFO, "frappe", "refused: %.*s%s", (int)message.n, message.p,
               rt_log_more(&f->gates[why], more));
    turn_away(f, s, why, message);
}

/* Refuses with `message`, or with `plain` if there was no memory to build `message`. */
static void refuse_saying(rt_frappe *f, rt_sio_socket *s, enum rt_frappe_gate why,
                          const rt_buf *message, rt_slice plain) {
    refuse(f, s, why, message->err ? plain : rt_buf_slice(message));
}

static void drop_client(rt_frappe *f, rt_sio_socket *s) {
    rt_frappe_count(f, RT_FRAPPE_AUTH_WAITING_DROPPED);
    if (rt_frappe_may_log(f, RT_GATE_AWAY)) {
        char more[RT_LOG_MORE];
        rt_slice name = rt_slice_from(rt_sio_socket_ns_name(s), 1);
        const rt_site *site = rt_map_get(&f->asker.sites.by_name, name);
        rt_log(RT_LOG_WARN, "frappe",
               "site %.*s does not answer get_user_info (%s): dropped a client after %u s "
               "(frappe_rt_auth_patience_ms), which reconnects by itself%s",
               (int)name.n, name.p, site && site->away_since ? site->away_why : "no answer in time",
               f->asker.opts.patience_ms / 1000, rt_log_more(&f->gates[RT_GATE_AWAY], more));
    }
    rt_sio_drop_client(s, RT_EIO_FORCED_CLOSE);
}

static int join_rooms(rt_sio_socket *s, const rt_identity *id) {
    rt_buf room = RT_BUF_INIT;
    int status = rt_rooms_put_user(&room, rt_identity_user(id));
    if (status == RT_OK)
        status = rt_sio_join(s, rt_buf_slice(&room));
    rt_buf_fini(&room);
    if (status == RT_OK)
        status = rt_sio_join(s, RT_ROOM_WEBSITE);
    if (status == RT_OK && rt_identity_is_system_user(id))
        status = rt_sio_join(s, RT_ROOM_SYSTEM);
    return status;
}

static void let_in(rt_frappe *f, rt_sio_socket *s, rt_identity *id, rt_slice auth) {
    rt_member_of(s)->identity = rt_identity_hold(id);
    rt_identity *before = rt_sio_client_user(s);
    rt_sio_client_set_user(s, rt_identity_hold_client(id));
    rt_identity_rele_client(before);
    if (join_rooms(s, id)) {
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_sio_accept(s);
    if (f->watcher && rt_sio_socket_connected(s))
        f->watcher->on_let_in(f->watcher->ctx, s, auth);
    rt_sio_socket_drop_handshake(s);
}

/* A browser cannot tell a site that the web process does not have (HTTP 404) from a wrong password.
 * The log tells them apart. */
static void refuse_user(rt_frappe *f, rt_sio_socket *s) {
    if (rt_frappe_may_log(f, RT_GATE_UNAUTHORIZED)) {
        char more[RT_LOG_MORE];
        rt_slice name = rt_slice_from(rt_sio_socket_ns_name(s), 1);
        const rt_site *site = rt_map_get(&f->asker.sites.by_name, name);
        rt_log(RT_LOG_INFO, "frappe",
               "refused: Unauthorized: site %.*s answered get_user_info with HTTP %d%s",
               (int)name.n, name.p, site ? site->login_refused : 0,
               rt_log_more(&f->gates[RT_GATE_UNAUTHORIZED], more));
    }
    turn_away(f, s, RT_GATE_UNAUTHORIZED, RT_LIT("Unauthorized"));
}

static void decide(rt_frappe *f, rt_sio_socket *s, enum rt_verdict verdict, rt_identity *id,
                   rt_slice auth) {
    if (verdict == RT_VERDICT_YES)
        let_in(f, s, id, auth);
    else if (verdict == RT_VERDICT_NO)
        refuse_user(f, s);
    else
        drop_client(f, s);
}

static void answered(rt_asker *a, rt_waiter *w, enum rt_verdict verdict, rt_identity *who) {
    rt_ticket *t = RT_OF(w, rt_ticket, waiter);
    rt_sio_socket *s = t->socket;
    rt_buf auth = RT_BUF_INIT; /* a copy: the ticket is freed before decide() */
    int status = rt_buf_puts(&auth, rt_ticket_payload(t));
    rt_ticket_free(t);
    if (status == RT_OK)
        decide(RT_OF(a, rt_frappe, asker), s, verdict, who, rt_buf_slice(&auth));
    else
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
    rt_buf_fini(&auth);
}

static const rt_ask_kind login = {"get_user_info", put_path, judge, answered};

/* The CONNECT payload is kept until the answer comes only if there is a watcher: Frappe's clients
 * send none, and its rules read none. */
static rt_slice worth_keeping(rt_frappe *f, rt_slice auth) {
    if (!f->watcher || auth.n <= RT_FRAPPE_AUTH_MAX)
        return f->watcher ? auth : RT_EMPTY;
    rt_frappe_count(f, RT_FRAPPE_AUTH_OVER_MAX);
    return RT_EMPTY;
}

/* As the nearest proxy names it: the last in X-Forwarded-For. A client without a proxy may claim
 * any; it decides about the order of questions and nothing else. */
static rt_slice address_of(const rt_http_request *req) {
    rt_slice list = req ? rt_http_header_get(req, RT_LIT("X-Forwarded-For")) : RT_EMPTY;
    for (size_t i = list.n; i > 0; i--)
        if (list.p[i - 1] == ',')
            return rt_slice_trim(rt_slice_from(list, i));
    return rt_slice_trim(list);
}

static void ask(rt_frappe *f, rt_sio_socket *s, rt_site *site, rt_credential credential,
                rt_slice auth) {
    rt_slice kept = worth_keeping(f, auth);
    char kind = (char)credential.kind;
    rt_subject subject = {.kind = &login,
                          .site = site,
                          .first = rt_slice_make(&kind, 1),
                          .second = credential.value,
                          .from = address_of(rt_sio_socket_handshake(s))};
    enum rt_verdict verdict = RT_VERDICT_NONE;
    rt_identity *who = NULL;
    rt_ticket *t = rt_ticket_new_in(rt_member_of(s), s, kept);
    int status = t ? rt_ask(&f->asker, &subject, &t->waiter, &verdict, &who) : RT_ENOMEM;
    if (status == RT_AGAIN)
        return;
    rt_ticket_free(t);
    if (status == RT_ELIMIT)
        rt_frappe_count(f, RT_FRAPPE_QUESTIONS_OVER_MAX);
    if (status == RT_ENOMEM)
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
    else
        decide(f, s, verdict, who, kept);
}

/* --- the checks --- */

static void refuse_namespace(rt_frappe *f, rt_sio_socket *s, rt_slice site, const char *source,
                             rt_slice other_host) {
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT("Invalid namespace: asked for "));
    rt_shown_put(&b, rt_sio_socket_ns_name(s));
    if (site.n == 0) {
        rt_buf_printf(&b, ", no site name in %s", source);
    } else {
        rt_buf_puts(&b, RT_LIT(", this host serves site "));
        rt_shown_put(&b, site);
        rt_buf_printf(&b, " (named by %s", source);
        if (other_host.n > 0) {
            rt_buf_puts(&b, RT_LIT(", which is not the server "));
            rt_shown_put(&b, other_host);
            rt_buf_puts(&b, RT_LIT(": see socketio_allowed_origins"));
        }
        rt_buf_putc(&b, ')');
    }
    refuse_saying(f, s, RT_GATE_NAMESPACE, &b, RT_LIT("Invalid namespace"));
    rt_buf_fini(&b);
}

static void refuse_origin(rt_frappe *f, rt_sio_socket *s, const rt_claim *c) {
    rt_buf b = RT_BUF_INIT;
    rt_buf_puts(&b, RT_LIT("Invalid origin: page "));
    rt_shown_put(&b, c->origin.n ? c->origin : RT_LIT("without Origin"));
    rt_buf_puts(&b, RT_LIT(", server "));
    rt_shown_put(&b, c->host.n ? c->host : RT_LIT("without Host"));
    rt_buf_puts(&b, RT_LIT(" (see socketio_allowed_origins)"));
    refuse_saying(f, s, RT_GATE_ORIGIN, &b, RT_LIT("Invalid origin"));
    rt_buf_fini(&b);
}

static void refuse_credential(rt_frappe *f, rt_sio_socket *s, int status) {
    refuse(f, s, RT_GATE_CREDENTIAL,
           status == RT_ENOENT ? RT_LIT("Missing cookie and authorization header. Either one "
                                        "needed for authentication.")
                               : RT_LIT("No authentication method used. Use cookie or "
                                        "authorization header."));
}

static void connect_by_handshake(rt_frappe *f, rt_sio_socket *s, const rt_http_request *req,
                                 rt_slice auth) {
    rt_claim c;
    rt_credential credential;
    rt_claim_read(req, rt_http_header_get(req, RT_LIT("Origin")), f->default_site, &f->ports, &c);
    rt_slice ns = rt_sio_socket_ns_name(s);
    rt_slice name = rt_slice_from(ns, 1);
    bool foreign = c.origin.n > 0 && !c.same_host && !c.listed;
    if (!rt_site_is_namespace(c.site, ns) || !rt_site_is_name(name)) {
        bool by_origin = foreign && rt_slice_eq(rt_slice_of(c.source), RT_LIT("Origin"));
        refuse_namespace(f, s, c.site, c.source, by_origin ? c.host : RT_EMPTY);
        return;
    }
    if (!rt_claim_origin_ok(&c)) {
        refuse_origin(f, s, &c);
        return;
    }
    int status = rt_credential_read(req, &credential);
    if (status) {
        refuse_credential(f, s, status);
        return;
    }
    rt_site *site = rt_site_get(&f->asker.sites, name);
    if (!site) {
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
        return;
    }
    ask(f, s, site, credential, auth);
    rt_site_rele(site);
}

static void connect_by_identity(rt_frappe *f, rt_sio_socket *s, rt_identity *id, rt_slice auth) {
    rt_slice site = rt_site_name(id->site);
    if (!rt_site_is_namespace(site, rt_sio_socket_ns_name(s))) {
        refuse_namespace(f, s, site, "this connection's first namespace", RT_EMPTY);
        return;
    }
    rt_identity_hold(id); /* the answer may replace it */
    ask(f, s, id->site, rt_identity_credential(id), auth);
    rt_identity_rele(id);
}

void rt_auth_connect(rt_frappe *f, rt_sio_socket *s, rt_slice auth) {
    rt_member *m = rt_member_new(rt_frappe_now(f));
    if (!m) {
        rt_sio_drop_client(s, RT_EIO_NO_MEMORY);
        return;
    }
    rt_sio_socket_set_user(s, m);
    const rt_http_request *req = rt_sio_socket_handshake(s);
    rt_identity *known = rt_sio_client_user(s);
    if (req)
        connect_by_handshake(f, s, req, auth);
    else if (known)
        connect_by_identity(f, s, known, auth);
    else
        refuse_credential(f, s, RT_ENOENT);
}
