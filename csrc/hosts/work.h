/* A line of a host while it is carried out: its members, and functions that read them. Unless it
 * says otherwise, a reader that returns false has stored the reason in w->wrong.
 *
 * Ownership: slices point into the line or h->text, valid until the next line. Thread: the loop's.
 * Must not know: descriptors. */
#ifndef RT_HOSTS_WORK_H
#define RT_HOSTS_WORK_H

#include "base/status.h"
#include "hosts/state.h"

/* The members of a line, as JSON. Empty: absent. */
typedef struct message {
    rt_slice op, s, ns, r, e, a, b, x, v, q, t, i, close, doctype, name;
} rt_host_message;

/* A line that is being carried out. */
typedef struct work {
    rt_host *host;
    rt_hosts *h;
    rt_host_message m;
    rt_slice attachments[RT_SIO_ATTACHMENTS_MAX];
    unsigned attachment_count;
    uint64_t q;
    const char *wrong; /* why the line is skipped */
} rt_host_work;

/* Stores `why` in w->wrong. Returns false. */
bool rt_host_wrong(rt_host_work *w, const char *why);

static inline bool rt_host_is_true(rt_slice value) {
    return value.n > 0 && value.p[0] == 't';
}

/* Decodes a string. Stores no reason. */
RT_MUST_CHECK bool rt_host_read_text(rt_host_work *w, rt_slice raw, rt_slice *text);
RT_MUST_CHECK bool rt_host_read_u64(rt_slice raw, unsigned long long max, uint64_t *out);
/* The connected socket with that id; NULL: it has gone, or never existed. */
rt_sio_socket *rt_host_find_socket(const rt_host_work *w, rt_slice id);
/* Reads the member `s`. *s is NULL if that socket has gone. */
RT_MUST_CHECK bool rt_host_read_socket(rt_host_work *w, rt_sio_socket **s);
/* Reads the member `q` into w->q. */
RT_MUST_CHECK bool rt_host_read_q(rt_host_work *w);
/* Reads and checks `a` and `b`, the arguments and attachments of an event or acknowledgement, so
 * that no client refuses them. */
RT_MUST_CHECK bool rt_host_read_payload(rt_host_work *w, rt_slice *args);
/* Calls `each` for a string, or for every string of an array. False with `why` if that fails. */
RT_MUST_CHECK bool rt_host_read_texts(rt_host_work *w, rt_slice raw, const char *why,
                                      bool (*each)(rt_host_work *w, rt_slice text));

/* `emit` (emit.c). */
bool rt_host_do_emit(rt_host_work *w);

#endif
