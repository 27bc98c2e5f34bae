/* What the public Socket.IO suite expects of a server:
 *
 *   CONNECT to `/` or `/custom`        accepted, then the event `auth` with its payload
 *   CONNECT to anything else           refused: Invalid namespace
 *   on `/`, `message`                  the event `message-back` with the same arguments
 *   on `/`, `message-with-ack`         acknowledged with the same arguments
 *
 * and one thing more, so that clients are seen to acknowledge too:
 *
 *   on `/`, `ask`                      the event `question` with the same arguments, to be
 *                                      acknowledged; then `answer` with what the client said, or
 *                                      `unanswered`
 */
#include "base/status.h"
#include "json/scan.h"
#include "program.h"

/* The socket may have gone; and what came with its attachments may go back with them. */
static void emit(rt_sio_socket *s, rt_slice event, const rt_sio_event *like) {
    rt_status_ignore(
        rt_sio_emit_binary(s, event, like->args, like->attachments, like->attachment_count));
}

static void acknowledge(rt_sio_socket *s, const rt_sio_event *ev) {
    rt_status_ignore(
        rt_sio_ack_binary(s, ev->ack_id, ev->args, ev->attachments, ev->attachment_count));
}

static void on_answer(void *socket, int status, const rt_sio_event *answer) {
    if (status == RT_OK)
        emit(socket, RT_LIT("\"answer\""), answer);
    else if (status != RT_ECLOSED) /* then there is nobody to tell */
        rt_sio_emit(socket, RT_LIT("\"unanswered\""), RT_EMPTY);
}

static void on_connect(void *ctx, rt_sio_socket *s, rt_slice auth) {
    (void)ctx;
    rt_slice ns = rt_sio_socket_ns_name(s);
    if (!rt_slice_eq(ns, RT_LIT("/")) && !rt_slice_eq(ns, RT_LIT("/custom"))) {
        rt_sio_refuse(s, RT_LIT("Invalid namespace"));
        return;
    }
    rt_sio_accept(s);
    rt_sio_socket_drop_handshake(s);
    rt_sio_emit(s, RT_LIT("\"auth\""), auth.n ? auth : RT_LIT("{}"));
}

static void on_event(void *ctx, rt_sio_socket *s, const rt_sio_event *ev) {
    (void)ctx;
    if (!rt_slice_eq(rt_sio_socket_ns_name(s), RT_LIT("/")))
        return;
    if (rt_json_str_is(ev->name, RT_LIT("message"))) {
        emit(s, RT_LIT("\"message-back\""), ev);
    } else if (rt_json_str_is(ev->name, RT_LIT("message-with-ack"))) {
        if (ev->wants_ack)
            acknowledge(s, ev);
    } else if (rt_json_str_is(ev->name, RT_LIT("ask"))) {
        int status = rt_sio_emit_ack_binary(s, RT_LIT("\"question\""), ev->args, ev->attachments,
                                            ev->attachment_count, on_answer, s);
        if (status != RT_OK) /* then on_answer is not called */
            on_answer(s, status, NULL);
    }
}

static void on_disconnect(void *ctx, rt_sio_socket *s, enum rt_eio_reason reason) {
    (void)ctx;
    (void)s;
    (void)reason;
}

rt_sio_app replies_app(void) {
    return (rt_sio_app){
        .on_connect = on_connect, .on_event = on_event, .on_disconnect = on_disconnect};
}
