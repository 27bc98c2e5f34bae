/* Start, stop, stats and log of the server, for Python. */
#include "python/module.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/status.h"
#include "process/log_sink.h"
#include "process/requests.h"
#include "process/server.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#define HANDED_MAX 64 /* descriptors; the server's own limit is lower, with an error of its own */

static PyObject *listening(const rt_server_address *where) {
    rt_buf text;
    rt_buf_init(&text, 0);
    PyObject *result = NULL;
    if (rt_server_put_address(where, &text) == RT_OK)
        result = PyUnicode_FromStringAndSize(text.p, (Py_ssize_t)text.n);
    else
        PyErr_NoMemory();
    rt_buf_fini(&text);
    return result;
}

static PyObject *raise_start(int status, int code, const char *why) {
    switch (status) {
    case RT_ECLOSED:
        PyErr_SetString(PyExc_RuntimeError, "a server runs in this process already");
        return NULL;
    case RT_EINVAL:
        return PyErr_Format(PyExc_ValueError, "%s", why);
    case RT_EIO: {
        PyObject *args = Py_BuildValue("(is)", code, *why ? why : strerror(code));
        if (args)
            PyErr_SetObject(PyExc_OSError, args);
        Py_XDECREF(args);
        return NULL;
    }
    default:
        return rt_py_raise(status);
    }
}

/* A descriptor, or -1 with an exception set. */
static int read_descriptor(PyObject *item) {
    int overflow;
    long fd = PyLong_AsLongAndOverflow(item, &overflow);
    if (fd == -1 && PyErr_Occurred())
        return -1;
    if (!overflow && fd >= 0 && fd <= INT_MAX)
        return (int)fd;
    PyErr_Format(PyExc_ValueError, "%R was handed over to listen on, but is not a descriptor",
                 item);
    return -1;
}

/* A sequence of descriptors; false with an exception set. */
static bool read_handed(PyObject *sequence, int *fds, int *count) {
    Py_ssize_t n = sequence ? PySequence_Size(sequence) : 0;
    if (n < 0 || n > HANDED_MAX) {
        if (n > 0)
            PyErr_Format(PyExc_ValueError, "%zd sockets to listen on, at most %d", n, HANDED_MAX);
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        fds[i] = item ? read_descriptor(item) : -1;
        Py_XDECREF(item);
        if (fds[i] < 0)
            return false;
    }
    *count = (int)n;
    return true;
}

PyObject *rt_py_start(PyObject *module, PyObject *args) {
    (void)module;
    const char *bench, *overrides;
    PyObject *sequence = NULL;
    int fds[HANDED_MAX], count = 0;
    char why[512] = "";
    rt_config config;
    rt_server_address where;
    int status, code;
    if (!PyArg_ParseTuple(args, "zz|O:start", &bench, &overrides, &sequence) ||
        !read_handed(sequence, fds, &count))
        return NULL;
    status = rt_config_load(&config, bench, overrides, why, sizeof why);
    if (status != RT_OK)
        return raise_start(status, 0, why);
    Py_BEGIN_ALLOW_THREADS;
    errno = 0;
    status = rt_server_start(&config, &(rt_handed){fds, count}, &where, why, sizeof why);
    code = errno;
    Py_END_ALLOW_THREADS;
    return status == RT_OK ? listening(&where) : raise_start(status, code, why);
}

PyObject *rt_py_reload(PyObject *module, PyObject *args) {
    (void)module;
    const char *bench, *overrides;
    char why[512] = "";
    rt_config config;
    if (!PyArg_ParseTuple(args, "zz:reload", &bench, &overrides))
        return NULL;
    int status = rt_config_load(&config, bench, overrides, why, sizeof why);
    if (status != RT_OK)
        return raise_start(status, 0, why);
    status = rt_server_reload(&config);
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    return PyBool_FromLong(status == RT_OK);
}

PyObject *rt_py_stop(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = {"deadline_ms", NULL};
    unsigned deadline_ms = 2000;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|I:stop", names, &deadline_ms))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = rt_server_stop(deadline_ms);
    Py_END_ALLOW_THREADS;
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    return PyBool_FromLong(status != RT_ENOENT);
}

PyObject *rt_py_running(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyBool_FromLong(rt_server_running());
}

PyObject *rt_py_lost(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLongLong(rt_server_lost());
}

PyObject *rt_py_stats(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = {"timeout_ms", NULL};
    unsigned timeout_ms = 1000;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|I:stats", names, &timeout_ms))
        return NULL;
    rt_buf text;
    rt_buf_init(&text, 0);
    Py_BEGIN_ALLOW_THREADS;
    status = rt_server_stats(timeout_ms, &text);
    Py_END_ALLOW_THREADS;
    PyObject *result = NULL;
    if (status == RT_OK)
        result = PyUnicode_FromStringAndSize(text.p, (Py_ssize_t)text.n);
    else if (status == RT_ENOENT)
        PyErr_SetString(PyExc_RuntimeError, "no server runs in this process");
    else if (status == RT_AGAIN)
        PyErr_Format(PyExc_RuntimeError, "the server did not answer within %u ms", timeout_ms);
    else
        rt_py_raise(status);
    rt_buf_fini(&text);
    return result;
}

PyObject *rt_py_open_requests(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    int fd;
    int status = rt_requests_open(&fd);
    if (status == RT_EIO)
        return PyErr_SetFromErrno(PyExc_OSError);
    return status == RT_OK ? PyLong_FromLong(fd) : rt_py_raise(status);
}

PyObject *rt_py_take_request(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (rt_requests_take() & RT_REQUEST_RELOAD)
        return PyUnicode_FromString("reload");
    Py_RETURN_NONE;
}

PyObject *rt_py_close_requests(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    rt_requests_close();
    Py_RETURN_NONE;
}

PyObject *rt_py_set_log(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = {"level", "callback_fd", NULL};
    int level, fd = 2;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|i:set_log", names, &level, &fd))
        return NULL;
    if (level < 0 || level > 3)
        return PyErr_Format(PyExc_ValueError, "set_log: level %d is not 0 to 3", level);
    rt_log_to(level, fd);
    Py_RETURN_NONE;
}

/* Control characters could end the line, or tell a terminal what to do. */
static int put_printable(rt_buf *out, const char *text) {
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            rt_buf_printf(out, "\\x%02x", (unsigned)*c);
        else
            rt_buf_putc(out, *c);
    }
    return rt_buf_putc(out, '\0');
}

PyObject *rt_py_warn(PyObject *module, PyObject *args) {
    (void)module;
    const char *part, *text;
    rt_buf line = RT_BUF_INIT;
    if (!PyArg_ParseTuple(args, "ss:warn", &part, &text))
        return NULL;
    int status = put_printable(&line, text);
    if (status == RT_OK)
        rt_log(RT_LOG_WARN, part, "%s", line.p);
    rt_buf_fini(&line);
    if (status != RT_OK)
        return rt_py_raise(status);
    Py_RETURN_NONE;
}
