/* Cutting a stream at its newlines. */
#include "net/lines.h"

#include "base/status.h"

void rt_lines_init(rt_lines *l, size_t max) {
    rt_buf_init(&l->begun, max);
}

void rt_lines_fini(rt_lines *l) {
    rt_buf_fini(&l->begun);
}

/* The rest of a line that began in an earlier piece. The buffer is freed: most lines come whole, so
 * the next use may be far away. */
static int end_begun(rt_lines *l, rt_slice rest, rt_lines_line *on_line, void *arg) {
    int status = rt_buf_puts(&l->begun, rest);
    if (status == RT_OK && !on_line(arg, rt_buf_slice(&l->begun)))
        status = RT_ECLOSED;
    rt_buf_fini(&l->begun);
    return status;
}

static int whole(const rt_lines *l, rt_slice line, rt_lines_line *on_line, void *arg) {
    if (line.n > l->begun.max)
        return RT_ELIMIT;
    return on_line(arg, line) ? RT_OK : RT_ECLOSED;
}

int rt_lines_feed(rt_lines *l, rt_slice bytes, rt_lines_line *on_line, void *arg) {
    while (bytes.n > 0) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        if (!end)
            return rt_buf_puts(&l->begun, bytes);
        rt_slice line = {bytes.p, (size_t)(end - bytes.p)};
        bool begun = l->begun.n > 0;
        int status = begun ? end_begun(l, line, on_line, arg) : whole(l, line, on_line, arg);
        if (status != RT_OK)
            return status;
        bytes = rt_slice_from(bytes, line.n + 1);
    }
    return RT_OK;
}
