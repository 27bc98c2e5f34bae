/* The parts of the conformance program: a Socket.IO server with no Frappe and no Python in it,
 * which the public protocol suites and unmodified clients are run against.
 *
 * It is made of base, json, wire, engineio, socketio and net alone, and its link line proves it.
 * Ownership: each part says. Thread: one, the loop's.
 * Must not know: server/, frappe/. */
#ifndef RT_CONFORMANCE_PROGRAM_H
#define RT_CONFORMANCE_PROGRAM_H

#include "engineio/engineio.h"
#include "socketio/socketio.h"

#define PROGRAM "conformance"
#define PATH_MAX_BYTES 200
#define USAGE_STATUS 2 /* exit status for options that cannot be followed */

typedef struct program_opts {
    bool socketio; /* else Engine.IO alone */
    int port;      /* 0: a free one */
    rt_eio_opts engine;
    uint32_t connect_timeout_ms;
    char path[PATH_MAX_BYTES + 2]; /* with a slash at both ends */
    const char *origins;           /* --cors with a list, separated by commas; else NULL */
} program_opts;

/* Reads the command line. False: there is nothing to run, the user has been told why, and the
 * program ends with *status. */
bool program_opts_read(program_opts *o, int argc, char **argv, int *status);

/* Engine.IO: every message goes back as it came (echo.c). */
rt_eio_app echo_app(void);

/* Socket.IO: what the public suite expects of a server, and `ask` (replies.c). */
rt_sio_app replies_app(void);

#endif
