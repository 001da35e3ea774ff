/* What the files of the native part share. Nothing here knows a repository, nor Python's own objects
 * but where that is said. */

#ifndef EVGIT_NATIVE_H
#define EVGIT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EVGIT_HASH_BYTES 32 /* of an id (BLAKE3-256), and of a hash in the log's tree (SHA-256) */

/* ---- blake3.c */

/* Chooses the quickest code that the processor can run or, if `plain`, the code for any processor. Called
 * when the module is loaded. Says which it is. */
const char *evgit_choose_blake3(int plain);

/* The BLAKE3-256 of `size` bytes. */
void evgit_blake3(const uint8_t *data, size_t size, uint8_t out[32]);

/* The same of `count` inputs, several side by side: for short ones, such as lines, four times as quick.
 * `out`: 32 bytes each, one after another. */
void evgit_blake3_many(const uint8_t *const *data, const size_t *sizes, size_t count, uint8_t *out);

/* ---- sha256.c */

/* As `evgit_choose_blake3`. */
const char *evgit_choose_sha256(int plain);

/* The SHA-256 of `size` bytes. */
void evgit_sha256(const uint8_t *data, size_t size, uint8_t out[32]);

/* RFC 6962, 2.1: SHA-256(0x00 || id), the hash of a leaf; `out` may be `id`. */
void evgit_leaf_hash(const uint8_t id[32], uint8_t out[32]);

/* RFC 6962, 2.1: SHA-256(0x01 || left || right), the hash of an inner node; `out` may be either. */
void evgit_node_hash(const uint8_t left[32], const uint8_t right[32], uint8_t out[32]);

/* ---- merkle.c */

/* A tree of `size` leaves by its peaks: the hashes of its complete subtrees, largest first. Their number is
 * that of the ones in `size`. */
struct evgit_frontier {
    uint64_t size;
    int count;
    uint8_t peaks[64][32];
};

/* Appends the leaf that holds this id. The size must be below 2^63. */
void evgit_frontier_append(struct evgit_frontier *frontier, const uint8_t id[32]);

/* The RFC 6962 root of all leaves. */
void evgit_frontier_root(const struct evgit_frontier *frontier, uint8_t out[32]);

/* ---- text.c */

/* A text that is being written, in memory of `room` bytes. `doubtful`: something did not fit, or is nothing that C
 * knows how to write. What is written from then on does not matter. */
struct evgit_text {
    uint8_t *data;
    size_t size, room;
    int doubtful;
};

void evgit_put(struct evgit_text *text, const void *data, size_t size);
void evgit_put_hex(struct evgit_text *text, const uint8_t *data, size_t size);
void evgit_put_integer(struct evgit_text *text, int64_t number);

/* An instant as all objects have times: microseconds since 0001-01-01T00:00:00Z. */
void evgit_put_time(struct evgit_text *text, int64_t instant);

/* A Python string as canonical JSON; and a value made of dicts, lists, strings, integers, True, False, None. */
void evgit_put_string(struct evgit_text *text, PyObject *string);
void evgit_put_value(struct evgit_text *text, PyObject *value);

/* ---- new_lines.c: functions of the module */

#define EVGIT_FEW_LINES 16

