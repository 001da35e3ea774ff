/* JSON without white space, as stored lines are, as Python objects: what msgspec makes of it, or "don't
 * know" (large numbers, deep nesting, escapes that canonical JSON has not, whatever is no JSON). */

#include "json_objects.h"

#include <math.h>

#define LONGEST_NUMBER 64 /* bytes */

/* ------------------------------------------------------------------ strings */

int
evgit_strings_init(Strings *kept, int bits, size_t longest)
{
    kept->places = PyMem_Calloc((size_t)1 << bits, sizeof(KeptString));
    kept->bits = bits;
    kept->longest = longest;
    return kept->places != NULL;
}

void
evgit_strings_free(Strings *kept)
{
    if (kept->places != NULL)
        for (size_t place = 0; place >> kept->bits == 0; place++)
            Py_XDECREF(kept->places[place].string);
    PyMem_Free(kept->places);
    kept->places = NULL;
}

/* Of the first and the last eight bytes, by multiplication with 2^64 divided by the golden ratio:
 * texts with equal ones share a place, which costs time and nothing else. */
static inline size_t
place_of(const unsigned char *text, size_t size, int bits)
{
    uint64_t first = 0, last = 0;
    uint32_t word;

    if (size >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + size - 8, 8);
    } else if (size >= 4) {
        memcpy(&word, text, 4);
        first = word;
        memcpy(&word, text + size - 4, 4);
        last = word;
    } else if (size > 0)
        first = (uint64_t)text[0] << 16 | (uint64_t)text[size / 2] << 8 | text[size - 1];
    first = (first ^ size) * UINT64_C(0x9E3779B97F4A7C15);
    last = ((first ^ first >> 32) ^ last) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(last >> (64 - bits)); /* only these depend on all that was multiplied */
}

static inline int
is_string(PyObject *string, const unsigned char *text, size_t size)
{
    return string != NULL && (size_t)PyUnicode_GET_LENGTH(string) == size
           && same_bytes(PyUnicode_1BYTE_DATA(string), text, size);
}

static PyObject *
from_utf8(const unsigned char *text, size_t size)
{
    PyObject *made = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, NULL);

    if (made == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return made;
}

static PyObject *
unescaped(const JsonString *text)
{
    const unsigned char *at = text->start, *end = at + text->size;
    unsigned char *bytes = PyMem_Malloc(text->size);
    size_t size = 0;
    PyObject *made;

    if (bytes == NULL)
        return PyErr_NoMemory();
    for (; at < end; at++) {
        if (*at == '\\') {
            at++;
            bytes[size++] = (unsigned char)json_escaped_byte(&at, end);
        } else
            bytes[size++] = *at;
    }
    made = from_utf8(bytes, size);
    PyMem_Free(bytes);
    return made;
}

static PyObject *
made_str(const JsonString *text)
{
    PyObject *made;

    if (!text->is_plain)
        return text->escapes ? unescaped(text) : from_utf8(text->start, text->size);
    made = PyUnicode_New((Py_ssize_t)text->size, 127);
    if (made != NULL && text->size)
        memcpy(PyUnicode_1BYTE_DATA(made), text->start, text->size);
    return made;
}

/* A string of this text, and where it is kept: at its place or at the one beside it, to which the one
 * that was there before it goes. */
static PyObject *
kept_str(const JsonString *text, Strings *kept, uint32_t *at)
{
    size_t place = place_of(text->start, text->size, kept->bits);
    KeptString *here = &kept->places[place], *beside = &kept->places[place ^ 1];
    PyObject *made, *forgotten;

    if (is_string(here->string, text->start, text->size)) {
    } else if (is_string(beside->string, text->start, text->size)) {
        here = beside;
        place ^= 1;
    } else {
        made = made_str(text);
        if (made == NULL)
            return NULL;
        forgotten = beside->string;
        *beside = *here;
        *here = (KeptString){.string = made};
        Py_XDECREF(forgotten);
    }
    *at = (uint32_t)place;
    return Py_NewRef(here->string);
}

PyObject *
evgit_made_str(Json *json, Strings *kept)
{
    JsonString text;
    uint32_t place;

    if (!json_string(json, &text))
        return NULL;
    if (kept == NULL || text.size > kept->longest || !text.is_plain)
        return made_str(&text);
    return kept_str(&text, kept, &place);
}

/* The name of a member with its colon, and its place. The one that stood here the last time is looked
 * for first; `guess` says which, for the next time as well. */
