/* One line of a host being done: its members, and reading them. A reader that returns false has
 * said what is wrong.
 *
 * Ownership: slices of the line, or of h->text, good until the next line. Thread: the loop's. */
#ifndef RT_HOSTS_WORK_H
#define RT_HOSTS_WORK_H

#include "base/status.h"
#include "hosts/state.h"

/* The members of a line: raw JSON, empty where there is none. */
typedef struct message {
    rt_slice op, s, ns, r, e, a, b, x, v, q, t, i, close, doctype, name;
} rt_host_message;

/* One line being done. */
typedef struct work {
    rt_host *host;
    rt_hosts *h;
    rt_host_message m;
    rt_slice attachments[RT_SIO_ATTACHMENTS_MAX];
    unsigned attachment_count;
    uint64_t q;
    const char *wrong; /* why it is skipped */
} rt_host_work;

/* Notes it; false. */
bool rt_host_wrong(rt_host_work *w, const char *why);

static inline bool rt_host_is_true(rt_slice value) {
    return value.n > 0 && value.p[0] == 't';
}

/* Decoded text. Says nothing of what is wrong. */
RT_MUST_CHECK bool rt_host_read_text(rt_host_work *w, rt_slice raw, rt_slice *text);
RT_MUST_CHECK bool rt_host_read_u64(rt_slice raw, unsigned long long max, uint64_t *out);
/* The socket of that id, connected; NULL: it has gone, or never was. */
rt_sio_socket *rt_host_find_socket(const rt_host_work *w, rt_slice id);
/* `s`: *s is NULL when it has gone. */
RT_MUST_CHECK bool rt_host_read_socket(rt_host_work *w, rt_sio_socket **s);
RT_MUST_CHECK bool rt_host_read_q(rt_host_work *w);
/* What every event and acknowledgement brings, checked as far as a client would check it. */
RT_MUST_CHECK bool rt_host_read_payload(rt_host_work *w, rt_slice *args);
/* Calls `each` for a text, or for every text of an array. */
RT_MUST_CHECK bool rt_host_read_texts(rt_host_work *w, rt_slice raw, const char *why,
                                      bool (*each)(rt_host_work *w, rt_slice text));

/* `emit` (emit.c). */
bool rt_host_do_emit(rt_host_work *w);

#endif
