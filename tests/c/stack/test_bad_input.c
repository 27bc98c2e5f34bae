/* What has broken other servers, byte for byte, over real sockets. Each gets a clear answer or a
 * close, is counted by its reason, and is not noticed by another client that is connected all the
 * while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stack/stack.h"

#define DEEP 100000

/* A server, and a client of it that must not notice anything. */
typedef struct world {
    stack w;
    live_client witness;
} world;

static void begin_with(world *x, const stack_opts *opts) {
    memset(x, 0, sizeof *x);
    stack_init(&x->w, opts);
    assert_true(stack_open(&x->w, &x->witness, ""));
    stack_assert_well(&x->w, &x->witness);
}

static void begin(world *x) {
    begin_with(x, NULL);
}

/* Nobody but the witness is left, and the witness is well. */
static void end(world *x) {
    stack_assert_well(&x->w, &x->witness);
    live_until_connections(&x->w.l, 1);
    assert_int_equal(live_eio(&x->w.l).sessions, 1);
    assert_int_equal(stack_figures(&x->w).sockets, 1);
    live_close(&x->witness);
    stack_end(&x->w);
}

/* --- packets on a WebSocket --- */

#define MOST 4
typedef struct bad {
    const char *name;
    const char *packets[MOST]; /* text frames; "<" before one makes it binary */
    int counter;               /* of socketio, which must be one higher afterwards */
} bad;

static void say(world *x, live_client *c, const char *packet) {
    if (*packet == '<')
        live_frame(&x->w.l, c, 0x82, packet + 1, strlen(packet + 1));
    else
        live_text(&x->w.l, c, packet);
}

/* The client is in, says it all, and is closed without a code and without another word. */
static void assert_closed(world *x, const bad *b) {
    live_client c;
    assert_true(stack_open(&x->w, &c, ""));
    uint64_t before = stack_count(&x->w, b->counter);
    uint64_t closed = live_eio(&x->w.l).closed[RT_EIO_FORCED_CLOSE];
    unsigned events = x->w.events;
    for (size_t i = 0; i < MOST && b->packets[i]; i++)
        say(x, &c, b->packets[i]);
    live_until_end(&x->w.l, &c);
    if (c.end != LIVE_FIN || !live_has_frame(&c, 0) ||
        strcmp(live_next(&x->w.l, &c), "close") != 0 || c.n > 0)
        fail_msg("%s: not closed in order", b->name);
    if (stack_count(&x->w, b->counter) != before + 1 ||
        live_eio(&x->w.l).closed[RT_EIO_FORCED_CLOSE] != closed + 1 || x->w.events != events)
        fail_msg("%s: not counted", b->name);
    live_close(&c);
    stack_assert_well(&x->w, &x->witness);
}

#define ONE "{\"_placeholder\":true,\"num\":0}"
#define NUM(value) "451-[\"x\",{\"_placeholder\":true,\"num\":" value "}]"
#define BAD(name, ...)                                                                             \
    { name, {__VA_ARGS__}, RT_SIO_BAD_PACKETS }

static const bad attachments[] = {
    BAD("no attachments", "450-[\"x\"]"),
    BAD("no attachments, with a placeholder", "450-[\"x\"," ONE "]"),
    BAD("no attachments of an ack", "460-1[\"x\"]"),
    BAD("attachments without a number", "45-[\"x\"," ONE "]"),
    BAD("attachments not announced", "45[\"x\"," ONE "]"),
    BAD("attachments below zero", "45-1-[\"x\"," ONE "]"),
    BAD("attachments with a fraction", "451.5-[\"x\"," ONE "]"),
    BAD("eleven attachments", "4511-[\"x\"," ONE "]"),
    BAD("a billion attachments", "451000000000-[\"x\"," ONE "]"),
    BAD("attachments past 2^64", "4518446744073709551617-[\"x\"," ONE "]"),
    BAD("text while an attachment is due", "451-[\"x\"," ONE "]", "42[\"y\"]"),
    BAD("the same announced again", "451-[\"x\"," ONE "]", "451-[\"x\"," ONE "]"),
    BAD("binary that nobody announced", "<abc"),
    BAD("one attachment too many", "452-[\"x\"," ONE "]", "<abc", "42[\"y\"]"),
};

static const bad placeholders[] = {
    BAD("index past the end", NUM("1")),
    BAD("index below zero", NUM("-1")),
    BAD("index past 2^64", NUM("18446744073709551616")),
    BAD("index with a fraction", NUM("0.5")),
    BAD("index with an exponent", NUM("0e0")),
    BAD("index is a text", NUM("\"splice\"")),
    BAD("index is the name of a property", NUM("\"__proto__\"")),
    BAD("index is null", NUM("null")),
    BAD("index is an array", NUM("[0]")),
    BAD("no index", "451-[\"x\",{\"_placeholder\":true}]"),
    BAD("two indices", "451-[\"x\",{\"_placeholder\":true,\"num\":0,\"num\":9}]"),
    BAD("name in escapes", "451-[\"x\",{\"\\u005fplaceholder\":true,\"num\":9}]"),
    BAD("deep inside", "451-[\"x\",{\"a\":[{\"b\":{\"_placeholder\":true,\"num\":9}}]}]"),
    BAD("in an ack", "461-7[{\"_placeholder\":true,\"num\":9}]"),
};

