/* engineio/request.c: handshakes, errors and their order, CORS, refused upgrades. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

static rt_eio_opts with_cors(enum rt_eio_cors cors) {
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.cors = cors;
    return opts;
}

static void polling_body(void **state) {
    (void)state;
    fake f;
    char expected[512];
    fake_init(&f, NULL);
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING);
    snprintf(expected, sizeof expected,
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n"
             "cache-control: no-store\r\nContent-Length: 118\r\nConnection: keep-alive\r\n\r\n"
             "0{\"sid\":\"%.20s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
             "\"pingTimeout\":20000,\"maxPayload\":1000000}",
             rt_eio_sid(f.session).p);
    assert_string_equal(fake_sent(c), expected);
    assert_string_equal(fake_log(&f), "open");
    fake_fini(&f);
}

static void no_upgrades_offered(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        fake f;
        rt_eio_opts opts;
        rt_eio_opts_default(&opts);
        *(i ? &opts.allow_upgrades : &opts.allow_websocket) = false;
        fake_init(&f, &opts);
        fake_conn *c = fake_open(&f);
        fake_get(c, FAKE_POLLING);
        assert_non_null(strstr(fake_body(c, "200"), "\"upgrades\":[],"));
        fake_fini(&f);
    }
}

static void websocket_handshake(void **state) {
    (void)state;
    fake f;
    char expected[256];
    fake_init(&f, NULL);
    fake_conn *c = fake_open(&f);
    fake_request(c, "GET " FAKE_WEBSOCKET " HTTP/1.1\r\n" FAKE_UPGRADE);
    static const char head[] = /* the key and its answer are RFC 6455's, section 1.3 */
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_int_equal(c->upgraded, 1);
    assert_memory_equal(c->out.p, head, sizeof head - 1);
    rt_buf_drop(&c->out, sizeof head - 1);
    snprintf(expected, sizeof expected,
             "0{\"sid\":\"%.20s\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
             "\"maxPayload\":1000000}",
             rt_eio_sid(f.session).p);
    assert_string_equal(fake_frames(c), expected);
    assert_true(rt_eio_is_websocket(f.session));
    fake_fini(&f);
}

/* The six errors, and which one comes first when there are several. */
static void errors_in_order(void **state) {
    (void)state;
    static const struct {
        const char *request, *status, *body;
    } cases[] = {
        {"GET /socket.io/ ", "400", "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"POST /socket.io/?transport=tcp&sid=x ", "400",
         "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET /socket.io/?transport=polling&sid=nobody ", "400",
         "{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"GET /socket.io/?EIO=4&transport=websocket&sid=12345678901234567890 ", "400",
         "{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"POST /socket.io/?EIO=3&transport=websocket ", "400",
         "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"OPTIONS " FAKE_POLLING " ", "400", "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"GET /socket.io/?EIO=3&transport=websocket ", "400",
         "{\"code\":3,\"message\":\"Bad request\"}"},
        {"GET /socket.io/?EIO=3&transport=polling ", "400",
         "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET /socket.io/?transport=polling ", "400",
         "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        char text[256];
        fake_init(&f, NULL);
        fake_conn *c = fake_open(&f);
        snprintf(text, sizeof text, "%sHTTP/1.1\r\nHost: x\r\n\r\n", cases[i].request);
        fake_request(c, text);
        assert_string_equal(fake_body(c, cases[i].status), cases[i].body);
        assert_int_equal(c->finished, 1);
        assert_string_equal(fake_log(&f), "");
        fake_fini(&f);
    }
}

static void error_head(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_open(&f);
    fake_get(c, "/socket.io/");
    assert_string_equal(fake_sent(c),
                        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                        "Content-Length: 40\r\nConnection: keep-alive\r\n\r\n"
                        "{\"code\":0,\"message\":\"Transport unknown\"}");
    fake_fini(&f);
}

static void refused_upgrades(void **state) {
    (void)state;
    static const struct {
        const char *request, *message;
    } cases[] = {
        {"GET /socket.io/?EIO=4 HTTP/1.1\r\n" FAKE_UPGRADE, "Transport unknown"},
        {"GET " FAKE_WEBSOCKET "&sid=nobody HTTP/1.1\r\n" FAKE_UPGRADE, "Session ID unknown"},
        {"POST " FAKE_WEBSOCKET " HTTP/1.1\r\n" FAKE_UPGRADE, "Bad handshake method"},
        {"GET " FAKE_POLLING " HTTP/1.1\r\n" FAKE_UPGRADE, "Bad request"},
        {"GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n" FAKE_UPGRADE,
         "Unsupported protocol version"},
        {"GET " FAKE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
         "websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: "
         "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "Bad request"},
        {"GET " FAKE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
         "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
         "Bad request"},
        {"GET " FAKE_WEBSOCKET " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "Bad request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        char expected[256];
        fake_init(&f, NULL);
        fake_conn *c = fake_open(&f);
        fake_request(c, cases[i].request);
        snprintf(expected, sizeof expected,
                 "HTTP/1.1 400 Bad Request\r\nContent-type: text/html\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n%s",
                 strlen(cases[i].message), cases[i].message);
        assert_string_equal(fake_sent(c), expected);
        assert_int_equal(c->upgraded, 0);
        assert_int_equal(c->finished, 1);
        assert_false(c->keep_alive);
        fake_fini(&f);
    }
}

#define PREFLIGHT                                                                                  \
    "OPTIONS " FAKE_POLLING " HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"                \
    "Access-Control-Request-Headers: x-one\r\n\r\n"
#define PREFLIGHT_METHODS "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
#define PREFLIGHT_END                                                                              \
    "Access-Control-Allow-Headers: x-one\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"

static void preflight(void **state) {
    (void)state;
    static const char reflected[] =
        "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: "
        "https://a.example\r\nAccess-Control-Allow-Credentials: true\r\n" PREFLIGHT_METHODS
        "Vary: Origin, Access-Control-Request-Headers\r\n" PREFLIGHT_END;
    static const struct {
        enum rt_eio_cors cors;
        bool allowed;
        const char *answer;
    } cases[] = {
        {RT_EIO_CORS_ANY, false,
         "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n" PREFLIGHT_METHODS
         "Vary: Access-Control-Request-Headers\r\n" PREFLIGHT_END},
        {RT_EIO_CORS_REFLECT, false, reflected},
        {RT_EIO_CORS_ASK, true, reflected},
        {RT_EIO_CORS_ASK, false,
         "HTTP/1.1 204 No Content\r\n" PREFLIGHT_METHODS
         "Vary: Origin, Access-Control-Request-Headers\r\n" PREFLIGHT_END},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        rt_eio_opts opts = with_cors(cases[i].cors);
        fake_init(&f, &opts);
        f.origin_allowed = cases[i].allowed;
        fake_conn *c = fake_open(&f);
        fake_request(c, PREFLIGHT);
        assert_string_equal(fake_sent(c), cases[i].answer);
        fake_fini(&f);
    }
}

static void cors_of_a_handshake(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts = with_cors(RT_EIO_CORS_REFLECT);
    fake_init(&f, &opts);
    fake_conn *c = fake_open(&f);
    fake_request(c,
                 "GET " FAKE_POLLING " HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n");
    assert_non_null(strstr(fake_sent(c), "\r\nAccess-Control-Allow-Origin: https://a.example\r\n"
                                         "Vary: Origin\r\n"
                                         "Access-Control-Allow-Credentials: true\r\n"));
    fake_fini(&f);
}

static void too_many_sessions(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.max_sessions = 1;
    fake_init(&f, &opts);
    fake_conn *first = fake_open(&f), *second = fake_open(&f);
    fake_get(first, FAKE_POLLING);
    fake_get(second, FAKE_POLLING);
    assert_string_equal(fake_body(second, "503"), "");
    assert_string_equal(fake_frames(fake_websocket(&f, NULL)), "close 1013");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_REFUSED_FULL], 2);
    fake_fini(&f);
}

static void refused_by_the_app(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    f.open_status = RT_ENOMEM;
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING);
    assert_string_equal(fake_body(c, "503"), "");
    assert_string_equal(fake_log(&f), "open"); /* no on_close after a failed on_open */
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_fini(&f);
}

