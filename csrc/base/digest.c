/* SHA-1 (RFC 3174) and base64 (RFC 4648). */
#include "base/digest.h"

#include "base/status.h"

static uint32_t rotl(uint32_t v, int by) {
    return v << by | v >> (32 - by);
}

static uint32_t load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* The function and constant of round t (RFC 3174, section 5). */
static uint32_t round_value(int t, uint32_t b, uint32_t c, uint32_t d) {
    if (t < 20)
        return ((b & c) | (~b & d)) + 0x5a827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void sha1_block(uint32_t h[5], const uint8_t block[64]) {
    uint32_t w[80];
    for (int t = 0; t < 16; t++)
        w[t] = load_be32(block + 4 * t);
    for (int t = 16; t < 80; t++)
        w[t] = rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int t = 0; t < 80; t++) {
        uint32_t next = rotl(a, 5) + round_value(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void rt_sha1(rt_slice bytes, uint8_t out[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t whole = bytes.n / 64 * 64;
    for (size_t at = 0; at < whole; at += 64)
        sha1_block(h, (const uint8_t *)bytes.p + at);

    uint8_t tail[128] = {0}; /* the rest, 0x80, and the length in bits in the last eight bytes */
    size_t rest = bytes.n - whole;
    if (rest)
        memcpy(tail, bytes.p + whole, rest);
    tail[rest] = 0x80;
    size_t end = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)bytes.n * 8;
    store_be32(tail + end - 8, (uint32_t)(bits >> 32));
    store_be32(tail + end - 4, (uint32_t)bits);
    for (size_t at = 0; at < end; at += 64)
        sha1_block(h, tail + at);
    for (int i = 0; i < 5; i++)
        store_be32(out + 4 * i, h[i]);
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Encodes without padding; returns the end. */
static char *encode(rt_slice in, const char *alphabet, char *out) {
    const uint8_t *p = (const uint8_t *)in.p;
    size_t n = in.n;
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        if (n == 2)
            *out++ = alphabet[v >> 6 & 63];
    }
    return out;
}

void rt_base64_encode(rt_slice in, char *out) {
    char *end = encode(in, standard, out);
    if (in.n % 3)
        memset(end, '=', 3 - in.n % 3);
}

void rt_base64url_encode(rt_slice in, char *out) {
    encode(in, url_safe, out);
}

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

int rt_base64_decode(rt_slice in, rt_buf *out) {
    size_t n = in.n;
    for (int pad = 0; pad < 2 && n && in.p[n - 1] == '='; pad++)
        n--;
    if (n % 4 == 1) /* six bits make no byte */
        return RT_EINVAL;
    int rc = rt_buf_reserve(out, n / 4 * 3 + n % 4 * 3 / 4);
    if (rc)
        return rc;

    char *to = out->p ? out->p + out->n : NULL;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < n; i++) {
        int v = sextet(in.p[i]);
        if (v < 0)
            return RT_EINVAL;
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (char)(bits >> held);
        }
    }
    if (to)
        out->n = (size_t)(to - out->p);
    return RT_OK;
}
