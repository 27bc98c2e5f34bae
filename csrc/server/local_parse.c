/* Decides whether a line is an envelope or a command. */
#define _GNU_SOURCE /* memmem */
#include "server/local_socket.h"

#include "base/status.h"
#include "json/scan.h"

/* Nearly all lines are envelopes, and these are checked where they are delivered. So only parse a
 * line that contains "rt" with its quotes; often even that is a key inside an event's message. */
rt_local_request rt_local_parse(rt_slice line) {
    rt_local_request request = {.line = line};
    if (line.n > 0 && memmem(line.p, line.n, "\"rt\"", 4) &&
        rt_json_check(line, RT_JSON_STRICT, NULL, NULL) == RT_OK)
        request.command = rt_json_get(line, RT_LIT("rt"));
    return request;
}
