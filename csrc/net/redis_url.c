/* Reading a Redis URL. Messages name the part that is wrong and never quote the text, which may
 * hold a password. */
#include "net/redis_url.h"

#include "base/status.h"
#include "wire/url.h"

#include <stdio.h>

#define DEFAULT_PORT 6379
#define DB_MAX 65535
#define BAD_USER "the user name is too long or has a broken % escape"
#define BAD_PASSWORD "the password is too long or has a broken % escape"

static int refuse(char *why, size_t why_len, const char *text) {
    if (why_len > 0)
        snprintf(why, why_len, "%s", text);
    return RT_EINVAL;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent escapes decoded (RFC 3986, section 2.1) into a C string; a NUL or a text too long for
 * `out` is refused. */
static int decode(rt_slice in, char *out, size_t room) {
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
            if (low < 0)
                return RT_EINVAL;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0 || n + 1 >= room)
            return RT_EINVAL;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return RT_OK;
}

/* `user`, `user:password` or `:password`. */
static int read_userinfo(rt_slice info, rt_redis_url *out, char *why, size_t why_len) {
    size_t colon = rt_slice_find(info, ':');
    if (decode((rt_slice){info.p, colon}, out->user, sizeof out->user) != RT_OK)
        return refuse(why, why_len, BAD_USER);
    if (decode(rt_slice_from(info, colon + 1), out->password, sizeof out->password) != RT_OK)
        return refuse(why, why_len, BAD_PASSWORD);
    return RT_OK;
}

static int read_db(rt_slice text, rt_redis_url *out, char *why, size_t why_len) {
    unsigned long long db;
    if (rt_slice_to_u64(text, DB_MAX, &db) != RT_OK)
        return refuse(why, why_len, "the database is not a number from 0 to 65535");
    out->db = (int)db;
    return RT_OK;
}

/* db, username and password, as redis-py reads them; what else that client may be told in a URL
 * (timeouts and the like) is not ours. */
static int read_option(rt_slice name, rt_slice value, rt_redis_url *out, char *why,
                       size_t why_len) {
    if (rt_slice_eq(name, RT_LIT("db")))
        return read_db(value, out, why, why_len);
    if (rt_slice_eq(name, RT_LIT("username")) &&
        decode(value, out->user, sizeof out->user) != RT_OK)
        return refuse(why, why_len, BAD_USER);
    if (rt_slice_eq(name, RT_LIT("password")) &&
        decode(value, out->password, sizeof out->password) != RT_OK)
        return refuse(why, why_len, BAD_PASSWORD);
    return RT_OK;
}

/* `name=value&...` */
static int read_query(rt_slice query, rt_redis_url *out, char *why, size_t why_len) {
    while (query.n > 0) {
        size_t end = rt_slice_find(query, '&');
        rt_slice pair = {query.p, end};
        size_t equals = rt_slice_find(pair, '=');
        int rc = read_option((rt_slice){pair.p, equals}, rt_slice_from(pair, equals + 1), out, why,
                             why_len);
        if (rc != RT_OK)
            return rc;
        query = rt_slice_from(query, end + 1);
    }
    return RT_OK;
}

static bool has_control(rt_slice text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
            return true;
    return false;
}

/* Behind `unix://`: `[user[:password]@]/path[?query]`. */
static int read_unix(rt_slice rest, rt_redis_url *out, char *why, size_t why_len) {
    size_t slash = rt_slice_find(rest, '/');
    if (slash == rest.n || (slash > 0 && rest.p[slash - 1] != '@'))
        return refuse(why, why_len, "a Unix socket is written unix:///absolute/path");
    if (slash > 0) {
        int rc = read_userinfo((rt_slice){rest.p, slash - 1}, out, why, why_len);
        if (rc != RT_OK)
            return rc;
        rest = rt_slice_from(rest, slash);
    }
    size_t mark = rt_slice_find(rest, '?');
    if (decode((rt_slice){rest.p, mark}, out->path, sizeof out->path) != RT_OK)
        return refuse(why, why_len, "the socket path is longer than 107 bytes or badly escaped");
    return read_query(rt_slice_from(rest, mark + 1), out, why, why_len);
}

/* `[redis[s]://][user[:password]@]host[:port][/db][?query]`. */
static int read_tcp(rt_slice text, rt_redis_url *out, char *why, size_t why_len) {
    rt_url url;
    if (rt_url_parse(text, &url) != RT_OK || url.host.n >= sizeof out->host)
        return refuse(why, why_len, "no usable host and port; expected redis://host:port");
    out->tls = rt_slice_eq_nocase(url.scheme, RT_LIT("rediss"));
    if (url.scheme.n > 0 && !out->tls && !rt_slice_eq_nocase(url.scheme, RT_LIT("redis")))
        return refuse(why, why_len, "expected redis://, rediss:// or unix://");
    memcpy(out->host, url.host.p, url.host.n);
    out->host[url.host.n] = '\0';
    out->port = url.port ? url.port : DEFAULT_PORT;
    int rc = read_userinfo(url.userinfo, out, why, why_len);
    if (rc != RT_OK)
        return rc;
    size_t mark = rt_slice_find(url.path, '?');
    if (mark > 1) {
        rt_slice db = {url.path.p + 1, mark - 1};
        if (url.path.p[0] != '/' || read_db(db, out, why, why_len) != RT_OK)
            return refuse(why, why_len, "after the port only /database is expected, a number");
    }
    return read_query(rt_slice_from(url.path, mark + 1), out, why, why_len);
}

int rt_redis_url_parse(const char *text, rt_redis_url *out, char *why, size_t why_len) {
    rt_slice s = rt_slice_of(text);
    rt_slice unix_scheme = RT_LIT("unix://");
    memset(out, 0, sizeof *out);
    if (s.n == 0)
        return refuse(why, why_len, "the address is empty");
    if (has_control(s) || rt_slice_find(s, '#') < s.n)
        return refuse(why, why_len, "space, control characters and # must be written as % escapes");
    if (s.n > unix_scheme.n && rt_slice_eq_nocase((rt_slice){s.p, unix_scheme.n}, unix_scheme))
        return read_unix(rt_slice_from(s, unix_scheme.n), out, why, why_len);
    return read_tcp(s, out, why, why_len);
}

void rt_redis_url_show(const rt_redis_url *url, char *out, size_t n) {
    char db[16] = "";
    if (url->path[0]) {
        if (url->db)
            snprintf(db, sizeof db, "?db=%d", url->db);
        snprintf(out, n, "unix://%s%s", url->path, db);
        return;
    }
    bool ipv6 = strchr(url->host, ':') != NULL;
    if (url->db)
        snprintf(db, sizeof db, "/%d", url->db);
    snprintf(out, n, "%s://%s%s%s:%d%s", url->tls ? "rediss" : "redis", ipv6 ? "[" : "", url->host,
             ipv6 ? "]" : "", url->port, db);
}
