/* HTTP/1.1 response heads. What is echoed from a request goes through the same check. */
#include "wire/reply.h"

#include "base/status.h"

const char *rt_http_reason(int status) {
    switch (status) {
    case 100:
        return "Continue";
    case 101:
        return "Switching Protocols";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 413:
        return "Payload Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

static int refuse(rt_buf *b) {
    if (b->err == RT_OK)
        b->err = RT_EINVAL;
    return b->err;
}

/* A token (RFC 9110, section 5.6.2) as far as it matters: nothing that ends the name or the line.
 */
static bool name_is_safe(rt_slice name) {
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 0x7f || c == ':')
            return false;
    }
    return name.n > 0;
}

static bool value_is_safe(rt_slice value) {
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == '\0')
            return false;
    return true;
}

int rt_reply_start(rt_buf *b, int status) {
    if (status < 100 || status > 999) /* RFC 9112, section 4: three digits */
        return refuse(b);
    rt_buf_puts(b, RT_LIT("HTTP/1.1 "));
    rt_buf_put_u64(b, (uint64_t)status);
    rt_buf_putc(b, ' ');
    rt_buf_puts(b, rt_slice_of(rt_http_reason(status)));
    return rt_buf_puts(b, RT_LIT("\r\n"));
}

int rt_reply_header(rt_buf *b, rt_slice name, rt_slice value) {
    if (!name_is_safe(name) || !value_is_safe(value))
        return refuse(b);
    rt_buf_puts(b, name);
    rt_buf_puts(b, RT_LIT(": "));
    rt_buf_puts(b, value);
    return rt_buf_puts(b, RT_LIT("\r\n"));
}

int rt_reply_end(rt_buf *b, size_t content_length, bool keep_alive) {
    rt_buf_puts(b, RT_LIT("Content-Length: "));
    rt_buf_put_u64(b, content_length);
    rt_buf_puts(b, keep_alive ? RT_LIT("\r\nConnection: keep-alive\r\n\r\n")
                              : RT_LIT("\r\nConnection: close\r\n\r\n"));
    return b->err;
}
