/* Socket.IO protocol 5, one packet's text: taken apart, checked, and put together.
 *
 * Ownership: slices of the input. Thread: the loop's. Must not know: clients, rooms. */
#ifndef RT_SOCKETIO_PACKET_H
#define RT_SOCKETIO_PACKET_H

#include "base/msg.h"
#include "base/slice.h"

#include <stdint.h>

enum rt_sio_type {
    RT_SIO_CONNECT,
    RT_SIO_DISCONNECT,
    RT_SIO_EVENT,
    RT_SIO_ACK,
    RT_SIO_CONNECT_ERROR,
    RT_SIO_BINARY_EVENT,
    RT_SIO_BINARY_ACK,
};

typedef struct rt_sio_packet {
    enum rt_sio_type type;
    unsigned attachments; /* still to come, for the binary types */
    rt_slice ns;          /* with its slash; "/" when the packet names none */
    bool has_id;
    uint64_t id;
    rt_slice data; /* JSON that has been checked, or empty */
} rt_sio_packet;

/* RT_OK or RT_ESIO_PACKET. Checks syntax, the JSON and what each type may carry (reserved event
 * names included), but not placeholders: those need the attachments. */
int rt_sio_packet_parse(rt_slice text, unsigned max_attachments, rt_sio_packet *p);

/* An event's name and the raw elements after it. False when the packet carries no array. */
bool rt_sio_packet_event(rt_slice data, rt_slice *name, rt_slice *args);
/* The raw elements of an array, without its brackets. */
rt_slice rt_sio_packet_elements(rt_slice data);

/* True when every `{"_placeholder":true,"num":N}` in checked JSON has an integer 0 <= N < count. */
bool rt_sio_placeholders_valid(rt_slice json, unsigned count);

/* What goes out. */
typedef struct rt_sio_out {
    enum rt_sio_type type;
    rt_slice ns;
    bool has_id;
    uint64_t id;
    rt_slice event; /* JSON string, or empty: the array has only `args` */
    rt_slice args;  /* raw elements */
    rt_slice data;  /* used as it is instead of an array, when not empty */
    bool no_data;   /* nothing follows at all */
    const rt_slice *attachments;
    unsigned attachment_count;
} rt_sio_out;

/* Bytes of the packet as WebSocket frames: one text frame, then one binary frame per attachment. */
size_t rt_sio_out_len(const rt_sio_out *o);
/* Writes them; returns one past the last. */
char *rt_sio_out_put(const rt_sio_out *o, char *at);
/* A message; NULL: out of memory. */
rt_msg *rt_sio_out_msg(const rt_sio_out *o);

#endif
