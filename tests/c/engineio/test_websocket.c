/* engineio/websocket.c: the edges of the upgrade, order across it, close codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engineio/fake_port.h"

static void upgrade_whole(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *poll = fake_open(&f);
    fake_poll(poll, sid);
    fake_conn *ws = fake_websocket(&f, sid);
    assert_false(rt_eio_is_websocket(s));
    fake_text_frame(ws, "2probe");
    assert_string_equal(fake_frames(ws), "3probe");
    assert_string_equal(fake_body(poll, "200"), "6");
    fake_text_frame(ws, "5");
    assert_true(rt_eio_is_websocket(s));
    fake_say(s, "4new");
    assert_string_equal(fake_frames(ws), "4new");
    fake_text_frame(ws, "4hello");
    assert_string_equal(fake_log(&f), "message hello");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES], 1);
    assert_int_equal(fake_figures(&f).websocket, 1);
    fake_poll(poll, sid); /* polling is over */
    assert_string_equal(fake_body(poll, "400"), "{\"code\":3,\"message\":\"Bad request\"}");
    fake_fini(&f);
}

static void order_across_upgrade(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_say(s, "4a");
    fake_conn *ws = fake_websocket(&f, sid);
    fake_text_frame(ws, "2probe");
    fake_say(s, "4b");
    fake_text_frame(ws, "5");
    fake_say(s, "4c");
    fake_turn(&f);
    assert_string_equal(fake_frames(ws), "3probe|4a|4b|4c");
    fake_fini(&f);
}

/* The head of a POST and the first bytes of its body, of which `n` are promised. */
static void begin_post(fake_conn *c, const char *sid, size_t n, const char *begun) {
    char text[256];
    snprintf(text, sizeof text,
             "POST " FAKE_POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
             sid, n, begun);
    fake_request(c, text);
}

/* Whatever a POST holds that is open when the client switches: it is cut off, and the session
 * neither hears its packets nor suffers from them. */
static void switch_cuts_off_an_open_post(void **state) {
    (void)state;
    static const char *const begun[] = {"",
                                        "4whole"
                                        "\x1e"
                                        "4pa",
                                        "x",
                                        "2",
                                        "1",
                                        "4\xff"};
    for (size_t i = 0; i < sizeof begun / sizeof *begun; i++) {
        fake f;
        char sid[RT_ID_LEN + 1];
        fake_init(&f, NULL);
        rt_eio_session *s = fake_handshake(&f, sid);
        fake_conn *post = fake_open(&f), *ws = fake_websocket(&f, sid);
        begin_post(post, sid, 20, begun[i]);
        fake_text_frame(ws, "2probe");
        assert_int_equal(post->closed, 0);
        fake_text_frame(ws, "5");
        assert_int_equal(post->closed, 1);
        assert_false(post->flushed);
        assert_string_equal(fake_sent(post), "");
        rt_eio_port_closed(f.eio, &post->port, true);
        assert_true(rt_eio_is_websocket(s));
        fake_text_frame(ws, "4on");
        assert_string_equal(fake_log(&f), "message on");
        assert_string_equal(fake_frames(ws), "3probe");
        fake_fini(&f);
    }
}

