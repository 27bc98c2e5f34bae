/* Packets of Socket.IO protocol 5: parsing, checking, encoding.
 *
 * Ownership: a parsed packet is slices of the input. Thread: the loop's. Must not know: clients,
 * rooms. */
#ifndef RT_SOCKETIO_PACKET_H
#define RT_SOCKETIO_PACKET_H

#include "base/msg.h"
#include "base/slice.h"
#include "base/status.h"

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
    unsigned attachments; /* that follow, of the binary types */
    rt_slice ns;          /* with its slash; "/" if the packet names none */
    bool has_id;
    uint64_t id;
    rt_slice data; /* checked JSON, or empty */
} rt_sio_packet;

/* RT_OK or RT_ESIO_PACKET. Checks the syntax, the JSON, what each type may carry, and reserved
 * event names; not the placeholders. */
RT_MUST_CHECK int rt_sio_packet_parse(rt_slice text, unsigned max_attachments, rt_sio_packet *p);

/* The name of an event and the raw elements after it. False: the packet has no array. */
RT_MUST_CHECK bool rt_sio_packet_event(rt_slice data, rt_slice *name, rt_slice *args);
/* The raw elements of an array, without its brackets. */
rt_slice rt_sio_packet_elements(rt_slice data);

/* True when every `{"_placeholder":true,"num":N}` in checked JSON has an integer 0 <= N < count. */
bool rt_sio_placeholders_valid(rt_slice json, unsigned count);

/* A packet to send. */
typedef struct rt_sio_out {
    enum rt_sio_type type;
    rt_slice ns;
    bool has_id;
    uint64_t id;
    rt_slice event; /* a JSON string; empty: the array is `args` alone */
    rt_slice args;  /* raw elements */
    rt_slice data;  /* if not empty, sent as it is in place of the array */
    bool no_data;   /* the packet has neither array nor data */
    const rt_slice *attachments;
    unsigned attachment_count;
} rt_sio_out;

/* Bytes of the packet as WebSocket frames: one text frame, then one binary frame per attachment. */
size_t rt_sio_out_len(const rt_sio_out *o);
/* Writes these bytes at `at`; returns the end. */
char *rt_sio_out_put(const rt_sio_out *o, char *at);
/* A message; NULL: out of memory. */
RT_MUST_CHECK rt_msg *rt_sio_out_msg(const rt_sio_out *o);

#endif
