/* Keeps handshakes for a host that takes over later from the one that saw them. */
#include "base/alloc.h"
#include "hosts/state.h"

typedef struct rt_host_kept {
    uint32_t n;
    char text[]; /* `"query":{..},"auth":{..}` */
} rt_host_kept;

/* Called once for each socket: ids are never reused. */
static int put(rt_hosts *h, const rt_sio_socket *s, rt_slice text) {
    rt_host_kept *kept = rt_alloc(sizeof *kept + text.n);
    if (!kept)
        return RT_ENOMEM;
    kept->n = (uint32_t)text.n;
    memcpy(kept->text, text.p, text.n);
    int status = rt_map_put(&h->kept, rt_sio_socket_id(s), kept);
    if (status == RT_OK)
        h->kept_bytes += text.n;
    else
        rt_free(kept);
    return status;
}

void rt_host_keep(rt_hosts *h, rt_sio_socket *s, rt_slice auth) {
    const rt_http_request *handshake = rt_sio_socket_handshake(s);
    if (!h->handshakes || !handshake)
        return;
    rt_buf text = RT_BUF_INIT;
    text.max = RT_HOST_KEPT_MAX;
    rt_host_put_query_and_auth(&text, handshake, auth);
    int status = text.err;
    if (status == RT_OK)
        status =
            h->kept_bytes + text.n > RT_HOST_KEPT_ALL ? RT_ELIMIT : put(h, s, rt_buf_slice(&text));
    if (status != RT_OK)
        rt_hosts_count(h, status == RT_ELIMIT ? RT_HOSTS_KEPT_OVER_MAX : RT_HOSTS_NO_MEMORY);
    rt_buf_fini(&text);
}

void rt_host_put_kept(const rt_hosts *h, const rt_sio_socket *s, rt_buf *b) {
    const rt_host_kept *kept = rt_map_get(&h->kept, rt_sio_socket_id(s));
    if (!kept)
        return;
    rt_buf_putc(b, ',');
    rt_buf_puts(b, rt_slice_make(kept->text, kept->n));
}

void rt_host_drop_kept(rt_hosts *h, const rt_sio_socket *s) {
    rt_host_kept *kept = rt_map_del(&h->kept, rt_sio_socket_id(s));
    if (!kept)
        return;
    h->kept_bytes -= kept->n;
    rt_free(kept);
}

void rt_host_drop_all_kept(rt_hosts *h) {
    size_t cursor = 0;
    const rt_map_entry *e;
    while ((e = rt_map_next(&h->kept, &cursor)))
        rt_free(e->value);
    rt_map_fini(&h->kept);
    h->kept_bytes = 0;
}
