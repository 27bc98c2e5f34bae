/* Results of every call that can fail: one enum, in bands of a hundred per layer.
 *
 * Zero is success, positive is "not yet", negative is an error. A function that can fail returns
 * `int` holding one of these. Its prototype says RT_MUST_CHECK, so the compiler refuses a caller
 * that does not look at it. The exceptions are writers into an rt_buf, which keeps the first error
 * until somebody reads it (base/buf.h).
 * Thread: any. Must not know: what any layer does with its band. */
#ifndef RT_BASE_STATUS_H
#define RT_BASE_STATUS_H

enum rt_status {
    RT_OK = 0,
    RT_AGAIN = 1, /* needs more bytes, or would block: call again later */

    /* base */
    RT_ENOMEM = -1,  /* an allocation failed */
    RT_EINVAL = -2,  /* an argument is outside its documented range */
    RT_ELIMIT = -3,  /* a named limit was reached */
    RT_ECLOSED = -4, /* the object is closing or closed */
    RT_EIO = -5,     /* the system refused; errno says why */
    RT_ENOENT = -6,  /* no such thing */
    RT_EUTF8 = -7,   /* not valid UTF-8 */
    RT_EPERM = -8,   /* belongs to another user */

    /* json */
    RT_EJSON_SYNTAX = -100, /* not what JSON.parse accepts */
    RT_EJSON_DEPTH = -101,  /* nested deeper than the limit */
    RT_EJSON_TYPE = -102,   /* valid JSON, but of another type than asked for */

    /* wire: HTTP */
    RT_EHTTP_SYNTAX = -200,  /* not HTTP/1.1 as llhttp reads it */
    RT_EHTTP_HEADERS = -201, /* more header bytes or header lines than the limit */
    RT_EHTTP_TARGET = -202,  /* request target longer than the limit */

    /* wire: WebSocket (RFC 6455) */
    RT_EWS_PROTOCOL = -210, /* close code 1002 */
    RT_EWS_UTF8 = -211,     /* close code 1007 */
    RT_EWS_TOO_BIG = -212,  /* close code 1009 */

    /* engineio */
    RT_EEIO_PACKET = -300, /* not an Engine.IO packet */

    /* socketio */
    RT_ESIO_PACKET = -400, /* not a Socket.IO packet */

    /* frappe */
    RT_EFRAPPE_ENVELOPE = -500, /* not an `events` envelope */
};

/* Before a prototype, a static function or a member of a table of callbacks: the result must be
 * used. It stands on what returns a status, a new object, or a bool that says whether the call did
 * its work or set its result. A cast to void does not satisfy it. */
#define RT_MUST_CHECK __attribute__((warn_unused_result))

/* For a call whose failure changes nothing for the caller. A comment at the call says why. */
static inline void rt_status_ignore(int status) {
    (void)status;
}

/* A short English text for a status, never NULL. */
const char *rt_status_text(int status);

#endif
