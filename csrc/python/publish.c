/* Publishing from Python: to the thread of this process, or through Redis. */
#include "python/module.h"

#include "base/status.h"
#include "server/remote.h"
#include "server/server.h"

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

PyObject *rt_py_publish(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    rt_slice site, room, event;
    char *message;
    Py_ssize_t message_len;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "publish takes site, room, event, message");
        return NULL;
    }
    if (text_of(args[0], "site", &site) < 0 || text_of(args[1], "room", &room) < 0 ||
        text_of(args[2], "event", &event) < 0 ||
        PyBytes_AsStringAndSize(args[3], &message, &message_len) < 0)
        return NULL;
    int status = rt_server_publish(site, room, event, rt_slice_make(message, (size_t)message_len));
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    return PyBool_FromLong(status == RT_OK);
}

PyObject *rt_py_redis_publish(PyObject *module, PyObject *args) {
    (void)module;
    const char *url, *bytes;
    Py_ssize_t n;
    char why[512] = "";
    int status;
    if (!PyArg_ParseTuple(args, "sy#:redis_publish", &url, &bytes, &n))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = rt_remote_publish(url, rt_slice_make(bytes, (size_t)n), why, sizeof why);
    Py_END_ALLOW_THREADS;
    if (status == RT_OK)
        Py_RETURN_NONE;
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    return PyErr_Format(status == RT_EINVAL ? PyExc_ValueError : PyExc_OSError, "%s",
                        *why ? why : rt_status_text(status));
}
