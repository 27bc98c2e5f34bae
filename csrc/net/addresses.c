/* Addresses as bytes, networks, and X-Forwarded-For. */
#include "net/addresses.h"

#include "base/status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_BITS 96 /* of ::ffff:0:0/96, in which IPv4 addresses lie */

static const char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};

static bool is_v4(const char *address) {
    return memcmp(address, v4_prefix, sizeof v4_prefix) == 0;
}

static void put_v4(const void *four, char *address) {
    memcpy(address, v4_prefix, sizeof v4_prefix);
    memcpy(address + sizeof v4_prefix, four, 4);
}

bool rt_address_of(const struct sockaddr_storage *from, char *address) {
    if (from->ss_family == AF_INET)
        put_v4(&((const struct sockaddr_in *)from)->sin_addr, address);
    else if (from->ss_family == AF_INET6)
        memcpy(address, &((const struct sockaddr_in6 *)from)->sin6_addr, RT_ADDRESS_LEN);
    else
        return false;
    return true;
}

/* --- text --- */

static bool read_plain(rt_slice text, char *address) {
    char room[INET6_ADDRSTRLEN];
    struct in_addr four;
    if (!text.p || text.n == 0 || text.n >= sizeof room)
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    if (inet_pton(AF_INET6, room, address) == 1)
        return true;
    if (inet_pton(AF_INET, room, &four) != 1)
        return false;
    put_v4(&four, address);
    return true;
}

/* Without the port: `a.b.c.d:1` and `[::1]:1`. Several colons without brackets are IPv6. */
static rt_slice without_port(rt_slice text) {
    if (text.n && text.p[0] == '[') {
        text = rt_slice_from(text, 1);
        return rt_slice_make(text.p, rt_slice_find(text, ']'));
    }
    size_t colon = rt_slice_find(text, ':');
    rt_slice rest = rt_slice_from(text, colon + 1);
    return rt_slice_find(rest, ':') == rest.n ? rt_slice_make(text.p, colon) : text;
}

bool rt_address_read(rt_slice text, char *address) {
    return read_plain(without_port(rt_slice_trim(text)), address);
}

/* --- networks --- */

static bool in_network(const char *address, const char *net, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(address, net, whole) != 0)
        return false;
    unsigned char mask = (unsigned char)(0xff00u >> rest);
    return rest == 0 || (((unsigned char)address[whole] ^ (unsigned char)net[whole]) & mask) == 0;
}

bool rt_trusted_has(const rt_trusted *t, const char *address) {
    for (unsigned i = 0; i < t->count; i++)
        if (in_network(address, t->nets[i].address, t->nets[i].bits))
            return true;
    return false;
}

static int add_network(rt_trusted *t, rt_slice text) {
    unsigned long long bits;
    size_t slash = rt_slice_find(text, '/');
    if (t->count == RT_TRUSTED_MAX)
        return RT_ELIMIT;
    char *address = t->nets[t->count].address;
    if (!read_plain(rt_slice_make(text.p, slash), address))
        return RT_EINVAL;
    unsigned before = is_v4(address) ? V4_BITS : 0;
    if (slash == text.n)
        bits = 128 - before;
    else if (rt_slice_to_u64(rt_slice_from(text, slash + 1), 128 - before, &bits) != RT_OK)
        return RT_EINVAL;
    t->nets[t->count++].bits = (uint8_t)(before + bits);
    return RT_OK;
}

static const struct {
    rt_slice word;
    const char *networks[6];
} words[] = {
    {RT_LIT("none"), {NULL}},
    {RT_LIT("loopback"), {"127.0.0.0/8", "::1"}},
    {RT_LIT("private"),
     {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}},
};

/* A word stands for networks; anything else is one. */
static int add(rt_trusted *t, rt_slice text) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!rt_slice_eq_nocase(text, words[i].word))
            continue;
        int status = RT_OK;
        for (size_t n = 0; n < 6 && words[i].networks[n] && status == RT_OK; n++)
            status = add_network(t, rt_slice_of(words[i].networks[n]));
        return status;
    }
    return add_network(t, text);
}

int rt_trusted_read(rt_trusted *t, rt_slice text, rt_slice *bad) {
    int status = RT_OK;
    t->count = 0;
    while (text.n > 0 && status == RT_OK) {
        size_t end = rt_slice_find(text, ',');
        *bad = rt_slice_trim(rt_slice_make(text.p, end));
        text = rt_slice_from(text, end + 1);
        if (bad->n)
            status = add(t, *bad);
    }
    return status;
}

/* --- X-Forwarded-For --- */

/* Reads a list from its end. RT_OK: *address is no proxy's; RT_AGAIN: all in it are; RT_EINVAL. */
static int read_list(rt_slice list, const rt_trusted *t, char *address) {
    while (list.n > 0) {
        size_t from = list.n;
        while (from > 0 && list.p[from - 1] != ',')
            from--;
        if (!rt_address_read(rt_slice_from(list, from), address))
            return RT_EINVAL;
        if (!rt_trusted_has(t, address))
            return RT_OK;
        list = rt_slice_make(list.p, from > 0 ? from - 1 : 0);
    }
    return RT_AGAIN;
}

/* Each proxy adds what it saw at the end: to the last line of that name, or in one of its own. */
bool rt_address_forwarded(const rt_http_request *req, const rt_trusted *t, char *address) {
    bool found = false;
    for (unsigned i = req->header_count; i > 0; i--) {
        const rt_http_header *h = &req->headers[i - 1];
        if (!rt_slice_eq_nocase(h->name, RT_LIT("X-Forwarded-For")) || h->value.n == 0)
            continue;
        int status = read_list(h->value, t, address);
        if (status != RT_AGAIN)
            return status == RT_OK;
        found = true;
    }
    return found;
}

void rt_address_cut(char *address) {
    if (!is_v4(address))
        memset(address + RT_ADDRESS_LEN / 2, 0, RT_ADDRESS_LEN / 2);
}