static PyObject *
member_name(Json *json, Strings *kept, uint32_t *guess, uint32_t *place)
{
    PyObject *known = kept->places[*guess].string;
    JsonString text;
    size_t size;

    if (known != NULL) {
        size = (size_t)PyUnicode_GET_LENGTH(known);
        if ((size_t)(json->end - json->at) >= size + 3 && json->at[0] == '"'
            && json->at[size + 1] == '"' && json->at[size + 2] == ':'
            && same_bytes(json->at + 1, PyUnicode_1BYTE_DATA(known), size)) {
            json->at += size + 3;
            *place = *guess;
            return Py_NewRef(known);
        }
    }
    if (!json_string(json, &text) || !json_byte(json, ':'))
        return NULL;
    if (text.size > kept->longest || !text.is_plain)
        return made_str(&text);
    known = kept_str(&text, kept, place);
    *guess = *place;
    return known;
}

/* ------------------------------------------------------------------ values */

static PyObject *
number(Json *json)
{
    const unsigned char *start = json->at;
    char text[LONGEST_NUMBER + 1];
    int64_t integer;
    double made;
    size_t size;
    JsonNumber kind = json_number(json, &integer);

    if (kind == SHORT_INTEGER)
        return PyLong_FromLongLong(integer);
    size = (size_t)(json->at - start);
    if (kind != WITH_FRACTION || size > LONGEST_NUMBER)
        return NULL;
    memcpy(text, start, size);
    text[size] = 0;
    made = PyOS_string_to_double(text, NULL, NULL);
    if (made == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_ValueError))
            PyErr_Clear();
        return NULL;
    }
    return isfinite(made) ? PyFloat_FromDouble(made) : NULL;
}

static PyObject *
array(Json *json, JsonStrings *kept, uint32_t *first, int depth)
{
    PyObject *made = PyList_New(0), *item;
    int failed;

    json->at++;
    if (made == NULL || json_byte(json, ']'))
        return made;
    do {
        item = evgit_made_value(json, kept, first, depth);
        failed = item == NULL || PyList_Append(made, item) < 0;
        Py_XDECREF(item);
    } while (!failed && json_byte(json, ','));
    if (failed || !json_byte(json, ']'))
        Py_CLEAR(made);
    return made;
}

static PyObject *
object(Json *json, JsonStrings *kept, uint32_t *first, int depth)
{
    PyObject *made = PyDict_New(), *name, *value;
    KeptString *member;
    uint32_t place = 0;
    int failed;

    json->at++;
    if (made == NULL || json_byte(json, '}'))
        return made;
    do {
        name = member_name(json, &kept->names, first, &place);
        member = &kept->names.places[place];
        value = name == NULL ? NULL : evgit_made_value(json, kept, &member->first, depth);
        first = &member->next;
        failed = value == NULL || PyDict_SetItem(made, name, value) < 0;
        Py_XDECREF(name);
        Py_XDECREF(value);
    } while (!failed && json_byte(json, ','));
    if (failed || !json_byte(json, '}'))
        Py_CLEAR(made);
    return made;
}

PyObject *
evgit_made_value(Json *json, JsonStrings *kept, uint32_t *first, int depth)
{
    if (json->at >= json->end)
        return NULL;
    switch (*json->at) {
    case '"':
        return evgit_made_str(json, &kept->values);
    case '{':
        return depth ? object(json, kept, first, depth - 1) : NULL;
    case '[':
        return depth ? array(json, kept, first, depth - 1) : NULL;
    case 't':
        return json_word(json, "true", 4) ? Py_NewRef(Py_True) : NULL;
    case 'f':
        return json_word(json, "false", 5) ? Py_NewRef(Py_False) : NULL;
    case 'n':
        return json_word(json, "null", 4) ? Py_NewRef(Py_None) : NULL;
    default:
        return number(json);
    }
}

int
evgit_skip_value(Json *json, int depth)
{
    JsonString string;
    int64_t integer;
    int is_object;

    if (json->at >= json->end)
        return 0;
    switch (*json->at) {
    case '"':
        return json_string(json, &string);
    case '{':
    case '[':
        break;
    case 't':
        return json_word(json, "true", 4);
    case 'f':
        return json_word(json, "false", 5);
    case 'n':
        return json_word(json, "null", 4);
    default:
        return json_number(json, &integer) != NO_NUMBER;
    }
    if (!depth)
        return 0;
    is_object = *json->at++ == '{';
    if (json_byte(json, is_object ? '}' : ']'))
        return 1;
    do {
        if (is_object && !(json_string(json, &string) && json_byte(json, ':')))
            return 0;
        if (!evgit_skip_value(json, depth - 1))
            return 0;
    } while (json_byte(json, ','));
    return json_byte(json, is_object ? '}' : ']');
}
