"""Writes everything that can be derived from a commit into the indexes.

Appending, merging and re-indexing all come through here, so that an index made again is the index
that was. It knows lines, ids and streams; what events mean is not its business.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import apsw
import msgspec

from evgit.formats.closing import Closed
from evgit.formats.hashing import ID_BYTES
from evgit.formats.merkle import Frontier
from evgit.history.commit_row import CommitRow
from evgit.history.event_index import PENDING_LINES, EventIndex, short_fingerprints
from evgit.history.graph import ChainRow, CommitGraph
from evgit.history.line_ranges import LineRange, decode_ranges, encode_ranges
from evgit.history.merkle_log import MerkleLog
from evgit.history.streams import PENDING_POSTINGS, StreamIndex
from evgit.storage.database import fetch_all, fetch_one

LEAST_EVENTS = max(PENDING_LINES, PENDING_POSTINGS)
"""With so many more events, nothing of the commits that bring them stays in their own rows."""


class CommitToIndex(msgspec.Struct):
    """A commit as the indexes see it.

    `ids`: of the block's event lines (an `again` line: of the event that it names). `keys`: (line,
    stream, key) of own events that have one. `segment`: lines added to the first parent's log, None
    where they are just the block's own. `streams` and `frontier`: of and after those lines, in log
    order; `nodes`: subtrees that became complete. `held_back`: lines of X(c). `height`: where it
    does not follow from the parents, which are not here.
    """

    number: int
    id: bytes
    time: int
    parents: list[CommitRow]
    ids: Sequence[bytes]
    streams: list[str]
    frontier: Frontier
    nodes: list[tuple[int, int, bytes]]
    keys: Sequence[tuple[int, str, str]] = ()
    segment: list[LineRange] | None = None
    held_back: list[int] = []
    height: int = 0


class ChainToIndex(msgspec.Struct):
    """Commits as the indexes see them, each the first and only parent of the next.

    `parent`: of the first. `numbers`, `counts` and `times`: of the commits; `ids`: theirs, and
    `event_ids`, those of their events, one after another; `streams` and `keys`: of all the events,
    which are their own, stored nowhere else, and at least LEAST_EVENTS. `frontier`: after the last;
    `nodes`: subtrees that became complete.
    """

    parent: CommitRow
    numbers: Sequence[int]
    ids: bytes
    counts: Sequence[int]
    times: Sequence[int]
    event_ids: bytes
    streams: list[str]
    keys: Sequence[tuple[int, str, str]]
    frontier: Frontier
    nodes: list[tuple[int, int, bytes]]


class Indexer:
    """Writes index rows. Every method needs the caller's write transaction."""

    def __init__(
        self,
        connection: apsw.Connection,
        graph: CommitGraph,
        streams: StreamIndex,
        events: EventIndex,
        merkle: MerkleLog,
    ) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._graph = graph
        self._streams = streams
        self._events = events
        self._merkle = merkle
        self._last: ChainRow | None = None

    def index(self, commit: CommitToIndex) -> CommitRow:
        """Add one commit, whose parents are indexed already."""
        parent = commit.parents[0] if commit.parents else None
        size = commit.frontier.size
        first_position = parent.size if parent else 0
        chain_row = self._chain_for(parent)
        chain, covered = chain_row.number, chain_row.covered
        height = parent.height + 1 if parent else commit.height
        kept: bytes | None = None
        if commit.streams:
            postings = self._streams.postings(commit.streams, first_position)
            kept, covered = self._streams.add(chain, covered, size, postings)
        next_line = commit.number + len(commit.ids) + 1
        prints: bytes | None = None
        keys: bytes | None = None
        if commit.ids:
            prints, keys = self._events.add(commit.number, next_line, commit.ids, commit.keys)
        row = CommitRow(
            commit.number,
            commit.id,
            len(commit.ids),
            chain,
            height,
            size,
            commit.time,
            parent.number if parent else None,
            array("Q", [p.number for p in commit.parents[1:]]).tobytes() or None,
            None if commit.segment is None else encode_ranges(commit.segment),
            self._held_back(commit, parent),
        )
        self._write(row, kept or None, prints or None, keys)
        if commit.segment is not None:
            self._remember_merged_lines(commit.number, commit.segment)
        if commit.nodes:
            self._merkle.store(chain, commit.nodes)
        self._end_chain(chain_row, height, size, covered, commit.frontier.to_bytes())
        return row

    def has_room(self, parent: CommitRow, number: int, events: int) -> bool:
        """Can `index_next` take a child of `parent`, with its block at line `number`?"""
        last = self._last
        return (
            last is not None
            and last.number == parent.chain
            and last.height == parent.height
            and last.size + events - last.covered < PENDING_POSTINGS
            and self._events.has_room(number + events + 1)
        )

    def index_next(
        self,
        parent: CommitRow,
        number: int,
        time: int,
        closed: Closed,
        streams: list[str],
    ) -> CommitRow:
        """As `index`, for a child of the commit that was indexed last that `has_room`, with events
        that no key and no other commit names, and no subtree made complete."""
        chain = self._last
        assert chain is not None
        count, height = len(streams), parent.height + 1
        size = parent.size + count
        row = CommitRow(
            number, closed.id, count, chain.number, height, size, time, parent.number,
            None, None, None,
        )  # fmt: skip
        postings = self._streams.kept_postings(streams, parent.size)
        self._write(row, postings, short_fingerprints(closed.ids), None)
        self._end_chain(chain, height, size, chain.covered, closed.peaks)
        return row

    def _write(
        self, row: CommitRow, postings: bytes | None, prints: bytes | None, keys: bytes | None
    ) -> None:
        self._execute(
            "INSERT INTO commits(number, id, events, chain, height, size, time, parent,"
            " further_parents, segment, held_back, checksum, postings, fingerprints, keys)"
            " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (*row, row.checksum(), postings, prints, keys),
        )

    def index_chain(self, commits: ChainToIndex) -> CommitRow:
        """Add many commits at once; the row of the last one."""
        parent, numbers, counts = commits.parent, commits.numbers, commits.counts
        chain_row = self._chain_for(parent)
        chain, count = chain_row.number, len(numbers)
        size = parent.size + sum(counts)
        postings = self._streams.postings(commits.streams, parent.size)
        _, covered = self._streams.add(chain, chain_row.covered, size, postings)
        lines = array("I", numbers)
        if sum(counts) != count or 0 in counts:
            lines = array("I")
            for number, events in zip(numbers, counts, strict=True):
                lines.extend(range(number, number + events))
        self._events.add_all(lines, numbers[-1] + counts[-1] + 1, commits.event_ids, commits.keys)
        paged = self._graph.table.put_paged(
            parent, chain, numbers[:-1], counts, commits.times, commits.ids
        )  # not the last of a chain, which is asked for most
        row = self._chain_rows(commits, chain, paged, size - sum(counts[paged:]))
        if commits.nodes:
            self._merkle.store(chain, commits.nodes)
        self._end_chain(chain_row, row.height, size, covered, commits.frontier.to_bytes())
        return row

    def _chain_rows(self, commits: ChainToIndex, chain: int, start: int, size: int) -> CommitRow:
        """Write rows of the commits from a place on, before which the log has this size."""
        held = commits.parent.held_back
        before = commits.numbers[start - 1] if start else commits.parent.number
        rows = []
        for place in range(start, len(commits.numbers)):
            size += commits.counts[place]
            row = CommitRow(
                commits.numbers[place],
                commits.ids[place * ID_BYTES : (place + 1) * ID_BYTES],
                commits.counts[place],
                chain,
                commits.parent.height + 1 + place,
                size,
                commits.times[place],
                before,
                None,
                None,
                held,
            )
            rows.append(row)
            before = row.number
        self._connection.executemany(
            "INSERT INTO commits(number, id, events, chain, height, size, time, parent,"
            " further_parents, segment, held_back, checksum) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
            [(*row, row.checksum()) for row in rows],
        )
        return row

    def ends_chain(self, row: CommitRow) -> bool:
        """Is no commit stored whose first parent is this one?"""
        return self._chain(row.chain).height == row.height

    def forget_last(self) -> None:
        """Forget the last commit that was indexed: somebody else may have written since."""
        self._last = None
        self._events.forget_reach()

    def _chain(self, number: int) -> ChainRow:
        if self._last is not None and self._last.number == number:
            return self._last
        return self._graph.chain(number)

    def _chain_for(self, parent: CommitRow | None) -> ChainRow:
        """The chain that a child of `parent` belongs to; a new one where that forks off."""
        if parent is not None:
            chain = self._chain(parent.chain)
            if chain.height == parent.height:
                return chain
        forked_from = parent.chain if parent else None
        height, size = (parent.height, parent.size) if parent else (-1, 0)
        (number,) = fetch_one(
            self._connection,
            "INSERT INTO chains(parent, fork_height, fork_size, height, size, covered, frontier,"
            " checksum) VALUES(?,?,?,?,?,?,x'',0) RETURNING number",
            (forked_from, height, size, height, size, size),
        )
        return ChainRow(number, forked_from, height, size, height, size, size, b"")

    def _end_chain(
        self, chain: ChainRow, height: int, size: int, covered: int, peaks: bytes
    ) -> None:
        changed = (height, size, covered, peaks)
        self._last = ChainRow(*chain[:4], *changed)
        self._execute(
            "UPDATE chains SET height=?, size=?, covered=?, frontier=?, checksum=? WHERE number=?",
            (*changed, self._last.checksum(), chain.number),
        )

    def _remember_merged_lines(self, number: int, segment: list[LineRange]) -> None:
        place = 0
        for first, count in segment:
            block = self._graph.owning(first).number
            self._connection.execute(
                "INSERT INTO merged_lines(block, number, place, first_line, count)"
                " VALUES(?,?,?,?,?)",
                (block, number, place, first, count),
            )
            place += count

    def _held_back(self, commit: CommitToIndex, parent: CommitRow | None) -> int | None:
        """Number of the commit whose row in `held_back` is X(c); None where X(c) is empty."""
        lines = sorted(commit.held_back)
        if not lines:
            return None
        if parent is not None and parent.held_back and self.held_back_lines(parent) == lines:
            return parent.held_back
        self._connection.execute(
            "INSERT INTO held_back(number, lines) VALUES(?,?)",
            (commit.number, encode_ranges((line, 1) for line in lines)),
        )
        return commit.number

    def held_back_lines(self, row: CommitRow) -> list[int]:
        """Lines of X(c), ascending."""
        if row.held_back is None:
            return []
        rows = fetch_all(
            self._connection, "SELECT lines FROM held_back WHERE number=?", (row.held_back,)
        )
        return [line for (data,) in rows for line, _ in decode_ranges(data)]
