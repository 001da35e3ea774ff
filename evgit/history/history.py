"""The history of one repository: its stores and indexes put together, and reading through them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import apsw

from evgit.errors import DamagedObject, UnknownObject
from evgit.formats.canonical import digest, id_bytes
from evgit.formats.commit import Commit, decode_commit
from evgit.formats.times import to_text
from evgit.history.commit_row import CommitRow
from evgit.history.graph import CommitGraph
from evgit.history.log import Log
from evgit.history.points import Point
from evgit.storage import database, schema
from evgit.storage.blocks import LINE_LIMIT, BlockStore

if TYPE_CHECKING:
    from evgit.history.event_index import EventIndex
    from evgit.history.indexing import Indexer
    from evgit.history.merkle_log import MerkleLog
    from evgit.history.streams import StreamIndex
    from evgit.storage.sorted_runs import SortedRuns

SEEN = "gc.seen"
"""The setting that says which gc saw how many lines: [[instant, line], …], the newest last."""
NUMBERING = "numbering"  # the setting that changes when lines get new numbers
LAST_INSTANT = (1 << 62) - 1  # no event is later


class History:
    """Everything about the DAG and its logs that can be read. Ids are hex strings here.

    The indexes are loaded when they are asked for: who only looks at commits needs none of them.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.blocks = BlockStore(connection)
        self.graph = CommitGraph(connection, self.blocks, lambda: self.runs)
        if schema.is_shallow(connection):
            self.blocks.closed = self.graph.boundaries
        self.blocks.name_lines = self.name_lines
        self._numbering: object = self  # not known yet

    @cached_property
    def runs(self) -> SortedRuns:
        """The sorted runs that the indexes of streams and events are kept in."""
        from evgit.storage.sorted_runs import SortedRuns

        return SortedRuns(self.connection)

    @cached_property
    def streams(self) -> StreamIndex:
        """Where the events of each stream are."""
        from evgit.history.streams import StreamIndex

        return StreamIndex(self.connection, self.graph, self.runs)

    @cached_property
    def events(self) -> EventIndex:
        """On which line an event is stored, by id and by key."""
        from evgit.history.event_index import EventIndex

        return EventIndex(self.connection, self.runs, self.blocks)

    @cached_property
    def merkle(self) -> MerkleLog:
        """The hashes of the log's Merkle tree."""
        from evgit.history.merkle_log import MerkleLog

        return MerkleLog(self.connection, self.graph)

    @cached_property
    def indexer(self) -> Indexer:
        """Writes all of these."""
        from evgit.history.indexing import Indexer

        return Indexer(self.connection, self.graph, self.streams, self.events, self.merkle)

    def notice_renumbering(self) -> bool:
        """Forget what was remembered if another process has given all lines new numbers since this
        was asked last, as deepening does; True then. Ask before anything is written."""
        numbering = database.setting(self.connection, NUMBERING)
        if numbering == self._numbering:
            return False
        self._numbering = numbering
        self.forget()
        return True

    def forget(self) -> None:
        """Drop everything remembered, after a roll-back or when the index was made again."""
        self.graph.forget_chains()
        self.graph.boundaries.forget()
        shallow = schema.is_shallow(self.connection)
        self.blocks.closed = self.graph.boundaries if shallow else None
        self.indexer.forget_last()
        self.streams.forget_names()
        self.events.forget()
        self.blocks.forget()

    # ------------------------------------------------------------------ commits and logs
    def commit_line(self, row: CommitRow) -> bytes:
        """A commit's canonical bytes, checked against its id."""
        line = self.blocks.line(row.number + row.events)
        if digest(line) != row.id:
            raise DamagedObject(
                f"commit {row.hex} is damaged: its bytes hash to {digest(line).hex()}",
                ids=[row.hex],
                hint="`evgit fsck` shows the extent",
            )
        return line

    def commit(self, row: CommitRow) -> Commit:
        """A commit, decoded."""
        return decode_commit(self.commit_line(row))

    def log(self, point: Point) -> Log:
        """The log at a point. Raises UnknownObject if there is no such commit or position."""
        row = self.graph.get(point.commit)
        if not 0 <= point.size <= row.size:
            raise UnknownObject(
                f"commit {row.hex[:12]} has a log of {row.size} events, not {point.size}"
            )
        return self.log_of(row, point.size)

    def log_of(self, row: CommitRow, size: int | None = None) -> Log:
        """The log of a commit, or its first `size` events."""
        return Log(
            row,
            row.size if size is None else size,
            self.graph,
            self.blocks,
            lambda: self.merkle,
            lambda: self.streams,
        )

    def whole(self, row: CommitRow) -> Point:
        """The point of a whole commit."""
        return Point(row.hex, row.size)

    def end(self) -> tuple[int, int]:
        """(number of the next line to be stored, latest event instant stored so far or -1).

        If the last block's directory is damaged, the index knows the line, and the instant counts
        as the latest there is: then ids are looked up that need not be.
        """
        try:
            return self.blocks.end()
        except DamagedObject:
            last = self.graph.owning(LINE_LIMIT)
            return last.number + last.events + 1, LAST_INSTANT

    # ------------------------------------------------------------------ objects by id
    def line_of_event(self, event_id: str) -> int | None:
        """The line on which an event is stored, or None."""
        digest_ = id_bytes(event_id)
        return self.events.find([digest_]).get(digest_)

    def name_lines(self, lines: Sequence[int]) -> list[str]:
        """Ids, or their first eight digits, of the objects on lines that can't be read.

        The lines are given in ascending order.
        """
        named: list[str] = []
        if not lines:
            return named
        first, last = lines[0], lines[-1]
        prints = self.events.fingerprints_of_lines(first, last + 1 - first)
        wanted = lines if isinstance(lines, range) else set(lines)
        line = first
        while line <= last:
            try:
                owner = self.graph.owning(line)
            except UnknownObject:
                break
            commit_line = owner.number + owner.events
            if commit_line < line:
                break  # behind the last commit: the frame's number of lines is damaged too
            here = range(line, min(commit_line, last + 1))
            named += [prints[n] for n in here if n in prints and n in wanted]
            if commit_line in wanted:
                named.append(self.called(owner))
            place = bisect_left(lines, commit_line + 1)
            line = lines[place] if place < len(lines) else last + 1
        return named

    def called(self, row: CommitRow) -> str:
        """A commit's id, or of a packed one, which may be what can't be read, its beginning."""
        if isinstance(row.identity, bytes):
            return row.hex
        pages = self.graph.table.pages
        return "?" if pages is None else pages.fingerprint(row.number)

    # ------------------------------------------------------------------ time
    def point_at(self, row: CommitRow, instant: int) -> Point:
        """The point of a commit's first-parent chain as recorded at an instant (docs/format.md).

        A commit that says `"recorded":"events"` counts each of its events as recorded at the
        event's own time, running maximum.
        """
        before = self.graph.recorded_by(row, instant)
        if before is None:
            before = self._root(row)
        if before.number == row.number:
            return self.whole(row)
        after = self._next_on_chain(before, row)
        commit = self.commit(after)
        if commit.recorded != "events" or len(after.parents) > 1:
            return self.whole(before)
        size = before.size + self._recorded_inside(after, instant)
        return Point(after.hex, size) if size > before.size else self.whole(before)

    def _recorded_inside(self, row: CommitRow, instant: int) -> int:
        limit = to_text(instant)  # the one time format sorts as time does
        from_log = self.log_of(row)
        count = 0
        for event in from_log.events(row.size - row.added):
            if event.time > limit:
                break
            count += 1
        return count

    def _root(self, row: CommitRow) -> CommitRow:
        for oldest in self.graph.first_parents(row):
            if oldest.parent is None:
                self.graph.refuse_boundary(oldest)
                return oldest
        raise UnknownObject("the root commit is missing", hint="`evgit reindex`")

    def _next_on_chain(self, before: CommitRow, row: CommitRow) -> CommitRow:
        """The commit of `row`'s first-parent chain whose first parent is `before`."""
        return self.graph.at_height(row, before.height + 1)

    def boundaries(self, row: CommitRow, start: int, stop: int) -> Iterator[CommitRow]:
        """Commits of the first-parent chain that add the events at positions [start, stop)."""
        for commit in self.graph.chain_from(row, start):
            if commit.size - commit.added >= stop:
                return
            yield commit
