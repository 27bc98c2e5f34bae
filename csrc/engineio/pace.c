/* What one client may have done for it: so much in a turn, so much in a second. */
#include "engineio/session.h"

#define UNITS_IN_MS 10 /* of time: what a packet costs at the highest rate */

static uint32_t now_of(const rt_eio *e) {
    return (uint32_t)(rt_eio_now(e) * UNITS_IN_MS);
}

uint32_t rt_eio_pace_start(const rt_eio *e) {
    return now_of(e) - RT_EIO_BURST_S * 1000 * UNITS_IN_MS;
}

static uint32_t *paid_by(const rt_eio_session *s) {
    return s->state == RT_EIO_WEBSOCKET ? &s->port->paid : &s->polling->paid;
}

void rt_eio_slice_begin(rt_eio_slice *slice) {
    *slice = (rt_eio_slice){RT_EIO_SLICE_PACKETS_MAX, RT_EIO_SLICE_BYTES_MAX};
}

/* The client pays with time: it has paid up to a moment. While that lies in the past it has credit,
 * of which RT_EIO_BURST_S are kept. The clock's low half is enough, since it turns over after five
 * days, and a pong comes more often. */
static void pay(const rt_eio_session *s, size_t bytes) {
    const rt_eio *e = s->eio;
    if (e->opts.packets_per_second == 0)
        return;
    uint32_t start = rt_eio_pace_start(e), *paid = paid_by(s);
    uint32_t cost = 1000 * UNITS_IN_MS / e->opts.packets_per_second;
    if ((int32_t)(*paid - start) < 0)
        *paid = start;
    *paid += cost * (uint32_t)(1 + bytes / RT_EIO_PACKET_BYTES);
}

uint64_t rt_eio_pace_again(const rt_eio_session *s) {
    const rt_eio *e = s->eio;
    int32_t left = (int32_t)(*paid_by(s) - now_of(e));
    if (left <= 0 || e->opts.packets_per_second == 0)
        return 0;
    return rt_eio_now(e) + (uint32_t)(left + UNITS_IN_MS - 1) / UNITS_IN_MS;
}

bool rt_eio_slice_spend(rt_eio_slice *slice, rt_eio_session *s, size_t bytes) {
    slice->packets--;
    slice->bytes -= bytes < slice->bytes ? bytes : slice->bytes;
    if (s)
        pay(s, bytes);
    return slice->packets > 0 && slice->bytes > 0 && !(s && rt_eio_pace_again(s));
}

void rt_eio_pace_tell(rt_eio_session *s) {
    rt_eio *e = s->eio;
    rt_eio_count(e, RT_EIO_PACED);
    if (e->app.on_paced)
        e->app.on_paced(e->app.ctx, s);
}
