/* What a process of this host may send: the first byte says in which pieces, the rest is the
 * stream. Every line comes out as it went in, and what is taken for a command is JSON that says so.
 */
#include "base/status.h"
#include "json/scan.h"
#include "net/lines.h"
#include "server/local_socket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_BYTES 1000

static void require(bool truth) {
    if (!truth)
        abort();
}

typedef struct reading {
    rt_slice left; /* of the stream as it was written */
} reading;

static bool check_line(void *arg, rt_slice line) {
    reading *r = arg;
    size_t end = rt_slice_find(r->left, '\n');
    require(end < r->left.n && rt_slice_eq(line, rt_slice_make(r->left.p, end)));
    r->left = rt_slice_from(r->left, end + 1);
    rt_local_request request = rt_local_parse(line);
    require(rt_slice_eq(request.line, line));
    if (request.command.n > 0) {
        require(rt_json_check(line, RT_JSON_STRICT, NULL, NULL) == RT_OK);
        require(rt_json_type_of(rt_json_trim(line)) == RT_JSON_OBJECT);
        require(rt_json_check(request.command, RT_JSON_STRICT, NULL, NULL) == RT_OK);
        require(request.command.p > line.p && request.command.p < line.p + line.n);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t piece = data[0] ? data[0] : size;
    rt_slice stream = rt_slice_make(data + 1, size - 1);
    reading r = {stream};
    rt_lines l;
    int status = RT_OK;
    rt_lines_init(&l, LINE_MAX_BYTES);
    while (status == RT_OK && stream.n > 0) {
        size_t n = piece < stream.n ? piece : stream.n;
        status = rt_lines_feed(&l, rt_slice_make(stream.p, n), check_line, &r);
        stream = rt_slice_from(stream, n);
    }
    require(status == RT_OK || status == RT_ELIMIT);
    size_t end = rt_slice_find(r.left, '\n');
    require(status == RT_OK ? end == r.left.n && rt_slice_eq(rt_buf_slice(&l.begun), r.left)
                            : end > LINE_MAX_BYTES);
    rt_lines_fini(&l);
    return 0;
}
