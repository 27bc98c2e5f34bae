/* RFC 6455 as a table: what a client sends, and what a server must make of it. Data only, so that
 * the same cases can be given to the parser and sent through a real socket.
 *
 * ws_case_bytes() turns a case into the bytes on the wire; the frames are masked with keys that
 * differ from frame to frame. `close_code` is what the server must close with because of them: 0
 * when the connection goes on or the client closed it itself. The server's message limit is
 * WS_CASE_LIMIT. */
#ifndef RT_TESTS_WS_CASES_H
#define RT_TESTS_WS_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WS_CASE_LIMIT 100000 /* bytes of the largest message the server takes */
#define WS_CASE_FRAMES 10
#define WS_CASE_EVENTS 6

enum ws_form {
    WS_NONE,     /* the end of the list */
    WS_FRAME,    /* masked, with the shortest length */
    WS_FILLED,   /* the same, the payload is n times its first byte */
    WS_UNMASKED, /* the client forgot */
    WS_LONG16,   /* masked, with a 16-bit length whatever it is; payload NULL: n zeros */
    WS_LONG64,   /* masked, with a 64-bit length whatever it is */
    WS_HEADER,   /* a masked header that announces n bytes, and nothing more */
    WS_BYTES,    /* no frame: bytes as they stand */
};

typedef struct ws_frame {
    enum ws_form form;
    uint8_t first; /* FIN, RSV1-3, opcode */
    const char *payload;
    uint64_t n;
} ws_frame;

typedef struct ws_event {
    char kind; /* 't'ext, 'b'inary, 'p'ing, p'o'ng, 'c'lose; 0 ends the list */
    uint16_t code;
    const char *payload;
    size_t n;
    size_t repeat; /* the payload this many times */
} ws_event;

typedef struct ws_case {
    const char *name;
    ws_frame in[WS_CASE_FRAMES];
    ws_event out[WS_CASE_EVENTS];
    uint16_t close_code;
} ws_case;

#define F(first, text)                                                                             \
    { WS_FRAME, first, text, sizeof(text) - 1 }
#define TEXT(text) F(0x81, text)
#define TEXT_MORE(text) F(0x01, text)
#define BIN(text) F(0x82, text)
#define BIN_MORE(text) F(0x02, text)
#define CONT(text) F(0x80, text)
#define CONT_MORE(text) F(0x00, text)
#define CLOSE(text) F(0x88, text)
#define PING(text) F(0x89, text)
#define PONG(text) F(0x8a, text)
#define FILL(first, byte, n)                                                                       \
    { WS_FILLED, first, byte, n }
#define UNMASKED(first, text)                                                                      \
    { WS_UNMASKED, first, text, sizeof(text) - 1 }
#define LONG16(first, text)                                                                        \
    { WS_LONG16, first, text, sizeof(text) - 1 }
#define LONG64(first, text)                                                                        \
    { WS_LONG64, first, text, sizeof(text) - 1 }
#define HEADER(first, n)                                                                           \
    { WS_HEADER, first, "", n }
#define BYTES(text)                                                                                \
    { WS_BYTES, 0, text, sizeof(text) - 1 }

#define GOT(kind, text)                                                                            \
    { kind, 0, text, sizeof(text) - 1, 1 }
#define GOT_TEXT(text) GOT('t', text)
#define GOT_BIN(text) GOT('b', text)
#define GOT_PING(text) GOT('p', text)
#define GOT_PONG(text) GOT('o', text)
#define GOT_CLOSE(code, reason)                                                                    \
    { 'c', code, reason, sizeof(reason) - 1, 1 }
#define GOT_FILL(kind, byte, n)                                                                    \
    { kind, 0, byte, 1, n }

#define EURO "\xe2\x82\xac"      /* U+20AC */
#define SMILE "\xf0\x9f\x98\x80" /* U+1F600 */
#define KOSME "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
#define UTF8_OK(name, text)                                                                        \
    { "utf-8: " name, {TEXT(text)}, {GOT_TEXT(text)}, 0 }
#define UTF8_BAD(name, text)                                                                       \
    { "utf-8: " name, {TEXT(text)}, {{0}}, 1007 }
