/* What a batch of stored events says, for Python, where its lines are beyond doubt. */

#include "native.h"

#include <string.h>

#define FEW 16 /* doubtful lines with which it is worth going on, and one in every eight more */
#define ONE_IN_EVERY 8

struct batch {
    Py_ssize_t count;
    PyObject *keyed, *listing_blobs, *doubtful; /* lists of places */
    PyObject *keys;                             /* what stands at the places in `keyed` */
    PyObject *instants;                         /* bytes: an int64 for each line */
    char *streams;                              /* each with a newline */
    size_t streams_size, streams_room;
    const char *first_time, *last_time;
    int64_t first_instant, last_instant;
};

static int
begin_batch(struct batch *batch, Py_ssize_t count)
{
    memset(batch, 0, sizeof *batch);
    batch->count = count;
    batch->first_instant = INT64_MAX;
    batch->last_instant = -1;
    batch->keyed = PyList_New(0);
    batch->keys = PyList_New(0);
    batch->listing_blobs = PyList_New(0);
    batch->doubtful = PyList_New(0);
    if (count > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(int64_t)) {
        PyErr_NoMemory();
        return -1;
    }
    batch->instants = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(int64_t));
    if (!batch->keyed || !batch->keys || !batch->listing_blobs || !batch->doubtful)
        return -1;
    return batch->instants == NULL ? -1 : 0;
}

static void
end_batch(struct batch *batch)
{
    Py_XDECREF(batch->keyed);
    Py_XDECREF(batch->keys);
    Py_XDECREF(batch->listing_blobs);
    Py_XDECREF(batch->doubtful);
    Py_XDECREF(batch->instants);
    PyMem_Free(batch->streams);
}

/* Takes the reference to `item`, which is NULL where making it failed. */
static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

static int
append_stream(struct batch *batch, struct evgit_span name)
{
    if (batch->streams_room - batch->streams_size <= name.size) {
        size_t room = 2 * batch->streams_room + name.size + 4096; /* of what is in memory already */
        char *larger = PyMem_Realloc(batch->streams, room);
        if (larger == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        batch->streams = larger;
        batch->streams_room = room;
    }
    if (name.size)
        memcpy(batch->streams + batch->streams_size, name.at, name.size);
    batch->streams_size += name.size;
    batch->streams[batch->streams_size++] = '\n';
    return 0;
}

/* Takes one line. 0: go on, 1: too many are doubtful, -1: an exception is set. */
static int
take_line(struct batch *batch, Py_ssize_t place, const char *line, size_t size)
{
    struct evgit_event event;
    int is_good = evgit_event_line(line, size, &event);
    int64_t instant = is_good ? event.instant : -1;
    struct evgit_span none = {NULL, 0};
    memcpy(PyBytes_AS_STRING(batch->instants) + place * (Py_ssize_t)sizeof instant, &instant,
           sizeof instant);
    if (append_stream(batch, is_good ? event.stream : none) < 0)
        return -1;
    if (!is_good) {
        if (append(batch->doubtful, PyLong_FromSsize_t(place)) < 0)
            return -1;
        return PyList_GET_SIZE(batch->doubtful) > FEW + place / ONE_IN_EVERY;
    }
    if (instant < batch->first_instant) {
        batch->first_instant = instant;
        batch->first_time = event.time;
    }
    if (instant > batch->last_instant) {
        batch->last_instant = instant;
        batch->last_time = event.time;
    }
    if (event.key.at != NULL) {
        Py_ssize_t length = (Py_ssize_t)event.key.size;
        if (append(batch->keyed, PyLong_FromSsize_t(place)) < 0
            || append(batch->keys, PyUnicode_DecodeUTF8(event.key.at, length, NULL)) < 0)
            return -1;
    }
    if (event.has_blobs)
        return append(batch->listing_blobs, PyLong_FromSsize_t(place));
    return 0;
}

/* What `certified_lines` returns. `failed`: as take_line has it. */
static PyObject *
answer(struct batch *batch, int failed)
{
    if (failed < 0)
        return NULL;
    if (failed || PyList_GET_SIZE(batch->doubtful) == batch->count)
        Py_RETURN_NONE;
    return Py_BuildValue("(s#Os#s#OOOO)", batch->streams, (Py_ssize_t)batch->streams_size - 1,
                         batch->instants, batch->first_time, (Py_ssize_t)EVGIT_TIME_BYTES,
                         batch->last_time, (Py_ssize_t)EVGIT_TIME_BYTES, batch->keyed,
                         batch->keys, batch->listing_blobs, batch->doubtful);
}

PyObject *
evgit_py_certified_lines(PyObject *module, PyObject *given)
{
    struct batch batch;
    PyObject *found, *lines;
    int failed;
    if (!PyList_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a list of bytes, please");
        return NULL;
    }
    /* A tuple of our own keeps the lines: making objects may run the collector, and with it anything. */
    lines = PyList_AsTuple(given);
    if (lines == NULL)
        return NULL;
    failed = begin_batch(&batch, PyTuple_GET_SIZE(lines));
    for (Py_ssize_t place = 0; !failed && place < batch.count; place++) {
        PyObject *line = PyTuple_GET_ITEM(lines, place);
        if (PyBytes_Check(line))
            failed = take_line(&batch, place, PyBytes_AS_STRING(line),
                               (size_t)PyBytes_GET_SIZE(line));
        else {
            PyErr_SetString(PyExc_TypeError, "a list of bytes, please");
            failed = -1;
        }
    }
    found = answer(&batch, failed);
    end_batch(&batch);
    Py_DECREF(lines);
    return found;
}

PyObject *
evgit_py_certified_text(PyObject *module, PyObject *text)
{
    struct batch batch;
    PyObject *found;
    const char *at, *end, *behind;
    Py_ssize_t count = 0, place = 0;
    int failed;
    if (!PyBytes_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "bytes, please");
        return NULL;
    }
    at = PyBytes_AS_STRING(text);
    end = at + PyBytes_GET_SIZE(text);
    if (at == end || end[-1] != '\n')
        Py_RETURN_NONE;
    for (behind = at; behind < end; count++)
        behind = (const char *)memchr(behind, '\n', (size_t)(end - behind)) + 1;
    failed = begin_batch(&batch, count);
    for (; !failed && place < count; place++, at = behind) {
        behind = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        failed = take_line(&batch, place, at, (size_t)(behind - 1 - at));
    }
    found = answer(&batch, failed);
    end_batch(&batch);
    return found;
}

