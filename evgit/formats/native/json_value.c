/* JSON that is canonical beyond doubt: as RFC 8785 writes it, with evgit's refusals.
 *
 * What is not canonical and what is merely unusual (an exponent, a key with an escape or a
 * character beyond the BMP, deep nesting) is the same here: NULL, "don't know". Python's `rfc8785`
 * decides about it. No Python object is touched. */

#include "native.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPEN 64 /* containers at once, far below what is refused, whatever they stand in */
#define MOST_SAFE_INTEGER UINT64_C(9007199254740991) /* 2^53-1 */
#define LONGEST_SAFE_INTEGER 16
#define SURE_DIGITS 15 /* so many survive being made a double, and no others make the same one */
#define MOST_DIGITS 17 /* so many are enough for any double */
#define MOST_ZEROS 5   /* behind the point: 0.000001 is written so, but 1e-7 */
#define EVERY_BYTE UINT64_C(0x0101010101010101)

static int
is_digit(char c)
{
    return '0' <= c && c <= '9';
}

const char *
evgit_json_literal(const char *at, const char *end, const char *text, size_t size)
{
    return (size_t)(end - at) >= size && memcmp(at, text, size) == 0 ? at + size : NULL;
}

/* May eight bytes hold a quote, a backslash, a control character, or one that is not ASCII? A wrong
 * yes is no harm: they are then looked at one by one. */
static int
need_a_look(const char *at)
{
    uint64_t bytes, quotes, escapes;
    memcpy(&bytes, at, sizeof bytes);
    quotes = bytes ^ (EVERY_BYTE * '"');
    escapes = bytes ^ (EVERY_BYTE * '\\');
    bytes |= (bytes - EVERY_BYTE * 0x20) | (quotes - EVERY_BYTE) | (escapes - EVERY_BYTE);
    return (bytes & (EVERY_BYTE * 0x80)) != 0;
}

/* Behind a character of two to four bytes: UTF-8 as RFC 3629 has it, which has no surrogates. */
static const char *
behind_character(const char *at, const char *end, unsigned *seen)
{
    const unsigned char *byte = (const unsigned char *)at;
    const size_t size = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    const unsigned char least = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
    if (byte[0] < 0xc2 || byte[0] > 0xf4 || (size_t)(end - at) < size)
        return NULL;
    if (byte[1] < least || byte[1] > most)
        return NULL;
    for (size_t i = 2; i < size; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return NULL;
    *seen |= size == 4 ? EVGIT_JSON_ASTRAL : 0;
    return at + size;
}

/* Behind an escape that RFC 8785 writes: a short one, or \u00xx where there is none. */
static const char *
behind_escape(const char *at, const char *end, unsigned *seen)
{
    *seen |= EVGIT_JSON_ESCAPE;
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\bfnrt", at[1]) != NULL ? at + 2 : NULL;
    if (end - at < 6 || at[2] != '0' || at[3] != '0' || at[5] == '\0')
        return NULL;
    if (at[4] == '0')
        return strchr("01234567bef", at[5]) != NULL ? at + 6 : NULL;
    if (at[4] == '1')
        return strchr("0123456789abcdef", at[5]) != NULL ? at + 6 : NULL;
    return NULL;
}

const char *
evgit_json_string(const char *at, const char *end, unsigned *seen)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    while (at != NULL) {
        unsigned char byte;
        while (end - at >= 8 && !need_a_look(at))
            at += 8;
        while (at < end && (byte = (unsigned char)*at) >= 0x20 && byte < 0x80 && byte != '"'
               && byte != '\\')
            at++;
        if (at == end || (byte = (unsigned char)*at) < 0x20)
            return NULL;
        if (byte == '"')
            return at + 1;
        at = byte == '\\' ? behind_escape(at, end, seen) : behind_character(at, end, seen);
    }
    return NULL;
}

const char *
evgit_json_size(const char *at, const char *end, uint64_t *number)
{
    const char *begin = at;
    uint64_t value = 0;
    while (at < end && is_digit(*at) && at - begin <= LONGEST_SAFE_INTEGER)
        value = value * 10 + (uint64_t)(*at++ - '0'); /* of 17 digits at most */
    if (at == begin || at - begin > LONGEST_SAFE_INTEGER || value > MOST_SAFE_INTEGER)
        return NULL;
    if (*begin == '0' && at - begin > 1)
        return NULL;
    *number = value;
    return at;
}

/* Are 16 or 17 digits, in a plain decimal of `size` bytes, the shortest form of a double? They are
 * if they are those of its nearest decimal of so many digits, and its nearest of one less means
 * another. Powers of two lie nearer to the double below than to the one above, where that does not
 * hold. In a locale with a decimal comma nothing fits. */