/* Until the switch a POST counts as ever. */
static void post_while_probing(void **state) {
    (void)state;
    static const struct {
        const char *body, *answer, *log, *frames;
    } cases[] = {
        {"4p", "200", "message p", "3probe"},
        {"412345678", "413", "", "3probe"},
        {"4\xff", "200", "close parse error", "3probe|close"},
        {"x", "200", "close parse error", "3probe|close"},
        {"2", "200", "close transport error", "3probe|close"},
        {"1", "200", "close transport close", "3probe|close"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        rt_eio_opts opts;
        char sid[RT_ID_LEN + 1];
        rt_eio_opts_default(&opts);
        opts.max_payload = 8;
        fake_init(&f, &opts);
        fake_handshake(&f, sid);
        fake_conn *post = fake_open(&f), *ws = fake_websocket(&f, sid);
        fake_text_frame(ws, "2probe");
        fake_post(post, sid, cases[i].body);
        fake_body(post, cases[i].answer);
        assert_string_equal(fake_log(&f), cases[i].log);
        assert_string_equal(fake_frames(ws), cases[i].frames);
        bool lives = fake_figures(&f).sessions;
        assert_int_equal(lives, ws->closed == 0);
        fake_text_frame(ws, "5");
        fake_text_frame(ws, "4on");
        assert_string_equal(fake_log(&f), lives ? "message on" : "");
        fake_fini(&f);
    }
}

/* A request that breaks off ends the session, as long as it polls. */
static void request_breaks_off_while_probing(void **state) {
    (void)state;
    for (int get = 0; get < 2; get++) {
        fake f;
        char sid[RT_ID_LEN + 1];
        fake_init(&f, NULL);
        fake_handshake(&f, sid);
        fake_conn *c = fake_open(&f), *ws = fake_websocket(&f, sid);
        fake_text_frame(ws, "2probe");
        if (get)
            fake_poll(c, sid);
        else
            begin_post(c, sid, 4, "4p");
        rt_eio_port_closed(f.eio, &c->port, true);
        assert_string_equal(fake_log(&f), "close transport error");
        assert_string_equal(fake_frames(ws), "3probe|close");
        fake_fini(&f);
    }
}

/* The GET that waits at the switch gets `1`; whether its client is still there is no matter. */
static void poll_breaks_off_after_the_switch(void **state) {
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        fake f;
        char sid[RT_ID_LEN + 1];
        fake_init(&f, NULL);
        fake_handshake(&f, sid);
        fake_conn *poll = fake_open(&f), *ws = fake_websocket(&f, sid);
        fake_text_frame(ws, "2probe");
        fake_poll(poll, sid);
        poll->refuses = refuses;
        fake_text_frame(ws, "5");
        if (!refuses)
            assert_string_equal(fake_body(poll, "200"), "1");
        rt_eio_port_closed(f.eio, &poll->port, true);
        fake_text_frame(ws, "4on");
        assert_string_equal(fake_log(&f), "message on");
        assert_string_equal(fake_frames(ws), "3probe");
        fake_fini(&f);
    }
}

/* Between two messages nothing is kept of the parser, between two parts of one it is. */
static void parser_is_kept_for_a_part(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_log(&f);
    long at_rest = rt_alloc_live();
    char frame[] = {(char)0x81, (char)0x83, 0, 0, 0, 0, '4', 'h', 'i'};
    for (size_t at = 1; at < sizeof frame; at++) {
        char bytes[sizeof frame];
        memcpy(bytes, frame, sizeof frame);
        rt_eio_websocket_bytes(f.eio, &ws->port, bytes, at);
        assert_true(rt_alloc_live() > at_rest);
        rt_eio_websocket_bytes(f.eio, &ws->port, bytes + at, sizeof frame - at);
        assert_string_equal(fake_log(&f), "message hi");
        assert_int_equal(rt_alloc_live(), at_rest);
    }
    fake_frame(ws, 0x01, "4a", 2); /* a fragment, and a frame that comes between two */
    fake_frame(ws, 0x89, "x", 1);
    assert_true(rt_alloc_live() > at_rest);
    fake_frame(ws, 0x80, "b", 1);
    assert_string_equal(fake_log(&f), "message ab");
    assert_int_equal(rt_alloc_live(), at_rest);
    fake_fini(&f);
}

static void no_memory_to_keep_a_part(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    char part[] = {(char)0x81};
    rt_alloc_fail_at(1);
    rt_eio_websocket_bytes(f.eio, &ws->port, part, sizeof part);
    rt_alloc_fail_at(0);
    assert_string_equal(fake_log(&f), "open|close out of memory");
    assert_string_equal(fake_frames(ws), "close 1011");
    fake_fini(&f);
}

static void polls_return_while_probing(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *poll = fake_open(&f), *ws = fake_websocket(&f, sid);
    fake_text_frame(ws, "2probe");
    fake_poll(poll, sid);
    fake_pass(&f, RT_EIO_NOOP_MS - 1);
    assert_int_equal(poll->out.n, 0);
    fake_pass(&f, 1);
    assert_string_equal(fake_body(poll, "200"), "6");
    fake_poll(poll, sid);
    fake_say(s, "4data"); /* what there is goes out on polling still */
    fake_turn(&f);
    assert_string_equal(fake_body(poll, "200"), "4data");
    fake_poll(poll, sid);
    fake_pass(&f, RT_EIO_NOOP_MS);
    assert_string_equal(fake_body(poll, "200"), "6");
    fake_fini(&f);
}

