/* What a chain of commits says, for Python: blocks that follow one another, each commit the only child
 * of the one before, with events of its own. Twin of `sync/sound_chains.py`. */

#include "native.h"

#include <stdlib.h>
#include <string.h>

#define COMMIT_START "{\"author\":"

struct found_commit {
    struct evgit_commit said;
    int64_t latest; /* instant of the latest of its events, -1: it has none */
    size_t line;    /* its number among all lines */
};

struct found_key {
    size_t place; /* among events */
    struct evgit_span stream, key;
};

struct chain {
    const char **lines;
    size_t *sizes;
    size_t count, room; /* of lines */
    struct found_commit *commits;
    size_t commit_count, commit_room;
    struct found_key *keys;
    size_t key_count, key_room;
    char *streams; /* of all events, each with a newline; no longer than the text */
    size_t streams_size;
    uint8_t *ids; /* of all lines, then of events alone */
    int64_t earliest;
};

/* Room for one more item than `count` in an array, which grows with what was found good so far. */
static int
make_room(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return 1;
    size_t more = *room ? 2 * *room : 512;
    void *larger = more <= SIZE_MAX / 2 / size ? realloc(*array, more * size) : NULL;
    if (larger == NULL)
        return 0;
    *array = larger;
    *room = more;
    return 1;
}

/* Does a commit go on from the one before it, and count the events that stand before it? */
static int
fits(const struct chain *chain, const struct found_commit *commit, size_t events)
{
    const struct found_commit *before;
    if (commit->said.events != events || commit->said.size < events)
        return 0;
    if (chain->commit_count == 0)
        return 1;
    before = &chain->commits[chain->commit_count - 1];
    return commit->said.size == before->said.size + events
           && commit->said.instant >= before->said.instant;
}

/* Reads all lines of a text that ends with a newline. 0: don't know, or no memory. */
static int
read_lines(struct chain *chain, const char *text, const char *end)
{
    size_t events = 0;
    int64_t latest = -1;
    chain->earliest = INT64_MAX;
    for (const char *at = text, *behind; at < end; at = behind, chain->count++) {
        size_t room = chain->room;
        size_t size;
        behind = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        size = (size_t)(behind - at) - 1;
        if (!make_room((void **)&chain->lines, chain->count, &room, sizeof *chain->lines)
            || !make_room((void **)&chain->sizes, chain->count, &chain->room, sizeof *chain->sizes))
            return 0;
        chain->lines[chain->count] = at;
        chain->sizes[chain->count] = size;
        if (evgit_json_literal(at, end, COMMIT_START, strlen(COMMIT_START)) != NULL) {
            struct found_commit commit = {.latest = latest, .line = chain->count};
            if (!evgit_commit_line(at, size, &commit.said) || !fits(chain, &commit, events)
                || !make_room((void **)&chain->commits, chain->commit_count, &chain->commit_room,
                              sizeof commit))
                return 0;
            chain->commits[chain->commit_count++] = commit;
            events = 0;
            latest = -1;
            continue;
        }
        struct evgit_event event;
        if (!evgit_event_line(at, size, &event) || event.has_blobs)
            return 0;
        memcpy(chain->streams + chain->streams_size, event.stream.at, event.stream.size);
        chain->streams_size += event.stream.size;
        chain->streams[chain->streams_size++] = '\n'; /* a name is shorter than its line */
        if (event.key.at != NULL) {
            struct found_key key = {chain->count - chain->commit_count, event.stream, event.key};
            if (!make_room((void **)&chain->keys, chain->key_count, &chain->key_room, sizeof key))
                return 0;
            chain->keys[chain->key_count++] = key;
        }
        if (event.instant < chain->earliest)
            chain->earliest = event.instant;
        if (event.instant > latest)
            latest = event.instant;
        events++;
    }
    return events == 0 && chain->commit_count > 0 && chain->count > chain->commit_count;
}

/* Hashes all lines; are the commits each the parent of the next? The events' ids are left in `ids`, the
 * commits' at `commit_ids`. */
static int
hash_lines(struct chain *chain, uint8_t *commit_ids)
{
    size_t next = 0, events = 0;
    chain->ids = malloc(chain->count * EVGIT_HASH_BYTES); /* lines are longer than that */
    if (chain->ids == NULL)
        return 0;
    evgit_blake3_many((const uint8_t *const *)chain->lines, chain->sizes, chain->count, chain->ids);
    for (size_t line = 0; line < chain->count; line++) {
        const uint8_t *id = chain->ids + line * EVGIT_HASH_BYTES;
        if (chain->commits[next].line == line) { /* the last line is the last commit's */
            memcpy(commit_ids + next * EVGIT_HASH_BYTES, id, EVGIT_HASH_BYTES);
            next++;
            if (next < chain->commit_count
                && memcmp(chain->commits[next].said.parent, id, EVGIT_HASH_BYTES) != 0)
                return 0;
        }
        else
            memmove(chain->ids + events++ * EVGIT_HASH_BYTES, id, EVGIT_HASH_BYTES);
    }
    return 1;
}