/* Makes lines canonical, from `at` on. As take_line, and 1 where any is doubtful. */
static int
take_given(struct batch *batch, const char *at, const char *end, char **out)
{
    int failed = 0;
    struct evgit_work *work = PyMem_Malloc(sizeof *work);
    char *buffers = PyMem_Malloc(2 * (size_t)(end - at));
    if (work == NULL || buffers == NULL) {
        PyErr_NoMemory();
        failed = -1;
    }
    else {
        work->values = buffers;
        work->scratch = buffers + (end - at);
    }
    for (Py_ssize_t place = 0; !failed && place < batch->count; place++) {
        const char *behind = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        char *line = *out;
        *out = evgit_given_line(at, (size_t)(behind - 1 - at), line, work);
        failed = *out == NULL ? 1 : take_line(batch, place, line, (size_t)(*out - line));
        if (!failed && PyList_GET_SIZE(batch->doubtful) > 0)
            failed = 1;
        if (!failed)
            *(*out)++ = '\n';
        at = behind;
    }
    PyMem_Free(buffers);
    PyMem_Free(work);
    return failed;
}

PyObject *
evgit_py_canonical_text(PyObject *module, PyObject *text)
{
    struct batch batch;
    PyObject *canonical, *found;
    const char *at, *end, *behind;
    char *out;
    Py_ssize_t count = 0, room;
    int failed;
    if (!PyBytes_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "bytes, please");
        return NULL;
    }
    at = PyBytes_AS_STRING(text);
    end = at + PyBytes_GET_SIZE(text);
    if (at == end || end[-1] != '\n')
        Py_RETURN_NONE;
    for (const char *line = at; line < end; line = behind, count++) {
        behind = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        if (behind - line <= EVGIT_SHORTEST_LINE)
            Py_RETURN_NONE;
    }
    if (end - at > PY_SSIZE_T_MAX / 4)
        Py_RETURN_NONE;
    room = (end - at) + count * EVGIT_MADE_LONGER;
    canonical = PyBytes_FromStringAndSize(NULL, room);
    if (canonical == NULL)
        return NULL;
    out = PyBytes_AS_STRING(canonical);
    failed = begin_batch(&batch, count);
    if (!failed)
        failed = take_given(&batch, at, end, &out);
    found = answer(&batch, failed);
    end_batch(&batch);
    if (found == NULL || found == Py_None) {
        Py_DECREF(canonical);
        return found;
    }
    if (_PyBytes_Resize(&canonical, out - PyBytes_AS_STRING(canonical)) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    return Py_BuildValue("(NN)", canonical, found);
}