static const bad names[] = {
    BAD("connect", "42[\"connect\"]"),
    BAD("connect_error", "42[\"connect_error\",1]"),
    BAD("disconnect", "42[\"disconnect\"]"),
    BAD("disconnecting", "42[\"disconnecting\"]"),
    BAD("newListener", "42[\"newListener\"]"),
    BAD("removeListener", "42[\"removeListener\"]"),
    BAD("in escapes", "42[\"\\u0063onnect\"]"),
    BAD("with an ack", "427[\"disconnect\"]"),
    BAD("binary", "451-[\"connect\"," ONE "]"),
    BAD("name is an object", "42[{\"a\":1}]"),
    BAD("name is null", "42[null]"),
    BAD("no name", "42[]"),
};

static const bad shapes[] = {
    BAD("unknown type", "47[\"x\"]"),
    BAD("no type", "4"),
    BAD("event without an array", "42{\"a\":1}"),
    BAD("event with half an array", "42[\"x\""),
    BAD("event with more than an array", "42[\"x\"]]"),
    BAD("raw record separator", "42[\"a\x1e"
                                "b\"]"),
    BAD("event elsewhere", "42/nowhere,[\"x\"]"),
    BAD("refusal from the client", "44{\"message\":\"no\"}"),
    BAD("connect with an array", "40/custom,[1]"),
    BAD("connect with a text", "40/custom,\"a\""),
    BAD("connect with null", "40/custom,null"),
    BAD("disconnect with a payload", "41{\"a\":1}"),
    BAD("ack id past 2^53", "4399999999999999999999[\"x\"]"),
};

static void run(const bad *cases, size_t n) {
    world x;
    begin(&x);
    for (size_t i = 0; i < n; i++)
        assert_closed(&x, &cases[i]);
    end(&x);
}

#define RUN(cases) run(cases, sizeof cases / sizeof *cases)

static void attachment_counts(void **state) {
    (void)state;
    RUN(attachments);
}

static void placeholder_confusion(void **state) {
    (void)state;
    RUN(placeholders);
}

static void reserved_names(void **state) {
    (void)state;
    RUN(names);
}

static void packet_shapes(void **state) {
    (void)state;
    RUN(shapes);
}

/* What only looks like an attack is an ordinary event and comes back as it was. */
static void harmless_look_alikes(void **state) {
    static const char *const packets[] = {
        "42[\"x\"," ONE "]",
        "42[\"x\",{\"_placeholder\":true,\"num\":99}]",
        "42[\"x\",{\"__proto__\":{\"a\":1},\"constructor\":null}]",
        "42[\"__proto__\"]",
        "42[\"x\",\"a\\u001eb\"]",
        "42[\"connection\"]",
        "42[1,2]",
    };
    (void)state;
    world x;
    live_client c;
    begin(&x);
    assert_true(stack_open(&x.w, &c, ""));
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        live_text(&x.w.l, &c, packets[i]);
        assert_string_equal(live_next(&x.w.l, &c), packets[i]);
    }
    live_close(&c);
    end(&x);
}

/* Few and large: the sum is bounded. */
static void attachments_without_end(void **state) {
    (void)state;
    world x;
    stack_opts opts;
    live_client c;
    static char bytes[1000];
    stack_opts_default(&opts);
    opts.sio.max_binary_bytes = 2500;
    begin_with(&x, &opts);
    assert_true(stack_open(&x.w, &c, ""));
    live_text(&x.w.l, &c, "4510-[\"x\"," ONE "]");
    for (int i = 0; i < 3; i++)
        live_frame(&x.w.l, &c, 0x82, bytes, sizeof bytes);
    assert_string_equal(live_next(&x.w.l, &c), "close");
    live_until_end(&x.w.l, &c);
    assert_int_equal(stack_count(&x.w, RT_SIO_BINARY_OVER_MAX), 1);
    assert_int_equal(x.w.events, 1); /* the witness's */
    live_close(&c);
    end(&x);
}

/* --- depth --- */

