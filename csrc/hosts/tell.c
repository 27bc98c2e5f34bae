/* Builds the lines to hosts, and sends them. */
#include "base/digest.h"
#include "json/scan.h"
#include "json/write.h"
#include "hosts/state.h"

#define SCRATCH_KEPT (64u << 10)
#define LOST_SAY_MS 10000

/* --- any line --- */

rt_buf *rt_host_start_line(rt_hosts *h, rt_slice op) {
    if (h->line.cap > SCRATCH_KEPT)
        rt_buf_fini(&h->line);
    rt_buf_clear(&h->line);
    rt_buf_puts(&h->line, RT_LIT("{\"op\":\""));
    rt_buf_puts(&h->line, op);
    rt_buf_putc(&h->line, '"');
    return &h->line;
}

void rt_host_give_up(rt_host *host, int counter, const char *why) {
    rt_hosts_count(host->hosts, counter);
    rt_log(RT_LOG_ERROR, "handlers", "the %s handlers (process %llu) are disconnected: %s",
           host->language, (unsigned long long)host->pid, why);
    host->hosts->link->end(host->peer);
}

static void say_to(rt_host *host, rt_slice line) {
    const rt_host_link *link = host->hosts->link;
    if (link->owed(host->peer) + line.n + 1 > RT_HOST_OWED_MAX)
        rt_host_give_up(host, RT_HOSTS_CLOSED_SLOW, "they do not read, and 32 MB wait for them");
    else
        link->say(host->peer, line);
}

void rt_host_say(rt_hosts *h, uint8_t mask) {
    rt_buf_putc(&h->line, '}');
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++) {
        if (!(mask & h->attached & host->bit))
            continue;
        if (h->line.err)
            rt_host_give_up(host, RT_HOSTS_NO_MEMORY,
                            "memory ran out for a line that they must get");
        else
            say_to(host, rt_buf_slice(&h->line));
    }
}

void rt_host_put_args(rt_buf *b, rt_slice args, const rt_slice *attachments, unsigned count) {
    rt_buf_puts(b, RT_LIT(",\"a\":["));
    rt_host_put_json(b, args);
    rt_buf_putc(b, ']');
    if (count == 0)
        return;
    rt_buf_puts(b, RT_LIT(",\"b\":["));
    for (unsigned i = 0; i < count; i++) {
        size_t n = RT_BASE64_LEN(attachments[i].n);
        rt_buf_puts(b, i ? RT_LIT(",\"") : RT_LIT("\""));
        if (rt_buf_reserve(b, n) == RT_OK && n > 0) {
            rt_base64_encode(attachments[i], b->p + b->n);
            b->n += n;
        }
        rt_buf_putc(b, '"');
    }
    rt_buf_putc(b, ']');
}

static rt_buf *start_about(rt_hosts *h, rt_slice op, const rt_sio_socket *s) {
    rt_buf *b = rt_host_start_line(h, op);
    rt_buf_puts(b, RT_LIT(",\"s\":\""));
    rt_buf_puts(b, rt_sio_socket_id(s)); /* needs no escapes, see base/random.h */
    rt_buf_putc(b, '"');
    return b;
}

/* --- sockets --- */

static void put_text_or_null(rt_buf *b, rt_slice key, rt_slice text) {
    rt_json_put_key(b, key);
    if (text.n)
        rt_json_put_str(b, text);
    else
        rt_buf_puts(b, RT_LIT("null"));
}

static void put_person(rt_buf *b, const rt_sio_socket *s) {
    rt_frappe_person p;
    if (!rt_frappe_person_of(s, &p))
        return;
    rt_json_put_member_str(b, RT_LIT("ns"), rt_sio_socket_ns_name(s));
    rt_json_put_member_str(b, RT_LIT("site"), p.site);
    rt_json_put_member_str(b, RT_LIT("user"), p.user);
    put_text_or_null(b, RT_LIT("type"), p.type);
    rt_json_put_key(b, RT_LIT("apps"));
    rt_host_put_json(b, p.apps.n ? p.apps : RT_LIT("null"));
    put_text_or_null(b, RT_LIT("sid"), p.sid);
    put_text_or_null(b, RT_LIT("authorization"), p.authorization);
}

static void put_rooms(rt_buf *b, const rt_sio_socket *s) {
    rt_slice room;
    rt_json_put_key(b, RT_LIT("rooms"));
    rt_buf_putc(b, '[');
    for (uint32_t i = 0; rt_sio_socket_room(s, i, &room); i++) {
        if (i)
            rt_buf_putc(b, ',');
        rt_json_put_str(b, room);
    }
    rt_buf_putc(b, ']');
}

