/* English texts for statuses. */
#include "base/status.h"

const char *rt_status_text(int status) {
    switch ((enum rt_status)status) {
    case RT_OK:
        return "ok";
    case RT_AGAIN:
        return "more bytes needed";
    case RT_ENOMEM:
        return "out of memory";
    case RT_EINVAL:
        return "invalid argument";
    case RT_ELIMIT:
        return "limit reached";
    case RT_ECLOSED:
        return "closed";
    case RT_EIO:
        return "system error";
    case RT_ENOENT:
        return "not found";
    case RT_EUTF8:
        return "not valid UTF-8";
    case RT_EPERM:
        return "belongs to another user";
    case RT_EJSON_SYNTAX:
        return "not valid JSON";
    case RT_EJSON_DEPTH:
        return "JSON nested too deep";
    case RT_EJSON_TYPE:
        return "JSON value of another type";
    case RT_EHTTP_SYNTAX:
        return "not HTTP/1.1";
    case RT_EHTTP_HEADERS:
        return "HTTP headers too large";
    case RT_EHTTP_TARGET:
        return "HTTP request target too long";
    case RT_EWS_PROTOCOL:
        return "WebSocket protocol error";
    case RT_EWS_UTF8:
        return "WebSocket text is not valid UTF-8";
    case RT_EWS_TOO_BIG:
        return "WebSocket message too big";
    case RT_EEIO_PACKET:
        return "not an Engine.IO packet";
    case RT_ESIO_PACKET:
        return "not a Socket.IO packet";
    case RT_EFRAPPE_ENVELOPE:
        return "not an events envelope";
    }
    return "unknown status";
}
