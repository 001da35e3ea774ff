/* The log's tree (RFC 6962, section 2.1, over ids of 32 bytes): twins of formats/merkle.py. */

#include "native.h"

#include <string.h>

void
evgit_frontier_append(struct evgit_frontier *frontier, const uint8_t id[32])
{
    uint8_t node[32];
    evgit_leaf_hash(id, node);
    for (uint64_t size = frontier->size; size & 1; size >>= 1) {
        frontier->count--;
        evgit_node_hash(frontier->peaks[frontier->count], node, node);
    }
    memcpy(frontier->peaks[frontier->count++], node, 32);
    frontier->size++;
}

void
evgit_frontier_root(const struct evgit_frontier *frontier, uint8_t out[32])
{
    if (frontier->count == 0) {
        evgit_sha256((const uint8_t *)"", 0, out);
        return;
    }
    uint8_t root[32];
    memcpy(root, frontier->peaks[frontier->count - 1], 32);
    for (int i = frontier->count - 2; i >= 0; i--)
        evgit_node_hash(frontier->peaks[i], root, root);
    memcpy(out, root, 32);
}

/* ------------------------------------------------------------------ functions of the module */

/* The SHA-256 of a byte and of what stands in one or two places, which need not be 32 bytes long. */
static PyObject *
hashed_with_prefix(uint8_t prefix, const Py_buffer *left, const Py_buffer *right)
{
    uint8_t out[32];
    size_t more = right == NULL ? 0 : (size_t)right->len;
    if (left->len == 32 && right == NULL) {
        evgit_leaf_hash(left->buf, out);
    } else if (left->len == 32 && more == 32) {
        evgit_node_hash(left->buf, right->buf, out);
    } else {
        if ((size_t)left->len > (size_t)PY_SSIZE_T_MAX - 1 - more)
            return PyErr_NoMemory();
        uint8_t *joined = PyMem_Malloc(1 + (size_t)left->len + more);
        if (joined == NULL)
            return PyErr_NoMemory();
        joined[0] = prefix;
        memcpy(joined + 1, left->buf, (size_t)left->len);
        if (more > 0)
            memcpy(joined + 1 + left->len, right->buf, more);
        evgit_sha256(joined, 1 + (size_t)left->len + more, out);
        PyMem_Free(joined);
    }
    return PyBytes_FromStringAndSize((const char *)out, 32);
}

/* (id: Buffer) -> bytes: as `leaf_hash` in Python. */
PyObject *
evgit_py_leaf_hash(PyObject *module, PyObject *id)
{
    Py_buffer view;
    if (PyObject_GetBuffer(id, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *hash = hashed_with_prefix(0, &view, NULL);
    PyBuffer_Release(&view);
    return hash;
}

/* (left: Buffer, right: Buffer) -> bytes: as `node_hash` in Python. */
PyObject *
evgit_py_node_hash(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer left, right;
    if (given != 2) {
        PyErr_SetString(PyExc_TypeError, "node_hash(left, right)");
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &left, PyBUF_SIMPLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(args[1], &right, PyBUF_SIMPLE) < 0) {
        PyBuffer_Release(&left);
        return NULL;
    }
    PyObject *hash = hashed_with_prefix(1, &left, &right);
    PyBuffer_Release(&left);
    PyBuffer_Release(&right);
    return hash;
}

/* The leaves' hashes of `count` ids. */
static void
hash_leaves(const uint8_t *ids, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++)
        evgit_leaf_hash(ids + 32 * i, out + 32 * i);
}

/* Hashes pairs of nodes that stand one after another into the first half of their place. */
static void
hash_pairs(uint8_t *nodes, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++)
        evgit_node_hash(nodes + 64 * i, nodes + 64 * i + 32, nodes + 32 * i);
}

/* Appends what Py_BuildValue makes to a list. */
static int
append_built(PyObject *list, PyObject *built)
{
    if (built == NULL)
        return -1;
    int failed = PyList_Append(list, built);
    Py_DECREF(built);
    return failed;
}