static void handshake_is_kept_until_dropped(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_request(fake_open(&f),
                 "GET " FAKE_POLLING " HTTP/1.1\r\nHost: x\r\nCookie: sid=1\r\n\r\n");
    const rt_http_request *req = rt_eio_handshake_of(f.session);
    assert_true(rt_slice_eq(rt_http_header_get(req, RT_LIT("cookie")), RT_LIT("sid=1")));
    assert_true(rt_slice_eq(req->query, RT_LIT("EIO=4&transport=polling")));
    rt_eio_drop_handshake(f.session);
    assert_null(rt_eio_handshake_of(f.session));
    fake_fini(&f);
}

/* An app that chooses what is kept. */
static void begin_choosing(fake *f) {
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    fake_init(f, &opts);
    rt_eio_app app = {.ctx = f,
                      .on_open = fake_on_open,
                      .on_message = fake_on_message,
                      .on_close = fake_on_close,
                      .keep = fake_keep,
                      .keep_ctx = f};
    rt_eio_free(f->eio);
    f->eio = rt_eio_new(&opts, &app, &f->timers, fake_now, f);
    assert_non_null(f->eio);
}

static void the_app_chooses_what_is_kept(void **state) {
    (void)state;
    fake f;
    begin_choosing(&f);
    fake_request(fake_open(&f),
                 "GET " FAKE_POLLING " HTTP/1.1\r\nHost: x\r\nCookie: sid=1\r\n\r\n");
    const rt_http_request *req = rt_eio_handshake_of(f.session);
    assert_int_equal(req->header_count, 1);
    assert_true(rt_slice_eq(rt_http_header_get(req, RT_LIT("host")), RT_LIT("x")));
    fake_fini(&f);
}

static void too_big_a_handshake(void **state) {
    (void)state;
    fake f;
    begin_choosing(&f);
    f.keep_status = RT_ELIMIT;
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING);
    assert_string_equal(fake_body(c, "431"), "");
    assert_string_equal(fake_frames(fake_websocket(&f, NULL)), "close 1009");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_HANDSHAKE_TOO_BIG], 2);
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(polling_body, leaks),
        cmocka_unit_test_teardown(no_upgrades_offered, leaks),
        cmocka_unit_test_teardown(websocket_handshake, leaks),
        cmocka_unit_test_teardown(errors_in_order, leaks),
        cmocka_unit_test_teardown(error_head, leaks),
        cmocka_unit_test_teardown(refused_upgrades, leaks),
        cmocka_unit_test_teardown(preflight, leaks),
        cmocka_unit_test_teardown(cors_of_a_handshake, leaks),
        cmocka_unit_test_teardown(too_many_sessions, leaks),
        cmocka_unit_test_teardown(refused_by_the_app, leaks),
        cmocka_unit_test_teardown(handshake_is_kept_until_dropped, leaks),
        cmocka_unit_test_teardown(the_app_chooses_what_is_kept, leaks),
        cmocka_unit_test_teardown(too_big_a_handshake, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
