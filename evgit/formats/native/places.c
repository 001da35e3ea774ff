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
