/* JSON that is canonical beyond doubt: as RFC 8785 writes it, with evgit's refusals.
 *
 * What is not canonical and what is merely unusual (an exponent, a key with an escape or a
 * character beyond the BMP, a number of more than 15 digits, deep nesting) is the same here: NULL,
 * "don't know". Python's `rfc8785` decides about it. No Python object is touched. */

#include "native.h"

#include <string.h>

#define MOST_OPEN 64 /* containers at once, far below what is refused, whatever they stand in */
#define MOST_SAFE_INTEGER UINT64_C(9007199254740991) /* 2^53-1 */
#define LONGEST_SAFE_INTEGER 16
#define MOST_DIGITS 15 /* so many survive being made a double, and no others make the same one */
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

/* Integers that a double holds exactly, and decimals of at most 15 digits where ECMAScript writes
 * no exponent. A decimal of at most 15 digits comes back from a double, so that no shorter one and
 * no other one as short can mean the same double: it is the shortest if no digit is too many. */
static const char *
behind_number(const char *at, const char *end)
{
    const char *begin, *point, *first;
    uint64_t whole;
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
    if (whole != 0)
        return at - begin - 1 <= MOST_DIGITS ? at : NULL;
    for (first = point + 1; *first == '0'; first++) /* the last digit is another */
        ;
    return first - point - 1 <= MOST_ZEROS && at - first <= MOST_DIGITS ? at : NULL;
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
            at = behind_number(at, end);
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
