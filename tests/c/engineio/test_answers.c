/* How a polling answer is dressed: compression, JSONP; binary as text on a WebSocket; handshakes
 * that the app forbids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/compress.h"
#include "engineio/fake_port.h"
#include "support/faults.h"

#include <zlib.h>

#define RS "\x1e"

static char *text_of(size_t n) {
    char *text = malloc(n + 1);
    assert_non_null(text);
    text[0] = '4';
    for (size_t i = 1; i < n; i++)
        text[i] = (char)('a' + i * i % 23);
    text[n] = '\0';
    return text;
}

static void poll_accepting(fake_conn *c, const char *sid, const char *accept) {
    char text[512];
    snprintf(text, sizeof text,
             "GET " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n", sid,
             accept);
    fake_request(c, text);
}

/* Takes the one answer off the connection: its head as text, its body inflated if need be. */
static const char *head_and_body(fake_conn *c, rt_buf *body) {
    rt_slice all = rt_buf_slice(&c->out);
    size_t head = 0;
    while (!rt_slice_starts(rt_slice_from(all, head), RT_LIT("\r\n\r\n")))
        assert_true(++head < all.n);
    rt_buf_clear(&c->shown);
    rt_buf_put(&c->shown, all.p, head);
    assert_int_equal(rt_buf_putc(&c->shown, '\0'), RT_OK);
    rt_slice sent = rt_slice_from(all, head + 4);
    char length[64];
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", sent.n);
    assert_non_null(strstr(c->shown.p, length));
    rt_buf_clear(body);
    if (strstr(c->shown.p, "Content-Encoding")) {
        bool gzip = strstr(c->shown.p, "\r\nContent-Encoding: gzip\r\n") != NULL;
        assert_true(gzip || strstr(c->shown.p, "\r\nContent-Encoding: deflate\r\n"));
        z_stream z = {.next_in = (z_const Bytef *)sent.p, .avail_in = (uInt)sent.n};
        assert_int_equal(inflateInit2(&z, gzip ? 31 : 15), Z_OK);
        assert_int_equal(rt_buf_reserve(body, 3 << 20), RT_OK);
        z.next_out = (Bytef *)body->p;
        z.avail_out = 3 << 20;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.avail_in, 0);
        body->n = z.total_out;
        inflateEnd(&z);
    } else {
        rt_buf_puts(body, sent);
    }
    rt_buf_clear(&c->out);
    return c->shown.p;
}

/* One answer with a payload of n bytes for a client that accepts this. */
static bool is_compressed(const rt_eio_opts *opts, size_t n, const char *accept) {
    fake f;
    char sid[RT_ID_LEN + 1], *text = text_of(n);
    fake_init(&f, opts);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, text);
    fake_conn *c = fake_open(&f);
    poll_accepting(c, sid, accept);
    rt_buf body;
    rt_buf_init(&body, 0);
    bool compressed = strstr(head_and_body(c, &body), "Content-Encoding") != NULL;
    assert_true(rt_slice_eq(rt_buf_slice(&body), rt_slice_make(text, n)));
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_COMPRESSED], compressed);
    rt_buf_fini(&body);
    fake_fini(&f);
    free(text);
    return compressed;
}

static void large_answers_are_compressed(void **state) {
    (void)state;
    assert_false(is_compressed(NULL, 1023, "gzip"));
    assert_true(is_compressed(NULL, 1024, "gzip"));
    assert_true(is_compressed(NULL, 100000, "gzip, deflate, br"));
    assert_true(is_compressed(NULL, 1024, "deflate"));
    assert_false(is_compressed(NULL, 100000, "br"));
    assert_false(is_compressed(NULL, 100000, "gzip;q=0"));
    assert_true(is_compressed(NULL, RT_EIO_COMPRESS_MAX, "gzip"));
    assert_false(is_compressed(NULL, RT_EIO_COMPRESS_MAX + 1, "gzip"));
}

static void compression_can_be_set(void **state) {
    (void)state;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.compress_min = 0;
    assert_false(is_compressed(&opts, 100000, "gzip"));
    opts.compress_min = 10;
    assert_false(is_compressed(&opts, 9, "gzip"));
    assert_true(is_compressed(&opts, 10, "gzip"));
}

static void too_big_is_counted(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], *text = text_of(RT_EIO_COMPRESS_MAX + 1);
    fake_init(&f, NULL);
    fake_say(fake_handshake(&f, sid), text);
    poll_accepting(fake_open(&f), sid, "br");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_COMPRESS_TOO_BIG], 0);
    fake_say(f.session, text);
    poll_accepting(fake_open(&f), sid, "gzip");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_COMPRESS_TOO_BIG], 1);
    fake_fini(&f);
    free(text);
}