static void probe_has_a_deadline(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    rt_eio_session *s = fake_handshake(&f, sid);
    fake_conn *ws = fake_websocket(&f, sid);
    fake_pass(&f, RT_EIO_UPGRADE_TIMEOUT_MS - 1);
    assert_int_equal(ws->closed, 0);
    fake_pass(&f, 1);
    assert_int_equal(ws->closed, 1);
    assert_string_equal(fake_frames(ws), "close");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES_FAILED], 1);
    fake_say(s, "4on");
    fake_conn *poll = fake_open(&f);
    fake_poll(poll, sid);
    assert_string_equal(fake_body(poll, "200"), "4on");
    assert_string_equal(fake_log(&f), "");
    fake_fini(&f);
}

/* Anything but the two packets of the upgrade drops the probe; polling goes on. */
static void bad_probe_is_dropped(void **state) {
    (void)state;
    static const char *const packets[] = {"4hello", "2", "2probe2", "3probe", "1", "6", ""};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        fake f;
        char sid[RT_ID_LEN + 1];
        fake_init(&f, NULL);
        fake_handshake(&f, sid);
        fake_conn *ws = fake_websocket(&f, sid), *poll = fake_open(&f);
        fake_text_frame(ws, packets[i]);
        assert_string_equal(fake_frames(ws), "close");
        assert_int_equal(ws->closed, 1);
        assert_string_equal(fake_log(&f), "");
        fake_poll(poll, sid);
        fake_conn *again = fake_websocket(&f, sid); /* and may be tried again */
        fake_text_frame(again, "2probe");
        assert_string_equal(fake_frames(again), "3probe");
        assert_string_equal(fake_body(poll, "200"), "6");
        fake_fini(&f);
    }
}

static void binary_probe_is_dropped(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *ws = fake_websocket(&f, sid);
    fake_frame(ws, 0x82, "2probe", 6);
    assert_string_equal(fake_frames(ws), "close");
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void probe_goes_away(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *ws = fake_websocket(&f, sid), *poll = fake_open(&f);
    fake_text_frame(ws, "2probe");
    rt_eio_port_closed(f.eio, &ws->port, true);
    fake_poll(poll, sid);
    fake_pass(&f, 10 * RT_EIO_NOOP_MS); /* no poll returns early any more */
    assert_int_equal(poll->out.n, 0);
    assert_string_equal(fake_log(&f), "");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES_FAILED], 1);
    fake_fini(&f);
}

static void second_websocket_is_closed(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *first = fake_websocket(&f, sid), *second = fake_websocket(&f, sid);
    assert_string_equal(fake_frames(second), "close");
    assert_int_equal(second->closed, 1);
    fake_text_frame(first, "2probe");
    fake_text_frame(first, "5");
    fake_conn *third = fake_websocket(&f, sid); /* after the upgrade, the same */
    assert_string_equal(fake_frames(third), "close");
    fake_text_frame(first, "4still");
    assert_string_equal(fake_log(&f), "message still");
    fake_fini(&f);
}

