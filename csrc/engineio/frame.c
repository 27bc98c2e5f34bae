/* Frames are WebSocket frames (RFC 6455, 5.2). */
#include "engineio/frame.h"

#include "wire/ws.h"

size_t rt_eio_frame_head_len(size_t n) {
    return rt_ws_head_len(n);
}

char *rt_eio_frame_put_head(char *at, bool binary, size_t n) {
    return at + rt_ws_put_head(at, binary ? RT_WS_BINARY : RT_WS_TEXT, n);
}
