/* load_config: the C parser of the configuration, for Python. */
#include "python/module.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "config/local_path.h"

static int put_all(const rt_config *c, rt_buf *out) {
    char *sources = rt_config_describe(c);
    if (!sources)
        return RT_ENOMEM;
    rt_buf_puts(out, RT_LIT("{\"values\":"));
    rt_config_put_values(c, out);
    rt_buf_puts(out, RT_LIT(",\"sources\":"));
    rt_buf_puts(out, rt_slice_of(sources));
    rt_free(sources);
    rt_local_put_path(c, out);
    return rt_buf_putc(out, '}');
}

PyObject *rt_py_load_config(PyObject *module, PyObject *args) {
    (void)module;
    const char *bench, *overrides;
    char why[512] = "";
    rt_config config;
    if (!PyArg_ParseTuple(args, "zz:load_config", &bench, &overrides))
        return NULL;
    int status = rt_config_load(&config, bench, overrides, why, sizeof why);
    if (status == RT_EINVAL)
        return PyErr_Format(PyExc_ValueError, "%s", why);
    if (status != RT_OK)
        return rt_py_raise(status);
    rt_buf text;
    rt_buf_init(&text, 0);
    status = put_all(&config, &text);
    PyObject *result = status == RT_OK ? PyUnicode_FromStringAndSize(text.p, (Py_ssize_t)text.n)
                                       : rt_py_raise(status);
    rt_buf_fini(&text);
    rt_config_fini(&config);
    return result;
}