static void close_frames_are_answered(void **state) {
    (void)state;
    static const struct {
        const char *payload;
        size_t n;
        const char *answer;
    } cases[] = {{"", 0, "close"},
                 {"\x03\xe8", 2, "close 1000"},
                 {"\x03\xe9"
                  "bye",
                  5, "close 1001"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        fake_init(&f, NULL);
        fake_conn *ws = fake_websocket(&f, NULL);
        fake_frames(ws);
        fake_frame(ws, 0x88, cases[i].payload, cases[i].n);
        assert_string_equal(fake_frames(ws), cases[i].answer);
        assert_true(ws->flushed);
        assert_string_equal(fake_log(&f), "open|close transport close");
        fake_fini(&f);
    }
}

static void broken_frames_have_close_codes(void **state) {
    (void)state;
    static const struct {
        unsigned char first;
        const char *payload, *answer;
        int counter;
    } cases[] = {
        {0xc1, "4a", "close 1002", RT_EIO_BAD_FRAMES}, /* a reserved bit */
        {0x83, "4a", "close 1002", RT_EIO_BAD_FRAMES}, /* a reserved opcode */
        {0x81, "4\xff", "close 1007", RT_EIO_BAD_FRAMES},
        {0x81, "4 more than 16 bytes", "close 1009", RT_EIO_REFUSED_TOO_BIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        rt_eio_opts opts;
        rt_eio_opts_default(&opts);
        opts.max_payload = 16;
        fake_init(&f, &opts);
        fake_conn *ws = fake_websocket(&f, NULL);
        fake_frames(ws);
        fake_frame(ws, cases[i].first, cases[i].payload, strlen(cases[i].payload));
        assert_string_equal(fake_frames(ws), cases[i].answer);
        assert_string_equal(fake_log(&f), "open|close transport error");
        assert_int_equal(fake_figures(&f).counters.v[cases[i].counter], 1);
        assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES_FAILED], 0);
        fake_fini(&f);
    }
}

static void a_broken_probe_is_a_failed_upgrade(void **state) {
    (void)state;
    fake f;
    char sid[RT_ID_LEN + 1];
    fake_init(&f, NULL);
    fake_handshake(&f, sid);
    fake_conn *ws = fake_websocket(&f, sid);
    fake_frame(ws, 0xc1, "4a", 2);
    assert_string_equal(fake_frames(ws), "close 1002");
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES_FAILED], 1);
    assert_int_equal(fake_figures(&f).sessions, 1);
    fake_fini(&f);
}

static void bad_packet_closes(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    fake_text_frame(ws, "x");
    assert_string_equal(fake_frames(ws), "close");
    assert_string_equal(fake_log(&f), "open|close parse error");
    fake_fini(&f);
}

static void messages_and_pings(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    fake_text_frame(ws, "4text");
    fake_frame(ws, 0x82, "\x01\x02", 2);
    fake_text_frame(ws, "bAQI=");
    fake_frame(ws, 0x89, "are you there", 13);
    assert_string_equal(fake_log(&f), "open|message text|binary \x01\x02|binary \x01\x02");
    assert_string_equal(fake_frames(ws), "pong:are you there");
    rt_msg *m = rt_ws_frame(RT_WS_BINARY, RT_LIT("\x01\xff"));
    rt_eio_send(f.session, m);
    rt_msg_rele(m);
    assert_string_equal(fake_frames(ws), "<01ff>");
    fake_fini(&f);
}

static void packets_that_mean_nothing(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    static const char *const packets[] = {"0", "1", "5", "6", "3", "1x"};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
        fake_text_frame(ws, packets[i]);
    assert_string_equal(fake_frames(ws), "");
    fake_text_frame(ws, "4still here");
    assert_string_equal(fake_log(&f), "open|message still here");
    fake_fini(&f);
}

static void server_closes(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    fake_say(f.session, "4last");
    rt_eio_close(f.session, RT_EIO_FORCED_CLOSE);
    assert_string_equal(fake_frames(ws), "4last|close");
    assert_true(ws->flushed);
    assert_string_equal(fake_log(&f), "open|close forced close");
    fake_text_frame(ws, "4late");
    assert_string_equal(fake_log(&f), "");
    fake_fini(&f);
}

static void connection_ends(void **state) {
    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        fake f;
        fake_init(&f, NULL);
        fake_conn *ws = fake_websocket(&f, NULL);
        rt_eio_port_closed(f.eio, &ws->port, broken);
        assert_string_equal(fake_log(&f),
                            broken ? "open|close transport error" : "open|close transport close");
        assert_int_equal(fake_figures(&f).websocket, 0);
        assert_int_equal(fake_figures(&f).counters.v[RT_EIO_UPGRADES_FAILED], 0);
        fake_fini(&f);
    }
}

static void slow_port(void **state) {
    (void)state;
    fake f;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_frames(ws);
    rt_eio_port_slow(f.eio, &ws->port);
    assert_string_equal(fake_log(&f), "open|close slow client");
    assert_string_equal(fake_frames(ws), ""); /* no close frame behind what is owed */
    assert_false(ws->flushed);
    fake_fini(&f);
}