static char *nested(const char *before, const char *open, const char *close, const char *after,
                    size_t *n) {
    char *text = malloc(strlen(before) + DEEP * (strlen(open) + strlen(close)) + strlen(after) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (int i = 0; i < DEEP; i++)
        at = stpcpy(at, open);
    for (int i = 0; i < DEEP; i++)
        at = stpcpy(at, close);
    at = stpcpy(at, after);
    *n = (size_t)(at - text);
    return text;
}

static void deep_json(void **state) {
    static const char *const cases[][4] = {
        {"42[\"x\",", "[", "]", "]"},
        {"42[\"x\",", "{\"a\":", "}", "]"}, /* `{"a":}` at the bottom: refused before it is seen */
        {"42[\"x\",", "[", "", ""},
        {"40/custom,{\"a\":", "[", "]", "}"},
        {"451-[\"x\",", "[", "]", "," ONE "]"},
        {"431", "[", "]", ""},
    };
    (void)state;
    world x;
    begin(&x);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        live_client c, get, post;
        char sid[21], body[200];
        size_t n;
        char *text = nested(cases[i][0], cases[i][1], cases[i][2], cases[i][3], &n);
        uint64_t before = stack_count(&x.w, RT_SIO_BAD_PACKETS);
        assert_true(stack_open(&x.w, &c, ""));
        live_frame(&x.w.l, &c, 0x81, text, n);
        assert_string_equal(live_next(&x.w.l, &c), "close");
        live_close(&c);

        live_open(&x.w.l, &get);
        live_open(&x.w.l, &post);
        assert_true(stack_open_polling(&x.w, &get, &post, sid));
        live_poll(&x.w.l, &get, sid);
        live_post(&x.w.l, &post, sid, text, n);
        assert_int_equal(live_answer(&x.w.l, &post, body, sizeof body), 200);
        assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
        assert_string_equal(body, "1");
        assert_int_equal(stack_count(&x.w, RT_SIO_BAD_PACKETS), before + 2);
        live_close(&get);
        live_close(&post);
        stack_assert_well(&x.w, &x.witness);
        free(text);
    }
    end(&x);
}

/* --- frames --- */

typedef struct frames {
    const char *name, *bytes;
    size_t n;
    const char *answer;
    int counter; /* of engineio */
    enum rt_eio_reason reason;
} frames;

#define FRAMES(name, bytes, answer, counter, reason)                                               \
    { name, bytes, sizeof(bytes) - 1, answer, counter, reason }
#define BROKEN(name, bytes, answer)                                                                \
    FRAMES(name, bytes, answer, RT_EIO_BAD_FRAMES, RT_EIO_TRANSPORT_ERROR)

static const frames broken[] = {
    BROKEN("RSV1",
           "\xc1\x82\0\0\0\0"
           "42",
           "close 1002"),
    BROKEN("RSV2",
           "\xa1\x82\0\0\0\0"
           "42",
           "close 1002"),
    BROKEN("RSV3",
           "\x91\x82\0\0\0\0"
           "42",
           "close 1002"),
    BROKEN("RSV1 on a ping", "\xc9\x80\0\0\0\0", "close 1002"),
    BROKEN("length below zero", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", "close 1002"),
    BROKEN("lowest length", "\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", "close 1002"),
    FRAMES("highest length", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", "close 1009",
           RT_EIO_REFUSED_TOO_BIG, RT_EIO_TRANSPORT_ERROR),
    FRAMES("one byte too long", "\x81\xff\0\0\0\0\0\x0f\x42\x41\0\0\0\0", "close 1009",
           RT_EIO_REFUSED_TOO_BIG, RT_EIO_TRANSPORT_ERROR),
    BROKEN("not masked",
           "\x81\x02"
           "42",
           "close 1002"),
    BROKEN("invalid UTF-8",
           "\x81\x83\0\0\0\0"
           "42\xff",
           "close 1007"),
    BROKEN("overlong UTF-8",
           "\x81\x88\0\0\0\0"
           "42[\"\xc0\xaf\"]",
           "close 1007"),
    BROKEN("surrogate in UTF-8",
           "\x81\x89\0\0\0\0"
           "42[\"\xed\xa0\x80\"]",
           "close 1007"),
    FRAMES("no packet", "\x81\x80\0\0\0\0", "close", RT_EIO_PACKETS_IN, RT_EIO_PARSE_ERROR),
    FRAMES("unknown packet",
           "\x81\x81\0\0\0\0"
           "x",
           "close", RT_EIO_PACKETS_IN, RT_EIO_PARSE_ERROR),
    FRAMES("not base64",
           "\x81\x83\0\0\0\0"
           "b!!",
           "close", RT_EIO_PACKETS_IN, RT_EIO_PARSE_ERROR),
};

static void broken_frames(void **state) {
    (void)state;
    world x;
    begin(&x);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const frames *f = &broken[i];
        live_client c;
        assert_true(stack_open(&x.w, &c, ""));
        uint64_t before = live_engine(&x.w.l, f->counter);
        uint64_t closed = live_eio(&x.w.l).closed[f->reason];
        live_send(&x.w.l, &c, f->bytes, f->n);
        live_until_end(&x.w.l, &c);
        if (c.end != LIVE_FIN || strcmp(live_next(&x.w.l, &c), f->answer) != 0 || c.n > 0)
            fail_msg("%s: not closed in order", f->name);
        if (live_engine(&x.w.l, f->counter) != before + 1 ||
            live_eio(&x.w.l).closed[f->reason] != closed + 1)
            fail_msg("%s: not counted", f->name);
        live_close(&c);
        stack_assert_well(&x.w, &x.witness);
    }
    end(&x);
}

/* --- requests --- */