static int
is_shortest(const char *decimal, size_t size, int digits)
{
    char text[MOST_DIGITS + MOST_ZEROS + 8], nearest[40], *stop;
    const char *at = text;
    double number;
    int exponent;
    if (size >= sizeof text)
        return 0;
    memcpy(text, decimal, size);
    text[size] = '\0';
    number = strtod(text, &stop);
    if (*stop != '\0' || frexp(number, &exponent) == 0.5)
        return 0;
    snprintf(nearest, sizeof nearest, "%.*e", digits - 2, number);
    if (strtod(nearest, NULL) == number)
        return 0;
    snprintf(nearest, sizeof nearest, "%.*e", digits - 1, number);
    while (*at == '0' || *at == '.')
        at++;
    for (const char *other = nearest; *other != 'e'; other++) {
        if (!is_digit(*other))
            continue;
        at += *at == '.';
        if (*at++ != *other)
            return 0;
    }
    return *at == '\0';
}

/* Integers that a double holds exactly, and decimals where ECMAScript writes no exponent. One of at
 * most 15 digits comes back from a double, so that no shorter one and no other one as short can
 * mean the same double: it is the shortest if no digit is too many. */
const char *
evgit_json_number(const char *at, const char *end)
{
    const char *begin, *point, *first;
    uint64_t whole;
    ptrdiff_t digits;
    int negative = at < end && *at == '-';
    begin = at += negative;
    at = evgit_json_size(at, end, &whole);
    if (at == NULL)
        return NULL;
    if (at == end || (*at != '.' && *at != 'e' && *at != 'E'))
        return whole == 0 && negative ? NULL : at;
    if (*at != '.')
        return NULL;
    point = at++;
    while (at < end && is_digit(*at) && at - point <= MOST_DIGITS + MOST_ZEROS)
        at++;
    if (at == point + 1 || at[-1] == '0')
        return NULL;
    if (at < end && (is_digit(*at) || *at == 'e' || *at == 'E'))
        return NULL;
    digits = at - begin - 1;
    if (whole == 0) {
        for (first = point + 1; *first == '0'; first++) /* the last digit is another */
            ;
        if (first - point - 1 > MOST_ZEROS)
            return NULL;
        digits = at - first;
    }
    if (digits <= SURE_DIGITS)
        return at;
    if (digits > MOST_DIGITS || !is_shortest(begin, (size_t)(at - begin), (int)digits))
        return NULL;
    return at;
}

/* Behind a key and its colon; the key must follow the last one, `*key` of `*size` bytes (NULL: none
 * did), and takes its place. Without astral characters bytes sort as UTF-16 does, and without
 * escapes as what they mean. */
static const char *
behind_key(const char *at, const char *end, const char **key, size_t *size)
{
    unsigned seen = 0;
    const char *begin = at + 1, *behind = evgit_json_string(at, end, &seen);
    size_t length;
    if (behind == NULL || seen != 0 || behind == end || *behind != ':')
        return NULL;
    length = (size_t)(behind - 1 - begin);
    if (*key != NULL) {
        int order = memcmp(*key, begin, *size < length ? *size : length);
        if (order > 0 || (order == 0 && *size >= length))
            return NULL;
    }
    *key = begin;
    *size = length;
    return behind + 1;
}

const char *
evgit_json_value(const char *at, const char *end)
{
    struct {
        const char *key; /* the last one, in an object */
        size_t size;
        char closed_by;
    } open[MOST_OPEN], *inner;
    int depth = 0;
    unsigned seen = 0;
    for (;;) { /* a value begins here */
        char first = at < end ? *at : '\0';
        if (first == '"')
            at = evgit_json_string(at, end, &seen);
        else if (first == '{' || first == '[') {
            char closed_by = first == '{' ? '}' : ']';
            at++;
            if (at < end && *at == closed_by)
                at++;
            else {
                if (depth == MOST_OPEN)
                    return NULL;
                inner = &open[depth++];
                inner->key = NULL;
                inner->size = 0;
                inner->closed_by = closed_by;
                if (first == '{' && (at = behind_key(at, end, &inner->key, &inner->size)) == NULL)
                    return NULL;
                continue;
            }
        }
        else if (first == 't')
            at = evgit_json_literal(at, end, "true", 4);
        else if (first == 'f')
            at = evgit_json_literal(at, end, "false", 5);
        else if (first == 'n')
            at = evgit_json_literal(at, end, "null", 4);
        else
            at = evgit_json_number(at, end);
        if (at == NULL)
            return NULL;
        for (;;) { /* it ends here, and perhaps what it stands in does */
            if (depth == 0)
                return at;
            inner = &open[depth - 1];
            if (at == end)
                return NULL;
            if (*at == inner->closed_by) {
                at++;
                depth--;
            }
            else if (*at++ == ',')
                break;
            else
                return NULL;
        }
        if (inner->closed_by == '}'
            && (at = behind_key(at, end, &inner->key, &inner->size)) == NULL)
            return NULL;
    }
}
