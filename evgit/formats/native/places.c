/* Where lines are: in texts, and in windows of packs. */

#include <string.h>

#include "native.h"

/* line_starts(text) -> bytes | None
 *
 * The offset of each line as an unsigned 32-bit number of this machine, and the length of the text
 * behind them. A last line without its newline counts. None: the text is too long for that. */
PyObject *
evgit_py_line_starts(PyObject *module, PyObject *argument)
{
    Py_buffer text;
    if (PyObject_GetBuffer(argument, &text, PyBUF_SIMPLE) < 0)
        return NULL;
    if ((uint64_t)text.len > UINT32_MAX || text.len > PY_SSIZE_T_MAX / 16) {
        PyBuffer_Release(&text);
        Py_RETURN_NONE;
    }
    const char *begin = text.buf, *end = begin + text.len;
    /* Room for what lines of 32 bytes take; more is made as lines are found. */
    Py_ssize_t room = 2 + text.len / 32, count = 0;
    PyObject *found = PyBytes_FromStringAndSize(NULL, room * 4);
    uint32_t start = 0;
    while (found != NULL) {
        if (count == room) {
            room *= 2; /* no more than twice the bytes of the text, for a line has one, and 4 */
            if (_PyBytes_Resize(&found, room * 4) < 0)
                break;
        }
        memcpy(PyBytes_AS_STRING(found) + count * 4, &start, 4);
        count++;
        if ((Py_ssize_t)start == text.len)
            break;
        const char *newline = memchr(begin + start, '\n', (size_t)(end - begin) - start);
        start = (uint32_t)(newline == NULL ? text.len : newline + 1 - begin);
    }
    PyBuffer_Release(&text);
    if (found != NULL)
        _PyBytes_Resize(&found, count * 4);
    return found;
}

/* An array of integers, as Python's `array` holds them. */
struct numbers {
    Py_buffer buffer;
    Py_ssize_t count;
};

