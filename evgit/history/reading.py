"""Reading history the ways people ask: a stream, the commits behind a revision, one object.

Everything here is derived from `history`; nothing is written. Iterators hold bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter, countOf
from typing import NamedTuple

from evgit.errors import Damage, DamagedObject, NotFound, UnknownObject
from evgit.formats.canonical import digest
from evgit.formats.commit import Commit
from evgit.formats.event import Event, again_id, decode_event, decode_events, is_again
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.points import Point
from evgit.storage.database import reading

# Who stops after a few events shall not wait for the places of many.
FIRST_READ = 32
FEW_EVENTS = 128  # are read together all the same, where no more are asked for
EVENTS_AT_ONCE = 512


class StreamEvent(NamedTuple):
    """An event as its stream has it. `revision`: in the stream; `position`: in the log."""

    revision: int
    position: int
    event: Event


_Part = tuple[range, list[int], list[int]]
"""Revisions in a stream, their positions, and their lines."""
_STREAM = attrgetter("stream")
# Half the time of calling it, which is a function in Python.
_made: Callable[[tuple[int, int, Event]], StreamEvent] = partial(tuple.__new__, StreamEvent)


class StreamSummary(NamedTuple):
    """A stream at a point: its last revision, and the position of its last event."""

    name: str
    revision: int
    position: int


class CommitEntry(NamedTuple):
    """A commit with its id (hex) and the log size before its own additions."""

    id: str
    commit: Commit
    size_before: int


class LogEvent(NamedTuple):
    """An event with its id (hex) and its position in the log at hand."""

    position: int
    id: str
    event: Event


class Reader:
    """Questions about a history."""

    def __init__(self, history: History) -> None:
        self._history = history

    # ------------------------------------------------------------------ streams
    def stream(
        self,
        name: str,
        point: Point,
        *,
        start: int = 0,
        stop: int | None = None,
        backwards: bool = False,
    ) -> Iterator[StreamEvent]:
        """A stream's events at revisions [start, stop) as of a point. Raises NotFound at once."""
        with reading(self._history.connection):
            row, positions = self._positions(name, point)
            chosen = range(len(positions))[start:stop]
            if backwards:
                chosen = chosen[::-1]
            many = len(chosen) > FEW_EVENTS
            part = self._part(row, positions, chosen[: FIRST_READ if many else FEW_EVENTS])
            few = None if many else self._sound_events(name, part)
        return self._stream_events(name, row, positions, chosen, part) if few is None else few

    def _part(self, row: CommitRow, positions: Sequence[int], revisions: range) -> _Part:
        """Where some events of a stream are."""
        if revisions.step > 0:
            asked = list(positions[revisions.start : revisions.stop])
            return revisions, asked, self._history.graph.lines_of(row, asked)
        asked = [positions[revision] for revision in revisions]
        return revisions, asked, self._history.graph.lines_of(row, asked[::-1])[::-1]

    def _sound_events(self, name: str, part: _Part) -> Iterator[StreamEvent] | None:
        """The events of a part; None where one can't be read, or is another stream's."""
        revisions, asked, lines = part
        text = self._history.blocks.text_of(lines)
        if text is None:
            return None
        try:
            decoded = decode_events(text)
        except DamagedObject:
            return None
        if countOf(map(_STREAM, decoded), name) == len(revisions) == len(decoded):
            return map(_made, zip(revisions, asked, decoded, strict=True))
        return None

    def _stream_events(
        self, name: str, row: CommitRow, positions: Sequence[int], chosen: range, part: _Part
    ) -> Iterator[StreamEvent]:
        """Events of a stream: those of the first part, and then the others chosen."""
        while chosen:
            yield from self._sound_events(name, part) or self._up_to_wrong(name, part)
            chosen = chosen[len(part[0]) :]
            if chosen:
                with reading(self._history.connection):
                    part = self._part(row, positions, chosen[:EVENTS_AT_ONCE])

    def _up_to_wrong(self, name: str, part: _Part) -> Iterator[StreamEvent]:
        """The events of a part one by one; raises at the first that can't be read, or is another
        stream's."""
        for revision, position, line in zip(*part, strict=True):
            event = decode_event(self._history.blocks.line(line))
            if event.stream != name:
                raise _wrong_index(event, position, name)
            yield StreamEvent(revision, position, event)

    def stream_event(self, name: str, point: Point, revision: int) -> StreamEvent | None:
        """One event of a stream by revision (-1: the last), or None."""
        try:
            with reading(self._history.connection):
                row, positions = self._positions(name, point)
        except NotFound:
            return None
        if revision < 0:
            revision += len(positions)
        if not 0 <= revision < len(positions):
            return None
        position = positions[revision]
        return StreamEvent(revision, position, self._event_at(row, position, name))

    def stream_revision(self, name: str, point: Point) -> int:
        """The last revision of a stream as of a point; -1 where there is no such stream."""
        history = self._history
        return history.streams.revision(history.graph.get(point.commit), point.size, name)

    def streams(self, point: Point, prefix: str = "") -> Iterator[StreamSummary]:
        """All streams as of a point whose names start with `prefix`, by name."""
        history = self._history
        row = history.graph.get(point.commit)
        names = history.streams.names(prefix)
        if len(names) <= 64:
            for name, number in names:
                positions = history.streams.positions(row, point.size, number)
                if positions:
                    yield StreamSummary(name, len(positions) - 1, positions[-1])
            return
        counts = history.streams.counts(row, point.size)
        for name, number in names:
            if number in counts:
                count, last = counts[number]
                yield StreamSummary(name, count - 1, last)

    def _positions(self, name: str, point: Point) -> tuple[CommitRow, Sequence[int]]:
        history = self._history
        number = history.streams.number(name)
        row = history.graph.get(point.commit)
        positions = [] if number is None else history.streams.positions(row, point.size, number)
        if not positions:
            raise NotFound(
                f"there is no stream {name!r} at this point",
                hint="`evgit streams` lists the streams",
            )
        return row, positions

    def _event_at(self, row: CommitRow, position: int, stream: str) -> Event:
        return self._event_in(self._history.graph.holding(row, position), position, stream)

    def _event_in(self, holder: CommitRow, position: int, stream: str) -> Event:
        line = self._history.blocks.line(holder.line_at(position))
        event = decode_event(line)
        if event.stream != stream:
            raise _wrong_index(event, position, stream)
        return event

    # ------------------------------------------------------------------ commits
    def walk(
        self, tips: Sequence[str], exclude: Sequence[str] = (), *, first_parent: bool = False
    ) -> Iterator[CommitRow]:
        """Commits reachable from `tips` and not from `exclude`, children before their parents.

        Raises BehindBoundary at the end, where a shallow repository does not have all of them.
        """
        found = self._walk(tips, exclude, first_parent=first_parent)
        return self._up_to_boundaries(found) if self._history.graph.boundaries else found

    def _up_to_boundaries(self, rows: Iterator[CommitRow]) -> Iterator[CommitRow]:
        graph = self._history.graph
        met = None
        for row in rows:
            if graph.boundaries.get(row.number) is None:
                yield row
            else:
                met = met or row
        if met is not None:
            graph.refuse_boundary(met)

    def _walk(
        self, tips: Sequence[str], exclude: Sequence[str], *, first_parent: bool
    ) -> Iterator[CommitRow]:
        graph = self._history.graph
        wanted = [graph.get(tip) for tip in tips]
        hidden = [graph.get(tip) for tip in exclude]
        if first_parent:
            stop = {row.number for row in graph.ancestors(hidden)} if hidden else set()
            for row in wanted:
                for commit in graph.first_parents(row):
                    if commit.number in stop:
                        break
                    yield commit
            return
        if not hidden:
            yield from graph.ancestors(wanted)
            return
        # Numbers descend in both walks, so hidden commits are known before they come up.
        hiding = graph.ancestors(hidden)
        next_hidden = next(hiding, None)
        for commit in graph.ancestors(wanted):
            while next_hidden is not None and next_hidden.number > commit.number:
                next_hidden = next(hiding, None)
            if next_hidden is None or next_hidden.number != commit.number:
                yield commit

    def entry(self, row: CommitRow) -> CommitEntry:
        """A commit, read."""
        return CommitEntry(row.hex, self._history.commit(row), row.size - row.added)

    def added_events(self, row: CommitRow) -> Iterator[LogEvent]:
        """The events that a commit adds to its first parent's log, in log order."""
        log = self._history.log_of(row)
        before = row.size - row.added
        for position, line in enumerate(log.lines(before), before):
            yield LogEvent(position, digest(line).hex(), decode_event(line))

    def own_ids(self, row: CommitRow) -> Iterator[str]:
        """Ids of a commit's own events in order, those stored elsewhere included."""
        for line in self._history.blocks.lines(row.number, row.events):
            yield again_id(line) if is_again(line) else digest(line).hex()

    # ------------------------------------------------------------------ single events
    def event(self, event_id: str) -> Event:
        """A stored event. Raises UnknownObject."""
        return decode_event(self.event_line(event_id))

    def event_line(self, event_id: str) -> bytes:
        """A stored event's canonical bytes. Raises UnknownObject."""
        line = self._history.line_of_event(event_id)
        if line is None:
            raise UnknownObject(f"there is no event {event_id}")
        return self._history.blocks.line(line)

    def position(self, event_id: str, point: Point) -> int | None:
        """Where an event stands in the log at a point, or None."""
        line = self._history.line_of_event(event_id)
        if line is None:
            return None
        position = self._history.graph.position_of(self._history.graph.get(point.commit), line)
        return position if position is not None and position < point.size else None

    def commit_adding(self, point: Point, position: int) -> CommitRow:
        """The commit of the first-parent chain that added the event at a position."""
        return self._history.graph.holding(self._history.graph.get(point.commit), position)


def _wrong_index(event: Event, position: int, stream: str) -> Damage:
    return Damage(
        f"the index says that position {position} is of stream {stream!r}; "
        f"it is of {event.stream!r}",
        hint="`evgit fsck` shows the extent, `evgit reindex` rebuilds the index",
    )
