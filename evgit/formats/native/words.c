/* 64-bit words, as indexes keep them: put in order, and in the columns of bytes in which their pages are
 * compressed: all first (highest) bytes, then all second bytes, and so on. */

#include "native.h"

#include <string.h>

/* Words from which on it pays to let other threads run meanwhile. */
#define MANY_WORDS 8192

static int
in_order(const uint64_t *words, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (words[i - 1] > words[i])
            return 0;
    return 1;
}

/* Sorts by one byte after another, lowest first, and leaves out those in which all words are alike. What is
 * sorted ends up in `words`; `spare` has room for as many. */
static void
sort_words(uint64_t *words, uint64_t *spare, size_t count)
{
    size_t places[8][256] = {0};
    uint64_t *from = words, *to = spare;
    if (in_order(words, count))
        return;
    for (size_t i = 0; i < count; i++)
        for (int byte = 0; byte < 8; byte++)
            places[byte][words[i] >> 8 * byte & 255]++;
    for (int byte = 0; byte < 8; byte++) {
        size_t *place = places[byte], next = 0;
        if (place[from[0] >> 8 * byte & 255] == count)
            continue;
        for (int value = 0; value < 256; value++) {
            size_t such = place[value];
            place[value] = next;
            next += such;
        }
        for (size_t i = 0; i < count; i++)
            to[place[from[i] >> 8 * byte & 255]++] = from[i];
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != words)
        memcpy(words, from, count * sizeof *words);
}

/* The bytes of 64-bit words, to be released. -1: an exception, also where they are cut off. */
static int
get_words(PyObject *given, Py_buffer *view)
{
    if (PyObject_GetBuffer(given, view, PyBUF_SIMPLE) < 0)
        return -1;
    if (view->len % 8 == 0)
        return 0;
    PyBuffer_Release(view);
    PyErr_SetString(PyExc_ValueError, "words are 8 bytes each");
    return -1;
}

/* (words: Buffer) -> bytes: 64-bit words of this machine in ascending order. */
PyObject *
evgit_py_sorted_words(PyObject *module, PyObject *given)
{
    Py_buffer view;
    if (get_words(given, &view) < 0)
        return NULL;
    PyObject *answer = NULL;
    size_t size = (size_t)view.len;
    uint64_t *words = NULL;
    if (size <= PY_SSIZE_T_MAX / 2)
        words = PyMem_Malloc(size > 0 ? 2 * size : 1);
    if (words == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    memcpy(words, view.buf, size);
    if (size / 8 >= MANY_WORDS) {
        Py_BEGIN_ALLOW_THREADS
        sort_words(words, words + size / 8, size / 8);
        Py_END_ALLOW_THREADS
    } else {
        sort_words(words, words + size / 8, size / 8);
    }
    answer = PyBytes_FromStringAndSize((const char *)words, (Py_ssize_t)size);
done:
    PyMem_Free(words);
    PyBuffer_Release(&view);
    return answer;
}

/* (words: Buffer) -> bytes: the columns of 64-bit words of this machine. */
PyObject *
evgit_py_columns_of_words(PyObject *module, PyObject *given)
{
    Py_buffer view;
    if (get_words(given, &view) < 0)
        return NULL;
    PyObject *columns = PyBytes_FromStringAndSize(NULL, view.len);
    if (columns != NULL) {
        uint8_t *out = (uint8_t *)PyBytes_AS_STRING(columns);
        size_t count = (size_t)view.len / 8;
        for (size_t i = 0; i < count; i++) {
            uint64_t word;
            memcpy(&word, (const uint8_t *)view.buf + 8 * i, 8);
            for (int column = 0; column < 8; column++)
                out[(size_t)column * count + i] = (uint8_t)(word >> (56 - 8 * column));
        }
    }
    PyBuffer_Release(&view);
    return columns;
}

/* (columns: Buffer) -> bytes: the words that stand in columns, as this machine has them. */
PyObject *
evgit_py_words_of_columns(PyObject *module, PyObject *given)
{
    Py_buffer view;
    if (get_words(given, &view) < 0)
        return NULL;
    PyObject *words = PyBytes_FromStringAndSize(NULL, view.len);
    if (words != NULL) {
        const uint8_t *columns = view.buf;
        size_t count = (size_t)view.len / 8;
        for (size_t i = 0; i < count; i++) {
            uint64_t word = 0;
            for (int column = 0; column < 8; column++)
                word = word << 8 | columns[(size_t)column * count + i];
            memcpy(PyBytes_AS_STRING(words) + 8 * i, &word, 8);
        }
    }
    PyBuffer_Release(&view);
    return words;
}

/* (names: list[str], numbers: dict[str, int], first: int) -> (bytes, list[str]) | None: the words
 * `numbers[name] << 32 | place`, places counted from `first`, as this machine has them, and the names that have
 * no number, whose words mean nothing. None: something does not fit into 32 bits, or is of another type. */
PyObject *
evgit_py_numbered(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "numbered(names, numbers, first)");
        return NULL;
    }
    if (!PyList_CheckExact(args[0]) || !PyDict_CheckExact(args[1]) || !PyLong_Check(args[2]))
        Py_RETURN_NONE;
    int overflow;
    long long first = PyLong_AsLongLongAndOverflow(args[2], &overflow);
    if (overflow || first < 0 || first > UINT32_MAX)
        Py_RETURN_NONE;
    /* A tuple of our own keeps the names: keys of other types may have a comparison that runs anything. */
    PyObject *names = PyList_AsTuple(args[0]);
    if (names == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    PyObject *answer = NULL, *words = NULL, *missing = NULL;
    if (count > UINT32_MAX - first) {
        answer = Py_None;
        Py_INCREF(answer);
        goto done;
    }
    words = PyBytes_FromStringAndSize(NULL, count * 8);
    missing = PyList_New(0);
    if (words == NULL || missing == NULL)
        goto done;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (!PyUnicode_CheckExact(name)) {
            answer = Py_None;
            Py_INCREF(answer);
            goto done;
        }
        PyObject *number = PyDict_GetItemWithError(args[1], name);
        long long value = 0;
        if (number != NULL && PyLong_Check(number))
            value = PyLong_AsLongLongAndOverflow(number, &overflow);
        else if (number != NULL)
            overflow = 1;
        else if (PyErr_Occurred() || PyList_Append(missing, name) < 0)
            goto done;
        if (overflow || value < 0 || value > UINT32_MAX) {
            answer = Py_None;
            Py_INCREF(answer);
            goto done;
        }
        uint64_t word = (uint64_t)value << 32 | ((uint64_t)first + (uint64_t)i);
        memcpy(PyBytes_AS_STRING(words) + 8 * i, &word, 8);
    }
    answer = PyTuple_Pack(2, words, missing);
done:
    Py_DECREF(names);
    Py_XDECREF(words);
    Py_XDECREF(missing);
    return answer;
}
