/* HTTP/1.1 as a table: what a client sends on one connection, and what must come of it, in the
 * words of http_conn.h. Data only. */
#ifndef RT_TESTS_HTTP_CASES_H
#define RT_TESTS_HTTP_CASES_H

#include "base/status.h"

typedef struct http_case {
    const char *in;
    const char *log;
    int status; /* RT_AGAIN: a request is not complete at the end */
} http_case;

#define H "Host: a\r\n"
#define WS H "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define LINE "GET / HTTP/1.1\r\n"
#define GET1 LINE H "\r\n"
#define LOG1 "GET / keep\nHost=a\n.\n"
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define LOG_CHUNKED "POST / keep body\nHost=a\nTransfer-Encoding=chunked\n.\n"
#define BAD(in)                                                                                    \
    { in, "", RT_EHTTP_SYNTAX }
#define BAD_BODY(in)                                                                               \
    { in, LOG_CHUNKED, RT_EHTTP_SYNTAX }

static const http_case http_cases[] = {
    /* heads */
    {GET1, LOG1 "end 27\n", RT_OK},
    {"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a:1\r\nAccept: */*\r\n\r\n",
     "GET /socket.io/?EIO=4&transport=polling keep\nHost=a:1\nAccept=*/*\n.\nend 76\n", RT_OK},
    {"HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD / keep\nHost=a\n.\nend 28\n", RT_OK},
    {"PUT /x HTTP/1.1\r\n" H "\r\n", "PUT /x keep\nHost=a\n.\nend 28\n", RT_OK},
    {"DELETE / HTTP/1.1\r\n" H "\r\n", "DELETE / keep\nHost=a\n.\nend 30\n", RT_OK},
    {"PATCH / HTTP/1.1\r\n" H "\r\n", "PATCH / keep\nHost=a\n.\nend 29\n", RT_OK},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * keep\nHost=a\n.\nend 31\n", RT_OK},
    {"TRACE / HTTP/1.1\r\n" H "\r\n", "OTHER / keep\nHost=a\n.\nend 29\n", RT_OK},
    {"PROPFIND / HTTP/1.1\r\n" H "\r\n", "OTHER / keep\nHost=a\n.\nend 32\n", RT_OK},
    {"GET http://b/c?d HTTP/1.1\r\n" H "\r\n", "GET http://b/c?d keep\nHost=a\n.\nend 38\n", RT_OK},
    {"CONNECT b:443 HTTP/1.1\r\n" H "\r\n", "OTHER b:443\nHost=a\n.\nend 35\n", RT_OK},
    {"CONNECT b:443 HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n",
     "OTHER b:443\nHost=a\nContent-Length=5\n.\nend 54\n", RT_OK},
    {"GET / HTTP/1.0\r\n\r\n", "GET /\n.\nend 18\n", RT_OK},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "GET / keep\nConnection=keep-alive\n.\nend 42\n", RT_OK},
    {LINE H "Connection: close\r\n\r\n", "GET /\nHost=a\nConnection=close\n.\nend 46\n", RT_OK},
    {LINE "Host:\r\n\r\n", "GET / keep\nHost=\n.\nend 25\n", RT_OK},
    {LINE "hOsT:a\r\nX:\r\nY: \r\nZ: \t b \t c \t \r\n\r\n",
     "GET / keep\nhOsT=a\nX=\nY=\nZ=b \t c\n.\nend 50\n", RT_OK},
    {LINE H "Cookie: sid=\xc3\xa9; full_name=a%20b\r\n\r\n",
     "GET / keep\nHost=a\nCookie=sid=\xc3\xa9; full_name=a%20b\n.\nend 60\n", RT_OK},
    {"\r\n\r\n" GET1, LOG1 "end 31\n", RT_OK},
    {"\r\n", "", RT_AGAIN},
    {LINE H, "", RT_AGAIN},
    {LINE H "\r", "", RT_AGAIN},

    /* bodies */
    {POST "Content-Length: 5\r\n\r\nhello",
     "POST / keep body\nHost=a\nContent-Length=5\n.\n+hello\nend 52\n", RT_OK},
    {POST "Content-Length: 0\r\n\r\n", "POST / keep\nHost=a\nContent-Length=0\n.\nend 47\n", RT_OK},
    {POST "Content-Length: 5\r\n\r\nhel", "POST / keep body\nHost=a\nContent-Length=5\n.\n",
     RT_AGAIN},
    {POST "\r\n", "POST / keep\nHost=a\n.\nend 28\n", RT_OK},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi",
     "GET / keep body\nHost=a\nContent-Length=2\n.\n+hi\nend 48\n", RT_OK},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", LOG_CHUNKED "+hello\nend 71\n", RT_OK},
    {POST "transfer-encoding: \t Chunked \r\n\r\n1\r\na\r\n0\r\n\r\n",
     "POST / keep body\nHost=a\ntransfer-encoding=Chunked\n.\n+a\nend 70\n", RT_OK},
    {CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", LOG_CHUNKED "+abc0123456789\nend 84\n",
     RT_OK},
    {CHUNKED "0\r\n\r\n", LOG_CHUNKED "end 61\n", RT_OK},
    {CHUNKED "2;a=b;c=\"d\"\r\nhi\r\n0;x\r\n\r\n", LOG_CHUNKED "+hi\nend 80\n", RT_OK},
    {CHUNKED "2\r\nhi\r\n0\r\nX: y\r\nHost: b\r\n\r\n" GET1,
     LOG_CHUNKED "+hi\nend 83\n" LOG1 "end 110\n", RT_OK},
    {POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
     "POST / keep body expect\nHost=a\nExpect=100-continue\nContent-Length=2\n.\n+hi\nend 71\n",
     RT_OK},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
     "POST / body\nExpect=100-continue\nContent-Length=2\n.\n+hi\nend 62\n", RT_OK},

    /* more than one request, one at a time */
    {GET1 GET1 GET1, LOG1 "end 27\n" LOG1 "end 54\n" LOG1 "end 81\n", RT_OK},
    {GET1 "\r\n" GET1, LOG1 "end 27\n" LOG1 "end 56\n", RT_OK},
    {POST "Content-Length: 2\r\n\r\nhi" GET1,
     "POST / keep body\nHost=a\nContent-Length=2\n.\n+hi\nend 49\n" LOG1 "end 76\n", RT_OK},
    {CHUNKED "2\r\nhi\r\n0\r\n\r\n" CHUNKED "2\r\nhi\r\n0\r\n\r\n" GET1,
     LOG_CHUNKED "+hi\nend 68\n" LOG_CHUNKED "+hi\nend 136\n" LOG1 "end 163\n", RT_OK},
    {LINE H "Connection: close\r\n\r\n" GET1, "GET /\nHost=a\nConnection=close\n.\nend 46\n",
     RT_EHTTP_SYNTAX},
    {"GET / HTTP/1.0\r\n\r\n" GET1, "GET /\n.\nend 18\n", RT_EHTTP_SYNTAX},
    {GET1 "GET / HTTP/9.9\r\n\r\n", LOG1 "end 27\n", RT_EHTTP_SYNTAX},

    /* upgrades: what follows is left alone, whatever it looks like */
    {LINE WS "\r\n",
     "GET / keep upgrade\nHost=a\nConnection=Upgrade\nUpgrade=websocket\n.\nend 68\n", RT_OK},
    {LINE H "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET / keep upgrade\nHost=a\nConnection=keep-alive, Upgrade\nUpgrade=websocket\n.\nend 80\n",
     RT_OK},
    {LINE H "Upgrade: websocket\r\n\r\n" GET1,
     "GET / keep\nHost=a\nUpgrade=websocket\n.\nend 47\n" LOG1 "end 74\n", RT_OK},
    {LINE H "Connection: upgrade\r\n\r\n" GET1,
     "GET / keep\nHost=a\nConnection=upgrade\n.\nend 48\n" LOG1 "end 75\n", RT_OK},
    {POST "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi",
     "POST / keep upgrade body\nHost=a\nConnection=upgrade\nUpgrade=x\nContent-Length=2\n.\n"
     "+hi\nend 82\n",
     RT_OK},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET /\nConnection=upgrade\nUpgrade=websocket\n.\nend 59\n", RT_OK},
    /* an upgrade that the caller ignores */
    {LINE WS "\r\n" GET1,
     "GET / keep upgrade\nHost=a\nConnection=Upgrade\nUpgrade=websocket\n.\nend 68\n" LOG1
     "end 95\n",
     RT_OK},

    /* request lines */
    BAD("GET / HTTP/2.0\r\n" H "\r\n"),
    BAD("GET / HTTP/0.9\r\n" H "\r\n"),
    BAD("GET / HTTP/1.2\r\n" H "\r\n"),
    BAD("GET / HTTP/1.11\r\n" H "\r\n"),
    BAD("GET / http/1.1\r\n" H "\r\n"),
    BAD("GET /  HTTP/1.1\r\n" H "\r\n"),
    BAD("GET  / HTTP/1.1\r\n" H "\r\n"),
    BAD("GET / HTTP/1.1 \r\n" H "\r\n"),
    BAD("GET\t/ HTTP/1.1\r\n" H "\r\n"),
    BAD(" GET / HTTP/1.1\r\n" H "\r\n"),
    BAD("GET HTTP/1.1\r\n" H "\r\n"),
    BAD("GET /\r\n" H "\r\n"),
    BAD("GET / HTTP/1.1\n" H "\r\n"),
    BAD("GET / HTTP/1.1\r" H "\r\n"),
    BAD("GET /\x01 HTTP/1.1\r\n" H "\r\n"),
    BAD("GET /a b HTTP/1.1\r\n" H "\r\n"),
    BAD("get / HTTP/1.1\r\n" H "\r\n"),
    BAD("NOSUCH / HTTP/1.1\r\n" H "\r\n"),
    BAD("OPTIONS / RTSP/1.0\r\n" H "\r\n"),
    BAD("GET / RTSP/1.0\r\n" H "\r\n"),
    BAD("SOURCE / ICE/1.0\r\n" H "\r\n"),
    BAD("HTTP/1.1 200 OK\r\n" H "\r\n"),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    BAD("\x16\x03\x01\x02"),
    BAD("\x80"),

    /* headers */
    BAD(LINE "\r\n"),
    BAD(LINE "X: y\r\n\r\n"),
    BAD(LINE H H "\r\n"),
    BAD(LINE "Host: a\r\nhost: b\r\n\r\n"),
    BAD("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
    BAD(LINE H "X : y\r\n\r\n"),
    BAD(LINE H " X: y\r\n\r\n"),
    BAD(LINE H "X: y\r\n z\r\n\r\n"),
    BAD(LINE H "X: y\r\n\tz\r\n\r\n"),
    BAD(LINE H "X\r\n\r\n"),
    BAD(LINE H ": y\r\n\r\n"),
    BAD(LINE H "X(: y\r\n\r\n"),
    BAD(LINE H "X\xc3\xa9: y\r\n\r\n"),
    BAD(LINE H "X: a\x01z\r\n\r\n"),
    BAD(LINE H "X: a\x7f\r\n\r\n"),
    BAD(LINE H "X: y\n\r\n"),
    BAD(LINE H "X: a\rb\r\n\r\n"),
    BAD(LINE H "\n"),
    BAD(LINE H "\rX"),

    /* framing: what request smuggling is made of */
    BAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    BAD(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    BAD(POST "Content-Length: 5, 5\r\n\r\nhello"),
    BAD(POST "Content-Length: +5\r\n\r\nhello"),
    BAD(POST "Content-Length: -5\r\n\r\nhello"),
    BAD(POST "Content-Length: 0x5\r\n\r\nhello"),
    BAD(POST "Content-Length: 5 5\r\n\r\nhello"),
    BAD(POST "Content-Length: \r\n\r\n"),
    BAD(POST "Content-Length: five\r\n\r\n"),
    BAD(POST "Content-Length: 18446744073709551616\r\n\r\n"),
    BAD(POST "Content-Length: 99999999999999999999999\r\n\r\n"),
    BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: gzip\r\n\r\n"),
    BAD(POST "Transfer-Encoding: identity\r\n\r\n"),
    BAD(POST "Transfer-Encoding: xchunked\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunkedx\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
    BAD(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    BAD(POST "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n"),
    BAD(POST "Transfer-Encoding:\r\n\r\n"),
    BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n"),
    BAD(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("POST / HTTP/1.1\r\n" WS "Transfer-Encoding: gzip\r\n\r\n"),
    BAD("CONNECT b:1 HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n"),
    BAD_BODY(CHUNKED "x\r\n"),
    BAD_BODY(CHUNKED "-1\r\n"),
    BAD_BODY(CHUNKED "0x1\r\n"),
    BAD_BODY(CHUNKED "\r\n"),
    BAD_BODY(CHUNKED " 1\r\n"),
    BAD_BODY(CHUNKED "1 \r\na\r\n"),
    BAD_BODY(CHUNKED "1\na\r\n"),
    BAD_BODY(CHUNKED "1\rX"),
    BAD_BODY(CHUNKED "1;a\nb\r\n"),
    BAD_BODY(CHUNKED "10000000000000000\r\n"),
    BAD_BODY(CHUNKED "1\r\nab\r\n"),
    BAD_BODY(CHUNKED "1\r\na0\r\n\r\n"),
    BAD_BODY(CHUNKED "1\r\na\n0\r\n\r\n"),
    BAD_BODY(CHUNKED "0\r\nX\r\n\r\n"),
    BAD_BODY(CHUNKED "0\r\nContent-Length: 9\r\n\r\n"),
    BAD_BODY(CHUNKED "0\r\n\rX"),
};

#define HTTP_CASE_COUNT (sizeof http_cases / sizeof http_cases[0])

#endif
