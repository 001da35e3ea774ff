"""The Merkle tree over a log's event ids (RFC 6962), kept so that any tree hash costs O(log n).

Complete subtrees of 256 or more leaves are stored with the chain on which they were completed; the
frontier of a chain's last commit is stored whole. Everything else is hashed again when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

import apsw

from evgit.formats.merkle import Frontier
from evgit.history.commit_row import CommitRow, damaged_index
from evgit.history.graph import CommitGraph
from evgit.storage.database import fetch_one

KEPT_LEVEL = 8  # subtrees of 2**8 leaves and more are stored


class MerkleLog:
    """Stores and finds subtree hashes. Writing needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection, graph: CommitGraph) -> None:
        self._connection = connection
        self._graph = graph

    def store(self, chain: int, nodes: list[tuple[int, int, bytes]]) -> None:
        """Keep complete subtrees: (level, index from the left, hash)."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO merkle_nodes(chain, level, place, hash, checksum)"
            " VALUES(?,?,?,?,?)",
            [(chain, level, place, node, crc32(node)) for level, place, node in nodes],
        )

    def frontier(
        self, row: CommitRow, size: int, ids: Callable[[int, int], Iterator[bytes]]
    ) -> Frontier:
        """The frontier of the first `size` events of a commit's log.

        `ids(start, stop)` gives event ids by position; at most the last 255 are asked for.
        """
        if size == row.size:
            chain = self._graph.chain(row.chain)
            if chain.height == row.height:
                return _frontier(size, chain.frontier)
        complete = size >> KEPT_LEVEL << KEPT_LEVEL
        peaks, start = [], 0
        for level in range(complete.bit_length() - 1, KEPT_LEVEL - 1, -1):
            if complete >> level & 1:
                peaks.append(self._node(row, level, start >> level))
                start += 1 << level
        frontier = _frontier(complete, b"".join(peaks))
        if size > complete:
            frontier.extend(list(ids(complete, size)), None)
        return frontier

    def _node(self, row: CommitRow, level: int, place: int) -> bytes:
        end = (place + 1) << level  # completed by the event at position end - 1
        for stretch in self._graph.lineage(row):
            if end > stretch.start:
                found = fetch_one(
                    self._connection,
                    "SELECT hash, checksum FROM merkle_nodes WHERE chain=? AND level=? AND place=?",
                    (stretch.chain, level, place),
                )
                if found is not None and crc32(found[0] or b"") == found[1]:
                    return bytes(found[0])
                break
        raise damaged_index(f"the hash of events {place << level} to {end - 1} is missing or wrong")


def _frontier(size: int, peaks: bytes) -> Frontier:
    try:
        return Frontier.from_bytes(size, peaks)
    except ValueError as error:
        raise damaged_index(str(error)) from None
