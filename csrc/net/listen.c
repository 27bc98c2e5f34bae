/* Listening sockets, TCP on both families and Unix. */
#include "net/listen.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096      /* the kernel cuts it to net.core.somaxconn */
#define REMOVE_LOCK_MS 20 /* for a server that looks at the folder while we remove our file */
#define FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int fail(int fd, char *why, size_t why_len, const char *what) {
    int saved = errno;
    if (fd >= 0)
        close(fd);
    snprintf(why, why_len, "%s: %s", what, strerror(saved));
    errno = saved;
    return RT_EIO;
}

/* A bound and listening socket, or -1. */
static int bound(const struct sockaddr *address, socklen_t len, int v6only) {
    int one = 1;
    int fd = socket(address->sa_family, FLAGS, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int port_of(int fd) {
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static int listen_everywhere(int *port, int *fd) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)*port)};
    *fd = bound((struct sockaddr *)&six, sizeof six, 0);
    if (*fd < 0 && errno != EADDRINUSE && errno != EACCES) { /* no IPv6 on this machine */
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
        *fd = bound((struct sockaddr *)&four, sizeof four, 0);
    }
    return *fd < 0 ? RT_EIO : RT_OK;
}

static void set_port(struct sockaddr *address, int port) {
    if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

/* Every address of the name; with port 0 the first one's port is used for the rest. */
static int listen_on_name(const char *host, int *port, int *fds, int max, int *count, char *why,
                          size_t why_len) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    int code = getaddrinfo(host, NULL, &hints, &found);
    if (code != 0) {
        snprintf(why, why_len, "%s: %s", host, gai_strerror(code));
        errno = EADDRNOTAVAIL;
        return RT_EIO;
    }
    int saved = EADDRNOTAVAIL;
    for (struct addrinfo *a = found; a && *count < max; a = a->ai_next) {
        set_port(a->ai_addr, *port);
        int fd = bound(a->ai_addr, a->ai_addrlen, 1);
        if (fd < 0) {
            saved = errno;
            continue;
        }
        fds[(*count)++] = fd;
        *port = port_of(fd);
    }
    freeaddrinfo(found);
    if (*count)
        return RT_OK;
    errno = saved;
    return fail(-1, why, why_len, host);
}

int rt_listen_tcp(const char *host, int *port, int *fds, int max, int *count, char *why,
                  size_t why_len) {
    *count = 0;
    if (host && *host)
        return listen_on_name(host, port, fds, max, count, why, why_len);
    if (listen_everywhere(port, &fds[0]) != RT_OK)
        return fail(-1, why, why_len, "all interfaces");
    *count = 1;
    *port = port_of(fds[0]);
    return RT_OK;
}

/* Two servers that start at once must not take each other's new file for a stale one. So the folder
 * is locked from the look at the file until the bind. A folder that cannot be locked is no
 * reason to refuse. The descriptor, or -1; RT_AGAIN when it is locked and nobody may wait. */
static int lock_folder(const char *path, unsigned wait_ms, int *lock) {
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
    const struct timespec pause = {0, 10000000};
    const char *last = strrchr(path, '/');
    if (last)
        snprintf(folder, sizeof folder, "%.*s", last == path ? 1 : (int)(last - path), path);
    *lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned ms = 0; *lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) != 0; ms += 10) {
        if (errno == EWOULDBLOCK && wait_ms == 0)
            return RT_AGAIN;
        if (errno != EWOULDBLOCK || ms >= wait_ms)
            break;
        nanosleep(&pause, NULL);
    }
    return RT_OK;
}

/* True when somebody answers on the socket file. */
static int alive(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 1;
    int refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                  (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return !refused;
}

static int remove_stale(const struct sockaddr_un *address) {
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT ? RT_OK : RT_EIO;
    if (!S_ISSOCK(st.st_mode) || alive(address)) { /* never remove what is no socket, or in use */
        errno = S_ISSOCK(st.st_mode) ? EADDRINUSE : EEXIST;
        return RT_EIO;
    }
    return unlink(address->sun_path) == 0 ? RT_OK : RT_EIO;
}

/* The mode is that of the socket itself, which bind gives to the file: with a chmod afterwards
 * others could connect before it. The umask takes bits away from it, hence the second. */
static int bind_unix(const struct sockaddr_un *address, unsigned mode) {
    int fd = socket(AF_UNIX, FLAGS, 0);
    if (fd < 0)
        return -1;
    if (fchmod(fd, mode) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        chmod(address->sun_path, mode) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool is_same_file(const rt_unix_file *file) {
    struct stat st;
    return lstat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino;
}

void rt_unix_file_remove(rt_unix_file *file) {
    int lock = -1;
    if (!*file->path)
        return;
    (void)lock_folder(file->path, REMOVE_LOCK_MS, &lock);
    if (is_same_file(file))
        unlink(file->path);
    if (lock >= 0)
        close(lock);
    *file->path = '\0';
}

static void note_file(const char *path, rt_unix_file *file) {
    struct stat st;
    *file = (rt_unix_file){0};
    if (lstat(path, &st) != 0)
        return;
    snprintf(file->path, sizeof file->path, "%s", path);
    file->dev = st.st_dev;
    file->ino = st.st_ino;
}

int rt_listen_unix(const char *path, unsigned mode, unsigned lock_ms, int *out, rt_unix_file *file,
                   char *why, size_t why_len) {
    int lock = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return fail(-1, why, why_len, path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    bool ours = lock_folder(path, lock_ms, &lock) == RT_OK;
    *out = ours && remove_stale(&address) == RT_OK ? bind_unix(&address, mode) : -1;
    int saved = errno;
    if (*out >= 0)
        note_file(path, file);
    if (lock >= 0)
        close(lock);
    errno = saved;
    return *out < 0 ? fail(-1, why, why_len, path) : RT_OK;
}
