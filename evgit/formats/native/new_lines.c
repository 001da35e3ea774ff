/* Lines of what is new: of an event that a program made, and of the commit that follows on another. */

#include "native.h"

#include <string.h>

/* Longer ones are compressed in several frames, or written so seldom that Python may do it. */
#define MOST_TEXT 16383
#define MAX_VERSION 2147483647LL

/* A literal, without its NUL. */
#define PUT(text, literal) evgit_put(text, literal, sizeof literal - 1)

static int
is_origin(PyObject *origin)
{
    if (!PyUnicode_CheckExact(origin) || !PyUnicode_IS_ASCII(origin))
        return 0;
    const unsigned char *letters = PyUnicode_DATA(origin);
    Py_ssize_t size = PyUnicode_GET_LENGTH(origin);
    for (Py_ssize_t i = 0; i < size; i++)
        if (letters[i] < '!' || letters[i] > '~')
            return 0;
    return size >= 1 && size <= 64;
}

/* (stream, type, data, meta, version, origin, instant) -> bytes | None */
PyObject *
evgit_py_new_event_line(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    if (given != 7) {
        PyErr_SetString(PyExc_TypeError, "new_event_line(stream, type, data, meta, version, origin, instant)");
        return NULL;
    }
    PyObject *stream = args[0], *type = args[1], *data = args[2], *meta = args[3], *origin = args[5];
    if (!PyLong_CheckExact(args[4]) || !PyLong_CheckExact(args[6]) || !PyDict_CheckExact(meta) || !is_origin(origin))
        Py_RETURN_NONE;
    int overflow, late;
    long long version = PyLong_AsLongLongAndOverflow(args[4], &overflow);
    long long instant = PyLong_AsLongLongAndOverflow(args[6], &late);
    if (overflow != 0 || late != 0 || version < 1 || version > MAX_VERSION)
        Py_RETURN_NONE;
    uint8_t room[MOST_TEXT];
    struct evgit_text text = {room, 0, sizeof room, 0};
    PUT(&text, "{\"data\":");
    evgit_put_value(&text, data);
    PUT(&text, ",\"kind\":\"event\"");
    if (PyDict_GET_SIZE(meta) > 0) {
        PUT(&text, ",\"meta\":");
        evgit_put_value(&text, meta);
    }
    PUT(&text, ",\"origin\":");
    evgit_put_string(&text, origin);
    PUT(&text, ",\"stream\":");
    evgit_put_string(&text, stream);
    PUT(&text, ",\"time\":\"");
    evgit_put_time(&text, instant);
    PUT(&text, "\",\"type\":");
    evgit_put_string(&text, type);
    PUT(&text, ",\"version\":");
    evgit_put_integer(&text, version);
    PUT(&text, "}");
    if (text.doubtful)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)text.data, (Py_ssize_t)text.size);
}

/* The frontier of a tree of `size` leaves, whose peaks stand one after another. */
static int
read_frontier(struct evgit_frontier *frontier, PyObject *size, PyObject *peaks)
{
    if (!PyLong_CheckExact(size) || !PyBytes_CheckExact(peaks))
        return 0;
    int overflow, ones = 0;
    long long leaves = PyLong_AsLongLongAndOverflow(size, &overflow);
    if (overflow != 0 || leaves < 0 || leaves >= INT64_C(1) << 52)
        return 0;
    for (uint64_t rest = (uint64_t)leaves; rest != 0; rest &= rest - 1)
        ones++;
    if (PyBytes_GET_SIZE(peaks) != ones * EVGIT_HASH_BYTES)
        return 0;
    frontier->size = (uint64_t)leaves;
    frontier->count = ones;
    memcpy(frontier->peaks, PyBytes_AS_STRING(peaks), (size_t)ones * EVGIT_HASH_BYTES);
    return 1;
}

static int
is_id(PyObject *string)
{
    if (!PyUnicode_CheckExact(string) || !PyUnicode_IS_ASCII(string) || PyUnicode_GET_LENGTH(string) != 64)
        return 0;
    const unsigned char *digits = PyUnicode_DATA(string);
    for (int i = 0; i < 64; i++)
        if (!((digits[i] >= '0' && digits[i] <= '9') || (digits[i] >= 'a' && digits[i] <= 'f')))
            return 0;
    return 1;
}

/* (lines, size, peaks, parent, author, message, instant) -> (ids, id, peaks, text) | None */
PyObject *
evgit_py_close_block(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    if (given != 7) {
        PyErr_SetString(PyExc_TypeError, "close_block(lines, size, peaks, parent, author, message, instant)");
        return NULL;
    }
    PyObject *lines = args[0], *parent = args[3];
    struct evgit_frontier frontier;
    if (!PyList_CheckExact(lines) || !PyLong_CheckExact(args[6]) || !is_id(parent)
        || !read_frontier(&frontier, args[1], args[2]))
        Py_RETURN_NONE;
    int late;
    long long instant = PyLong_AsLongLongAndOverflow(args[6], &late);
    Py_ssize_t count = PyList_GET_SIZE(lines);
    if (late != 0 || count < 1 || count > EVGIT_FEW_LINES)
        Py_RETURN_NONE;
    uint8_t room[MOST_TEXT], ids[EVGIT_FEW_LINES * EVGIT_HASH_BYTES], hash[EVGIT_HASH_BYTES];
    struct evgit_text text = {room, 0, sizeof room, 0};
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *line = PyList_GET_ITEM(lines, i);
        if (!PyBytes_CheckExact(line) || PyBytes_GET_SIZE(line) > MOST_TEXT)
            Py_RETURN_NONE;
        const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(line);
        size_t size = (size_t)PyBytes_GET_SIZE(line);
        evgit_blake3(data, size, ids + i * EVGIT_HASH_BYTES);
        evgit_frontier_append(&frontier, ids + i * EVGIT_HASH_BYTES);
        evgit_put(&text, data, size);
        PUT(&text, "\n");
    }
    size_t start = text.size;
    PUT(&text, "{\"author\":");
    evgit_put_string(&text, args[4]);
    PUT(&text, ",\"events\":");
    evgit_put_integer(&text, count);
    PUT(&text, ",\"format\":1,\"kind\":\"commit\",\"log\":{\"root\":\"");
    evgit_frontier_root(&frontier, hash);
    evgit_put_hex(&text, hash, sizeof hash);
    PUT(&text, "\",\"size\":");
    evgit_put_integer(&text, (int64_t)frontier.size);
    PUT(&text, "},\"message\":");
    evgit_put_string(&text, args[5]);
    PUT(&text, ",\"parents\":[\"");
    evgit_put(&text, PyUnicode_DATA(parent), 64);
    PUT(&text, "\"],\"time\":\"");
    evgit_put_time(&text, instant);
    PUT(&text, "\"}\n");
    if (text.doubtful)
        Py_RETURN_NONE;
    evgit_blake3(text.data + start, text.size - start - 1, hash);
    return Py_BuildValue("(y#y#y#y#)", ids, count * EVGIT_HASH_BYTES, hash, (Py_ssize_t)sizeof hash, frontier.peaks,
                         (Py_ssize_t)frontier.count * EVGIT_HASH_BYTES, text.data, (Py_ssize_t)text.size);
}
