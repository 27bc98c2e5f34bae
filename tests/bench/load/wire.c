/* Bytes of HTTP answers and of frames. Not strict: the server is measured here, not tested. */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *header(const char *head, const char *end, const char *name) {
    size_t n = strlen(name);
    for (const char *at = head; (at = memchr(at, '\n', (size_t)(end - at)));) {
        at++;
        if ((size_t)(end - at) > n && strncasecmp(at, name, n) == 0)
            return at + n;
    }
    return NULL;
}

/* Joins the chunks at `body`. Returns the bytes used, 0 while some are missing. */
static size_t join_chunks(char *body, size_t n, size_t *joined) {
    size_t at = 0, out = 0;
    for (;;) {
        char *line_end = memchr(body + at, '\n', n - at);
        if (!line_end)
            return 0;
        size_t size = strtoul(body + at, NULL, 16);
        at = (size_t)(line_end + 1 - body);
        if (n - at < size + 2)
            return 0;
        memmove(body + out, body + at, size);
        out += size;
        at += size + 2;
        if (size == 0)
            break;
    }
    *joined = out;
    return at;
}

/* Whether all chunks are there, before join_chunks moves any. */
static bool chunks_complete(const char *body, size_t n) {
    return n >= 5 && memmem(body, n, "0\r\n\r\n", 5) == body + n - 5;
}

bool http_take(char *p, size_t n, http_answer *out) {
    char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end || n < 12)
        return false;
    *out = (http_answer){.code = atoi(p + 9), .body = end + 4};
    size_t head_n = (size_t)(out->body - p);
    const char *length = header(p, end + 2, "Content-Length:");
    if (length)
        out->body_n = strtoul(length, NULL, 10);
    else if (header(p, end + 2, "Transfer-Encoding:")) {
        if (!chunks_complete(out->body, n - head_n))
            return false;
        out->used = head_n + join_chunks(out->body, n - head_n, &out->body_n);
        return true;
    }
    out->used = head_n + out->body_n;
    return out->used <= n;
}

bool frame_take(char *p, size_t n, frame *out) {
    const unsigned char *u = (const unsigned char *)p;
    if (n < 2)
        return false;
    size_t head = u[1] == 126 ? 4 : u[1] == 127 ? 10 : 2;
    if (n < head)
        return false;
    uint64_t len = u[1];
    if (head > 2) {
        len = 0;
        for (size_t i = 2; i < head; i++)
            len = len << 8 | u[i];
    }
    *out = (frame){u[0] & 15, p + head, len, head};
    return true;
}

/* The mask is zero, which the protocol allows and no server looks at. */
size_t frame_put(char *out, int opcode, const char *text, size_t n) {
    out[0] = (char)(0x80 | opcode);
    out[1] = (char)(0x80 | n);
    memset(out + 2, 0, 4);
    memcpy(out + 6, text, n);
    return n + 6;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Servers write the JSON in their own way, but each always in the same: where the number was found
 * once, it is looked for first. */
int64_t event_number(const char *p, size_t n) {
    static size_t guess = 4;
    if (n < guess + 8 || memcmp(p + guess - 4, "\"n\":", 4) != 0) {
        const char *at = memmem(p, n < 256 ? n : 256, "\"n\":", 4);
        if (!at)
            return -1;
        guess = (size_t)(at - p) + 4;
    }
    size_t at = guess;
    while (at < n && (p[at] == ' ' || p[at] == '"'))
        at++;
    int64_t number = 0;
    for (; at < n && is_digit(p[at]); at++)
        number = number * 10 + (p[at] - '0');
    return number;
}