static void the_head_of_a_compressed_answer(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], *text = text_of(4000);
    fake_init(&f, NULL);
    fake_say(fake_handshake(&f, sid), text);
    fake_conn *c = fake_open(&f);
    poll_accepting(c, sid, "gzip");
    rt_buf body;
    rt_buf_init(&body, 0);
    const char *head = head_and_body(c, &body);
    assert_int_equal(strncmp(head,
                             "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                             "cache-control: no-store\r\nContent-Encoding: gzip\r\n"
                             "Content-Length: ",
                             115),
                     0);
    /* The next, small one on the same connection is plain again. */
    fake_say(f.session, "4x");
    poll_accepting(c, sid, "gzip");
    assert_null(strstr(head_and_body(c, &body), "Content-Encoding"));
    rt_buf_fini(&body);
    fake_fini(&f);
    free(text);
}

/* A room of polling clients with different wishes: the payload is built once, and compressed once
 * for each coding. */
static void a_room_shares_compressed_forms(void **state) {
    (void)state;
    static const char *const accepts[] = {"gzip", "br", "deflate", "gzip", "deflate", "br"};
    fake f;
    fake_conn *conns[6];
    char sid[RT_ID_LEN + 1], *text = text_of(5000);
    rt_eio_session *sessions[6];
    fake_init(&f, NULL);
    for (int i = 0; i < 6; i++) {
        sessions[i] = fake_handshake(&f, sid);
        conns[i] = fake_open(&f);
        poll_accepting(conns[i], sid, accepts[i]);
    }
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, rt_slice_of(text));
    for (int i = 0; i < 6; i++)
        rt_eio_send(sessions[i], m);
    rt_msg_rele(m);
    fake_turn(&f);
    rt_buf body;
    rt_buf_init(&body, 0);
    for (int i = 0; i < 6; i++) {
        const char *head = head_and_body(conns[i], &body);
        assert_int_equal(strstr(head, "gzip") != NULL, strcmp(accepts[i], "gzip") == 0);
        assert_int_equal(strstr(head, "deflate") != NULL, strcmp(accepts[i], "deflate") == 0);
        assert_true(rt_slice_eq(rt_buf_slice(&body), rt_slice_of(text)));
    }
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_COMPRESSED], 4);
    rt_buf_fini(&body);
    fake_fini(&f);
    free(text);
}

static void one_compression_for_a_room(void **state) {
    (void)state;
    fake f;
    char sid[2][RT_ID_LEN + 1], *text = text_of(5000);
    fake_init(&f, NULL);
    rt_eio_session *a = fake_handshake(&f, sid[0]), *b = fake_handshake(&f, sid[1]);
    rt_msg *m = rt_ws_frame(RT_WS_TEXT, rt_slice_of(text));
    rt_eio_send(a, m);
    rt_eio_send(b, m);
    rt_msg_rele(m);
    fake_conn *ca = fake_open(&f), *cb = fake_open(&f);
    rt_buf body;
    rt_buf_init(&body, 0);
    poll_accepting(ca, sid[0], "gzip"); /* makes the compressor, the payload and its short form */
    rt_alloc_fail_at(0);
    poll_accepting(cb, sid[1], "gzip");
    long second = rt_alloc_count();
    head_and_body(cb, &body);
    fake_say(a, text);
    rt_alloc_fail_at(0);
    poll_accepting(ca, sid[0], "gzip");
    assert_true(second < rt_alloc_count()); /* another message: another payload */
    rt_buf_fini(&body);
    fake_fini(&f);
    free(text);
}

/* Without memory for the compressor the answer goes out plain. */
static void plain_when_memory_is_short(void **state) {
    (void)state;
    unsigned plain = 0, compressed = 0;
    for (long n = 1; compressed == 0; n++) {
        fake f;
        char sid[RT_ID_LEN + 1], *text = text_of(5000);
        fake_init(&f, NULL);
        fake_say(fake_handshake(&f, sid), text);
        fake_conn *c = fake_open(&f);
        fake_feed(c, "GET", 3); /* the parser has its memory */
        rt_alloc_fail_at(n);
        char rest[256];
        snprintf(rest, sizeof rest,
                 " " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
                 sid);
        fake_request(c, rest);
        bool struck = rt_alloc_count() >= n;
        rt_alloc_fail_at(0);
        if (c->finished) {
            rt_buf body;
            rt_buf_init(&body, 0);
            const char *head = head_and_body(c, &body);
            bool coded = strstr(head, "Content-Encoding") != NULL;
            /* An error, or no payload at all. */
            bool ended = strncmp(head, "HTTP/1.1 200", 12) != 0 ||
                         rt_slice_eq(rt_buf_slice(&body), RT_LIT("1"));
            assert_true(ended || rt_slice_eq(rt_buf_slice(&body), rt_slice_of(text)));
            plain += struck && !coded && !ended;
            compressed += !struck && coded;
            rt_buf_fini(&body);
        } else {
            assert_true(c->closed || c->status == RT_ENOMEM);
        }
        fake_fini(&f);
        free(text);
    }
    assert_true(plain >= 3);
}