/* Takes hold of an array whose items have `size` bytes. 0: it is none, and nothing is held. */
static int
hold(struct numbers *numbers, PyObject *from, Py_ssize_t size)
{
    if (PyObject_GetBuffer(from, &numbers->buffer, PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 0;
    }
    if (numbers->buffer.itemsize != size || numbers->buffer.ndim != 1) {
        PyBuffer_Release(&numbers->buffer);
        return 0;
    }
    numbers->count = numbers->buffer.len / size;
    return 1;
}

/* An integer from 0 up to, not including, 2^62; -1 for anything else. */
static int64_t
number_of(PyObject *from)
{
    if (!PyLong_Check(from))
        return -1;
    int overflow;
    int64_t number = PyLong_AsLongLongAndOverflow(from, &overflow);
    return overflow || number >> 62 ? -1 : number;
}

/* How many of these numbers, which ascend, are not above `bound`: as Python's `bisect_right` has it,
 * also where they do not ascend. */
static Py_ssize_t
not_above(const int64_t *numbers, Py_ssize_t count, int64_t bound)
{
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (numbers[middle] > bound)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static Py_ssize_t
not_above32(const uint32_t *numbers, Py_ssize_t count, uint32_t bound)
{
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (numbers[middle] > bound)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The lines of positions[start:], up to the first that no commit of a page holds. */
static PyObject *
lines_at(PyObject *positions, int64_t start, const struct numbers *sizes, const struct numbers *shifts)
{
    const int64_t *size = sizes->buffer.buf, *shift = shifts->buffer.buf;
    PyObject *found = PyList_New(0);
    for (int64_t place = start; found != NULL && place < PyList_GET_SIZE(positions); place++) {
        int64_t position = number_of(PyList_GET_ITEM(positions, (Py_ssize_t)place));
        Py_ssize_t at = not_above(size, sizes->count, position);
        if (position >= 0 && at == sizes->count)
            break;
        if (position < 0 || shift[at] >> 62 != shift[at] >> 63) {
            Py_DECREF(found);
            Py_RETURN_NONE;
        }
        PyObject *line = PyLong_FromLongLong(position + shift[at]);
        if (line == NULL || PyList_Append(found, line) < 0)
            Py_CLEAR(found);
        Py_XDECREF(line);
    }
    return found;
}

PyObject *
evgit_py_lines_at(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    struct numbers sizes, shifts;
    int64_t start = given == 4 && PyList_Check(args[0]) ? number_of(args[1]) : -1;
    if (start < 0 || !hold(&sizes, args[2], 8))
        Py_RETURN_NONE;
    if (!hold(&shifts, args[3], 8)) {
        PyBuffer_Release(&sizes.buffer);
        Py_RETURN_NONE;
    }
    PyObject *found;
    if (sizes.count == shifts.count) {
        found = lines_at(args[0], start, &sizes, &shifts);
    } else {
        found = Py_None;
        Py_INCREF(found);
    }
    PyBuffer_Release(&sizes.buffer);
    PyBuffer_Release(&shifts.buffer);
    return found;
}

/* The spans of numbers[start:], up to the first that is not in [low, high). */
static PyObject *
spans(PyObject *numbers, const int64_t bounds[4], const struct numbers *places, const struct numbers *starts)
{
    const int64_t start = bounds[0], low = bounds[1], high = bounds[2], base = bounds[3];
    const uint32_t *place_of = places->buffer.buf, *start_of = starts->buffer.buf;
    PyObject *found = PyList_New(0);
    Py_ssize_t frame = -1;
    uint32_t first = 0, behind = 0; /* places: of the span that is being made */
    int64_t at = start;
    while (found != NULL) {
        int64_t number = high;
        if (at < PyList_GET_SIZE(numbers)) {
            PyObject *item = PyList_GET_ITEM(numbers, (Py_ssize_t)at);
            if (!PyLong_Check(item))
                goto unknown;
            number = number_of(item);
        }
        int inside = low <= number && number < high;
        uint32_t place = 0;
        if (inside) {
            if (number - low >= places->count - base)
                goto unknown;
            place = place_of[base + number - low];
            at++;
            if (frame >= 0 && place == behind && place < start_of[frame + 1]) {
                behind++;
                continue;
            }
        }
        if (frame >= 0) {
            uint32_t before = start_of[frame];
            PyObject *span = Py_BuildValue("nII", frame, first - before, behind - before);
            if (span == NULL || PyList_Append(found, span) < 0)
                Py_CLEAR(found);
            Py_XDECREF(span);
        }
        if (!inside)
            break;
        frame = not_above32(start_of, starts->count, place) - 1;
        if (frame < 0 || frame + 1 >= starts->count)
            goto unknown;
        first = place;
        behind = place + 1;
    }
    return found == NULL ? NULL : Py_BuildValue("LN", (long long)at, found);
unknown:
    Py_XDECREF(found);
    Py_RETURN_NONE;
}

PyObject *
evgit_py_spans(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    int64_t bounds[4];
    struct numbers places, starts;
    if (given != 7 || !PyList_Check(args[0]))
        Py_RETURN_NONE;
    for (int at = 0; at < 4; at++) {
        bounds[at] = number_of(args[1 + at]);
        if (bounds[at] < 0)
            Py_RETURN_NONE;
    }
    if (!hold(&places, args[5], 4))
        Py_RETURN_NONE;
    if (!hold(&starts, args[6], 4)) {
        PyBuffer_Release(&places.buffer);
        Py_RETURN_NONE;
    }
    PyObject *found = spans(args[0], bounds, &places, &starts);
    PyBuffer_Release(&places.buffer);
    PyBuffer_Release(&starts.buffer);
    return found;
}

/* The lines at these places of a text, one after another. starts[n] is where the n-th begins. */
static PyObject *
picked(const Py_buffer *text, const struct numbers *starts, const uint32_t *places, Py_ssize_t count)
{
    const uint32_t *start_of = starts->buffer.buf;
    uint64_t size = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        uint32_t place = places[at];
        if ((uint64_t)place + 1 >= (uint64_t)starts->count || start_of[place] > start_of[place + 1]
            || start_of[place + 1] > (uint64_t)text->len)
            Py_RETURN_NONE;
        size += start_of[place + 1] - start_of[place];
    }
    if (size > PY_SSIZE_T_MAX / 2)
        Py_RETURN_NONE;
    PyObject *found = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    char *out = found == NULL ? NULL : PyBytes_AS_STRING(found);
    for (Py_ssize_t at = 0; found != NULL && at < count; at++) {
        uint32_t start = start_of[places[at]], length = start_of[places[at] + 1] - start;
        memcpy(out, (const char *)text->buf + start, length);
        out += length;
    }
    return found;
}

PyObject *
evgit_py_picked_lines(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    int64_t first = given == 5 ? number_of(args[3]) : -1, end = given == 5 ? number_of(args[4]) : -1;
    struct numbers starts, places;
    Py_buffer text;
    PyObject *found = Py_None;
    if (first < 0 || end < first)
        Py_RETURN_NONE;
    if (PyObject_GetBuffer(args[0], &text, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!hold(&starts, args[1], 4)) {
        PyBuffer_Release(&text);
        Py_RETURN_NONE;
    }
    Py_INCREF(found);
    if (hold(&places, args[2], 4)) {
        if (end <= places.count) {
            Py_DECREF(found);
            found = picked(&text, &starts, (const uint32_t *)places.buffer.buf + first,
                           (Py_ssize_t)(end - first));
        }
        PyBuffer_Release(&places.buffer);
    }
    PyBuffer_Release(&starts.buffer);
    PyBuffer_Release(&text);
    return found;
}
