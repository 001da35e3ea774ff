/* Hashes for Python: of one input, of many, of a text of lines. */

#include "native.h"

#include <string.h>

/* Input from which on it pays to let other threads run meanwhile. */
#define LONG_INPUT 16384

/* (plain: bool) -> (str, str): chooses the code that hashes with BLAKE3 and SHA-256, and names it. */
PyObject *
evgit_py_choose_hashes(PyObject *module, PyObject *plain)
{
    int truth = PyObject_IsTrue(plain);
    if (truth < 0)
        return NULL;
    return Py_BuildValue("(ss)", evgit_choose_blake3(truth), evgit_choose_sha256(truth));
}

static PyObject *
hashed_by(void (*hash)(const uint8_t *, size_t, uint8_t *), PyObject *data)
{
    Py_buffer view;
    uint8_t out[EVGIT_HASH_BYTES];
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (view.len >= LONG_INPUT) {
        Py_BEGIN_ALLOW_THREADS
        hash(view.buf, (size_t)view.len, out);
        Py_END_ALLOW_THREADS
    } else {
        hash(view.buf, (size_t)view.len, out);
    }
    PyBuffer_Release(&view);
    return PyBytes_FromStringAndSize((const char *)out, EVGIT_HASH_BYTES);
}

/* (data: Buffer) -> bytes: the BLAKE3-256. */
PyObject *
evgit_py_blake3(PyObject *module, PyObject *data)
{
    return hashed_by(evgit_blake3, data);
}

/* (data: Buffer) -> bytes: the SHA-256. */
PyObject *
evgit_py_sha256(PyObject *module, PyObject *data)
{
    return hashed_by(evgit_sha256, data);
}

/* (lines: Sequence[bytes], cut: int) -> bytes | None: the BLAKE3-256 of each without its last `cut` bytes, one
 * after another. None: they are not all bytes, or not as long as that. */
PyObject *
evgit_py_hashed(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    if (given != 2) {
        PyErr_SetString(PyExc_TypeError, "hashed(lines, cut)");
        return NULL;
    }
    Py_ssize_t cut = PyLong_AsSsize_t(args[1]);
    if (cut == -1 && PyErr_Occurred())
        return NULL;
    /* A tuple of our own keeps the lines, whatever other threads do to the list meanwhile. */
    PyObject *lines = PySequence_Tuple(args[0]);
    if (lines == NULL)
        return NULL;
    PyObject *ids = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(lines), bytes = 0;
    const uint8_t **data = PyMem_New(const uint8_t *, count);
    size_t *sizes = PyMem_New(size_t, count);
    if (data == NULL || sizes == NULL || count > PY_SSIZE_T_MAX / EVGIT_HASH_BYTES) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *line = PyTuple_GET_ITEM(lines, i);
        if (!PyBytes_Check(line) || cut < 0 || PyBytes_GET_SIZE(line) < cut) {
            ids = Py_None;
            Py_INCREF(ids);
            goto done;
        }
        data[i] = (const uint8_t *)PyBytes_AS_STRING(line);
        sizes[i] = (size_t)(PyBytes_GET_SIZE(line) - cut);
        bytes += bytes < LONG_INPUT ? PyBytes_GET_SIZE(line) : 0;
    }
    ids = PyBytes_FromStringAndSize(NULL, count * EVGIT_HASH_BYTES);
    if (ids == NULL)
        goto done;
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(ids);
    if (bytes >= LONG_INPUT) {
        Py_BEGIN_ALLOW_THREADS
        evgit_blake3_many(data, sizes, (size_t)count, out);
        Py_END_ALLOW_THREADS
    } else {
        evgit_blake3_many(data, sizes, (size_t)count, out);
    }
done:
    PyMem_Free((void *)data);
    PyMem_Free(sizes);
    Py_DECREF(lines);
    return ids;
}

/* Hashes the lines of a text, each ended by a newline. There must be `count` of them. */
static void
hash_text(const uint8_t *text, const uint8_t *end, size_t count, uint8_t *out)
{
    const uint8_t *data[256];
    size_t sizes[256];
    while (count > 0) {
        size_t some = 0;
        for (; some < 256 && some < count; some++) {
            const uint8_t *newline = memchr(text, '\n', (size_t)(end - text));
            data[some] = text;
            sizes[some] = (size_t)(newline - text);
            text = newline + 1;
        }
        evgit_blake3_many(data, sizes, some, out);
        out += some * EVGIT_HASH_BYTES;
        count -= some;
    }
}

static size_t
newlines(const uint8_t *text, const uint8_t *end)
{
    size_t count = 0;
    for (; text < end && (text = memchr(text, '\n', (size_t)(end - text))) != NULL; text++)
        count++;
    return count;
}

/* (text: bytes) -> bytes | None: the BLAKE3-256 of each line, without its newline, one after another. None:
 * the text does not end with one. */
PyObject *
evgit_py_hashed_text(PyObject *module, PyObject *text)
{
    if (!PyBytes_Check(text))
        Py_RETURN_NONE;
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(text);
    size_t size = (size_t)PyBytes_GET_SIZE(text);
    if (size > 0 && start[size - 1] != '\n')
        Py_RETURN_NONE;
    size_t count = newlines(start, start + size);
    if (count > PY_SSIZE_T_MAX / EVGIT_HASH_BYTES)
        return PyErr_NoMemory();
    PyObject *ids = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)count * EVGIT_HASH_BYTES);
    if (ids == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(ids);
    Py_BEGIN_ALLOW_THREADS
    hash_text(start, start + size, count, out);
    Py_END_ALLOW_THREADS
    return ids;
}
