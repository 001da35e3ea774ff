"""Compares the indexes with what the blocks say, without holding either in memory.

Rows are compared one by one. Sets of words (postings, fingerprints) are compared by their number
and the sum of a hash of each word, which an honest mistake or a flipped bit does not keep.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Generator, Iterator
from contextlib import suppress
from zlib import crc32

from evgit.errors import Damage, EvgitError
from evgit.history.commit_row import CommitRow
from evgit.history.event_index import IDS, KEYS, LINE_BITS, id_words, key_fingerprint
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.history.streams import REMEMBERED_NAMES
from evgit.history.words import numbered
from evgit.maintenance.block_check import sum_of_hashes
from evgit.storage.database import fetch_all

_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


class IndexCheck:
    """Takes commits one after another, then says what does not fit."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._problems: list[str] = []
        self._count: defaultdict[int, int] = defaultdict(int)
        self._sum: defaultdict[int, int] = defaultdict(int)
        self._in_runs: dict[int, tuple[int, int]] = {}  # family -> number and sum of its words
        self._commits = 0
        self._streams: dict[str, int] = {}
        self._ends: dict[int, tuple[int, int]] = {}  # chain -> (height reached, height stored)

    def add(self, derived: CommitToIndex, row: CommitRow, id_sum: int | None = None) -> None:
        """Compare one commit's row and count its words. `id_sum`: of those of its ids, if known."""
        self._commits += 1
        parent = derived.parents[0] if derived.parents else None
        expected = (
            len(derived.ids),
            parent.height + 1 if parent else derived.height,
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
                "SELECT hash, checksum FROM merkle_nodes WHERE chain=? AND level=? AND place=?",
                (row.chain, level, place),
            )
            if stored != [(node, crc32(node))]:
                self._problems.append(f"a tree hash of commit {row.hex}'s log is wrong")
        if row.segment is not None:
            self._merged_lines(row)
        self._chain(derived, row)
        self._add(row.chain, self._postings(derived.streams, parent.size if parent else 0))
        if id_sum is None:
            id_sum = sum_of_hashes(id_words(derived.ids, derived.number))
        self._add_sum(IDS, len(derived.ids), id_sum)
        for line, stream, key in derived.keys:
            self._add(KEYS, [key_fingerprint(stream, key) << LINE_BITS | line])

    def _postings(self, streams: list[str], first_position: int) -> array[int]:
        numbers = self._streams
        found = numbered(streams, numbers, first_position)
        if isinstance(found, set):
            if not numbers:
                numbers.update(self._history.streams.all_numbers(REMEMBERED_NAMES))
            if len(numbers) > REMEMBERED_NAMES:
                numbers.clear()
            self._find_numbers(set(streams).difference(numbers))
            return self._postings(streams, first_position)
        return found

    def _merged_lines(self, row: CommitRow) -> None:
        stored = fetch_all(
            self._history.connection,
            "SELECT block, place, first_line, count FROM merged_lines WHERE number=?"
            " ORDER BY place",
            (row.number,),
        )
        expected, place = [], 0
        for first, count in row.ranges:
            expected.append((self._history.graph.owning(first).number, place, first, count))
            place += count
        if stored != expected:
            self._problems.append(f"the lines that commit {row.hex} merged are indexed wrongly")

    def _chain(self, derived: CommitToIndex, row: CommitRow) -> None:
        """A chain begins where its first commit forks off, and ends with its last commit."""
        stored = fetch_all(
            self._history.connection,
            "SELECT parent, fork_height, fork_size, height, size, frontier FROM chains"
            " WHERE number=?",
            (row.chain,),
        )
        parent = derived.parents[0] if derived.parents else None
        if not stored:
            self._problems.append(f"chain {row.chain} of commit {row.hex} is missing")
            return
        *fork, height, size, frontier = stored[0]
        if parent is None or parent.chain != row.chain:
            expected = [parent.chain, parent.height, parent.size] if parent else [None, -1, 0]
            if fork != expected:
                self._problems.append(f"chain {row.chain} does not begin with commit {row.hex}")
        if height < row.height or (
            height == row.height and (size, frontier) != (row.size, derived.frontier.to_bytes())
        ):
            self._problems.append(f"chain {row.chain} does not end as commit {row.hex} does")
        self._ends[row.chain] = (row.height, height)

    def _find_numbers(self, names: set[str]) -> None:
        found = self._history.streams.numbers(names)
        for name in sorted(names - found.keys()):
            self._problems.append(f"stream {name!r} is not in the index")
            found[name] = 0
        self._streams.update(found)

    def _add(self, family: int, words: Collection[int]) -> None:
        self._add_sum(family, len(words), sum_of_hashes(words))

    def _add_sum(self, family: int, count: int, sum_of_words: int) -> None:
        self._count[family] += count
        self._sum[family] = self._sum[family] + sum_of_words & _64_BITS

    def problems(self) -> list[str]:
        """What is wrong with the indexes; empty if nothing."""
        connection = self._history.connection
        stored = self._history.graph.count()
        if stored != self._commits:
            self._problems.append(f"the index has {stored} commits, stored are {self._commits}")
        chains = {chain for (chain,) in fetch_all(connection, "SELECT number FROM chains")}
        for chain in sorted(chains - self._ends.keys()):
            self._problems.append(f"chain {chain} has no commits")
        for chain in sorted(chains & self._ends.keys()):
            try:
                self._history.graph.chain(chain)
            except Damage as error:
                self._problems.append(error.message)
        for chain, (reached, height) in self._ends.items():
            if reached != height:
                self._problems.append(f"chain {chain} ends at height {reached}, not {height}")
        for family in sorted(chains | set(self._sum)):
            called = {IDS: "event ids", KEYS: "idempotency keys"}.get(
                family, f"streams (chain {family})"
            )
            try:
                if self._stored(family) != (self._count[family], self._sum[family]):
                    self._problems.append(f"the index of {called} does not fit the blocks")
            except Damage as error:
                self._problems.append(f"the index of {called}: {error.message}")
        return self._problems

    def look_ahead(self) -> Iterator[None]:
        """Reads sets of words for `problems`, page by page: for who has to wait for others.

        It stops where a page can't be read; `problems` says of it what is wrong.
        """
        with suppress(EvgitError, ArithmeticError, TypeError, ValueError):
            for (family,) in fetch_all(
                self._history.connection, "SELECT DISTINCT family FROM runs ORDER BY family"
            ):
                self._in_runs[family] = yield from self._read_runs(family)

    def _read_runs(self, family: int) -> Generator[None, None, tuple[int, int]]:
        count = total = 0
        for words, sound in self._history.runs.pages(family):
            if not sound:
                raise Damage("a page is out of place")
            count += len(words)
            total = total + sum_of_hashes(words) & _64_BITS
            yield
        return count, total

    def _stored(self, family: int) -> tuple[int, int]:
        history = self._history
        if family not in self._in_runs:
            reading = self._read_runs(family)
            try:
                while True:
                    next(reading)
            except StopIteration as end:
                self._in_runs[family] = end.value
        count, total = self._in_runs[family]
        if family in (IDS, KEYS):
            pending = history.events.pending(family)
        else:
            pending = history.streams.pending(family)
        return count + len(pending), total + sum_of_hashes(pending) & _64_BITS