typedef struct request {
    const char *name, *head;
    int status; /* 0: closed without an answer */
    bool net;   /* `counter` is one of net, else of engineio */
    int counter;
} request;

/* %s is the id of a live session. */
static const request requests[] = {
    {"empty id", "POST " LIVE_POLLING "&sid= HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_METHOD},
    {"id __proto__", "GET " LIVE_POLLING "&sid=__proto__ HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_SID},
    {"id constructor", "GET " LIVE_POLLING "&sid=constructor HTTP/1.1\r\nHost: x\r\n\r\n", 400,
     false, RT_EIO_REFUSED_SID},
    {"id NUL, escaped", "GET " LIVE_POLLING "&sid=%%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_SID},
    {"id, then NUL", "GET " LIVE_POLLING "&sid=%s%%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_SID},
    {"id not UTF-8", "GET " LIVE_POLLING "&sid=%%ff%%fe HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_SID},
    {"id twice, the last unknown",
     "GET " LIVE_POLLING "&sid=%s&sid=nobody HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_SID},
    {"id as an array",
     "GET " LIVE_POLLING "&sid[]=%s&sid[0]=x HTTP/1.1\r\nHost: x\r\n"
     "X-A: 1\r\n\r\n",
     200, false, RT_EIO_SESSIONS_OPENED}, /* another name: a handshake */
    {"octet-stream",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream"
     "\r\nContent-Length: 3\r\n\r\nabc",
     400, false, RT_EIO_REFUSED_MEDIA_TYPE},
    {"octet-stream that does not come",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream"
     "\r\nContent-Length: 900000\r\n\r\n",
     400, false, RT_EIO_REFUSED_MEDIA_TYPE},
    {"another method", "PUT " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", 500, false,
     RT_EIO_REFUSED_SESSION_METHOD},
    {"no transport", "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false,
     RT_EIO_REFUSED_TRANSPORT},
    {"an old version", "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", 400,
     false, RT_EIO_REFUSED_VERSION},
    {"WebSocket without its headers", "GET " LIVE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\n\r\n", 400,
     false, RT_EIO_REFUSED_REQUEST},
    {"WebSocket without a key",
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\n\r\n",
     400, false, RT_EIO_REFUSED_REQUEST},
    {"WebSocket with a body", /* which would be taken for frames */
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\nContent-Length: 8\r\n" LIVE_UPGRADE "\x81\x82", 400, false,
     RT_EIO_REFUSED_REQUEST},
    {"WebSocket with chunks",
     "GET " LIVE_WEBSOCKET " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LIVE_UPGRADE "2\r\n", 400,
     false, RT_EIO_REFUSED_REQUEST},
    {"length below zero",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, true,
     RT_FRONT_BAD_REQUESTS},
    {"length past 2^64",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551617"
     "\r\n\r\n",
     400, true, RT_FRONT_BAD_REQUESTS},
    {"two lengths",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Content-Length: 2\r\n\r\n",
     400, true, RT_FRONT_BAD_REQUESTS},
    {"length and chunks",
     "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     400, true, RT_FRONT_BAD_REQUESTS},
    {"no HTTP", "\x16\x03\x01\x02", 400, true, RT_FRONT_BAD_REQUESTS},
    {"a bare line feed in a name", "GET / HTTP/1.1\r\nHost: x\r\nA\nB: c\r\n\r\n", 400, true,
     RT_FRONT_BAD_REQUESTS},
};

static uint64_t counter_of(const world *x, const request *r) {
    return r->net ? live_net(&x->w.l, r->counter) : live_engine(&x->w.l, r->counter);
}

static void bad_requests(void **state) {
    (void)state;
    world x;
    live_client get, post;
    char sid[21], text[1024], body[200];
    begin(&x);
    live_open(&x.w.l, &get);
    live_open(&x.w.l, &post);
    assert_true(stack_open_polling(&x.w, &get, &post, sid));
    live_poll(&x.w.l, &get, sid);
    uint32_t sessions = live_eio(&x.w.l).sessions;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const request *r = &requests[i];
        live_client c;
        uint64_t before = counter_of(&x, r);
        snprintf(text, sizeof text, r->head, sid);
        live_open(&x.w.l, &c);
        live_say(&x.w.l, &c, text);
        int status = live_answer(&x.w.l, &c, body, sizeof body);
        if (status != r->status || counter_of(&x, r) != before + 1)
            fail_msg("%s: answered %d, counted %d", r->name, status,
                     (int)(counter_of(&x, r) - before));
        sessions += status == 200;
        assert_int_equal(live_eio(&x.w.l).sessions, sessions);
        live_close(&c);
        stack_assert_well(&x.w, &x.witness);
    }
    /* The session whose id was played with lives: its poll still waits, and brings what it says. */
    live_post(&x.w.l, &post, sid, "42[\"y\"]", 7);
    assert_int_equal(live_answer(&x.w.l, &post, body, sizeof body), 200);
    assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
    assert_string_equal(body, "42[\"y\"]");
    rt_eio_close_all(x.w.l.eio, RT_EIO_SERVER_SHUTDOWN);
    live_close(&get);
    live_close(&post);
    live_close(&x.witness);
    stack_end(&x.w);
}

/* A raw NUL cannot be written as a C string, 64 KB not conveniently. */
static void odd_ids(void **state) {
    (void)state;
    world x;
    live_client c;
    static char text[70000];
    static const struct {
        size_t n; /* bytes of the id */
        char byte;
        int status, counter;
        bool net;
    } ids[] = {
        {1, '\0', 400, RT_FRONT_BAD_REQUESTS, true},
        {20, '\0', 400, RT_FRONT_BAD_REQUESTS, true},
        {33, 'a', 400, RT_EIO_REFUSED_SID, false},
        {8000, 'a', 400, RT_EIO_REFUSED_SID, false},
        {8192, 'a', 414, RT_FRONT_TARGET_OVER_MAX, true},
        {65536, 'a', 431, RT_FRONT_HEAD_OVER_MAX, true},
    };
    begin(&x);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        request r = {.net = ids[i].net, .counter = ids[i].counter};
        uint64_t before = counter_of(&x, &r);
        size_t n = (size_t)snprintf(text, sizeof text, "GET " LIVE_POLLING "&sid=");
        memset(text + n, ids[i].byte, ids[i].n);
        n += ids[i].n;
        n += (size_t)snprintf(text + n, sizeof text - n, " HTTP/1.1\r\nHost: x\r\n\r\n");
        live_open(&x.w.l, &c);
        live_send(&x.w.l, &c, text, n);
        assert_int_equal(live_answer(&x.w.l, &c, NULL, 0), ids[i].status);
        assert_int_equal(counter_of(&x, &r), before + 1);
        live_close(&c);
        stack_assert_well(&x.w, &x.witness);
    }
    end(&x);
}

/* The last of a repeated parameter counts, as in the reference: not an array, not the first. */
static void repeated_id(void **state) {
    (void)state;
    world x;
    live_client get, post;
    char sid[21], text[512], body[100];
    begin(&x);
    live_open(&x.w.l, &get);
    live_open(&x.w.l, &post);
    assert_true(stack_open_polling(&x.w, &get, &post, sid));
    snprintf(text, sizeof text,
             "POST " LIVE_POLLING "&sid=nobody&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1"
             "\r\n\r\n1",
             sid);
    live_say(&x.w.l, &post, text);
    assert_int_equal(live_answer(&x.w.l, &post, body, sizeof body), 200);
    assert_string_equal(body, "ok");
    live_close(&get);
    live_close(&post);
    end(&x);
}

/* So many lines, one of them Host. */
static size_t head_of(char *text, size_t room, unsigned lines) {
    size_t n = (size_t)snprintf(text, room, "GET " LIVE_POLLING " HTTP/1.1\r\nHost: x\r\n");
    for (unsigned i = 1; i < lines; i++)
        n += (size_t)snprintf(text + n, room - n, "X-%u: y\r\n", i);
    n += (size_t)snprintf(text + n, room - n, "\r\n");
    return n;
}

static void header_lines(void **state) {
    (void)state;
    world x;
    live_client c;
    static char text[20000];
    begin(&x);
    for (unsigned over = 0; over < 2; over++) {
        size_t n = head_of(text, sizeof text, RT_HTTP_HEADERS_MAX + over);
        live_open(&x.w.l, &c);
        live_send(&x.w.l, &c, text, n);
        assert_int_equal(live_answer(&x.w.l, &c, NULL, 0), over ? 431 : 200);
        assert_int_equal(live_net(&x.w.l, RT_FRONT_HEAD_OVER_MAX), over);
        if (over)
            live_until_end(&x.w.l, &c);
        live_close(&c);
    }
    /* Without an end: refused at the limit, though the head is not complete. */
    memset(text, 'a', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    live_open(&x.w.l, &c);
    live_send(&x.w.l, &c, text, RT_HTTP_HEAD_MAX);
    assert_int_equal(live_answer(&x.w.l, &c, NULL, 0), 431);
    assert_int_equal(live_net(&x.w.l, RT_FRONT_HEAD_OVER_MAX), 2);
    live_until_end(&x.w.l, &c);
    live_close(&c);
    rt_eio_close_all(x.w.l.eio, RT_EIO_SERVER_SHUTDOWN);
    live_close(&x.witness);
    stack_end(&x.w);
}

static void header_bytes_one_at_a_time(void **state) {
    (void)state;
    world x;
    live_client c;
    static char text[20000];
    size_t n = head_of(text, sizeof text, 20);
    begin(&x);
    live_open(&x.w.l, &c);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(live_eio(&x.w.l).sessions, 1);
        live_send(&x.w.l, &c, text + i, 1);
        live_turn(&x.w.l);
        live_turn(&x.w.l);
        if (i % 100 == 0)
            stack_assert_well(&x.w, &x.witness);
    }
    assert_int_equal(live_answer(&x.w.l, &c, NULL, 0), 200);
    assert_int_equal(live_eio(&x.w.l).sessions, 2);
    live_close(&c);
    stack_assert_well(&x.w, &x.witness);
    live_close(&x.witness);
    stack_end(&x.w);
}

/* --- bodies --- */

static void post_too_big(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        world x;
        live_client get, post, again;
        char sid[21], head[256], body[100];
        static char bytes[RT_EIO_MAX_PAYLOAD + 1];
        begin(&x);
        live_open(&x.w.l, &get);
        live_open(&x.w.l, &post);
        live_open(&x.w.l, &again);
        assert_true(stack_open_polling(&x.w, &get, &post, sid));
        live_poll(&x.w.l, &get, sid);
        memset(bytes, '6', sizeof bytes);
        snprintf(head, sizeof head,
                 "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", sid,
                 chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1000001");
        live_say(&x.w.l, &post, head);
        if (chunked)
            live_say(&x.w.l, &post, "7fffffff\r\n");
        live_send(&x.w.l, &post, bytes, sizeof bytes);
        assert_int_equal(live_answer(&x.w.l, &post, body, sizeof body), 413);
        assert_string_equal(body, "");
        live_until_end(&x.w.l, &post);
        assert_int_equal(post.end, LIVE_FIN);
        assert_int_equal(live_engine(&x.w.l, RT_EIO_REFUSED_TOO_BIG), 1);
        /* Only the request was refused. */
        live_post(&x.w.l, &again, sid, "42[\"y\"]", 7);
        assert_int_equal(live_answer(&x.w.l, &again, body, sizeof body), 200);
        assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
        assert_string_equal(body, "42[\"y\"]");
        live_post(&x.w.l, &again, sid, "1", 1);
        assert_int_equal(live_answer(&x.w.l, &again, body, sizeof body), 200);
        live_close(&get);
        live_close(&post);
        live_close(&again);
        end(&x);
    }
}

/* What a POST ends its session for: it is answered, the poll that waits returns, the id is gone. */
typedef struct post {
    const char *name, *body;
    size_t n;
    enum rt_eio_reason reason;
    const char *poll; /* what the waiting poll brings */
} post;

#define POST(name, body, reason, poll)                                                             \
    { name, body, sizeof(body) - 1, reason, poll }
static const post posts[] = {
    POST("empty", "", RT_EIO_PARSE_ERROR, "1"),
    POST("unknown packet", "x", RT_EIO_PARSE_ERROR, "1"),
    POST("invalid UTF-8", "42[\"\xff\"]", RT_EIO_PARSE_ERROR, "1"),
    POST("half a character at the end", "42[\"a\"]\xe2\x82", RT_EIO_PARSE_ERROR, "1"),
    POST("raw record separator in a text",
         "42[\"a\x1e"
         "b\"]",
         RT_EIO_FORCED_CLOSE, "1"),
    POST("record separator at the end", "6\x1e", RT_EIO_PARSE_ERROR, "1"),
    POST("NUL", "\0", RT_EIO_PARSE_ERROR, "1"),
    POST("not base64", "b***", RT_EIO_PARSE_ERROR, "1"),
    POST("a ping", "2", RT_EIO_TRANSPORT_ERROR, "1"),
    POST("a close", "1", RT_EIO_TRANSPORT_CLOSE, "6"),
};

static void bad_posts(void **state) {
    (void)state;
    world x;
    char sid[21], body[200];
    begin(&x);
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        const post *p = &posts[i];
        live_client get, c;
        uint64_t before = live_eio(&x.w.l).closed[p->reason];
        live_open(&x.w.l, &get);
        live_open(&x.w.l, &c);
        assert_true(stack_open_polling(&x.w, &get, &c, sid));
        live_poll(&x.w.l, &get, sid);
        live_post(&x.w.l, &c, sid, p->body, p->n);
        assert_int_equal(live_answer(&x.w.l, &c, body, sizeof body), 200);
        assert_string_equal(body, "ok");
        assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
        if (strcmp(body, p->poll) != 0 || live_eio(&x.w.l).closed[p->reason] != before + 1)
            fail_msg("%s: the poll brought \"%s\", counted %d", p->name, body,
                     (int)(live_eio(&x.w.l).closed[p->reason] - before));
        live_poll(&x.w.l, &get, sid);
        assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 400);
        assert_string_equal(body, "{\"code\":1,\"message\":\"Session ID unknown\"}");
        live_close(&get);
        live_close(&c);
        stack_assert_well(&x.w, &x.witness);
    }
    end(&x);
}

/* A chunk that cannot be ends the connection in the middle of the request, and so its session. */
static void impossible_chunks(void **state) {
    static const char *const chunks[] = {"-1\r\n", "10000000000000000\r\n", "xyz\r\n",
                                         "1\r\nab\r\n"};
    (void)state;
    world x;
    begin(&x);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        live_client get, c;
        char sid[21], head[256];
        uint64_t bad_requests_before = live_net(&x.w.l, RT_FRONT_BAD_REQUESTS);
        uint64_t before = live_eio(&x.w.l).closed[RT_EIO_TRANSPORT_ERROR];
        live_open(&x.w.l, &get);
        live_open(&x.w.l, &c);
        assert_true(stack_open_polling(&x.w, &get, &c, sid));
        snprintf(head, sizeof head,
                 "POST " LIVE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n%s",
                 sid, chunks[i]);
        live_say(&x.w.l, &c, head);
        live_until_end(&x.w.l, &c);
        assert_int_equal(live_net(&x.w.l, RT_FRONT_BAD_REQUESTS), bad_requests_before + 1);
        assert_int_equal(live_eio(&x.w.l).closed[RT_EIO_TRANSPORT_ERROR], before + 1);
        live_close(&get);
        live_close(&c);
        stack_assert_well(&x.w, &x.witness);
    }
    end(&x);
}

/* A POST of very many packets is handled to its end, slice by slice. */
static void packets_in_one_post(void **state) {
    (void)state;
    enum { PACKETS = 20000 };
    static char body[2 * PACKETS];
    world x;
    live_client get, c;
    char sid[21], answer[100];
    begin(&x);
    live_open(&x.w.l, &get);
    live_open(&x.w.l, &c);
    assert_true(stack_open_polling(&x.w, &get, &c, sid));
    for (unsigned i = 0; i < PACKETS; i++) {
        body[2 * i] = '6';
        body[2 * i + 1] = '\x1e';
    }
    uint64_t before = live_engine(&x.w.l, RT_EIO_PACKETS_IN);
    live_post(&x.w.l, &c, sid, body, sizeof body - 1);
    stack_assert_well(&x.w, &x.witness); /* has its turn meanwhile */
    assert_true(live_engine(&x.w.l, RT_EIO_PACKETS_IN) < before + PACKETS);
    assert_int_equal(live_answer(&x.w.l, &c, answer, sizeof answer), 200);
    assert_true(live_engine(&x.w.l, RT_EIO_PACKETS_IN) >= before + PACKETS);
    assert_int_equal(live_engine(&x.w.l, RT_EIO_SLICED), (PACKETS - 1) / RT_EIO_SLICE_PACKETS_MAX);
    live_post(&x.w.l, &c, sid, "1", 1);
    assert_int_equal(live_answer(&x.w.l, &c, answer, sizeof answer), 200);
    live_close(&get);
    live_close(&c);
    end(&x);
}

/* --- twice --- */

/* Two CONNECTs in one segment make one socket, whether the app answers at once or later. */
static void two_connects(void **state) {
    (void)state;
    for (int later = 0; later < 2; later++) {
        world x;
        live_client c;
        unsigned char bytes[64];
        char first[64];
        begin(&x);
        unsigned before = x.w.connects;
        x.w.hold = later;
        assert_true(live_websocket(&x.w.l, &c, NULL));
        live_next(&x.w.l, &c);
        size_t n = live_put_frame(bytes, 0x81, "40", 2);
        n += live_put_frame(bytes + n, 0x81, "40", 2);
        n += live_put_frame(bytes + n, 0x89, "", 0);
        live_send(&x.w.l, &c, bytes, n);
        if (later) {
            assert_string_equal(live_next(&x.w.l, &c), "pong 0");
            rt_sio_accept(x.w.socket);
        }
        snprintf(first, sizeof first, "%s", live_next(&x.w.l, &c));
        assert_int_equal(strncmp(first, "40{\"sid\":\"", 10), 0);
        if (!later) { /* the second answer is the first again, with the same id */
            assert_string_equal(live_next(&x.w.l, &c), first);
            assert_string_equal(live_next(&x.w.l, &c), "pong 0");
        }
        assert_int_equal(x.w.connects, before + 1);
        assert_int_equal(stack_figures(&x.w).sockets, 2);
        assert_int_equal(stack_count(&x.w, RT_SIO_CONNECTS_AGAIN), 1);
        live_text(&x.w.l, &c, "42[\"once\"]");
        assert_string_equal(live_next(&x.w.l, &c), "42[\"once\"]");
        live_close(&c);
        end(&x);
    }
}

static void two_connects_in_one_post(void **state) {
    (void)state;
    world x;
    live_client get, c;
    char sid[21], body[200];
    begin(&x);
    live_open(&x.w.l, &get);
    live_open(&x.w.l, &c);
    assert_true(live_handshake(&x.w.l, &get, sid));
    live_post(&x.w.l, &c, sid,
              "40\x1e"
              "40",
              5);
    assert_int_equal(live_answer(&x.w.l, &c, body, sizeof body), 200);
    live_poll(&x.w.l, &get, sid);
    assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
    char *second = strchr(body, '\x1e');
    assert_non_null(second);
    *second++ = '\0';
    assert_int_equal(strncmp(body, "40{\"sid\":\"", 10), 0);
    assert_string_equal(second, body);
    assert_int_equal(x.w.connects, 2); /* with the witness */
    live_post(&x.w.l, &c, sid, "1", 1);
    assert_int_equal(live_answer(&x.w.l, &c, body, sizeof body), 200);
    live_close(&get);
    live_close(&c);
    end(&x);
}

/* A WebSocket for a session that has one, or is getting one: refused, and the first goes on. */
static void assert_second_refused(world *x, live_client *first, const char *sid) {
    live_client second;
    uint64_t before = live_engine(&x->w.l, RT_EIO_REFUSED_WEBSOCKET);
    assert_true(live_websocket(&x->w.l, &second, sid));
    live_text(&x->w.l, &second, "2probe");
    live_until_end(&x->w.l, &second);
    assert_string_equal(live_next(&x->w.l, &second), "close");
    assert_int_equal(second.n, 0);
    assert_int_equal(live_engine(&x->w.l, RT_EIO_REFUSED_WEBSOCKET), before + 1);
    assert_int_equal(first->end, LIVE_OPEN);
    live_close(&second);
}

static void second_websocket(void **state) {
    (void)state;
    world x;
    live_client direct, get, c, probe;
    char sid[21];
    begin(&x);
    assert_true(live_websocket(&x.w.l, &direct, NULL));
    assert_int_equal(sscanf(live_next(&x.w.l, &direct), "0{\"sid\":\"%20s\"", sid), 1);
    live_text(&x.w.l, &direct, "40");
    live_next(&x.w.l, &direct);
    assert_second_refused(&x, &direct, sid);
    live_text(&x.w.l, &direct, "42[\"mine\"]");
    assert_string_equal(live_next(&x.w.l, &direct), "42[\"mine\"]");

    live_open(&x.w.l, &get);
    live_open(&x.w.l, &c);
    assert_true(stack_open_polling(&x.w, &get, &c, sid));
    assert_true(live_websocket(&x.w.l, &probe, sid));
    assert_second_refused(&x, &probe, sid); /* not yet probed */
    live_text(&x.w.l, &probe, "2probe");
    assert_string_equal(live_next(&x.w.l, &probe), "3probe");
    assert_second_refused(&x, &probe, sid); /* probing */
    live_text(&x.w.l, &probe, "5");
    live_text(&x.w.l, &probe, "42[\"mine\"]");
    assert_string_equal(live_next(&x.w.l, &probe), "42[\"mine\"]");
    assert_second_refused(&x, &probe, sid); /* upgraded */
    live_text(&x.w.l, &probe, "42[\"still mine\"]");
    assert_string_equal(live_next(&x.w.l, &probe), "42[\"still mine\"]");
    live_close(&direct);
    live_close(&probe);
    live_close(&get);
    live_close(&c);
    end(&x);
}

/* A second poll or a second POST at once: the new one is refused, the session is over. */
static void overlapping_requests(void **state) {
    (void)state;
    world x;
    live_client get, c, again;
    char sid[21], head[256], body[100];
    begin(&x);
    for (int post = 0; post < 2; post++) {
        live_open(&x.w.l, &get);
        live_open(&x.w.l, &c);
        live_open(&x.w.l, &again);
        assert_true(stack_open_polling(&x.w, &get, &c, sid));
        live_poll(&x.w.l, &get, sid);
        if (post) {
            snprintf(head, sizeof head,
                     "POST " LIVE_POLLING
                     "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                     sid);
            live_say(&x.w.l, &c, head);
            while (live_engine(&x.w.l, RT_EIO_POSTS) < 3) /* this one, and a CONNECT each time */
                live_turn(&x.w.l);
            live_say(&x.w.l, &again, head);
        } else {
            live_poll(&x.w.l, &again, sid);
        }
        assert_int_equal(live_answer(&x.w.l, &again, body, sizeof body), 400);
        assert_int_equal(live_answer(&x.w.l, &get, body, sizeof body), 200);
        assert_string_equal(body, "1");
        if (post)
            live_until_end(&x.w.l, &c);
        assert_int_equal(live_engine(&x.w.l, RT_EIO_REFUSED_OVERLAP), post + 1);
        live_close(&get);
        live_close(&c);
        live_close(&again);
        stack_assert_well(&x.w, &x.witness);
    }
    end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attachment_counts),
        cmocka_unit_test(attachments_without_end),
        cmocka_unit_test(placeholder_confusion),
        cmocka_unit_test(reserved_names),
        cmocka_unit_test(packet_shapes),
        cmocka_unit_test(harmless_look_alikes),
        cmocka_unit_test(deep_json),
        cmocka_unit_test(broken_frames),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(odd_ids),
        cmocka_unit_test(repeated_id),
        cmocka_unit_test(header_lines),
        cmocka_unit_test(header_bytes_one_at_a_time),
        cmocka_unit_test(post_too_big),
        cmocka_unit_test(bad_posts),
        cmocka_unit_test(impossible_chunks),
        cmocka_unit_test(packets_in_one_post),
        cmocka_unit_test(two_connects),
        cmocka_unit_test(two_connects_in_one_post),
        cmocka_unit_test(second_websocket),
        cmocka_unit_test(overlapping_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