static void scripts_are_refused_unless_allowed(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING "&j=0");
    assert_string_equal(fake_body(c, "400"), "{\"code\":3,\"message\":\"Bad request\"}");
    assert_int_equal(fake_figures(&f).sessions, 0);
    fake_fini(&f);
}

static void jsonp_session(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.allow_jsonp = true;
    fake_init(&f, &opts);
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING "&j=3");
    const char *script = fake_sent(c);
    assert_non_null(strstr(script, "\r\nContent-Type: text/javascript; charset=UTF-8\r\n"));
    assert_non_null(strstr(script, "\r\n\r\n___eio[3](\"0{\\\"sid\\\":\\\""));
    assert_string_equal(script + strlen(script) - 4, "}\");");
    char sid[RT_ID_LEN + 1] = {0}, target[128];
    memcpy(sid, rt_eio_sid(f.session).p, RT_ID_LEN);
    fake_log(&f);
    fake_say(f.session, "4a");
    fake_say(f.session, "4\"b");
    snprintf(target, sizeof target, FAKE_POLLING "&j=4)alert(1&sid=%s", sid);
    fake_get(c, target);
    assert_string_equal(fake_body(c, "200"), "___eio[41](\"4a\\u001e4\\\"b\");");
    fake_say(f.session, "6");
    snprintf(target, sizeof target, FAKE_POLLING "&j=123456789012&sid=%s", sid);
    fake_get(c, target);
    assert_string_equal(fake_body(c, "200"), "___eio[1234567890](\"6\");"); /* cut */
    /* Its POST is a form. */
    char head[256];
    const char *body = "d=4x%5C%5Cn%1E4y";
    snprintf(head, sizeof head,
             "POST " FAKE_POLLING "&j=5&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
             "Content-Type: application/x-www-form-urlencoded\r\n\r\n%s",
             sid, strlen(body), body);
    fake_request(c, head);
    assert_string_equal(fake_body(c, "200"), "ok");
    assert_string_equal(fake_log(&f), "message x\\n|message y");
    /* What waits when the session ends is told in a script, too. */
    snprintf(target, sizeof target, FAKE_POLLING "&j=6&sid=%s", sid);
    fake_get(c, target);
    rt_eio_close(f.session, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_body(c, "200"), "___eio[6](\"1\");");
    fake_fini(&f);
}

static void a_form_without_its_field_ends_the_session(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.allow_jsonp = true;
    fake_init(&f, &opts);
    char sid[RT_ID_LEN + 1], head[256];
    fake_handshake(&f, sid);
    fake_conn *c = fake_open(&f);
    snprintf(head, sizeof head,
             "POST " FAKE_POLLING "&j=0&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n4a",
             sid);
    fake_request(c, head);
    assert_string_equal(fake_body(c, "200"), "ok");
    assert_string_equal(fake_log(&f), "close parse error");
    fake_fini(&f);
}

static void compressed_script(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.allow_jsonp = true;
    fake_init(&f, &opts);
    char sid[RT_ID_LEN + 1], request[256], *text = text_of(3000);
    fake_say(fake_handshake(&f, sid), text);
    fake_conn *c = fake_open(&f);
    snprintf(request, sizeof request,
             "GET " FAKE_POLLING "&j=1&sid=%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
             sid);
    fake_request(c, request);
    rt_buf body;
    rt_buf_init(&body, 0);
    assert_non_null(strstr(head_and_body(c, &body), "Content-Encoding: gzip"));
    assert_int_equal(body.n, 3000 + strlen("___eio[1](\"\");"));
    rt_buf_fini(&body);
    fake_fini(&f);
    free(text);
}

static fake_conn *websocket_b64(fake *f, const char *sid) {
    char text[512];
    fake_conn *c = fake_open(f);
    snprintf(text, sizeof text, "GET " FAKE_WEBSOCKET "&b64=1%s%s HTTP/1.1\r\n" FAKE_UPGRADE,
             sid ? "&sid=" : "", sid ? sid : "");
    fake_request(c, text);
    assert_int_equal(c->upgraded, 1);
    fake_sent(c);
    return c;
}

