/* What one client may have done for it in a turn. */
#include "engineio/session.h"

void rt_eio_slice_begin(rt_eio_slice *slice) {
    *slice = (rt_eio_slice){RT_EIO_SLICE_PACKETS_MAX, RT_EIO_SLICE_BYTES_MAX};
}

bool rt_eio_slice_spend(rt_eio_slice *slice, size_t bytes) {
    slice->packets--;
    slice->bytes -= bytes < slice->bytes ? bytes : slice->bytes;
    return slice->packets > 0 && slice->bytes > 0;
}
