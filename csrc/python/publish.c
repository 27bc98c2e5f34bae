/* Publishing from Python: to the thread of this process, to the local socket, through Redis. */
#include "python/module.h"

#include "base/status.h"
#include "process/server.h"
#include "publish/remote.h"

#include <stdio.h>

static int text_of(PyObject *value, const char *name, rt_slice *out) {
    Py_ssize_t n;
    const char *p = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &n) : NULL;
    if (p) {
        *out = rt_slice_make(p, (size_t)n);
        return 0;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "publish: %s must be str", name);
    return -1;
}

/* site, room, event, message */
static int event_of(PyObject *const *args, rt_event *e) {
    char *message;
    Py_ssize_t n;
    if (text_of(args[0], "site", &e->site) < 0 || text_of(args[1], "room", &e->room) < 0 ||
        text_of(args[2], "event", &e->event) < 0 ||
        PyBytes_AsStringAndSize(args[3], &message, &n) < 0)
        return -1;
    e->message = rt_slice_make(message, (size_t)n);
    return 0;
}

PyObject *rt_py_publish(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    rt_event e;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "publish takes site, room, event, message");
        return NULL;
    }
    if (event_of(args, &e) < 0)
        return NULL;
    int status = rt_server_publish(&e);
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    if (status == RT_ENOENT)
        Py_RETURN_NONE;
    return PyBool_FromLong(status == RT_OK);
}

static void release_gil(void *state) {
    *(PyThreadState **)state = PyEval_SaveThread();
}

/* One of the two ways out of this process: local socket or Redis. */
typedef int publish_fn(const char *where, const rt_event *e, rt_remote_before_wait *before_wait,
                       void *arg, char *why, size_t why_len);

typedef struct outcome {
    int status;
    char why[512];
} outcome;

/* Reads (where, site, room, event, message) and publishes. Keeps the GIL until something waits:
 * in a busy interpreter, releasing and retaking it costs more than the write. -1 with an
 * exception set. */
static int publish_by(publish_fn *fn, const char *usage, PyObject *const *args, Py_ssize_t count,
                      outcome *out) {
    rt_slice where;
    rt_event e;
    PyThreadState *released = NULL;
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, usage);
        return -1;
    }
    if (text_of(args[0], "the first argument", &where) < 0 || event_of(args + 1, &e) < 0)
        return -1;
    out->why[0] = '\0';
    out->status = fn(where.p, &e, release_gil, &released, out->why, sizeof out->why);
    if (released)
        PyEval_RestoreThread(released);
    if (out->status == RT_ENOMEM) {
        PyErr_NoMemory();
        return -1;
    }
    if (out->status != RT_OK && !*out->why)
        snprintf(out->why, sizeof out->why, "%s", rt_status_text(out->status));
    return 0;
}

PyObject *rt_py_local_publish(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const char usage[] = "local_publish takes path, site, room, event, message";
    (void)module;
    outcome out;
    if (publish_by(rt_remote_publish_local, usage, args, count, &out) < 0)
        return NULL;
    if (out.status == RT_OK)
        Py_RETURN_NONE;
    if (out.status == RT_EPERM)
        return PyErr_Format(PyExc_PermissionError, "%s", out.why);
    return PyUnicode_FromString(out.why);
}

PyObject *rt_py_redis_publish(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const char usage[] = "redis_publish takes url, site, room, event, message";
    (void)module;
    outcome out;
    if (publish_by(rt_remote_publish, usage, args, count, &out) < 0)
        return NULL;
    if (out.status == RT_OK)
        Py_RETURN_NONE;
    return PyErr_Format(out.status == RT_EINVAL ? PyExc_ValueError : PyExc_OSError, "%s", out.why);
}
