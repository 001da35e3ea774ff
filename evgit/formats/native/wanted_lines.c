/* Lines of events that may be of some streams, found without making anything of the others.
 *
 * Canonical lines of events end with stream, time, type and version, so that the stream's name is
 * found from the end, past a few bytes. Where anything is not as expected there, the line may be
 * wanted. */

#include "native.h"

#include <string.h>

#define FILTER_BITS 16 /* as many names leave it mostly empty as are looked for at once */
#define ENDS_WITH(start, at, text) \
    ((size_t)((at) - (start)) >= sizeof text - 1 \
     && memcmp((at) - (sizeof text - 1), text, sizeof text - 1) == 0)

struct filter {
    unsigned char bits[1 << (FILTER_BITS - 3)];
};

/* Of the size and the first and last eight bytes: names that share them share a place. */
static unsigned
place_of(const char *name, size_t size)
{
    uint64_t first = 0, last = 0;
    memcpy(&first, name, size < 8 ? size : 8);
    memcpy(&last, size < 8 ? name : name + size - 8, size < 8 ? size : 8);
    first = (first ^ size) * UINT64_C(0x9E3779B97F4A7C15);
    last = ((first ^ first >> 32) ^ last) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(last >> (64 - FILTER_BITS));
}

/* Where the string that ends before `at` begins, behind its quote; NULL: it is out of the ordinary. */
static const char *
begin_of_string(const char *start, const char *at)
{
    for (; at > start; at--) {
        if (at[-1] == '"')
            return at;
        if (at[-1] == '\\')
            return NULL;
    }
    return NULL;
}

/* Is the line [start, at) surely of none of these streams? */
static int
is_unwanted(const struct filter *filter, const char *start, const char *at)
{
    const char *name;
    unsigned place;
    if (!ENDS_WITH(start, at, "}"))
        return 0;
    for (at--; at > start && '0' <= at[-1] && at[-1] <= '9'; at--)
        ;
    if (!ENDS_WITH(start, at, "\",\"version\":"))
        return 0;
    at -= strlen("\",\"version\":");
    if ((at = begin_of_string(start, at)) == NULL || !ENDS_WITH(start, at, "Z\",\"type\":\""))
        return 0;
    at -= strlen("Z\",\"type\":\"");
    if (at - start < EVGIT_TIME_BYTES)
        return 0;
    at -= EVGIT_TIME_BYTES - 1;
    if (!ENDS_WITH(start, at, "\",\"time\":\""))
        return 0;
    at -= strlen("\",\"time\":\"");
    if ((name = begin_of_string(start, at)) == NULL || !ENDS_WITH(start, name, ",\"stream\":\""))
        return 0;
    place = place_of(name, (size_t)(at - name));
    return !(filter->bits[place >> 3] >> (place & 7) & 1);
}

static int
fill_filter(struct filter *filter, PyObject *names)
{
    memset(filter, 0, sizeof *filter);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        Py_ssize_t size;
        const char *name;
        unsigned place;
        if (!PyUnicode_Check(PyTuple_GET_ITEM(names, i))) {
            PyErr_SetString(PyExc_TypeError, "names of streams, please");
            return -1;
        }
        if ((name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(names, i), &size)) == NULL)
            return -1;
        place = place_of(name, (size_t)size);
        filter->bits[place >> 3] |= (unsigned char)(1u << (place & 7));
    }
    return 0;
}

/* (names: tuple[str, ...], text: Buffer) -> list[bytes | None] */
PyObject *
evgit_py_wanted_lines(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    struct filter filter;
    Py_buffer text;
    PyObject *found;
    const char *at, *end, *behind;
    if (given != 2 || !PyTuple_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "wanted_lines takes a tuple of names and a text");
        return NULL;
    }
    if (fill_filter(&filter, args[0]) < 0 || PyObject_GetBuffer(args[1], &text, PyBUF_SIMPLE) < 0)
        return NULL;
    found = PyList_New(0);
    at = text.buf;
    end = at + text.len;
    for (; found != NULL && at < end; at = behind) {
        PyObject *line;
        behind = memchr(at, '\n', (size_t)(end - at));
        behind = behind == NULL ? end : behind + 1;
        if (is_unwanted(&filter, at, behind[-1] == '\n' ? behind - 1 : behind))
            line = Py_NewRef(Py_None);
        else
            line = PyBytes_FromStringAndSize(at, behind - at);
        if (line == NULL || PyList_Append(found, line) < 0)
            Py_CLEAR(found);
        Py_XDECREF(line);
    }
    PyBuffer_Release(&text);
    return found;
}
