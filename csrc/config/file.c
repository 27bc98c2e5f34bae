/* A configuration file, from its path to its values. */
#include "config/input.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, rt_buf *out) {
    int rc = RT_OK;
    ssize_t n = 1;
    while (rc == RT_OK && n != 0) {
        char piece[4096];
        n = read(fd, piece, sizeof piece);
        if (n > 0)
            rc = rt_buf_put(out, piece, (size_t)n);
        else if (n < 0 && errno != EINTR)
            rc = RT_EIO;
    }
    return rc;
}

/* RT_OK, RT_ENOENT, RT_ELIMIT, RT_ENOMEM, or RT_EIO with errno. */
static int read_file(const char *path, rt_buf *out, struct stat *st) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? RT_ENOENT : RT_EIO;
    rt_buf_init(out, RT_CONFIG_FILE_MAX);
    int rc = st && fstat(fd, st) != 0 ? RT_EIO : read_all(fd, out);
    int error = errno;
    close(fd);
    errno = error;
    return rc;
}

int rt_config_parse_file(rt_config_input *in, const char *path, struct stat *st) {
    rt_buf text = RT_BUF_INIT;
    int rc = read_file(path, &text, st);
    in->text = rt_buf_slice(&text);
    if (rc == RT_OK)
        rc = rt_config_parse(in);
    else if (rc == RT_ELIMIT)
        rc = rt_config_refuse(in, "%s: larger than 1 MB", in->name);
    else if (rc == RT_EIO)
        rc = rt_config_refuse(in, "%s: %s", in->name, strerror(errno));
    rt_buf_fini(&text);
    in->text = RT_EMPTY;
    return rc;
}
