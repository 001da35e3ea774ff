/* What the files of the native part share. Nothing here knows a repository, nor Python's own objects
 * but where that is said. */

#ifndef EVGIT_NATIVE_H
#define EVGIT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

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

/* ---- hashing.c: functions of the module */

PyObject *evgit_py_choose_hashes(PyObject *module, PyObject *plain);
PyObject *evgit_py_blake3(PyObject *module, PyObject *data);
PyObject *evgit_py_sha256(PyObject *module, PyObject *data);
PyObject *evgit_py_hashed(PyObject *module, PyObject *const *args, Py_ssize_t given);
PyObject *evgit_py_hashed_text(PyObject *module, PyObject *text);

#endif