/* Writes `count` masked frames with the one-byte messages a, b, c .. Returns their bytes. */
static size_t put_frames(char *out, unsigned count) {
    for (unsigned i = 0; i < count; i++, out += 8)
        memcpy(out, (char[]){(char)0x81, (char)0x82, 0, 0, 0, 0, '4', (char)('a' + i % 26)}, 8);
    return (size_t)count * 8;
}

/* More packets than a turn's share: the rest is left untouched, and loses nothing. */
static void packets_in_slices(void **state) {
    (void)state;
    fake f;
    char bytes[3 * RT_EIO_SLICE_PACKETS_MAX * 8], sent[sizeof bytes];
    rt_buf heard = RT_BUF_INIT;
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_log(&f);
    size_t n = put_frames(bytes, 2 * RT_EIO_SLICE_PACKETS_MAX + 1);
    memcpy(sent, bytes, n);
    const size_t slice = (size_t)RT_EIO_SLICE_PACKETS_MAX * 8;
    for (size_t at = 0; at < n; at += slice) {
        size_t used = rt_eio_websocket_bytes(f.eio, &ws->port, bytes + at, n - at);
        assert_int_equal(used, n - at < slice ? n - at : slice);
        assert_memory_equal(bytes + at + used, sent + at + used, n - at - used);
        rt_buf_puts(&heard, rt_slice_of(fake_log(&f)));
        rt_buf_putc(&heard, '|');
    }
    assert_int_equal(fake_figures(&f).counters.v[RT_EIO_SLICED], 2);
    rt_slice rest = rt_buf_slice(&heard);
    for (unsigned i = 0; i < 2 * RT_EIO_SLICE_PACKETS_MAX + 1; i++) {
        char want[] = {'m', 'e', 's', 's', 'a', 'g', 'e', ' ', (char)('a' + i % 26), '|', 0};
        assert_true(rt_slice_starts(rest, rt_slice_of(want)));
        rest = rt_slice_from(rest, 10);
    }
    assert_int_equal(rest.n, 0);
    rt_buf_fini(&heard);
    fake_fini(&f);
}

/* Whatever a client sends is paid for, and what is over is read later. */
static void packets_are_paced(void **state) {
    (void)state;
    static const unsigned char opcodes[] = {0x81, 0x82, 0x89, 0x8a};
    for (size_t i = 0; i < sizeof opcodes; i++) {
        fake f;
        rt_eio_opts opts;
        rt_eio_opts_default(&opts);
        opts.packets_per_second = 10;
        fake_init(&f, &opts);
        fake_conn *ws = fake_websocket(&f, NULL);
        for (unsigned sent = 0; sent < 10 * RT_EIO_BURST_S; sent++) {
            assert_int_equal(rt_eio_websocket_again(&ws->port), 0);
            fake_frame(ws, opcodes[i], "6", 1);
        }
        assert_int_equal(rt_eio_websocket_again(&ws->port), 0);
        fake_frame(ws, opcodes[i], "6", 1);
        assert_int_equal(rt_eio_websocket_again(&ws->port), f.now + 100);
        assert_int_equal(f.paced, 1);
        char two[] = {(char)opcodes[i], (char)0x81, 0, 0, 0, 0, '6',
                      (char)opcodes[i], (char)0x81, 0, 0, 0, 0, '6'};
        f.now += 100;
        assert_int_equal(rt_eio_websocket_bytes(f.eio, &ws->port, two, sizeof two), sizeof two / 2);
        assert_int_equal(rt_eio_websocket_again(&ws->port), f.now + 100);
        f.now += 1000;
        assert_int_equal(rt_eio_websocket_again(&ws->port), 0);
        rt_eio_set_packets_per_second(f.eio, 0);
        for (unsigned sent = 0; sent < 1000; sent++)
            fake_frame(ws, opcodes[i], "6", 1);
        assert_int_equal(rt_eio_websocket_again(&ws->port), 0);
        assert_int_equal(fake_figures(&f).counters.v[RT_EIO_PACED], 2);
        fake_fini(&f);
    }
}

