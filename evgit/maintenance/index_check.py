"""Compares the indexes with what the blocks say, without holding either in memory.

Rows are compared one by one. Sets of words (postings, fingerprints) are compared by their number
and their sum modulo 2^64, which an honest mistake or a flipped bit does not keep.
"""

from __future__ import annotations

from collections import defaultdict

from evgit.history.event_index import IDS, KEYS, LINE_BITS, id_fingerprint, key_fingerprint
from evgit.history.graph import CommitRow
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.history.streams import POSITION_BITS
from evgit.storage.database import fetch_all

_MASK = (1 << 64) - 1


class IndexCheck:
    """Takes commits one after another, then says what does not fit."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._problems: list[str] = []
        self._count: defaultdict[int, int] = defaultdict(int)
        self._sum: defaultdict[int, int] = defaultdict(int)
        self._commits = 0
        self._streams: dict[str, int] = {}

    def add(self, derived: CommitToIndex, row: CommitRow) -> None:
        """Compare one commit's row and count its words."""
        self._commits += 1
        parent = derived.parents[0] if derived.parents else None
        expected = (
            len(derived.ids),
            parent.height + 1 if parent else 0,
            derived.frontier.size,
            derived.time,
            [p.number for p in derived.parents],
            derived.segment,
            sorted(derived.held_back),
        )
        actual = (
            row.events,
            row.height,
            row.size,
            row.time,
            row.parents,
            None if row.segment is None else row.ranges,
            self._history.indexer.held_back_lines(row),
        )
        if expected != actual:
            self._problems.append(f"the index row of commit {row.hex} is wrong")
        for level, place, node in derived.nodes:
            stored = fetch_all(
                self._history.connection,
                "SELECT hash FROM merkle_nodes WHERE chain=? AND level=? AND place=?",
                (row.chain, level, place),
            )
            if stored != [(node,)]:
                self._problems.append(f"a tree hash of commit {row.hex}'s log is wrong")
        if derived.streams:
            first = parent.size if parent else 0
            numbers = [self._number(name) for name in derived.streams]
            self._add(
                row.chain,
                sum(numbers) << POSITION_BITS,
                sum(range(first, first + len(numbers))),
                len(numbers),
            )
        if derived.ids:
            lines = sum(range(derived.number, derived.number + len(derived.ids)))
            prints = sum(map(id_fingerprint, derived.ids)) << LINE_BITS
            self._add(IDS, prints, lines, len(derived.ids))
        for line, stream, key in derived.keys:
            self._add(KEYS, key_fingerprint(stream, key) << LINE_BITS, line, 1)

    def _number(self, name: str) -> int:
        number = self._streams.get(name)
        if number is None:
            number = self._history.streams.number(name)
            if number is None:
                self._problems.append(f"stream {name!r} is not in the index")
                number = 0
            if len(self._streams) > 100_000:
                self._streams.clear()
            self._streams[name] = number
        return number

    def _add(self, family: int, high: int, low: int, count: int) -> None:
        self._sum[family] += high + low
        self._count[family] += count

    def problems(self) -> list[str]:
        """What is wrong with the indexes; empty if nothing."""
        connection = self._history.connection
        (stored,) = fetch_all(connection, "SELECT count(*) FROM commits")
        if stored[0] != self._commits:
            self._problems.append(f"the index has {stored[0]} commits, stored are {self._commits}")
        chains = {chain for (chain,) in fetch_all(connection, "SELECT number FROM chains")}
        for family in sorted(chains | set(self._sum)):
            count, total = self._stored(family)
            if (count, total) != (self._count[family], self._sum[family] & _MASK):
                called = {IDS: "event ids", KEYS: "idempotency keys"}.get(
                    family, f"streams (chain {family})"
                )
                self._problems.append(f"the index of {called} does not fit the blocks")
        return self._problems

    def _stored(self, family: int) -> tuple[int, int]:
        history = self._history
        count = total = 0
        for words in history.runs.chunks(family):
            count += len(words)
            total += sum(words)
        if family in (IDS, KEYS):
            pending = history.events.pending(family)
        else:
            pending = history.streams.pending(family)
        return count + len(pending), (total + sum(pending)) & _MASK
