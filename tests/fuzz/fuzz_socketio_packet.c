/* socketio/packet.c: any text is refused or taken apart into slices of itself. */
#include "base/status.h"
#include "socketio/packet.h"

#include <stdint.h>
#include <stdlib.h>

static void must_be_inside(rt_slice part, rt_slice whole) {
    if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rt_slice text = rt_slice_make(data, size), name, args;
    rt_sio_packet p;
    if (rt_sio_packet_parse(text, 10, &p) != RT_OK)
        return 0;
    if (p.attachments > 10)
        abort();
    must_be_inside(p.data, text);
    if (p.attachments)
        rt_sio_placeholders_valid(p.data, p.attachments);
    if ((p.type == RT_SIO_EVENT || p.type == RT_SIO_BINARY_EVENT) &&
        rt_sio_packet_event(p.data, &name, &args)) {
        must_be_inside(name, p.data);
        must_be_inside(args, p.data);
    }
    return 0;
}