/* A large packet costs as many small ones. */
static void bytes_are_paid_for(void **state) {
    (void)state;
    fake f;
    rt_eio_opts opts;
    static char frame[8 + 4 * RT_EIO_PACKET_BYTES - 1] = {(char)0x82, (char)0xfe, (char)0xff,
                                                          (char)0xff};
    rt_eio_opts_default(&opts);
    opts.packets_per_second = 1;
    fake_init(&f, &opts);
    fake_conn *ws = fake_websocket(&f, NULL);
    assert_int_equal(rt_eio_websocket_bytes(f.eio, &ws->port, frame, sizeof frame), sizeof frame);
    assert_int_equal(rt_eio_websocket_again(&ws->port), 0); /* four seconds' credit, just enough */
    fake_frame(ws, 0x82, "", 0);
    assert_int_equal(rt_eio_websocket_again(&ws->port), f.now + 1000);
    fake_fini(&f);
}

/* A frame between the parts of a message may be the last of a slice. */
static void slice_within_a_message(void **state) {
    (void)state;
    fake f;
    char bytes[(RT_EIO_SLICE_PACKETS_MAX + 2) * 8];
    fake_init(&f, NULL);
    fake_conn *ws = fake_websocket(&f, NULL);
    fake_log(&f);
    size_t n = put_frames(bytes, RT_EIO_SLICE_PACKETS_MAX + 2);
    bytes[0] = 0x01; /* the first fragment, */
    for (size_t at = 8; at < n - 8; at += 8)
        bytes[at] = (char)0x8a; /* pongs, */
    bytes[n - 8] = (char)0x80;  /* the last fragment */
    size_t used = rt_eio_websocket_bytes(f.eio, &ws->port, bytes, n);
    assert_int_equal(used, n - 8);
    assert_string_equal(fake_log(&f), "");
    assert_int_equal(rt_eio_websocket_bytes(f.eio, &ws->port, bytes + used, 8), 8);
    assert_int_equal(strncmp(fake_log(&f), "message a4", 10), 0);
    fake_fini(&f);
}

static int leaks(void **state) {
    (void)state;
    return rt_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(upgrade_whole, leaks),
        cmocka_unit_test_teardown(order_across_upgrade, leaks),
        cmocka_unit_test_teardown(switch_cuts_off_an_open_post, leaks),
        cmocka_unit_test_teardown(post_while_probing, leaks),
        cmocka_unit_test_teardown(request_breaks_off_while_probing, leaks),
        cmocka_unit_test_teardown(poll_breaks_off_after_the_switch, leaks),
        cmocka_unit_test_teardown(parser_is_kept_for_a_part, leaks),
        cmocka_unit_test_teardown(no_memory_to_keep_a_part, leaks),
        cmocka_unit_test_teardown(polls_return_while_probing, leaks),
        cmocka_unit_test_teardown(probe_has_a_deadline, leaks),
        cmocka_unit_test_teardown(bad_probe_is_dropped, leaks),
        cmocka_unit_test_teardown(binary_probe_is_dropped, leaks),
        cmocka_unit_test_teardown(probe_goes_away, leaks),
        cmocka_unit_test_teardown(second_websocket_is_closed, leaks),
        cmocka_unit_test_teardown(close_frames_are_answered, leaks),
        cmocka_unit_test_teardown(broken_frames_have_close_codes, leaks),
        cmocka_unit_test_teardown(a_broken_probe_is_a_failed_upgrade, leaks),
        cmocka_unit_test_teardown(bad_packet_closes, leaks),
        cmocka_unit_test_teardown(messages_and_pings, leaks),
        cmocka_unit_test_teardown(packets_that_mean_nothing, leaks),
        cmocka_unit_test_teardown(server_closes, leaks),
        cmocka_unit_test_teardown(connection_ends, leaks),
        cmocka_unit_test_teardown(slow_port, leaks),
        cmocka_unit_test_teardown(packets_in_slices, leaks),
        cmocka_unit_test_teardown(slice_within_a_message, leaks),
        cmocka_unit_test_teardown(packets_are_paced, leaks),
        cmocka_unit_test_teardown(bytes_are_paid_for, leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
