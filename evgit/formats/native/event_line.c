/* Stored lines of events that are beyond doubt: canonical, and in keeping with all rules.
 *
 * Members stand in alphabetical order and in one form each, so that a line is read from its first
 * byte to its last and never twice. Whatever is out of the ordinary, right or wrong, is left to the
 * Python of `event` and `event_rules`. No Python object is touched. */

#include "native.h"

#include <string.h>

#define MOST_LINE_BYTES (16 << 20)
#define MOST_NAME_BYTES 240
#define MOST_KEY_BYTES 1024
#define MOST_ORIGIN_BYTES 64
#define MOST_VERSION INT32_MAX
#define ID_DIGITS 64
#define MICROSECONDS_A_DAY INT64_C(86400000000)
#define HAS(text) (evgit_json_literal(at, end, text, sizeof text - 1) != NULL)
#define PASS(text) ((at = evgit_json_literal(at, end, text, sizeof text - 1)) != NULL)

/* Behind a string without escapes, which is in `*text`. */
static const char *
behind_plain_string(const char *at, const char *end, struct evgit_span *text)
{
    unsigned seen = 0;
    const char *behind = evgit_json_string(at, end, &seen);
    if (behind == NULL || (seen & EVGIT_JSON_ESCAPE))
        return NULL;
    text->at = at + 1;
    text->size = (size_t)(behind - at) - 2;
    return behind;
}

/* Does valid UTF-8 hold a character of Unicode's category Cc? Those below U+0020 are escaped. */
static int
has_control(const char *at, size_t size)
{
    const unsigned char *byte = (const unsigned char *)at;
    for (size_t i = 0; i < size; i++)
        if (byte[i] == 0x7f || (byte[i] == 0xc2 && byte[i + 1] < 0xa0)) /* a string goes on there */
            return 1;
    return 0;
}

static int
is_printable_ascii(struct evgit_span text, size_t most)
{
    if (text.size < 1 || text.size > most)
        return 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] < '!' || text.at[i] > '~')
            return 0;
    return 1;
}

/* May a stored event's stream have this name, which is valid UTF-8? */
int
evgit_is_stream_name(const char *name, size_t size)
{
    size_t component = 0, digits = size;
    if (size < 1 || size > MOST_NAME_BYTES || has_control(name, size))
        return 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && name[i] != '/')
            continue;
        size_t length = i - component;
        if (length == 0 || (length == 1 && name[component] == '.')
            || (length == 2 && name[component] == '.' && name[component + 1] == '.'))
            return 0;
        component = i + 1;
    }
    while (digits > 0 && '0' <= name[digits - 1] && name[digits - 1] <= '9')
        digits--;
    return !(digits < size && digits > 0 && name[digits - 1] == '@');
}

/* The number that a fixed count of digits is, or -1. */
static int
digits(const char *at, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* The instant of a time in the one format of `times`, or -1. */
int64_t
evgit_instant(const char *text, size_t size)
{
    static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int year, month, day, hour, minute, second, fraction, is_leap, length;
    int64_t days;
    if (size != EVGIT_TIME_BYTES || text[4] != '-' || text[7] != '-' || text[10] != 'T'
        || text[13] != ':' || text[16] != ':' || text[19] != '.' || text[26] != 'Z')
        return -1;
    year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    hour = digits(text + 11, 2), minute = digits(text + 14, 2), second = digits(text + 17, 2);
    fraction = digits(text + 20, 6);
    if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0
        || minute > 59 || second < 0 || second > 59 || fraction < 0)
        return -1;
    is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    length = before[month] - before[month - 1] + (month == 2 && is_leap);
    if (day > length)
        return -1;
    year--;
    days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400;
    days += before[month - 1] + (month > 2 && is_leap) + day - 1;
    return days * MICROSECONDS_A_DAY
           + (int64_t)(hour * 3600 + minute * 60 + second) * 1000000 + fraction;
}

/* Behind an object of sizes by id, which is not empty. */
static const char *
behind_blobs(const char *at, const char *end)
{
    const char *last = NULL;
    for (at++;; at++) {
        uint64_t size;
        const char *id = at + 1;
        if (end - at < ID_DIGITS + 3 || *at != '"')
            return NULL;
        if (id[ID_DIGITS] != '"' || id[ID_DIGITS + 1] != ':')
            return NULL;
        for (int i = 0; i < ID_DIGITS; i++)
            if (!(('0' <= id[i] && id[i] <= '9') || ('a' <= id[i] && id[i] <= 'f')))
                return NULL;
        if (last != NULL && memcmp(last, id, ID_DIGITS) >= 0)
            return NULL;
        last = id;
        at = evgit_json_size(id + ID_DIGITS + 2, end, &size);
        if (at == NULL || at == end)
            return NULL;
        if (*at == '}')
            return at + 1;
        if (*at != ',')
            return NULL;
    }
}

/* Behind the members that stand before `stream`; those that are absent stay as they are. */
static const char *
behind_data_and_more(const char *at, const char *end, struct evgit_event *event)
{
    struct evgit_span origin;
    const char *begin;
    if (!PASS("{"))
        return NULL;
    if (HAS("\"blobs\":{")) {
        at = behind_blobs(at + strlen("\"blobs\":"), end);
        if (at == NULL || !PASS(","))
            return NULL;
        event->has_blobs = 1;
    }
    if (!PASS("\"data\":"))
        return NULL;
    begin = at;
    if ((at = evgit_json_value(at, end)) == NULL)
        return NULL;
    event->data.at = begin;
    event->data.size = (size_t)(at - begin);
    if (HAS(",\"key\":")) {
        at = behind_plain_string(at + strlen(",\"key\":"), end, &event->key);
        if (at == NULL || event->key.size < 1 || event->key.size > MOST_KEY_BYTES
            || has_control(event->key.at, event->key.size))
            return NULL;
    }
    if (!PASS(",\"kind\":\"event\""))
        return NULL;
    if (HAS(",\"meta\":{")) {
        begin = at += strlen(",\"meta\":");
        if ((at = evgit_json_value(at, end)) == NULL || at - begin == 2)
            return NULL;
        event->meta.at = begin;
        event->meta.size = (size_t)(at - begin);
    }
    if (HAS(",\"origin\":")) {
        at = behind_plain_string(at + strlen(",\"origin\":"), end, &origin);
        if (at == NULL || !is_printable_ascii(origin, MOST_ORIGIN_BYTES))
            return NULL;
        event->origin = origin;
    }
    return at;
}

int
evgit_event_line(const char *line, size_t size, struct evgit_event *event)
{
    const char *at = line, *end = line + size;
    struct evgit_span time;
    uint64_t version;
    memset(event, 0, sizeof *event);
    if (size > MOST_LINE_BYTES || (at = behind_data_and_more(at, end, event)) == NULL)
        return 0;
    if (!PASS(",\"stream\":") || (at = behind_plain_string(at, end, &event->stream)) == NULL
        || !evgit_is_stream_name(event->stream.at, event->stream.size))
        return 0;
    if (!PASS(",\"time\":") || (at = behind_plain_string(at, end, &time)) == NULL
        || (event->instant = evgit_instant(time.at, time.size)) < 0)
        return 0;
    event->time = time.at;
    if (!PASS(",\"type\":") || (at = behind_plain_string(at, end, &event->type)) == NULL
        || !is_printable_ascii(event->type, MOST_NAME_BYTES))
        return 0;
    if (!PASS(",\"version\":") || (at = evgit_json_size(at, end, &version)) == NULL || version < 1
        || version > MOST_VERSION)
        return 0;
    event->version = (uint32_t)version;
    return PASS("}") && at == end;
}
