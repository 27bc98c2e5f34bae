/* The extension module frappe_rt._rt: its table of functions and its initialisation. */
#include "python/module.h"

#include "base/status.h"
#include "base/log.h"
#include "process/process.h"
#include "process/log_sink.h"

PyObject *rt_py_raise(int status) {
    if (status == RT_ENOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_RuntimeError, rt_status_text(status));
    return NULL;
}

#define WITH_KEYWORDS(f) (PyCFunction)(void (*)(void)) f

static PyMethodDef methods[] = {
    {"publish", WITH_KEYWORDS(rt_py_publish), METH_FASTCALL,
     "publish(site, room, event, message) -> bool | None\n\n"
     "Hand an event to the server thread of this process. False: it is full. None: none runs."},
    {"local_publish", WITH_KEYWORDS(rt_py_local_publish), METH_FASTCALL,
     "local_publish(path, site, room, event, message) -> None | str\n\n"
     "Hand an event to the server that listens on a Unix socket; None, or why that failed.\n"
     "PermissionError when a process of another user listens there."},
    {"redis_publish", WITH_KEYWORDS(rt_py_redis_publish), METH_FASTCALL,
     "redis_publish(url, site, room, event, message) -> None\n\n"
     "PUBLISH on `events`; OSError when Redis is away."},
    {"date_text", rt_py_date_text, METH_O,
     "date_text(value) -> str\n\n"
     "str(value) of a date, or of a naive datetime or time; runs no Python code."},
    {"reload", rt_py_reload, METH_VARARGS,
     "reload(bench, overrides) -> bool\n\nRead the configuration again; False when none runs."},
    {"start", rt_py_start, METH_VARARGS,
     "start(bench, overrides) -> str\n\nStart the server thread; return as JSON where it listens."},
    {"stop", WITH_KEYWORDS(rt_py_stop), METH_VARARGS | METH_KEYWORDS,
     "stop(deadline_ms=2000) -> bool\n\nStop it; False when none ran."},
    {"running", rt_py_running, METH_NOARGS,
     "running() -> bool\n\nWhether this process itself, not its parent, runs a server thread."},
    {"lost", rt_py_lost, METH_NOARGS,
     "lost() -> int\n\nReturn how many events a stuck server thread of this process left undone."},
    {"stats", WITH_KEYWORDS(rt_py_stats), METH_VARARGS | METH_KEYWORDS,
     "stats(timeout_ms=1000) -> str\n\nReturn figures and counters as JSON."},
    {"open_requests", rt_py_open_requests, METH_NOARGS,
     "open_requests() -> int\n\n"
     "Accept requests from now on; return a descriptor that is readable when there is one."},
    {"take_request", rt_py_take_request, METH_NOARGS,
     "take_request() -> None | str\n\nReturn a pending request, or None; never wait."},
    {"close_requests", rt_py_close_requests, METH_NOARGS,
     "close_requests() -> None\n\nRefuse requests from now on."},
    {"set_log", WITH_KEYWORDS(rt_py_set_log), METH_VARARGS | METH_KEYWORDS,
     "set_log(level, callback_fd=2) -> None\n\nSet where the thread's log lines go."},
    {"warn", rt_py_warn, METH_VARARGS,
     "warn(part, text) -> None\n\nWrite a line to the thread's log."},
    {"load_config", rt_py_load_config, METH_VARARGS,
     "load_config(bench, overrides) -> str\n\nReturn the effective configuration as JSON."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module) {
    rt_log_to(RT_LOG_WARN, 2);
    int status = rt_process_init();
    if (status != RT_OK) {
        rt_py_raise(status);
        return -1;
    }
    return PyModule_AddStringConstant(module, "version", RT_VERSION);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)(size_t)fill_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "frappe_rt._rt",
    .m_doc = "The realtime server thread and its publishers.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__rt(void) {
    return PyModuleDef_Init(&definition);
}