/* Goes up level by level from the leaves' hashes in `hashes`. Pieces on the right edge come into `right`, in
 * the order in which they are found, for the caller to turn around. */
static int
climb(uint8_t *hashes, size_t count, uint64_t index, int kept, PyObject *left, PyObject *right, PyObject *nodes)
{
    for (int level = 0; count > 0; level++, index >>= 1, count >>= 1) {
        for (size_t i = 0; level >= kept && i < count; i++)
            if (append_built(nodes, Py_BuildValue("(iKy#)", level, (unsigned long long)(index + i),
                                                  (char *)hashes + 32 * i, (Py_ssize_t)32)) < 0)
                return -1;
        if (index & 1) {
            if (append_built(left, Py_BuildValue("(iy#)", level, (char *)hashes, (Py_ssize_t)32)) < 0)
                return -1;
            hashes += 32;
            count--;
            index++;
        }
        if ((count & 1) && append_built(right, Py_BuildValue("(iy#)", level, (char *)hashes + 32 * (count - 1),
                                                             (Py_ssize_t)32)) < 0)
            return -1;
        if (count < 256) {
            hash_pairs(hashes, count / 2);
        } else {
            Py_BEGIN_ALLOW_THREADS
            hash_pairs(hashes, count / 2);
            Py_END_ALLOW_THREADS
        }
    }
    return 0;
}

/* Reads a number of leaves. 0: it is none, or more than any log has. */
static int
read_size(PyObject *number, uint64_t *size)
{
    int overflow;
    if (!PyLong_Check(number))
        return 0;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0 || value < 0 || value >> 62)
        return 0;
    *size = (uint64_t)value;
    return 1;
}

