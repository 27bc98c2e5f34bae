/* Hosts, origins and URLs. A comparison of hosts decides who gets in. So a URL is split as browsers
 * split it (WHATWG URL) where they are laxer than RFC 3986, and the rest is refused. */
#include "wire/url.h"

#include "base/status.h"

#include <arpa/inet.h>

static bool is_alpha(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Bytes of a scheme in front of "://" (RFC 3986, section 3.1), or 0. */
static size_t scheme_len(rt_slice text) {
    size_t i = 0;
    while (i < text.n && (is_alpha(text.p[i]) ||
                          (i > 0 && ((text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '+' ||
                                     text.p[i] == '-' || text.p[i] == '.'))))
        i++;
    return rt_slice_starts(rt_slice_from(text, i), RT_LIT("://")) ? i : 0;
}

static size_t authority_len(rt_slice text) {
    size_t i = 0;
    while (i < text.n && text.p[i] != '/' && text.p[i] != '\\' && text.p[i] != '?' &&
           text.p[i] != '#')
        i++;
    return i;
}

/* The forbidden host code points of the URL standard (those that end the authority among them, for
 * the Host header), and ','. */
static bool is_host_byte(char c) {
    static const char forbidden[] = "\"#%,/<>?@[\\]^`{|}";
    unsigned char u = (unsigned char)c;
    return u > ' ' && u != 0x7f && memchr(forbidden, c, sizeof forbidden - 1) == NULL;
}

static int parse_port(rt_slice text, uint16_t *port) {
    unsigned long long n = 0;
    *port = 0;
    if (text.n == 0 || text.p[0] != ':')
        return text.n == 0 ? RT_OK : RT_EINVAL;
    text = rt_slice_from(text, 1);
    if (text.n == 0) /* "host:" has no port (RFC 3986, section 3.2.3) */
        return RT_OK;
    if (rt_slice_to_u64(text, UINT16_MAX, &n) != RT_OK)
        return RT_EINVAL;
    *port = (uint16_t)n;
    return RT_OK;
}

static int parse_ipv6(rt_slice text, rt_url *url) {
    char literal[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t end = rt_slice_find(text, ']');
    if (end == text.n || end - 1 >= sizeof literal)
        return RT_EINVAL;
    rt_slice host = {text.p + 1, end - 1};
    if (host.n == 0 || memchr(host.p, '\0', host.n))
        return RT_EINVAL;
    memcpy(literal, host.p, host.n);
    literal[host.n] = '\0';
    if (inet_pton(AF_INET6, literal, &address) != 1)
        return RT_EINVAL;
    url->host = host;
    url->ipv6 = true;
    return parse_port(rt_slice_from(text, end + 1), &url->port);
}

static int parse_host(rt_slice text, rt_url *url) {
    if (text.n > 0 && text.p[0] == '[')
        return parse_ipv6(text, url);
    size_t n = rt_slice_find(text, ':');
    if (n == 0)
        return RT_EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!is_host_byte(text.p[i]))
            return RT_EINVAL;
    url->host = (rt_slice){text.p, n};
    return parse_port(rt_slice_from(text, n), &url->port);
}

/* The last '@' ends the user information: in "https://victim@evil" the host is evil. */
static rt_slice cut_userinfo(rt_slice authority, rt_url *url) {
    for (size_t i = authority.n; i > 0; i--) {
        if (authority.p[i - 1] != '@')
            continue;
        url->userinfo = (rt_slice){authority.p, i - 1};
        return rt_slice_from(authority, i);
    }
    return authority;
}

int rt_url_parse(rt_slice text, rt_url *url) {
    *url = (rt_url){0};
    size_t n = scheme_len(text);
    if (n > 0) {
        url->scheme = (rt_slice){text.p, n};
        text = rt_slice_from(text, n + 3);
    }
    n = authority_len(text);
    url->path = rt_slice_from(text, n);
    /* "http:/host" and "1http://host" are no hosts with an empty port. */
    if (url->scheme.n == 0 && n > 0 && text.p[n - 1] == ':')
        return RT_EINVAL;
    return parse_host(cut_userinfo((rt_slice){text.p, n}, url), url);
}

int rt_url_host_header(rt_slice text, rt_url *url) {
    *url = (rt_url){0};
    return parse_host(text, url);
}

static rt_slice without_dot(rt_slice host) {
    if (host.n > 0 && host.p[host.n - 1] == '.')
        host.n--;
    return host;
}

bool rt_host_eq(rt_slice a, rt_slice b) {
    a = without_dot(a);
    b = without_dot(b);
    return a.n > 0 && rt_slice_eq_nocase(a, b);
}