static void binary_as_text_on_a_websocket(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *c = websocket_b64(&f, NULL);
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, RT_LIT("\x01\x02\x03\x04"));
    rt_eio_send(f.session, m);
    fake_say(f.session, "4x");
    assert_string_equal(fake_frames(c), "bAQIDBA==|4x");
    fake_conn *usual = fake_websocket(&f, NULL);
    fake_frames(usual);
    rt_eio_send(f.session, m);
    rt_msg_rele(m);
    assert_string_equal(fake_frames(usual), "<01020304>");
    fake_fini(&f);
}

/* The upgrade's own query decides, and what was queued goes out in that form. */
static void binary_as_text_after_an_upgrade(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, RT_LIT("\x01\x02\x03\x04"));
    rt_eio_send(s, m);
    rt_msg_rele(m);
    fake_conn *c = websocket_b64(&f, sid);
    fake_text_frame(c, "2probe");
    fake_text_frame(c, "5");
    assert_string_equal(fake_frames(c), "3probe|bAQIDBA==");
    fake_fini(&f);
}

static void cookie_with_the_id(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    rt_eio_opts_default(&opts);
    opts.cookie = "io";
    fake_init(&f, &opts);
    fake_conn *c = fake_open(&f);
    char line[128], text[128];
    fake_get(c, FAKE_POLLING);
    snprintf(line, sizeof line, "\r\nSet-Cookie: io=%.20s; Path=/; HttpOnly; SameSite=Lax\r\n",
             rt_eio_sid(f.session).p);
    assert_non_null(strstr(fake_sent(c), line));
    fake_say(f.session, "4x");
    snprintf(text, sizeof text, FAKE_POLLING "&sid=%.20s", rt_eio_sid(f.session).p);
    fake_get(c, text);
    assert_null(strstr(fake_sent(c), "Set-Cookie"));
    fake_conn *ws = fake_open(&f);
    fake_request(ws, "GET " FAKE_WEBSOCKET " HTTP/1.1\r\n" FAKE_UPGRADE);
    assert_null(strstr(fake_sent(ws), "Set-Cookie"));
    fake_fini(&f);
}

static void forbidden(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1], text[512];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    f.forbidden = "not \"today\"";
    fake_conn *c = fake_open(&f);
    fake_get(c, FAKE_POLLING);
    assert_string_equal(fake_body(c, "403 Forbidden"),
                        "{\"code\":4,\"message\":\"not \\\"today\\\"\"}");
    fake_get(c, "/socket.io/?EIO=3&transport=polling"); /* asked before the version is looked at */
    assert_string_equal(fake_body(c, "403 Forbidden"),
                        "{\"code\":4,\"message\":\"not \\\"today\\\"\"}");
    fake_get(c, "/socket.io/?EIO=4&transport=websocket"); /* but after the upgrade */
    assert_string_equal(fake_body(c, "400"), "{\"code\":3,\"message\":\"Bad request\"}");
    fake_conn *ws = fake_open(&f);
    snprintf(text, sizeof text, "GET " FAKE_WEBSOCKET " HTTP/1.1\r\n" FAKE_UPGRADE);
    fake_request(ws, text);
    assert_string_equal(fake_sent(ws), "HTTP/1.1 400 Bad Request\r\nContent-type: text/html\r\n"
                                       "Content-Length: 11\r\nConnection: close\r\n\r\n"
                                       "not \"today\"");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_REFUSED_FORBIDDEN], 3);
    fake_say(f.session, "4x"); /* a session that is open is not asked about again */
    fake_poll(c, sid);
    assert_string_equal(fake_body(c, "200"), "4x");
    fake_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_answers_are_compressed),
        cmocka_unit_test(compression_can_be_set),
        cmocka_unit_test(too_big_is_counted),
        cmocka_unit_test(the_head_of_a_compressed_answer),
        cmocka_unit_test(a_room_shares_compressed_forms),
        cmocka_unit_test(one_compression_for_a_room),
        cmocka_unit_test(plain_when_memory_is_short),
        cmocka_unit_test(scripts_are_refused_unless_allowed),
        cmocka_unit_test(jsonp_session),
        cmocka_unit_test(a_form_without_its_field_ends_the_session),
        cmocka_unit_test(compressed_script),
        cmocka_unit_test(binary_as_text_on_a_websocket),
        cmocka_unit_test(binary_as_text_after_an_upgrade),
        cmocka_unit_test(cookie_with_the_id),
        cmocka_unit_test(forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