/* (ids: bytes, start: int, kept: int) -> (pieces, nodes) | None: as `subtrees` in Python. */
PyObject *
evgit_py_subtrees(PyObject *module, PyObject *args)
{
    PyObject *ids, *first;
    uint64_t start;
    int kept;
    if (!PyArg_ParseTuple(args, "O!Oi", &PyBytes_Type, &ids, &first, &kept))
        return NULL;
    Py_ssize_t bytes = PyBytes_GET_SIZE(ids);
    if (bytes % 32 || !read_size(first, &start))
        Py_RETURN_NONE;
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(ids);
    uint8_t *hashes = PyMem_Malloc(bytes > 0 ? (size_t)bytes : 1);
    PyObject *left = PyList_New(0), *right = PyList_New(0), *nodes = PyList_New(0), *found = NULL;
    if (hashes == NULL || left == NULL || right == NULL || nodes == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    hash_leaves(data, (size_t)bytes / 32, hashes);
    Py_END_ALLOW_THREADS
    if (climb(hashes, (size_t)bytes / 32, start, kept, left, right, nodes) < 0 || PyList_Reverse(right) < 0 ||
        PyList_SetSlice(left, PyList_GET_SIZE(left), PyList_GET_SIZE(left), right) < 0)
        goto done;
    found = PyTuple_Pack(2, left, nodes);
done:
    PyMem_Free(hashes);
    Py_XDECREF(left);
    Py_XDECREF(right);
    Py_XDECREF(nodes);
    return found;
}

/* Reads a frontier from its size and a list of peaks. 0: these are not its peaks. */
static int
read_frontier(struct evgit_frontier *frontier, PyObject *size, PyObject *peaks)
{
    if (!read_size(size, &frontier->size) || !PyList_Check(peaks) ||
        PyList_GET_SIZE(peaks) != __builtin_popcountll(frontier->size))
        return 0;
    frontier->count = (int)PyList_GET_SIZE(peaks);
    for (int i = 0; i < frontier->count; i++) {
        PyObject *peak = PyList_GET_ITEM(peaks, i);
        if (!PyBytes_Check(peak) || PyBytes_GET_SIZE(peak) != 32)
            return 0;
        memcpy(frontier->peaks[i], PyBytes_AS_STRING(peak), 32);
    }
    return 1;
}

static PyObject *
listed_peaks(const struct evgit_frontier *frontier)
{
    PyObject *peaks = PyList_New(frontier->count);
    for (int i = 0; peaks != NULL && i < frontier->count; i++) {
        PyObject *peak = PyBytes_FromStringAndSize((const char *)frontier->peaks[i], 32);
        if (peak == NULL)
            Py_CLEAR(peaks);
        else
            PyList_SET_ITEM(peaks, i, peak);
    }
    return peaks;
}

/* (size: int, peaks: list[bytes]) -> bytes | None: the root of the frontier. */
PyObject *
evgit_py_root(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    struct evgit_frontier frontier;
    uint8_t root[32];
    if (given != 2) {
        PyErr_SetString(PyExc_TypeError, "root(size, peaks)");
        return NULL;
    }
    if (!read_frontier(&frontier, args[0], args[1]))
        Py_RETURN_NONE;
    evgit_frontier_root(&frontier, root);
    return PyBytes_FromStringAndSize((const char *)root, 32);
}

/* Appends as many ids as each of `counts` says and compares roots. Gives the first that is wrong, or `times`. */
static size_t
compare_roots(struct evgit_frontier *frontier, const uint8_t *ids, const size_t *counts, size_t times,
              const uint8_t *roots)
{
    for (size_t i = 0; i < times; i++) {
        uint8_t root[32];
        for (size_t id = 0; id < counts[i]; id++, ids += 32)
            evgit_frontier_append(frontier, ids);
        evgit_frontier_root(frontier, root);
        if (memcmp(root, roots + 32 * i, 32) != 0)
            return i;
    }
    return times;
}

/* (size: int, peaks: list[bytes], ids: bytes, counts: Sequence[int], roots: bytes)
 * -> (int | None, int, list[bytes]) | None: as `first_wrong_root` in Python; then the frontier. */
PyObject *
evgit_py_first_wrong_root(PyObject *module, PyObject *args)
{
    PyObject *size, *peaks, *ids, *given, *roots;
    if (!PyArg_ParseTuple(args, "OOO!OO!", &size, &peaks, &PyBytes_Type, &ids, &given, &PyBytes_Type, &roots))
        return NULL;
    struct evgit_frontier frontier;
    if (!read_frontier(&frontier, size, peaks))
        Py_RETURN_NONE;
    PyObject *numbers = PySequence_Tuple(given);
    if (numbers == NULL)
        return NULL;
    Py_ssize_t times = PyTuple_GET_SIZE(numbers);
    uint64_t left = (uint64_t)PyBytes_GET_SIZE(ids) / 32;
    size_t *counts = PyMem_New(size_t, times > 0 ? times : 1);
    PyObject *answer = NULL;
    if (counts == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    int fits = PyBytes_GET_SIZE(roots) / 32 >= times;
    for (Py_ssize_t i = 0; fits && i < times; i++) {
        uint64_t count;
        fits = read_size(PyTuple_GET_ITEM(numbers, i), &count) && count <= left;
        if (fits) {
            counts[i] = (size_t)count;
            left -= count;
        }
    }
    if (!fits) {
        answer = Py_None;
        Py_INCREF(answer);
        goto done;
    }
    size_t wrong;
    const uint8_t *id_bytes = (const uint8_t *)PyBytes_AS_STRING(ids);
    const uint8_t *root_bytes = (const uint8_t *)PyBytes_AS_STRING(roots);
    Py_BEGIN_ALLOW_THREADS
    wrong = compare_roots(&frontier, id_bytes, counts, (size_t)times, root_bytes);
    Py_END_ALLOW_THREADS
    PyObject *moved = listed_peaks(&frontier);
    if (moved == NULL)
        goto done;
    if (wrong == (size_t)times)
        answer = Py_BuildValue("(OKN)", Py_None, (unsigned long long)frontier.size, moved);
    else
        answer = Py_BuildValue("(nKN)", (Py_ssize_t)wrong, (unsigned long long)frontier.size, moved);
done:
    PyMem_Free(counts);
    Py_DECREF(numbers);
    return answer;
}