void rt_host_tell_connect(rt_host *host, rt_sio_socket *s, rt_slice auth, bool again) {
    rt_hosts *h = host->hosts;
    rt_buf *b = start_about(h, RT_LIT("connect"), s);
    const rt_http_request *handshake = rt_sio_socket_handshake(s);
    put_person(b, s);
    if (handshake) {
        rt_host_put_headers(b, handshake);
        rt_host_put_query_and_auth(b, handshake, auth);
    } else if (host->handshakes) {
        rt_host_put_kept(h, s, b);
    }
    put_rooms(b, s);
    if (again)
        rt_json_put_member_raw(b, RT_LIT("again"), RT_LIT("true"));
    rt_sio_socket_set_bits(s, rt_sio_socket_bits(s) | host->bit);
    rt_host_count(host, RT_HOST_SOCKETS_TOLD);
    rt_host_say(h, host->bit);
}

void rt_host_tell_gone(rt_hosts *h, rt_sio_socket *s, enum rt_eio_reason reason) {
    uint8_t told = rt_sio_socket_bits(s) & h->attached;
    if (!told)
        return;
    rt_buf *b = start_about(h, RT_LIT("disconnect"), s);
    rt_json_put_member_str(b, RT_LIT("reason"), rt_slice_of(rt_eio_reason_text(reason)));
    rt_host_say(h, told);
}

void rt_host_tell_moved(void *hosts, rt_sio_socket *s, rt_slice room, bool joined) {
    rt_hosts *h = hosts;
    uint8_t told = rt_sio_socket_bits(s) & h->mirror & h->attached;
    if (!told)
        return;
    rt_buf *b = start_about(h, joined ? RT_LIT("join") : RT_LIT("leave"), s);
    rt_json_put_member_str(b, RT_LIT("r"), room);
    rt_host_say(h, told);
}

/* --- events --- */

static void lose(rt_host *host, const char *why) {
    rt_host_count(host, RT_HOST_EVENTS_LOST);
    rt_hosts_count(host->hosts, RT_HOSTS_EVENTS_LOST);
    if (rt_log_allowed(&host->lost_gate, rt_hosts_now(host->hosts), LOST_SAY_MS))
        rt_log(
            RT_LOG_WARN, "handlers",
            "the %s handlers (process %llu) lose events: %s (%u more since the last such message)",
            host->language, (unsigned long long)host->pid, why, host->lost_gate.reported);
}

/* Whether a host can get an event of this socket. It is told of the socket first, which may close
 * the host. */
static bool ready_for(rt_host *host, rt_sio_socket *s) {
    rt_hosts *h = host->hosts;
    if (h->link->owed(host->peer) > RT_HOST_OWED_SOFT) {
        lose(host, "they do not read, and 8 MB wait for them");
        return false;
    }
    if (!rt_host_was_told(host, s))
        rt_host_tell_connect(host, s, RT_EMPTY, false);
    return h->active & host->bit;
}

static void put_event(rt_hosts *h, rt_sio_socket *s, const rt_sio_event *ev) {
    rt_buf *b = start_about(h, RT_LIT("event"), s);
    bool number = rt_json_type_of(ev->name) == RT_JSON_NUMBER;
    rt_buf_puts(b, number ? RT_LIT(",\"e\":\"") : RT_LIT(",\"e\":"));
    rt_buf_puts(b, ev->name);
    rt_buf_puts(b, number ? RT_LIT("\"") : RT_EMPTY);
    rt_host_put_args(b, ev->args, ev->attachments, ev->attachment_count);
    if (ev->wants_ack)
        rt_json_put_member_u64(b, RT_LIT("i"), ev->ack_id);
    rt_buf_putc(b, '}');
}

bool rt_host_tell_event(void *hosts, rt_sio_socket *s, const rt_sio_event *ev, bool own) {
    rt_hosts *h = hosts;
    uint8_t takers = rt_hosts_taking(h, ev->name, own);
    for (rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++) {
        if (!(takers & host->bit) || !(h->active & host->bit) || !ready_for(host, s))
            continue;
        put_event(h, s, ev);
        if (h->line.err == RT_ELIMIT) {
            lose(host, "the event is longer than a line may be, 16 MB");
        } else if (h->line.err) {
            rt_hosts_count(h, RT_HOSTS_NO_MEMORY);
            lose(host, "out of memory");
        } else {
            rt_host_count(host, RT_HOST_EVENTS);
            h->link->say(host->peer, rt_buf_slice(&h->line));
        }
    }
    return takers != 0;
}
