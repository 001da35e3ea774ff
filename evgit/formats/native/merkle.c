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
