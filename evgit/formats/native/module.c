/* The native part as a Python module: its table of functions. What they do is said in _native.pyi. */

#include "native.h"

#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function)), METH_FASTCALL

static PyMethodDef methods[] = {
    {"choose_hashes", evgit_py_choose_hashes, METH_O, NULL},
    {"blake3", evgit_py_blake3, METH_O, NULL},
    {"sha256", evgit_py_sha256, METH_O, NULL},
    {"hashed", FASTCALL(evgit_py_hashed), NULL},
    {"hashed_text", evgit_py_hashed_text, METH_O, NULL},
    {"declared", evgit_py_declared, METH_O, NULL},
    {"certified_chain", evgit_py_certified_chain, METH_O, NULL},
    {"certified_lines", evgit_py_certified_lines, METH_O, NULL},
    {"certified_text", evgit_py_certified_text, METH_O, NULL},
    {"canonical_text", evgit_py_canonical_text, METH_O, NULL},
    {"line_starts", evgit_py_line_starts, METH_O, NULL},
    {"lines_at", FASTCALL(evgit_py_lines_at), NULL},
    {"picked_lines", FASTCALL(evgit_py_picked_lines), NULL},
    {"spans", FASTCALL(evgit_py_spans), NULL},
    {"leaf_hash", evgit_py_leaf_hash, METH_O, NULL},
    {"node_hash", FASTCALL(evgit_py_node_hash), NULL},
    {"sorted_words", evgit_py_sorted_words, METH_O, NULL},
    {"columns_of_words", evgit_py_columns_of_words, METH_O, NULL},
    {"words_of_columns", evgit_py_words_of_columns, METH_O, NULL},
    {"numbered", FASTCALL(evgit_py_numbered), NULL},
    {"subtrees", evgit_py_subtrees, METH_VARARGS, NULL},
    {"root", FASTCALL(evgit_py_root), NULL},
    {"first_wrong_root", evgit_py_first_wrong_root, METH_VARARGS, NULL},
    {"new_event_line", FASTCALL(evgit_py_new_event_line), NULL},
    {"close_block", FASTCALL(evgit_py_close_block), NULL},
    {"event_objects", FASTCALL(evgit_py_event_objects), NULL},
    {"event_objects_plan", evgit_py_event_objects_plan, METH_VARARGS, NULL},
    {"wanted_lines", FASTCALL(evgit_py_wanted_lines), NULL},
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
    evgit_choose_blake3(0);
    evgit_choose_sha256(0);
    return PyModuleDef_Init(&module);
}