PyObject *evgit_py_new_event_line(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_close_block(PyObject *module, PyObject *const *args, Py_ssize_t given);

/* ---- hashing.c: functions of the module */

PyObject *evgit_py_choose_hashes(PyObject *module, PyObject *plain);
PyObject *evgit_py_blake3(PyObject *module, PyObject *data);
PyObject *evgit_py_sha256(PyObject *module, PyObject *data);
PyObject *evgit_py_hashed(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_hashed_text(PyObject *module, PyObject *text);

/* ---- json_value.c: JSON that is canonical
 *
 * All look at nothing but [at, end), and return what is behind, or NULL: not canonical, or unusual. */

#define EVGIT_JSON_ESCAPE 1u /* what a string may hold */
#define EVGIT_JSON_ASTRAL 2u /* a character beyond the BMP */

/* Behind exactly this text, if it stands here. */
const char *evgit_json_literal(const char *at, const char *end, const char *text, size_t size);

/* Behind a string, from its quote on. What it holds is added to `seen`. */
const char *evgit_json_string(const char *at, const char *end, unsigned *seen);

/* Behind an integer from 0 to 2^53-1. What follows it may make it another number. */
const char *evgit_json_size(const char *at, const char *end, uint64_t *number);

/* Behind a number of any kind. */
const char *evgit_json_number(const char *at, const char *end);

/* Behind a value of any kind. */
const char *evgit_json_value(const char *at, const char *end);

/* ---- event_line.c: stored lines of events
 *
 * Spans point into the line, and are what stands there, without the quotes of a string. */
#define EVGIT_TIME_BYTES 27

struct evgit_span {
    const char *at; /* NULL: the member is absent */
    size_t size;
};

struct evgit_event {
    struct evgit_span data, key, meta, origin, stream, type; /* no string holds an escape */
    const char *time;                                        /* EVGIT_TIME_BYTES */
    int64_t instant;
    uint32_t version;
    int has_blobs;
};

/* Is the line (without its newline) beyond doubt the canonical form of an event that obeys all rules
 * of stored ones? 0: don't know; then `event` holds nothing of use. */
int evgit_event_line(const char *line, size_t size, struct evgit_event *event);

/* May a stored event's stream have this name? It must be valid UTF-8 without escapes. */
int evgit_is_stream_name(const char *name, size_t size);

/* Microseconds since 0001-01-01T00:00:00Z of a time in the one format of `times`, else -1. */
int64_t evgit_instant(const char *text, size_t size);

/* ---- commit_line.c: stored lines of commits */

struct evgit_commit {
    uint8_t root[32], parent[32];
    uint64_t size; /* of its log */
    uint32_t events;
    int64_t instant;
};

/* Is the line (without its newline) beyond doubt the canonical form of a commit that obeys all rules, has
 * one parent, and says nothing that most commits don't? 0: don't know. */
int evgit_commit_line(const char *line, size_t size, struct evgit_commit *commit);

/* ---- chain.c: functions of the module */

PyObject *evgit_py_certified_chain(PyObject *module, PyObject *text);

/* ---- frames.c: functions of the module */

PyObject *evgit_py_declared(PyObject *module, PyObject *frames);

/* ---- wanted_lines.c: functions of the module */

PyObject *evgit_py_wanted_lines(PyObject *module, PyObject *const *args, Py_ssize_t given);

/* ---- given_line.c: lines of events that users give */

#define EVGIT_MOST_MEMBERS 1024 /* that stand in objects not yet at their ends */
#define EVGIT_MADE_LONGER 64    /* bytes by which a line is made longer, at most */
#define EVGIT_SHORTEST_LINE 50  /* shorter ones lack a member */

/* A member as it was written: the key begins at `key`, behind a quote, and the value ends at `end`. */
struct evgit_member {
    const char *key, *end;
    size_t size; /* of the key */
};

/* Memory for making a line canonical. `values` and `scratch`: each as large as the line. */
struct evgit_work {
    char *values, *scratch;
    size_t count;
    struct evgit_member members[EVGIT_MOST_MEMBERS];
};

/* Writes what must be the canonical line of this event if it is one at all, and returns where it ends.
 * NULL: don't know. `out` must have room for EVGIT_MADE_LONGER more bytes than the line has. */
char *evgit_given_line(const char *line, size_t size, char *out, struct evgit_work *work);

/* ---- event_batch.c: functions of the module */

PyObject *evgit_py_certified_lines(PyObject *module, PyObject *lines);
PyObject *evgit_py_certified_text(PyObject *module, PyObject *text);
PyObject *evgit_py_canonical_text(PyObject *module, PyObject *text);

/* ---- event_objects.c: functions of the module */

PyObject *evgit_py_event_objects(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_event_objects_plan(PyObject *module, PyObject *args);

/* ---- places.c: functions of the module */

PyObject *evgit_py_line_starts(PyObject *module, PyObject *text);
PyObject *evgit_py_lines_at(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_picked_lines(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_spans(PyObject *module, PyObject *const *args, Py_ssize_t given);

/* ---- words.c: functions of the module */

PyObject *evgit_py_sorted_words(PyObject *module, PyObject *words);
PyObject *evgit_py_columns_of_words(PyObject *module, PyObject *words);
PyObject *evgit_py_words_of_columns(PyObject *module, PyObject *columns);
PyObject *evgit_py_numbered(PyObject *module, PyObject *const *args, Py_ssize_t given);

/* ---- merkle.c: functions of the module */

PyObject *evgit_py_leaf_hash(PyObject *module, PyObject *id);
PyObject *evgit_py_node_hash(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_subtrees(PyObject *module, PyObject *args);
PyObject *evgit_py_root(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_first_wrong_root(PyObject *module, PyObject *args);

#endif
