/* Writes canonical JSON (RFC 8785) of Python's values into a bounded text. What is out of the ordinary it does not
 * write: a float, a type of somebody's own, a key beyond the BMP, anything deep or long. */

#include "native.h"

#include <string.h>

#define MOST_DEPTH 6
#define MOST_KEYS 32
#define MAX_SAFE_INTEGER 9007199254740991LL

/* Microseconds of a day, and of 0001-01-01 up to the end of 9999-12-31. */
#define DAY_US INT64_C(86400000000)
#define DAYS_OF_TIME 3652059

void
evgit_put(struct evgit_text *text, const void *data, size_t size)
{
    if (size > text->room - text->size) {
        text->doubtful = 1;
        return;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

void
evgit_put_hex(struct evgit_text *text, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        evgit_put(text, pair, 2);
    }
}

void
evgit_put_integer(struct evgit_text *text, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        digits[--at] = '-';
    evgit_put(text, digits + at, sizeof digits - at);
}

/* `width` digits, with zeros before. */
static void
put_digits(char *out, int width, uint64_t number)
{
    while (width-- > 0) {
        out[width] = (char)('0' + number % 10);
        number /= 10;
    }
}

void
evgit_put_time(struct evgit_text *text, int64_t instant)
{
    if (instant < 0 || instant / DAY_US >= DAYS_OF_TIME) {
        text->doubtful = 1;
        return;
    }
    uint64_t of_day = (uint64_t)(instant % DAY_US);
    /* Days since 0000-03-01, so that a leap day ends a year, and a year of 400 leap years' rules ends an era
     * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
    unsigned days = (unsigned)(instant / DAY_US) + 306;
    unsigned era = days / 146097, of_era = days % 146097;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    char out[] = "0000-00-00T00:00:00.000000Z";
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, of_day / 3600000000u);
    put_digits(out + 14, 2, of_day / 60000000u % 60);
    put_digits(out + 17, 2, of_day / 1000000u % 60);
    put_digits(out + 20, 6, of_day % 1000000u);
    evgit_put(text, out, sizeof out - 1);
}

/* UTF-8 of a string: of type `str` itself, and without lone surrogates. */
static const char *
utf8_of(PyObject *string, Py_ssize_t *size)
{
    if (!PyUnicode_CheckExact(string))
        return NULL;
    const char *data = PyUnicode_AsUTF8AndSize(string, size);
    if (data == NULL)
        PyErr_Clear();
    return data;
}

static void
put_quoted(struct evgit_text *text, const char *data, Py_ssize_t size)
{
    evgit_put(text, "\"", 1);
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        evgit_put(text, data + start, (size_t)(i - start));
        start = i + 1;
        /* RFC 8785, 3.2.2.2 */
        static const char named[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
        const char *found = byte == 0 ? NULL : strchr(named, byte);
        if (found != NULL) {
            char escape[2] = {'\\', letters[found - named]};
            evgit_put(text, escape, 2);
        } else {
            evgit_put(text, "\\u00", 4);
            evgit_put_hex(text, &byte, 1);
        }
    }
    evgit_put(text, data + start, (size_t)(size - start));
    evgit_put(text, "\"", 1);
}

void
evgit_put_string(struct evgit_text *text, PyObject *string)
{
    Py_ssize_t size;
    const char *data = utf8_of(string, &size);
    if (data == NULL)
        text->doubtful = 1;
    else
        put_quoted(text, data, size);
}

static void put_value(struct evgit_text *text, PyObject *value, int depth);

struct member {
    const char *key;
    Py_ssize_t size;
    PyObject *value;
};

static int
is_after(const struct member *one, const struct member *other)
{
    Py_ssize_t shorter = one->size < other->size ? one->size : other->size;
    int order = memcmp(one->key, other->key, (size_t)shorter);
    return order != 0 ? order > 0 : one->size > other->size;
}

static void
put_object(struct evgit_text *text, PyObject *dict, int depth)
{
    struct member members[MOST_KEYS];
    int count = 0;
    Py_ssize_t place = 0;
    PyObject *key, *value;
    if (PyDict_GET_SIZE(dict) > MOST_KEYS) {
        text->doubtful = 1;
        return;
    }
    /* What makes the text doubtful may have made an exception first, and so may have run the collector, and code
     * of anybody's: from then on nothing that is only borrowed from the dict may be looked at. */
    while (PyDict_Next(dict, &place, &key, &value)) {
        struct member member = {NULL, 0, value};
        member.key = utf8_of(key, &member.size);
        if (member.key == NULL || count == MOST_KEYS) {
            text->doubtful = 1;
            return;
        }
        /* RFC 8785 sorts by units of UTF-16: in the BMP, as by bytes of UTF-8. Four bytes stand for what is beyond. */
        for (Py_ssize_t i = 0; i < member.size; i++)
            if ((unsigned char)member.key[i] >= 0xf0) {
                text->doubtful = 1;
                return;
            }
        int at = count++;
        for (; at > 0 && is_after(&members[at - 1], &member); at--)
            members[at] = members[at - 1];
        members[at] = member;
    }
    evgit_put(text, "{", 1);
    for (int i = 0; i < count && !text->doubtful; i++) {
        if (i > 0)
            evgit_put(text, ",", 1);
        put_quoted(text, members[i].key, members[i].size);
        evgit_put(text, ":", 1);
        put_value(text, members[i].value, depth);
    }
    evgit_put(text, "}", 1);
}

static void
put_value(struct evgit_text *text, PyObject *value, int depth)
{
    if (text->doubtful)
        return;
    if (PyUnicode_CheckExact(value)) {
        evgit_put_string(text, value);
    } else if (PyLong_CheckExact(value)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0 || number > MAX_SAFE_INTEGER || number < -MAX_SAFE_INTEGER)
            text->doubtful = 1;
        else
            evgit_put_integer(text, number);
    } else if (value == Py_True) {
        evgit_put(text, "true", 4);
    } else if (value == Py_False) {
        evgit_put(text, "false", 5);
    } else if (value == Py_None) {
        evgit_put(text, "null", 4);
    } else if (depth == MOST_DEPTH) {
        text->doubtful = 1;
    } else if (PyDict_CheckExact(value)) {
        put_object(text, value, depth + 1);
    } else if (PyList_CheckExact(value)) {
        evgit_put(text, "[", 1);
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); i++) {
            if (i > 0)
                evgit_put(text, ",", 1);
            put_value(text, PyList_GET_ITEM(value, i), depth + 1);
            if (text->doubtful)
                return;
        }
        evgit_put(text, "]", 1);
    } else {
        text->doubtful = 1;
    }
}

void
evgit_put_value(struct evgit_text *text, PyObject *value)
{
    put_value(text, value, 0);
}
