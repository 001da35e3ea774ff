/* Stored lines of commits that are beyond doubt: canonical, in keeping with all rules, and of the
 * kind that most are: one parent, no merge, nothing of anybody's making in `meta`.
 *
 * As in event_line.c a line is read once, and whatever is out of the ordinary is left to the Python of
 * `commit`. No Python object is touched. */

#include "native.h"

#include <string.h>

#define MOST_LINE_BYTES (16 << 20)
#define MOST_EVENTS 65536
#define MOST_GUARDS 65536
#define ID_DIGITS 64
#define HAS(text) (evgit_json_literal(at, end, text, sizeof text - 1) != NULL)
#define PASS(text) ((at = evgit_json_literal(at, end, text, sizeof text - 1)) != NULL)

static int
hex_digit(char c)
{
    if ('0' <= c && c <= '9')
        return c - '0';
    return 'a' <= c && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the 64 digits of an id or a hash and the quotes around them. */
static const char *
behind_id(const char *at, const char *end, uint8_t id[32])
{
    if (end - at < ID_DIGITS + 2 || at[0] != '"' || at[ID_DIGITS + 1] != '"')
        return NULL;
    at++;
    for (int i = 0; i < 32; i++, at += 2) {
        int high = hex_digit(at[0]), low = hex_digit(at[1]);
        if (high < 0 || low < 0)
            return NULL;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return at + 1;
}

/* Behind an object of revisions by stream, which is not empty. Names without escapes and astral
 * characters sort by their bytes as by UTF-16. */
static const char *
behind_guards(const char *at, const char *end)
{
    const char *last = NULL;
    size_t last_size = 0;
    if (!PASS("{"))
        return NULL;
    for (int count = 0; count < MOST_GUARDS; count++) {
        unsigned seen = 0;
        uint64_t revision;
        const char *name = at + 1;
        size_t size;
        if ((at = evgit_json_string(at, end, &seen)) == NULL || seen != 0)
            return NULL;
        size = (size_t)(at - name) - 1;
        if (last != NULL) {
            int order = memcmp(last, name, last_size < size ? last_size : size);
            if (order > 0 || (order == 0 && last_size >= size))
                return NULL;
        }
        last = name;
        last_size = size;
        if (!evgit_is_stream_name(name, size) || !PASS(":"))
            return NULL;
        if (HAS("-1"))
            at += 2;
        else if ((at = evgit_json_size(at, end, &revision)) == NULL)
            return NULL;
        if (HAS("}"))
            return at + 1;
        if (!PASS(","))
            return NULL;
    }
    return NULL;
}

int
evgit_commit_line(const char *line, size_t size, struct evgit_commit *commit)
{
    const char *at = line, *end = line + size;
    unsigned seen = 0;
    uint64_t events;
    if (size > MOST_LINE_BYTES || !PASS("{\"author\":"))
        return 0;
    if ((at = evgit_json_string(at, end, &seen)) == NULL || !PASS(",\"events\":")
        || (at = evgit_json_size(at, end, &events)) == NULL || events > MOST_EVENTS)
        return 0;
    commit->events = (uint32_t)events;
    if (!PASS(",\"format\":1"))
        return 0;
    if (HAS(",\"guards\":") && (at = behind_guards(at + strlen(",\"guards\":"), end)) == NULL)
        return 0;
    if (!PASS(",\"kind\":\"commit\",\"log\":{\"root\":")
        || (at = behind_id(at, end, commit->root)) == NULL || !PASS(",\"size\":")
        || (at = evgit_json_size(at, end, &commit->size)) == NULL || !PASS("},\"message\":"))
        return 0;
    if ((at = evgit_json_string(at, end, &seen)) == NULL || !PASS(",\"parents\":[")
        || (at = behind_id(at, end, commit->parent)) == NULL || !PASS("]"))
        return 0;
    if (HAS(",\"recorded\":\"events\""))
        at += strlen(",\"recorded\":\"events\"");
    if (!PASS(",\"time\":\"") || end - at != EVGIT_TIME_BYTES + 2
        || (commit->instant = evgit_instant(at, EVGIT_TIME_BYTES)) < 0)
        return 0;
    at += EVGIT_TIME_BYTES;
    return PASS("\"}") && at == end;
}
