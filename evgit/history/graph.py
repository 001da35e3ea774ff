"""The commit DAG as rows: who is whose parent, which commits form a first-parent chain, who holds
a position. It knows numbers and lines, not events.

A **chain** is a stretch of commits each of which is the first parent of the next. A commit whose
first parent is the last of its chain continues it; otherwise a new chain forks off. So
a branch's first-parent history is a few stretches of chains (its lineage), and finding the commit
that holds a position is one index look-up in one of them. A chain's parent and fork never change.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import apsw

from evgit.errors import UnknownObject
from evgit.formats.canonical import id_bytes
from evgit.history.boundaries import Boundaries, behind
from evgit.history.commit_row import CommitRow, damaged_index
from evgit.history.commit_table import ANY_HEIGHT, CommitTable, PagePart
from evgit.history.line_ranges import LineRange, clipped
from evgit.storage.blocks import BlockStore
from evgit.storage.database import Answers, fetch_all, fetch_one

if TYPE_CHECKING:
    from evgit.storage.sorted_runs import SortedRuns

REMEMBERED_LINEAGES = 16
_SEVEN_NUMBERS = struct.Struct("<7q").pack


class ChainRow(NamedTuple):
    """A chain in the index: where it forked off, and its last commit with the log's frontier.

    `covered`: how far (log size) the chain's postings are in runs.
    """

    number: int
    parent: int | None
    fork_height: int
    fork_size: int
    height: int
    size: int
    covered: int
    frontier: bytes

    def checksum(self) -> int:
        """CRC-32 of the row, kept beside it."""
        parent = -1 if self.parent is None else self.parent
        return crc32(_SEVEN_NUMBERS(self.number, parent, *self[2:7]) + self.frontier)


class Stretch(NamedTuple):
    """Part of a lineage: commits of `chain` up to `height` hold the positions [start, end)."""

    chain: int
    start: int
    end: int
    height: int


class CommitGraph:
    """Looks commits up. All ids are 32-byte digests here."""

    def __init__(
        self, connection: apsw.Connection, blocks: BlockStore, runs: Callable[[], SortedRuns]
    ) -> None:
        self._connection = connection
        self.table = CommitTable(connection, blocks, runs)
        self.boundaries = Boundaries(connection)
        self._chains: dict[int, tuple[int | None, int, int]] = {}
        self._lineages: dict[tuple[int, int, int], list[Stretch]] = {}
        self._answers = Answers(connection)

    # ------------------------------------------------------------------ single commits
    def find(self, commit_id: bytes) -> CommitRow | None:
        """The commit with this id, or None."""
        return self.table.find(commit_id)

    def get(self, commit_id: str) -> CommitRow:
        """The commit with this id (hex). Raises UnknownObject."""
        known = self._answers.known()
        row: CommitRow | None = known.get(commit_id)
        if row is None:
            row = self.find(id_bytes(commit_id))
            if row is None:
                raise UnknownObject(f"there is no commit {commit_id}")
            known[commit_id] = row
        return row

    def by_number(self, number: int) -> CommitRow:
        """The commit whose block starts at this line."""
        row = self.table.by_number(number)
        if row is None:
            raise UnknownObject(
                f"there is no commit at line {number}", hint="`evgit reindex` rebuilds the index"
            )
        return row

    def up_to(self, number: int, limit: int) -> list[CommitRow]:
        """The last commits whose blocks start at this line or before, the newest first."""
        return self.table.up_to(number, limit)

    def owning(self, line: int) -> CommitRow:
        """The commit whose block holds a line."""
        row = self.table.owning(line)
        if row is None:
            raise UnknownObject(
                f"no commit holds line {line}", hint="`evgit reindex` rebuilds the index"
            )
        return row

    def with_prefix(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Ids of commits between two 32-byte bounds, both included."""
        return self.table.ids_between(low, high, limit)

    def count(self) -> int:
        """How many commits are stored."""
        return self.table.count()

    # ------------------------------------------------------------------ first-parent chains
    def lineage(self, row: CommitRow) -> list[Stretch]:
        """The first-parent history of a commit as stretches of chains, newest first; not to be
        changed."""
        chain, height, end = key = row.chain, row.height, row.size
        known = self._lineages.get(key)
        if known is not None:
            return known
        if len(self._lineages) >= REMEMBERED_LINEAGES:
            self._lineages.clear()
        stretches = self._lineages[key] = self._stretches(chain, height, end)
        return stretches

    def _stretches(self, chain: int, height: int, end: int) -> list[Stretch]:
        stretches = []
        while True:
            parent, fork_height, fork_size = self._chain(chain)
            stretches.append(Stretch(chain, fork_size, end, height))
            if parent is None:
                return stretches
            chain, height, end = parent, fork_height, fork_size

    def _chain(self, number: int) -> tuple[int | None, int, int]:
        known = self._chains.get(number)
        if known is None:
            row = self.chain(number)
            known = self._chains[number] = (row.parent, row.fork_height, row.fork_size)
        return known

    def chain(self, number: int) -> ChainRow:
        """A chain as it is now. Raises Damage where its row is not what was written."""
        values = fetch_one(
            self._connection,
            "SELECT number, parent, fork_height, fork_size, height, size, covered, frontier,"
            " checksum FROM chains WHERE number=?",
            (number,),
        )
        if values is not None:
            row = ChainRow(*values[:-1])
            with suppress(struct.error, TypeError):  # not even of the right type
                if row.checksum() == values[-1]:
                    return row
        raise damaged_index(f"the row of chain {number} is not what it was")

    # ------------------------------------------------------------------ where history ends
    def bottom(self, row: CommitRow) -> CommitRow:
        """The last commit of the first-parent chain that is here: the root, or a boundary."""
        found = self.table.next(self.lineage(row)[-1].chain, -1)
        if found is None:
            raise damaged_index(f"the chain of commit {row.hex} has no commits")
        return found

    def boundary_of(self, row: CommitRow) -> CommitRow | None:
        """The boundary that the first-parent chain ends at; None where all of it is here."""
        if not self.boundaries:
            return None
        bottom = self.bottom(row)
        return None if self.boundaries.get(bottom.number) is None else bottom

    def refuse_boundary(self, row: CommitRow) -> None:
        """Raise BehindBoundary for a commit whose parents and events are not here."""
        if row.parent is None and self.boundaries.get(row.number) is not None:
            raise behind(row.hex, row.size)

    def _refuse_absent(self, row: CommitRow, positions: Sequence[int]) -> None:
        """Raise BehindBoundary where a boundary is to give an event that is not here."""
        if row.parent is None and self.boundaries.get(row.number) is not None:
            for position in positions:
                if position < row.size and row.line_at(position) in self.boundaries:
                    raise behind(row.hex, row.size)

    def forget_chains(self) -> None:
        """Forget what was remembered, after a roll-back or a re-index."""
        self._chains.clear()
        self._lineages.clear()

    def on_first_parents(self, ancestor: CommitRow, row: CommitRow) -> bool:
        """Is `ancestor` on the first-parent chain of `row` (or `row` itself)?"""
        if ancestor.height > row.height:
            return False
        return not ancestor.height or any(
            stretch.chain == ancestor.chain and ancestor.height <= stretch.height
            for stretch in self.lineage(row)
        )

    def holding(self, row: CommitRow, position: int) -> CommitRow:
        """The commit of `row`'s first-parent chain that added the event at `position`."""
        if not 0 <= position < row.size:
            raise UnknownObject(
                f"commit {row.hex[:12]} has a log of {row.size} events: no position {position}"
            )
        for stretch in self.lineage(row):
            if position >= stretch.start:
                found = self.table.next(stretch.chain, position)
                if found is not None:
                    self._refuse_absent(found, [position])
                    return found
                break
        raise UnknownObject(
            f"no commit holds position {position}", hint="`evgit reindex` rebuilds the index"
        )

    def lines_of(self, row: CommitRow, positions: list[int]) -> list[int]:
        """The lines of the events at ascending positions, with one statement for each stretch."""
        lines: list[int] = []
        for stretch in reversed(self.lineage(row)):
            end = bisect_left(positions, min(stretch.end, row.size), len(lines))
            wanted = positions[len(lines) : end]
            if not wanted:
                continue
            found = self.table.lines_of(stretch.chain, wanted)
            lines += found
            if len(found) < len(wanted):
                break
        if len(lines) < len(positions):
            self.holding(row, positions[len(lines)])  # says what is wrong with it
            raise damaged_index(f"no commit holds one of {len(positions)} positions")
        return lines

    def at_height(self, row: CommitRow, height: int) -> CommitRow:
        """The commit of `row`'s first-parent chain that has `height` first parents before it."""
        if height == row.height:
            return row
        for stretch in self.lineage(row):
            parent, fork_height, fork_size = self._chain(stretch.chain)
            if parent is not None and height <= fork_height:
                continue
            if parent is None and height < self.bottom(row).height:
                self.refuse_boundary(self.bottom(row))
            # Sizes grow with height: a binary search over sizes, then a walk among equal ones.
            # Where all commits have as many events, the first guess finds it.
            low, high = fork_size, stretch.end
            share = (height - fork_height) / max(1, stretch.height - fork_height)
            guess: int | None = low + int(share * (high - low) + 0.5) - 1
            while low < high:
                middle = (low + high) // 2
                if guess is not None and low <= guess < high:
                    middle = guess
                guess = None
                probe = self.table.next(stretch.chain, middle)
                if probe is not None and probe.height == height:
                    return probe
                if probe is None or probe.height > height:
                    high = middle
                else:
                    low = middle + 1
            among = self.table.ascending(
                stretch.chain, low - 1, ANY_HEIGHT, stretch.end, stretch.height
            )
            found = next((each for each in among if each.height >= height), None)
            if found is not None and found.height == height:
                return found
            break
        raise UnknownObject(
            f"no commit at height {height}", hint="`evgit reindex` rebuilds the index"
        )

    def chain_from(self, row: CommitRow, position: int) -> Iterator[CommitRow]:
        """The first-parent chain in order, from the commit that holds `position` up to `row`."""
        for piece in self._pieces_from(row, position):
            if isinstance(piece, CommitRow):
                yield piece
            elif (pages := self.table.pages) is not None:
                yield from pages.rows(*piece)

    def _pieces_from(self, row: CommitRow, position: int) -> Iterator[CommitRow | PagePart]:
        """The same, those of a page together."""
        for stretch in reversed(self.lineage(row)):
            if stretch.end <= position and stretch.chain != row.chain:
                continue
            start = max(position, stretch.start)
            yield from self.table.pieces(
                stretch.chain, start, ANY_HEIGHT, stretch.end, stretch.height
            )

    def first_parents(self, row: CommitRow) -> Iterator[CommitRow]:
        """The first-parent chain, newest first, from `row` to the root."""
        for stretch in self.lineage(row):
            yield from self.table.descending(stretch.chain, stretch.end, stretch.height + 1)

    def recorded_by(self, row: CommitRow, instant: int) -> CommitRow | None:
        """The last commit of the first-parent chain whose time is not after `instant`.

        Times never decrease along the chain, so this is a binary search by log size within one
        stretch; commits of equal size are told apart by walking.
        """
        for stretch in self.lineage(row):
            first = self.table.next(stretch.chain, -1)
            if first is None or first.time > instant:
                continue
            low, high = first.size, stretch.end
            while low < high:  # the largest size at which some commit's time is <= instant
                middle = (low + high + 1) // 2
                probe = self.table.next(stretch.chain, middle - 1)
                if probe is None or probe.height > stretch.height or probe.time > instant:
                    high = middle - 1
                else:
                    low = max(middle, min(probe.size, high))
            height = stretch.height + 1 if low == stretch.end else ANY_HEIGHT
            for found in self.table.descending(stretch.chain, low, height):
                if found.time <= instant and found.height <= stretch.height:
                    return found
        return None

    def fork_size(self, a: CommitRow, b: CommitRow) -> int:
        """Log size at the last commit that both first-parent chains share (0: only the root)."""
        ours = {stretch.chain: stretch for stretch in self.lineage(a)}
        for stretch in self.lineage(b):
            mine = ours.get(stretch.chain)
            if mine is not None:
                return min(mine.end, stretch.end)
        return 0

    def log_ranges(self, row: CommitRow, start: int, stop: int) -> Iterator[LineRange]:
        """Lines of the events at positions [start, stop) of the commit's log, in order."""
        if start >= stop:
            return
        for commit in self._pieces_from(row, start):
            if not isinstance(commit, CommitRow):
                page, first, end = commit
                if not page.size_at(first) <= start < page.size_at(end):
                    continue  # none of them adds anything
                yield from page.ranges(first, end, start, stop)
                start = page.size_at(end)
                if start >= stop:
                    return
                continue
            added = commit.added
            before = commit.size - added
            if not added and before == start:
                continue
            if not before <= start < commit.size:
                break
            yield from clipped(commit.ranges, start - before, stop - before)
            start = commit.size
            if start >= stop:
                return
        raise damaged_index(f"no commit of {row.hex}'s history holds position {start}")

    def position_of(self, row: CommitRow, line: int) -> int | None:
        """Where the event stored on `line` stands in the commit's log; None if it does not."""
        owner = self.owning(line)
        candidates: list[tuple[CommitRow, int]] = []
        if owner.segment is None:
            candidates.append((owner, line - owner.number))
        for number, place, first, count in fetch_all(
            self._connection,
            "SELECT number, place, first_line, count FROM merged_lines WHERE block=?",
            (owner.number,),
        ):
            if first <= line < first + count:
                candidates.append((self.by_number(number), place + line - first))
        for commit, place in candidates:
            if self.on_first_parents(commit, row):
                return commit.size - commit.added + place
        return None

    # ------------------------------------------------------------------ whole ancestry
    def ancestors(self, rows: list[CommitRow]) -> Iterator[CommitRow]:
        """These commits and all their ancestors, each once, children before their parents.

        Parents are stored before their children, so descending numbers are a topological order.
        """
        heap: list[int] = []
        seen: set[int] = set()
        known: dict[int, Any] = {}
        for row in rows:
            if row.number not in seen:
                seen.add(row.number)
                known[row.number] = row
                heappush(heap, -row.number)
        while heap:
            number = -heappop(heap)
            row = known.pop(number, None) or self.by_number(number)
            seen.discard(number)
            yield row
            for parent in row.parents:
                if parent not in seen:
                    seen.add(parent)
                    heappush(heap, -parent)
