/* JSON without white space, as stored lines are, read without making anything of it: strings, numbers,
 * and passing over values. What is accepted is JSON (RFC 8259); not all JSON is accepted: nothing is
 * escaped but as in canonical JSON (RFC 8785). Bytes that are not UTF-8 are for others to find.
 *
 * In a header, for whoever reads many short things must not call a function for each. Every function
 * reads one thing and moves behind it, or says 0 where it is not there or is out of the ordinary: then
 * `at` may be anywhere up to `end`.
 *
 * Without vectors, eight bytes are looked at with a few steps of arithmetic: (w - 0x01..) & ~w & 0x80..
 * marks the first byte of w that is zero, and perhaps others behind it. See "Determine if a word has a
 * zero byte", Bit Twiddling Hacks, S. E. Anderson. */

#ifndef EVGIT_JSON_TEXT_H
#define EVGIT_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__) /* every x86-64 has it */
#include <emmintrin.h>
#define VECTOR 16
#elif defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VECTOR 8
#else
#define VECTOR 0
#endif

#define MOST_DIGITS 18 /* of a short integer, so that it is within 64 bits */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Nothing at `end` or behind it is touched. */
typedef struct {
    const unsigned char *at;
    const unsigned char *end;
} Json;

/* A string between its quotes. */
typedef struct {
    const unsigned char *start;
    size_t size;
    int is_plain; /* all ASCII, and nothing escaped */
    int escapes;
} JsonString;

typedef enum { NO_NUMBER, SHORT_INTEGER, LONG_INTEGER, WITH_FRACTION } JsonNumber;

/* memcmp() == 0, quicker for a few bytes. */
static inline int
same_bytes(const unsigned char *one, const unsigned char *other, size_t size)
{
    uint64_t a, b;
    uint32_t c, d;

    if (size >= 8) {
        for (size_t place = 0; place + 8 < size; place += 8) {
            memcpy(&a, one + place, 8);
            memcpy(&b, other + place, 8);
            if (a != b)
                return 0;
        }
        memcpy(&a, one + size - 8, 8);
        memcpy(&b, other + size - 8, 8);
        return a == b;
    }
    if (size >= 4) {
        memcpy(&c, one, 4);
        memcpy(&d, other, 4);
        if (c != d)
            return 0;
        memcpy(&c, one + size - 4, 4);
        memcpy(&d, other + size - 4, 4);
        return c == d;
    }
    while (size && one[size - 1] == other[size - 1])
        size--;
    return size == 0;
}

/* Passes over these bytes, if they stand here. */
static inline int
json_word(Json *json, const char *word, size_t size)
{
    if ((size_t)(json->end - json->at) < size
        || !same_bytes(json->at, (const unsigned char *)word, size))
        return 0;
    json->at += size;
    return 1;
}

static inline int
json_byte(Json *json, unsigned char byte)
{
    if (json->at >= json->end || *json->at != byte)
        return 0;
    json->at++;
    return 1;
}

/* ------------------------------------------------------------------ strings */

/* Nothing that begins or ends something in a string, and ASCII. */
static inline int
is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* How many of the next VECTOR bytes are plain before one that is not; VECTOR if all are. */
static inline unsigned
plain_ones(const unsigned char *at)
{
#if VECTOR == 16
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: 0x80 and more are, too */
    unsigned marks = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other));
    return (unsigned)__builtin_ctz(marks | 0x10000);
#elif VECTOR == 8
    uint64_t word, quote, backslash, marks;
    memcpy(&word, at, 8);
    quote = word ^ EACH('"');
    backslash = word ^ EACH('\\');
    marks = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash)
            | ((word - EACH(0x20)) & ~word) | word;
    marks &= EACH(0x80);
    return marks ? (unsigned)__builtin_ctzll(marks) >> 3 : 8;
#else
    return 0;
#endif
}

/* The byte that is escaped by what stands behind a backslash, as canonical JSON escapes it, or -1;
 * `at` moves to the last byte of that. */
static inline int
json_escaped_byte(const unsigned char **at, const unsigned char *end)
{
    static const char letters[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
    const unsigned char *here = *at;
    const char *letter;

    if (here >= end || *here == 0)
        return -1;
    letter = strchr(letters, *here);
    if (letter != NULL)
        return bytes[letter - letters];
    if (end - here < 5 || memcmp(here, "u00", 3) != 0 || (here[3] != '0' && here[3] != '1'))
        return -1;
    *at = here + 4;
    if (here[4] >= '0' && here[4] <= '9')
        return (here[3] - '0') * 16 + here[4] - '0';
    if (here[4] >= 'a' && here[4] <= 'f')
        return (here[3] - '0') * 16 + here[4] - 'a' + 10;
    return -1;
}

/* The rest of a string that is not plain, from `at` on. */
static int
json_odd_string(Json *json, const unsigned char *at, JsonString *found)
{
    const unsigned char *end = json->end;

    found->is_plain = 0;
    for (; at < end && *at != '"'; at++) {
        if (*at < 0x20)
            return 0;
        if (*at == '\\') {
            found->escapes = 1;
            at++;
            if (json_escaped_byte(&at, end) < 0)
                return 0;
        }
    }
    if (at >= end)
        return 0;
    found->size = (size_t)(at - found->start);
    json->at = at + 1;
    return 1;
}

static inline int
json_string(Json *json, JsonString *found)
{
    const unsigned char *at = json->at, *end = json->end;
    unsigned passed = VECTOR;

    if (at >= end || *at != '"')
        return 0;
    found->start = ++at;
    found->is_plain = 1;
    found->escapes = 0;
    while (VECTOR && passed == VECTOR && end - at >= VECTOR)
        at += passed = plain_ones(at);
    if (passed == VECTOR) { /* without vectors, and near the end of the text */
        while (at < end && is_plain(*at))
            at++;
        if (at >= end)
            return 0;
    }
    if (*at != '"')
        return json_odd_string(json, at, found);
    found->size = (size_t)(at - found->start);
    json->at = at + 1;
    return 1;
}

/* ------------------------------------------------------------------ numbers */

/* Passes over digits. Without any: 0. */
static inline int
json_digits(Json *json)
{
    const unsigned char *start = json->at;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > start;
}

/* What follows the integer part of a number. */
static JsonNumber
json_fraction(Json *json)
{
    if (json_byte(json, '.') && !json_digits(json))
        return NO_NUMBER;
    if (json_byte(json, 'e') || json_byte(json, 'E')) {
        if (!json_byte(json, '-'))
            json_byte(json, '+');
        if (!json_digits(json))
            return NO_NUMBER;
    }
    return WITH_FRACTION;
}

static inline JsonNumber
json_number(Json *json, int64_t *integer)
{
    const unsigned char *at = json->at, *end = json->end, *start;
    int is_negative = at < end && *at == '-';
    uint64_t sum = 0;

    at += is_negative;
    for (start = at; at < end && *at >= '0' && *at <= '9'; at++)
        sum = sum * 10 + (*at - '0');
    json->at = at;
    if (at == start || (*start == '0' && at - start > 1))
        return NO_NUMBER;
    if (at < end && (*at == '.' || *at == 'e' || *at == 'E'))
        return json_fraction(json);
    if (at - start > MOST_DIGITS || (is_negative && sum == 0))
        return LONG_INTEGER;
    *integer = is_negative ? -(int64_t)sum : (int64_t)sum;
    return SHORT_INTEGER;
}

#endif
