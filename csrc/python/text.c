/* The text of dates, called back by orjson while it walks over a message.
 *
 * orjson holds borrowed references meanwhile, so this must not run any Python code: that could
 * change the message, or let another thread do so. */
#include "python/module.h"

#include <stdbool.h>

static struct { PyObject *date, *datetime, *time; /* classes, kept for ever */ } kinds;

static bool find_kinds(void) {
    PyObject *module = PyImport_ImportModule("datetime");
    if (!module)
        return false;
    kinds.date = PyObject_GetAttrString(module, "date");
    kinds.datetime = PyObject_GetAttrString(module, "datetime");
    kinds.time = PyObject_GetAttrString(module, "time");
    Py_DECREF(module);
    return kinds.date && kinds.datetime && kinds.time;
}

/* Checked, because a time zone may be a Python object. */
static bool has_zone(PyObject *value) {
    PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
    bool none = zone == Py_None;
    Py_XDECREF(zone);
    return !none;
}

PyObject *rt_py_date_text(PyObject *module, PyObject *value) {
    (void)module;
    if (!kinds.time && !find_kinds())
        return NULL;
    PyObject *kind = (PyObject *)Py_TYPE(value);
    if (kind == kinds.date || ((kind == kinds.datetime || kind == kinds.time) && !has_zone(value)))
        return PyObject_Str(value);
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "date_text takes a date, or a naive datetime or time");
    return NULL;
}
