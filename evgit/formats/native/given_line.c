/* Lines of events that a user gives, made canonical where that takes no more than putting members
 * in order and leaving out white space and zeros.
 *
 * What is written says what was given: strings and numbers are copied, members that stand twice are
 * left to Python. That it is canonical, and obeys the rules, is for `evgit_event_line` to see. No
 * Python object is touched. */

#include "native.h"

#include <stdlib.h>
#include <string.h>

#define MOST_LINE_BYTES (16 << 20)
#define MOST_OPEN 64
#define LONGEST_NUMBER 40
#define FEW_MEMBERS 16

enum { BLOBS, DATA, KEY, KIND, META, ORIGIN, STREAM, TIME, TYPE, VERSION, MEMBERS };
static const struct evgit_span names[MEMBERS] = {
    {"blobs", 5},  {"data", 4},   {"key", 3},  {"kind", 4}, {"meta", 4},
    {"origin", 6}, {"stream", 6}, {"time", 4}, {"type", 4}, {"version", 7},
};

static const char *
behind_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static char *
put(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    return out + size;
}

/* Takes a number from `*at` without zeros at the end of its fraction. NULL: don't know. */
static char *
put_number(char *out, const char **at, const char *end)
{
    char *begin = out, *point = NULL;
    const char *from = *at;
    while (from < end && from - *at < LONGEST_NUMBER && strchr("-.0123456789", *from) && *from) {
        if (*from == '.' && point != NULL)
            return NULL;
        if (*from == '.')
            point = out;
        *out++ = *from++;
    }
    if (point != NULL && out > point + 1) {
        while (out[-1] == '0')
            out--;
        out -= out[-1] == '.';
    }
    if (out == begin || evgit_json_number(begin, out) != out)
        return NULL;
    *at = from;
    return out;
}

