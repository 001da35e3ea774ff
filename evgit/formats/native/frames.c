/* zstd frames, as far as their headers say what they are: RFC 8878, section 3.1.1. */

#include "native.h"

#define MAGIC "\x28\xb5\x2f\xfd"
#define CHECKSUM_BYTES 4

/* Is this one whole frame with a checksum, that says how much it holds? Its blocks are not looked into. */
static int
is_whole_frame(const uint8_t *at, size_t size, uint64_t *holds)
{
    static const size_t content_sizes[] = {0, 2, 4, 8};
    const uint8_t *end = at + size;
    int is_single, is_last = 0;
    size_t width;
    if (size < 6 || evgit_json_literal((const char *)at, (const char *)end, MAGIC, 4) == NULL)
        return 0;
    is_single = at[4] >> 5 & 1;
    if ((at[4] & 0x1b) != 0 || !(at[4] & 4)) /* a dictionary, or reserved bits; no checksum */
        return 0;
    width = content_sizes[at[4] >> 6];
    if (width == 0 && is_single)
        width = 1;
    at += is_single ? 5 : 6;
    if (width == 0 || (size_t)(end - at) < width)
        return 0;
    *holds = width == 2 ? 256 : 0;
    for (size_t i = 0; i < width; i++)
        *holds += (uint64_t)at[i] << (8 * i);
    at += width;
    while (!is_last) {
        uint32_t block;
        size_t bytes;
        if (end - at < 3)
            return 0;
        block = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
        is_last = block & 1;
        if ((block >> 1 & 3) == 3)
            return 0;
        bytes = (block >> 1 & 3) == 1 ? 1 : block >> 3; /* one byte, repeated so often */
        at += 3;
        if ((size_t)(end - at) < bytes)
            return 0;
        at += bytes;
    }
    return end - at == CHECKSUM_BYTES;
}

PyObject *
evgit_py_declared(PyObject *module, PyObject *frames)
{
    uint64_t total = 0;
    if (!PyList_Check(frames)) {
        PyErr_SetString(PyExc_TypeError, "a list of bytes, please");
        return NULL;
    }
    if (PyList_GET_SIZE(frames) == 0)
        Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(frames); i++) {
        PyObject *frame = PyList_GET_ITEM(frames, i);
        uint64_t holds;
        if (!PyBytes_Check(frame)
            || !is_whole_frame((const uint8_t *)PyBytes_AS_STRING(frame),
                               (size_t)PyBytes_GET_SIZE(frame), &holds)
            || holds == 0 || holds > UINT32_MAX || total > UINT32_MAX)
            Py_RETURN_NONE;
        total += holds;
    }
    return PyLong_FromUnsignedLongLong(total);
}