#define CODE_OK(code, bytes)                                                                       \
    { "close code " #code, {CLOSE(bytes)}, {GOT_CLOSE(code, "")}, 0 }
#define CODE_BAD(code, bytes)                                                                      \
    { "close code " #code, {CLOSE(bytes)}, {{0}}, 1002 }
#define REFUSED(name, ...)                                                                         \
    { name, {__VA_ARGS__}, {{0}}, 1002 }
#define TOO_BIG(name, ...)                                                                         \
    { name, {__VA_ARGS__}, {{0}}, 1009 }

static const ws_case ws_cases[] = {
    /* --- framing and lengths, section 5.2 --- */
    {"text", {TEXT("Hello")}, {GOT_TEXT("Hello")}, 0},
    {"text, empty", {TEXT("")}, {GOT_TEXT("")}, 0},
    {"text of 1", {TEXT("a")}, {GOT_TEXT("a")}, 0},
    {"text of 125", {FILL(0x81, "*", 125)}, {GOT_FILL('t', "*", 125)}, 0},
    {"text of 126", {FILL(0x81, "*", 126)}, {GOT_FILL('t', "*", 126)}, 0},
    {"text of 127", {FILL(0x81, "*", 127)}, {GOT_FILL('t', "*", 127)}, 0},
    {"text of 128", {FILL(0x81, "*", 128)}, {GOT_FILL('t', "*", 128)}, 0},
    {"text of 65535", {FILL(0x81, "*", 65535)}, {GOT_FILL('t', "*", 65535)}, 0},
    {"text of 65536", {FILL(0x81, "*", 65536)}, {GOT_FILL('t', "*", 65536)}, 0},
    {"binary", {BIN("\x00\x01\xfe\xff")}, {GOT_BIN("\x00\x01\xfe\xff")}, 0},
    {"binary, empty", {BIN("")}, {GOT_BIN("")}, 0},
    {"binary of 125", {FILL(0x82, "\xfe", 125)}, {GOT_FILL('b', "\xfe", 125)}, 0},
    {"binary of 126", {FILL(0x82, "\xfe", 126)}, {GOT_FILL('b', "\xfe", 126)}, 0},
    {"binary of 127", {FILL(0x82, "\xfe", 127)}, {GOT_FILL('b', "\xfe", 127)}, 0},
    {"binary of 65535", {FILL(0x82, "\xfe", 65535)}, {GOT_FILL('b', "\xfe", 65535)}, 0},
    {"binary of 65536", {FILL(0x82, "\xfe", 65536)}, {GOT_FILL('b', "\xfe", 65536)}, 0},
    {"binary that is not UTF-8", {BIN("\xc3\x28\xff")}, {GOT_BIN("\xc3\x28\xff")}, 0},
    {"mask of zeros", {BYTES("\x81\x82\0\0\0\0hi")}, {GOT_TEXT("hi")}, 0},
    {"the RFC's own example",
     {BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
     {GOT_TEXT("Hello")},
     0},
    {"three messages",
     {TEXT("a"), BIN("b"), TEXT("c")},
     {GOT_TEXT("a"), GOT_BIN("b"), GOT_TEXT("c")},
     0},
    {"empty messages in a row",
     {TEXT(""), BIN(""), TEXT("")},
     {GOT_TEXT(""), GOT_BIN(""), GOT_TEXT("")},
     0},
    {"header cut after one byte", {BYTES("\x81")}, {{0}}, 0},
    {"header cut within the length", {BYTES("\x81\xfe\x01")}, {{0}}, 0},
    {"header cut within the mask", {BYTES("\x81\x85\x01\x02\x03")}, {{0}}, 0},
    {"payload cut short", {BYTES("\x81\x85\0\0\0\0Hell")}, {{0}}, 0},

    REFUSED("16-bit length of 0", LONG16(0x81, "")),
    REFUSED("16-bit length of 1", LONG16(0x81, "a")),
    REFUSED("16-bit length of 125", {WS_LONG16, 0x82, NULL, 125}),
    REFUSED("64-bit length of 0", LONG64(0x81, "")),
    REFUSED("64-bit length of 1", LONG64(0x82, "a")),
    REFUSED("64-bit length of 125", {WS_LONG64, 0x82, NULL, 125}),
    REFUSED("64-bit length of 126", {WS_LONG64, 0x82, NULL, 126}),
    REFUSED("64-bit length of 65535", {WS_LONG64, 0x82, NULL, 65535}),
    REFUSED("16-bit length of a ping", LONG16(0x89, "ping")),
    REFUSED("64-bit length of a ping", LONG64(0x89, "ping")),
    REFUSED("64-bit length, top bit", HEADER(0x82, UINT64_C(1) << 63)),
    REFUSED("64-bit length, top bit and small", HEADER(0x81, (UINT64_C(1) << 63) + 5)),
    REFUSED("64-bit length, all ones", HEADER(0x82, UINT64_MAX)),

    /* --- masking, section 5.1 --- */
    REFUSED("text not masked", UNMASKED(0x81, "Hello")),
    REFUSED("empty text not masked", UNMASKED(0x81, "")),
    REFUSED("binary not masked", UNMASKED(0x82, "Hello")),
    REFUSED("ping not masked", UNMASKED(0x89, "")),
    REFUSED("pong not masked", UNMASKED(0x8a, "")),
    REFUSED("close not masked", UNMASKED(0x88, "\x03\xe8")),
    REFUSED("fragment not masked", TEXT_MORE("a"), UNMASKED(0x80, "b")),
    REFUSED("length byte without a mask", BYTES("\x81\x7e")),

    /* --- reserved bits, section 5.2 --- */
    REFUSED("RSV1 on text", F(0xc1, "a")),
    REFUSED("RSV2 on text", F(0xa1, "a")),
    REFUSED("RSV3 on text", F(0x91, "a")),
    REFUSED("RSV1 and RSV2 on text", F(0xe1, "a")),
    REFUSED("all RSV bits on text", F(0xf1, "a")),
    REFUSED("RSV1 on binary", F(0xc2, "a")),
    REFUSED("RSV2 and RSV3 on binary", F(0xb2, "")),
    REFUSED("RSV3 on a ping", F(0x99, "")),
    REFUSED("RSV1 on a pong", F(0xca, "")),
    REFUSED("RSV2 on a close", F(0xa8, "\x03\xe8")),
    REFUSED("RSV1 on a continuation", TEXT_MORE("a"), F(0xc0, "b")),
    REFUSED("RSV1 on a fragment's start", F(0x41, "a")),
    {"RSV1 after a message", {TEXT("ok"), F(0xc1, "a")}, {GOT_TEXT("ok")}, 1002},

    /* --- opcodes, section 5.2 --- */
    REFUSED("opcode 3", F(0x83, "")),
    REFUSED("opcode 4", F(0x84, "a")),
    REFUSED("opcode 5", F(0x85, "a")),
    REFUSED("opcode 6", F(0x86, "a")),
    REFUSED("opcode 7", F(0x87, "a")),
    REFUSED("opcode 11", F(0x8b, "")),
    REFUSED("opcode 12", F(0x8c, "a")),
    REFUSED("opcode 13", F(0x8d, "a")),
    REFUSED("opcode 14", F(0x8e, "a")),
    REFUSED("opcode 15", F(0x8f, "a")),
    REFUSED("opcode 3 without FIN", F(0x03, "a")),
    REFUSED("opcode 3 within a message", TEXT_MORE("a"), F(0x83, "b")),
    {"opcode 11 after a message", {TEXT("ok"), F(0x8b, "")}, {GOT_TEXT("ok")}, 1002},

    /* --- control frames, section 5.5 --- */
    {"ping", {PING("")}, {GOT_PING("")}, 0},
    {"ping with a payload", {PING("are you there")}, {GOT_PING("are you there")}, 0},
    {"ping that is not UTF-8", {PING("\x00\xff\xfe")}, {GOT_PING("\x00\xff\xfe")}, 0},
    {"ping of 125", {FILL(0x89, "\xfe", 125)}, {GOT_FILL('p', "\xfe", 125)}, 0},
    {"pong nobody asked for", {PONG("")}, {GOT_PONG("")}, 0},
    {"pong of 125", {FILL(0x8a, "\xfe", 125)}, {GOT_FILL('o', "\xfe", 125)}, 0},
    {"five pings",
     {PING("1"), PING("2"), PING("3"), PING("4"), PING("5")},
     {GOT_PING("1"), GOT_PING("2"), GOT_PING("3"), GOT_PING("4"), GOT_PING("5")},
     0},
    {"pong, ping, text",
     {PONG("x"), PING("y"), TEXT("z")},
     {GOT_PONG("x"), GOT_PING("y"), GOT_TEXT("z")},
     0},
    REFUSED("ping of 126", FILL(0x89, "\xfe", 126)),
    REFUSED("pong of 126", FILL(0x8a, "\xfe", 126)),
    REFUSED("close of 126", FILL(0x88, "\xfe", 126)),
    REFUSED("ping of 65536", FILL(0x89, "\xfe", 65536)),
    REFUSED("ping in fragments", F(0x09, "a"), CONT("b")),
    REFUSED("pong in fragments", F(0x0a, "a"), CONT("b")),
    REFUSED("close in fragments", F(0x08, "\x03\xe8"), CONT("b")),
    REFUSED("ping without FIN within a message", TEXT_MORE("a"), F(0x09, "")),

    /* --- fragments, section 5.4 --- */
    {"two fragments", {TEXT_MORE("Hel"), CONT("lo")}, {GOT_TEXT("Hello")}, 0},
    {"three fragments", {TEXT_MORE("a"), CONT_MORE("b"), CONT("c")}, {GOT_TEXT("abc")}, 0},
    {"binary fragments", {BIN_MORE("\xff"), CONT("\xfe")}, {GOT_BIN("\xff\xfe")}, 0},
    {"empty fragments", {TEXT_MORE(""), CONT_MORE(""), CONT("")}, {GOT_TEXT("")}, 0},
    {"empty binary fragments", {BIN_MORE(""), CONT("")}, {GOT_BIN("")}, 0},
    {"first fragment empty", {TEXT_MORE(""), CONT("ab")}, {GOT_TEXT("ab")}, 0},
    {"middle fragment empty", {TEXT_MORE("a"), CONT_MORE(""), CONT("b")}, {GOT_TEXT("ab")}, 0},
    {"last fragment empty", {TEXT_MORE("ab"), CONT("")}, {GOT_TEXT("ab")}, 0},
    {"only the middle fragment is not empty",
     {TEXT_MORE(""), CONT_MORE("ab"), CONT("")},
     {GOT_TEXT("ab")},
     0},
    {"large fragments",
     {FILL(0x02, "x", 40000), FILL(0x00, "x", 40000), FILL(0x80, "x", 20000)},
     {GOT_FILL('b', "x", 100000)},
     0},
    {"two fragmented messages",
     {TEXT_MORE("a"), CONT("b"), BIN_MORE("c"), CONT("d")},
     {GOT_TEXT("ab"), GOT_BIN("cd")},
     0},
    {"fragmented, then whole",
     {TEXT_MORE("a"), CONT("b"), TEXT("c")},
     {GOT_TEXT("ab"), GOT_TEXT("c")},
     0},
    {"ping between fragments",
     {TEXT_MORE("a"), PING("p"), CONT("b")},
     {GOT_PING("p"), GOT_TEXT("ab")},
     0},
    {"pong between fragments",
     {BIN_MORE("a"), PONG("p"), CONT("b")},
     {GOT_PONG("p"), GOT_BIN("ab")},
     0},
    {"pings between all fragments",
     {TEXT_MORE("a"), PING("1"), CONT_MORE("b"), PING("2"), PONG("3"), CONT("c")},
     {GOT_PING("1"), GOT_PING("2"), GOT_PONG("3"), GOT_TEXT("abc")},
     0},
    {"empty ping between fragments",
     {TEXT_MORE("a"), PING(""), CONT("b")},
     {GOT_PING(""), GOT_TEXT("ab")},
     0},
    {"ping of 125 between fragments",
     {TEXT_MORE("a"), FILL(0x89, "p", 125), CONT("b")},
     {GOT_FILL('p', "p", 125), GOT_TEXT("ab")},
     0},
    {"ping before the only fragment with bytes",
     {TEXT_MORE(""), PING("p"), CONT("b")},
     {GOT_PING("p"), GOT_TEXT("b")},
     0},
    {"close between fragments",
     {TEXT_MORE("a"), CLOSE("\x03\xe8"), CONT("b")},
     {GOT_CLOSE(1000, "")},
     0},
    {"message that never ends", {TEXT_MORE("a"), CONT_MORE("b")}, {{0}}, 0},
    REFUSED("continuation of nothing", CONT("a")),
    REFUSED("continuation of nothing, not the last", CONT_MORE("a")),
    REFUSED("empty continuation of nothing", CONT("")),
    REFUSED("text within a message", TEXT_MORE("a"), TEXT("b")),
    REFUSED("binary within a message", TEXT_MORE("a"), BIN("b")),
    REFUSED("text start within a message", TEXT_MORE("a"), TEXT_MORE("b")),
    REFUSED("binary start within a binary message", BIN_MORE("a"), BIN_MORE("b")),
    {"continuation after a message", {TEXT("a"), CONT("b")}, {GOT_TEXT("a")}, 1002},
    {"continuation after the last fragment",
     {TEXT_MORE("a"), CONT("b"), CONT("c")},
     {GOT_TEXT("ab")},
     1002},
    {"continuation after a ping", {PING("a"), CONT("b")}, {GOT_PING("a")}, 1002},
    {"text within a message, after a ping",
     {TEXT_MORE("a"), PING(""), TEXT("b")},
     {GOT_PING("")},
     1002},

    /* --- UTF-8, section 8.1 and RFC 3629 --- */
    UTF8_OK("two bytes", "\xc3\xa9"),
    UTF8_OK("three bytes", EURO),
    UTF8_OK("four bytes", SMILE),
    UTF8_OK("a word", KOSME),
    UTF8_OK("mixed", "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc-UTF-8!!"),
    UTF8_OK("U+0000", "\0"),
    UTF8_OK("U+007F", "\x7f"),
    UTF8_OK("U+0080", "\xc2\x80"),
    UTF8_OK("U+07FF", "\xdf\xbf"),
    UTF8_OK("U+0800", "\xe0\xa0\x80"),
    UTF8_OK("U+D7FF", "\xed\x9f\xbf"),
    UTF8_OK("U+E000", "\xee\x80\x80"),
    UTF8_OK("U+FEFF", "\xef\xbb\xbf"),
    UTF8_OK("U+FFFE", "\xef\xbf\xbe"),
    UTF8_OK("U+FFFF", "\xef\xbf\xbf"),
    UTF8_OK("U+10000", "\xf0\x90\x80\x80"),
    UTF8_OK("U+10FFFF", "\xf4\x8f\xbf\xbf"),
    {"utf-8: two bytes in two fragments",
     {TEXT_MORE("\xc3"), CONT("\xa9")},
     {GOT_TEXT("\xc3\xa9")},
     0},
    {"utf-8: three bytes, cut 1+2", {TEXT_MORE("\xe2"), CONT("\x82\xac")}, {GOT_TEXT(EURO)}, 0},
    {"utf-8: three bytes, cut 2+1", {TEXT_MORE("\xe2\x82"), CONT("\xac")}, {GOT_TEXT(EURO)}, 0},
    {"utf-8: four bytes, cut 1+3", {TEXT_MORE("\xf0"), CONT("\x9f\x98\x80")}, {GOT_TEXT(SMILE)}, 0},
    {"utf-8: four bytes, cut 2+2", {TEXT_MORE("\xf0\x9f"), CONT("\x98\x80")}, {GOT_TEXT(SMILE)}, 0},
    {"utf-8: four bytes, cut 3+1", {TEXT_MORE("\xf0\x9f\x98"), CONT("\x80")}, {GOT_TEXT(SMILE)}, 0},
    {"utf-8: a fragment a byte",
     {TEXT_MORE("\xf0"), CONT_MORE("\x9f"), CONT_MORE("\x98"), CONT("\x80")},
     {GOT_TEXT(SMILE)},
     0},
    {"utf-8: empty fragment within a character",
     {TEXT_MORE("\xe2"), CONT_MORE(""), CONT("\x82\xac")},
     {GOT_TEXT(EURO)},
     0},
    {"utf-8: ping within a character",
     {TEXT_MORE("\xe2\x82"), PING("\xff"), CONT("\xac")},
     {GOT_PING("\xff"), GOT_TEXT(EURO)},
     0},
    UTF8_BAD("lone continuation 80", "\x80"),
    UTF8_BAD("lone continuation bf", "\xbf"),
    UTF8_BAD("continuation after a character", "\xc3\xa9\xa9"),
    UTF8_BAD("two bytes cut short", "\xc3"),
    UTF8_BAD("three bytes cut short by one", "\xe2\x82"),
    UTF8_BAD("three bytes cut short by two", "abc\xe2"),
    UTF8_BAD("four bytes cut short", "\xf0\x9f\x98"),
    UTF8_BAD("lead before ASCII", "\xc3"
                                  "a"),
    UTF8_BAD("lead before a lead", "\xc3\xc3\xa9"),
    UTF8_BAD("three bytes broken by ASCII", "\xe2\x82"
                                            "a"),
    UTF8_BAD("overlong NUL, c0 80", "\xc0\x80"),
    UTF8_BAD("overlong slash, c0 af", "\xc0\xaf"),
    UTF8_BAD("overlong c1 bf", "\xc1\xbf"),
    UTF8_BAD("overlong e0 80 80", "\xe0\x80\x80"),
    UTF8_BAD("overlong e0 9f bf", "\xe0\x9f\xbf"),
    UTF8_BAD("overlong f0 80 80 80", "\xf0\x80\x80\x80"),
    UTF8_BAD("overlong f0 8f bf bf", "\xf0\x8f\xbf\xbf"),
    UTF8_BAD("surrogate U+D800", "\xed\xa0\x80"),
    UTF8_BAD("surrogate U+DFFF", "\xed\xbf\xbf"),
    UTF8_BAD("surrogate pair", "\xed\xa0\xbd\xed\xb8\x80"),
    UTF8_BAD("U+110000", "\xf4\x90\x80\x80"),
    UTF8_BAD("f5", "\xf5\x80\x80\x80"),
    UTF8_BAD("five bytes", "\xf8\x88\x80\x80\x80"),
    UTF8_BAD("six bytes", "\xfc\x84\x80\x80\x80\x80"),
    UTF8_BAD("fe", "\xfe"),
    UTF8_BAD("ff", "\xff"),
    UTF8_BAD("bad after good", KOSME "\xed\xa0\x80"
                                     "edited"),
    UTF8_BAD("bad in the eighth byte", "1234567\xff"
                                       "90123456"),
    {"utf-8: bad second fragment", {TEXT_MORE("\xe2\x82"), CONT("a")}, {{0}}, 1007},
    {"utf-8: overlong over fragments", {TEXT_MORE("\xe0"), CONT("\x80\x80")}, {{0}}, 1007},
    {"utf-8: surrogate over fragments", {TEXT_MORE("\xed"), CONT("\xa0\x80")}, {{0}}, 1007},
    {"utf-8: too high over fragments", {TEXT_MORE("\xf4"), CONT("\x90\x80\x80")}, {{0}}, 1007},
    {"utf-8: last fragment ends within", {TEXT_MORE("a"), CONT("\xe2\x82")}, {{0}}, 1007},
    {"utf-8: last fragment empty, within", {TEXT_MORE("\xe2\x82"), CONT("")}, {{0}}, 1007},
    {"utf-8: bad in an early fragment", {TEXT_MORE("\xff")}, {{0}}, 1007},
    {"utf-8: bad in a frame that is not all here",
     {BYTES("\x81\xfe\x10\x00\0\0\0\0abc\xc0")},
     {{0}},
     1007},
    {"utf-8: within a character in a frame that is not all here",
     {BYTES("\x81\xfe\x10\x00\0\0\0\0abc\xe2\x82")},
     {{0}},
     0},
    {"utf-8: good, then bad", {TEXT(EURO), TEXT("\xe2\x82")}, {GOT_TEXT(EURO)}, 1007},
    {"utf-8: the last message's end is not the next one's start",
     {TEXT("a"), TEXT("\xac")},
     {GOT_TEXT("a")},
     1007},
    {"utf-8: text after binary that ends within",
     {BIN("\xe2\x82"), TEXT("a")},
     {GOT_BIN("\xe2\x82"), GOT_TEXT("a")},
     0},

    /* --- close, sections 5.5.1 and 7.4 --- */
    {"close without a code", {CLOSE("")}, {GOT_CLOSE(1005, "")}, 0},
    {"close with a reason",
     {CLOSE("\x03\xe8"
            "bye")},
     {GOT_CLOSE(1000, "bye")},
     0},
    {"close with a UTF-8 reason", {CLOSE("\x03\xe9" EURO)}, {GOT_CLOSE(1001, EURO)}, 0},
    {"close with a reason of 123",
     {CLOSE("\x03\xe8"
            "0123456789012345678901234567890123456789012345678901234567890123456789"
            "01234567890123456789012345678901234567890123456789abc")},
     {GOT_CLOSE(1000, "0123456789012345678901234567890123456789012345678901234567890123456789"
                      "01234567890123456789012345678901234567890123456789abc")},
     0},
    CODE_OK(1000, "\x03\xe8"),
    CODE_OK(1001, "\x03\xe9"),
    CODE_OK(1002, "\x03\xea"),
    CODE_OK(1003, "\x03\xeb"),
    CODE_OK(1007, "\x03\xef"),
    CODE_OK(1008, "\x03\xf0"),
    CODE_OK(1009, "\x03\xf1"),
    CODE_OK(1010, "\x03\xf2"),
    CODE_OK(1011, "\x03\xf3"),
    CODE_OK(1012, "\x03\xf4"),
    CODE_OK(1013, "\x03\xf5"),
    CODE_OK(1014, "\x03\xf6"),
    CODE_OK(3000, "\x0b\xb8"),
    CODE_OK(3999, "\x0f\x9f"),
    CODE_OK(4000, "\x0f\xa0"),
    CODE_OK(4999, "\x13\x87"),
    CODE_BAD(0, "\x00\x00"),
    CODE_BAD(1, "\x00\x01"),
    CODE_BAD(999, "\x03\xe7"),
    CODE_BAD(1004, "\x03\xec"),
    CODE_BAD(1005, "\x03\xed"),
    CODE_BAD(1006, "\x03\xee"),
    CODE_BAD(1015, "\x03\xf7"),
    CODE_BAD(1016, "\x03\xf8"),
    CODE_BAD(1100, "\x04\x4c"),
    CODE_BAD(2000, "\x07\xd0"),
    CODE_BAD(2999, "\x0b\xb7"),
    CODE_BAD(5000, "\x13\x88"),
    CODE_BAD(65535, "\xff\xff"),
    REFUSED("close of one byte", CLOSE("\x03")),
    {"close with a bad reason", {CLOSE("\x03\xe8\xff")}, {{0}}, 1007},
    {"close with a reason cut within",
     {CLOSE("\x03\xe8"
            "a\xe2\x82")},
     {{0}},
     1007},
    {"close with a surrogate", {CLOSE("\x03\xe8\xed\xa0\x80")}, {{0}}, 1007},
    REFUSED("close with a bad code and a bad reason", CLOSE("\x03\xed\xff")),
    {"text, close", {TEXT("a"), CLOSE("\x03\xe8")}, {GOT_TEXT("a"), GOT_CLOSE(1000, "")}, 0},
    {"text after close", {CLOSE("\x03\xe8"), TEXT("a")}, {GOT_CLOSE(1000, "")}, 0},
    {"ping after close", {CLOSE(""), PING("a")}, {GOT_CLOSE(1005, "")}, 0},
    {"close after close", {CLOSE("\x03\xe8"), CLOSE("\x03\xe9")}, {GOT_CLOSE(1000, "")}, 0},
    {"garbage after close", {CLOSE(""), BYTES("\xff\xff\xff\xff")}, {GOT_CLOSE(1005, "")}, 0},

    /* --- size limit --- */
    {"text of the limit", {FILL(0x81, "*", WS_CASE_LIMIT)}, {GOT_FILL('t', "*", WS_CASE_LIMIT)}, 0},
    {"binary of the limit",
     {FILL(0x82, "*", WS_CASE_LIMIT)},
     {GOT_FILL('b', "*", WS_CASE_LIMIT)},
     0},
    {"limit in fragments",
     {FILL(0x02, "x", 60000), FILL(0x80, "x", 40000)},
     {GOT_FILL('b', "x", WS_CASE_LIMIT)},
     0},
    {"limit, then an empty fragment",
     {FILL(0x02, "x", WS_CASE_LIMIT), CONT("")},
     {GOT_FILL('b', "x", WS_CASE_LIMIT)},
     0},
    {"limit, twice",
     {FILL(0x82, "x", WS_CASE_LIMIT), FILL(0x82, "y", WS_CASE_LIMIT)},
     {GOT_FILL('b', "x", WS_CASE_LIMIT), GOT_FILL('b', "y", WS_CASE_LIMIT)},
     0},
    {"ping with a full message under way",
     {FILL(0x02, "x", WS_CASE_LIMIT), FILL(0x89, "p", 125), CONT("")},
     {GOT_FILL('p', "p", 125), GOT_FILL('b', "x", WS_CASE_LIMIT)},
     0},
    TOO_BIG("text announced one too big", HEADER(0x81, WS_CASE_LIMIT + 1)),
    TOO_BIG("binary announced one too big", HEADER(0x82, WS_CASE_LIMIT + 1)),
    TOO_BIG("announced 4 GiB", HEADER(0x82, UINT64_C(1) << 32)),
    TOO_BIG("announced 2^63 - 1", HEADER(0x82, (UINT64_C(1) << 63) - 1)),
    TOO_BIG("first fragment announced too big", HEADER(0x01, WS_CASE_LIMIT + 1)),
    TOO_BIG("fragment one too many", FILL(0x02, "x", WS_CASE_LIMIT), CONT("x")),
    TOO_BIG("fragments announced one too big", FILL(0x02, "x", 60000), HEADER(0x80, 40001)),
    TOO_BIG("fragment that would wrap", FILL(0x02, "x", 10), HEADER(0x80, (UINT64_C(1) << 63) - 1)),
    {"too big after a message",
     {TEXT("ok"), HEADER(0x81, WS_CASE_LIMIT + 1)},
     {GOT_TEXT("ok")},
     1009},
};

#define WS_CASE_COUNT (sizeof ws_cases / sizeof ws_cases[0])

static inline size_t ws_frame_head(const ws_frame *f, uint8_t *out, const uint8_t mask[4]) {
    size_t extended = f->form == WS_LONG16   ? 2
                      : f->form == WS_LONG64 ? 8
                      : f->n < 126           ? 0
                      : f->n <= UINT16_MAX   ? 2
                                             : 8;
    uint8_t masked = f->form == WS_UNMASKED ? 0 : 0x80;
    out[0] = f->first;
    out[1] = (uint8_t)(masked | (extended == 8 ? 127 : extended == 2 ? 126 : f->n));
    for (size_t i = 0; i < extended; i++)
        out[2 + i] = (uint8_t)(f->n >> 8 * (extended - 1 - i));
    if (!masked)
        return 2 + extended;
    memcpy(out + 2 + extended, mask, 4);
    return 2 + extended + 4;
}

/* One frame on the wire; `out` may be NULL to ask for the size. */
static inline size_t ws_frame_bytes(const ws_frame *f, unsigned number, uint8_t *out) {
    uint8_t head[14], mask[4];
    for (unsigned i = 0; i < sizeof mask; i++)
        mask[i] = (uint8_t)(0x3d21fa37 >> 8 * i) ^ (uint8_t)(number * 29);
    size_t at = f->form == WS_BYTES ? 0 : ws_frame_head(f, head, mask);
    size_t n = f->form == WS_HEADER ? 0 : (size_t)f->n;
    if (!out)
        return at + n;
    memcpy(out, head, at);
    bool masked = f->form != WS_BYTES && f->form != WS_UNMASKED;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(!f->payload ? 0 : f->payload[f->form == WS_FILLED ? 0 : i]);
        out[at + i] = masked ? byte ^ mask[i & 3] : byte;
    }
    return at + n;
}

/* A case on the wire; `out` may be NULL to ask for the size. */
static inline size_t ws_case_bytes(const ws_case *c, uint8_t *out) {
    size_t n = 0;
    for (unsigned i = 0; i < WS_CASE_FRAMES && c->in[i].form != WS_NONE; i++)
        n += ws_frame_bytes(&c->in[i], i, out ? out + n : NULL);
    return n;
}

#endif