/* Fills a list with a number of each commit. */
static PyObject *
numbers(const struct chain *chain, long long (*number)(const struct found_commit *))
{
    PyObject *list = PyList_New((Py_ssize_t)chain->commit_count);
    for (size_t i = 0; list != NULL && i < chain->commit_count; i++) {
        PyObject *item = PyLong_FromLongLong(number(&chain->commits[i]));
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static long long
events_of(const struct found_commit *commit)
{
    return commit->said.events;
}

static long long
time_of(const struct found_commit *commit)
{
    return commit->said.instant;
}

static long long
latest_of(const struct found_commit *commit)
{
    return commit->latest;
}

static PyObject *
keys_of(const struct chain *chain)
{
    PyObject *list = PyList_New((Py_ssize_t)chain->key_count);
    for (size_t i = 0; list != NULL && i < chain->key_count; i++) {
        const struct found_key *key = &chain->keys[i];
        PyObject *item = Py_BuildValue("(ns#s#)", (Py_ssize_t)key->place, key->stream.at,
                                       (Py_ssize_t)key->stream.size, key->key.at,
                                       (Py_ssize_t)key->key.size);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* What `certified_chain` returns, `ids` being those of commits. */
static PyObject *
answer(const struct chain *chain, PyObject *ids, const char *text)
{
    const struct evgit_commit *first = &chain->commits[0].said;
    Py_ssize_t count = (Py_ssize_t)chain->commit_count, size = EVGIT_HASH_BYTES;
    PyObject *roots = PyBytes_FromStringAndSize(NULL, count * size);
    PyObject *counts = numbers(chain, events_of), *times = numbers(chain, time_of);
    PyObject *latest = numbers(chain, latest_of), *keys = keys_of(chain);
    PyObject *ends = PyList_New(count), *found = NULL;
    for (Py_ssize_t i = 0; ends != NULL && i < count; i++) {
        size_t line = chain->commits[i].line;
        Py_ssize_t end = chain->lines[line] - text + (Py_ssize_t)chain->sizes[line] + 1;
        PyObject *item = PyLong_FromSsize_t(end);
        if (item == NULL)
            Py_CLEAR(ends);
        else
            PyList_SET_ITEM(ends, i, item);
    }
    if (roots && counts && times && latest && keys && ends) {
        for (Py_ssize_t i = 0; i < count; i++)
            memcpy(PyBytes_AS_STRING(roots) + i * size, chain->commits[i].said.root, (size_t)size);
        found = Py_BuildValue(
            "(y#OOOOOLLy#s#OO)", (const char *)first->parent, size, ids, roots, counts, times, latest,
            (long long)(first->size - first->events), (long long)chain->earliest,
            (const char *)chain->ids, (Py_ssize_t)(chain->count - chain->commit_count) * size,
            chain->streams, (Py_ssize_t)chain->streams_size - 1, keys, ends);
    }
    Py_XDECREF(roots);
    Py_XDECREF(counts);
    Py_XDECREF(times);
    Py_XDECREF(latest);
    Py_XDECREF(keys);
    Py_XDECREF(ends);
    return found;
}

PyObject *
evgit_py_certified_chain(PyObject *module, PyObject *given)
{
    struct chain chain = {0};
    PyObject *found = NULL, *ids = NULL;
    const char *text, *end;
    int sound;
    if (!PyBytes_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "bytes, please");
        return NULL;
    }
    text = PyBytes_AS_STRING(given);
    end = text + PyBytes_GET_SIZE(given);
    if (text == end || end[-1] != '\n')
        Py_RETURN_NONE;
    Py_BEGIN_ALLOW_THREADS /* `given` is held by the caller, and bytes don't change */
    chain.streams = malloc((size_t)(end - text));
    sound = chain.streams != NULL && read_lines(&chain, text, end);
    Py_END_ALLOW_THREADS
    if (sound) {
        ids = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)chain.commit_count * EVGIT_HASH_BYTES);
        if (ids != NULL) {
            uint8_t *into = (uint8_t *)PyBytes_AS_STRING(ids);
            Py_BEGIN_ALLOW_THREADS
            sound = hash_lines(&chain, into);
            Py_END_ALLOW_THREADS
            found = sound ? answer(&chain, ids, text) : NULL;
        }
    }
    if (found == NULL && !PyErr_Occurred())
        found = Py_NewRef(Py_None);
    Py_XDECREF(ids);
    free(chain.lines);
    free(chain.sizes);
    free(chain.commits);
    free(chain.keys);
    free(chain.streams);
    free(chain.ids);
    return found;
}