static int
by_key(const void *one, const void *other)
{
    const struct evgit_member *a = one, *b = other;
    int order = memcmp(a->key, b->key, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Puts members that were written one after another, with commas, in order. The last ends at `out`,
 * before and afterwards. */
static void
put_in_order(struct evgit_member *members, size_t count, char *out, char *scratch)
{
    char *begin = (char *)members[0].key - 1;
    memcpy(scratch, begin, (size_t)(out - begin));
    for (size_t i = 0; i < count; i++) {
        members[i].end = scratch + (members[i].end - begin);
        members[i].key = scratch + (members[i].key - begin);
    }
    if (count > FEW_MEMBERS)
        qsort(members, count, sizeof *members, by_key);
    else
        for (size_t i = 1; i < count; i++) {
            struct evgit_member moved = members[i];
            size_t place = i;
            for (; place > 0 && by_key(&members[place - 1], &moved) > 0; place--)
                members[place] = members[place - 1];
            members[place] = moved;
        }
    for (size_t i = 0; i < count; i++) {
        const char *from = members[i].key - 1;
        if (i > 0)
            *begin++ = ',';
        begin = put(begin, from, (size_t)(members[i].end - from));
    }
}

/* Writes a key and its colon, and remembers where. NULL: don't know. */
static char *
put_key(char *out, const char **at, const char *end, struct evgit_work *work)
{
    unsigned seen = 0;
    const char *begin = behind_space(*at, end), *behind = evgit_json_string(begin, end, &seen);
    struct evgit_member *member;
    if (behind == NULL || seen != 0 || work->count == EVGIT_MOST_MEMBERS)
        return NULL;
    member = &work->members[work->count++];
    member->key = out + 1;
    member->size = (size_t)(behind - begin) - 2;
    out = put(out, begin, (size_t)(behind - begin));
    *at = behind_space(behind, end);
    if (*at == end || *(*at)++ != ':')
        return NULL;
    *out++ = ':';
    return out;
}

/* Writes the value that begins at `*from`, which is moved behind it. NULL: don't know. */
static char *
put_value(char *out, const char **from, const char *end, struct evgit_work *work)
{
    struct {
        size_t first; /* of its members */
        char closed_by;
    } open[MOST_OPEN], *inner;
    int depth = 0;
    const char *at = *from, *behind;
    for (;;) { /* a value begins */
        unsigned seen = 0;
        char first;
        at = behind_space(at, end);
        first = at < end ? *at : '\0';
        if (first == '{' || first == '[') {
            char closed_by = first == '{' ? '}' : ']';
            *out++ = first;
            at = behind_space(at + 1, end);
            if (at < end && *at == closed_by) {
                *out++ = closed_by;
                at++;
            }
            else {
                if (depth == MOST_OPEN)
                    return NULL;
                open[depth].first = work->count;
                open[depth++].closed_by = closed_by;
                if (first == '{' && (out = put_key(out, &at, end, work)) == NULL)
                    return NULL;
                continue;
            }
        }
        else if (first == '-' || ('0' <= first && first <= '9')) {
            if ((out = put_number(out, &at, end)) == NULL)
                return NULL;
        }
        else {
            behind = first == '"'   ? evgit_json_string(at, end, &seen)
                     : first == 't' ? evgit_json_literal(at, end, "true", 4)
                     : first == 'f' ? evgit_json_literal(at, end, "false", 5)
                                    : evgit_json_literal(at, end, "null", 4);
            if (behind == NULL)
                return NULL;
            out = put(out, at, (size_t)(behind - at));
            at = behind;
        }
        for (;;) { /* it ends, and perhaps what it stands in does */
            if (depth == 0) {
                *from = at;
                return out;
            }
            inner = &open[depth - 1];
            if (inner->closed_by == '}')
                work->members[work->count - 1].end = out;
            at = behind_space(at, end);
            if (at == end)
                return NULL;
            if (*at == inner->closed_by) {
                struct evgit_member *members = &work->members[inner->first];
                size_t count = work->count - inner->first, i = 1;
                while (i < count && by_key(&members[i - 1], &members[i]) < 0)
                    i++;
                if (i < count)
                    put_in_order(members, count, out, work->scratch);
                work->count = inner->first;
                *out++ = *at++;
                depth--;
            }
            else if (*at++ == ',')
                break;
            else
                return NULL;
        }
        *out++ = ',';
        if (inner->closed_by == '}' && (out = put_key(out, &at, end, work)) == NULL)
            return NULL;
    }
}

/* Writes the members of an event's line into `work->values`, each as its span of `found`. */
static int
members_of(const char *at, const char *end, struct evgit_span *found, struct evgit_work *work)
{
    char *out = work->values;
    at = behind_space(at, end);
    if (at == end || *at++ != '{')
        return 0;
    for (;;) {
        struct evgit_member *member;
        int name = 0;
        char *value;
        work->count = 0;
        if ((value = put_key(out, &at, end, work)) == NULL)
            return 0;
        member = &work->members[0];
        while (name < MEMBERS && (names[name].size != member->size
                                  || memcmp(names[name].at, member->key, member->size) != 0))
            name++;
        if (name == MEMBERS || found[name].at != NULL)
            return 0;
        work->count = 0;
        if ((out = put_value(value, &at, end, work)) == NULL)
            return 0;
        found[name].at = value;
        found[name].size = (size_t)(out - value);
        at = behind_space(at, end);
        if (at == end)
            return 0;
        if (*at == '}')
            return behind_space(at + 1, end) == end;
        if (*at++ != ',')
            return 0;
    }
}

/* Writes a time of which digits of a second's fraction may be missing. NULL: don't know. */
static char *
put_time(char *out, struct evgit_span time)
{
    const size_t whole = strlen("\"2026-11-23T03:36:00"), least = whole + 2, full = whole + 9;
    size_t size = time.size;
    if (size < least || size > full || time.at[size - 2] != 'Z')
        return NULL;
    if (size == least + 1 || (size > least && time.at[whole] != '.'))
        return NULL;
    out = put(out, time.at, size - 2);
    if (size == least) {
        *out++ = '.';
        size++;
    }
    for (; size < full; size++)
        *out++ = '0';
    return put(out, "Z\"", 2);
}

static int
is_nothing(struct evgit_span value)
{
    return value.at == NULL || (value.size == 2 && memcmp(value.at, "{}", 2) == 0);
}

static char *
put_member(char *out, const char *name, struct evgit_span value)
{
    out = put(out, name, strlen(name));
    return put(out, value.at, value.size);
}

char *
evgit_given_line(const char *line, size_t size, char *out, struct evgit_work *work)
{
    struct evgit_span found[MEMBERS] = {{NULL, 0}};
    char *begin = out;
    if (size > MOST_LINE_BYTES || !members_of(line, line + size, found, work))
        return NULL;
    if (!found[DATA].at || !found[STREAM].at || !found[TIME].at || !found[TYPE].at)
        return NULL;
    if (found[KIND].at && (found[KIND].size != 7 || memcmp(found[KIND].at, "\"event\"", 7) != 0))
        return NULL;
    for (size_t i = 0; i < found[STREAM].size; i++) /* no name that only old events may have */
        if (found[STREAM].at[i] & 0x80 || found[STREAM].at[i] == '$')
            return NULL;
    *out++ = '{';
    if (!is_nothing(found[BLOBS]))
        out = put(put_member(out, "\"blobs\":", found[BLOBS]), ",", 1);
    out = put_member(out, "\"data\":", found[DATA]);
    if (found[KEY].at)
        out = put_member(out, ",\"key\":", found[KEY]);
    out = put(out, ",\"kind\":\"event\"", 15);
    if (!is_nothing(found[META]))
        out = put_member(out, ",\"meta\":", found[META]);
    if (found[ORIGIN].at)
        out = put_member(out, ",\"origin\":", found[ORIGIN]);
    out = put_member(out, ",\"stream\":", found[STREAM]);
    if ((out = put_time(put(out, ",\"time\":", 8), found[TIME])) == NULL)
        return NULL;
    out = put_member(out, ",\"type\":", found[TYPE]);
    if (found[VERSION].at)
        out = put_member(out, ",\"version\":", found[VERSION]);
    else
        out = put(out, ",\"version\":1", 12);
    *out++ = '}';
    return out - begin > MOST_LINE_BYTES ? NULL : out;
}
