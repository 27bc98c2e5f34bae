/* The functions that Python sees, one file per topic; module.c lists them.
 *
 * Thread: called with the GIL; a call that may wait releases it. Must not know: rooms, packets,
 * sockets. */
#ifndef RT_PYTHON_MODULE_H
#define RT_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "base/slice.h"

/* publish.c */
PyObject *rt_py_publish(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *rt_py_local_publish(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *rt_py_redis_publish(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* server.c */
PyObject *rt_py_start(PyObject *module, PyObject *args);
PyObject *rt_py_reload(PyObject *module, PyObject *args);
PyObject *rt_py_stop(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *rt_py_lost(PyObject *module, PyObject *unused);
PyObject *rt_py_running(PyObject *module, PyObject *unused);
PyObject *rt_py_stats(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *rt_py_open_requests(PyObject *module, PyObject *unused);
PyObject *rt_py_take_request(PyObject *module, PyObject *unused);
PyObject *rt_py_close_requests(PyObject *module, PyObject *unused);
PyObject *rt_py_set_log(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *rt_py_warn(PyObject *module, PyObject *args);

/* text.c */
PyObject *rt_py_date_text(PyObject *module, PyObject *value);

/* config.c */
PyObject *rt_py_load_config(PyObject *module, PyObject *args);

/* Raises MemoryError, or RuntimeError with the status in words; NULL. */
PyObject *rt_py_raise(int status);

#endif
