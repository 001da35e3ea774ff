/* The native part as a Python module: its table of functions. What they do is said in _native.pyi. */

#include "native.h"

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "evgit.formats.native._native",
    .m_doc = "Batches of lines, hashed and checked in C. Python does the same: see the package.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
