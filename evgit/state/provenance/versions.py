"""The versions of one document, the newest first: every event that changed it, and from what.

What that costs depends on what is known of the document:

- the positions of its events, from the stream index: only those are read, and none but the newest
  if nobody asks for more;
- a keyed projection that can't tell: the log is read from its end, snapshot by snapshot, and only
  the document's own events are folded;
- a general projection: the log is folded from its end, snapshot by snapshot, with what is read and
  written tracked.

Memory is bounded, whatever the history. Where a shallow repository begins, BehindBoundary is raised
after those that are here, unless it is known that there are no more, or nobody wants those before
the position `start`. It must not know what versions are wanted for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.log import Log
from evgit.state.diff import DocumentChange
from evgit.state.projection import Groups, KeyedProjection
from evgit.state.provenance.parts import Part, Positions
from evgit.state.provenance.stepping import EventChanges, Newest, Stepper
from evgit.state.state import State

ONE_BY_ONE = 128  # versions held at once
PLACES = 64  # between which the others are made again
HELD_EVENTS = 8192  # a document's own events held at once
FOLDED = 1024  # own events read and folded at once
WORTH_A_SNAPSHOT = 512  # own events: to fold fewer costs less than to look for a snapshot
MANY, THIN = 64, 8  # so many own events, at least one in so many of the log's, are read with others


class Version(NamedTuple):
    """An event that changed a document, by its position, and what it did to it."""

    position: int
    change: DocumentChange


class _Own(NamedTuple):
    """An event that concerns the document, as canonical JSON."""

    position: int
    line: bytes


def versions_by_positions(
    history: History, log: Log, part: Part, path: str, positions: Positions, start: int = 0
) -> Iterator[Version]:
    """Versions of a keyed document whose events stand at some of these positions."""
    fold, floor = _Fold(part, path), log.floor
    known = _Positions(history, log, part, fold, positions)
    low = bisect_left(positions, floor)
    if low == 0:
        yield from known.newest_first(0, len(positions), None)
        return
    if low < len(positions):
        before = part.states.at(log, floor).document(path)
        yield from known.newest_first(low, len(positions), before)
    if start < log.floor:
        log.refuse_behind()


def versions_by_reading(log: Log, part: Part, path: str, start: int = 0) -> Iterator[Version]:
    """The same of a keyed document whose events can't be found but by reading the log."""
    fold = _Fold(part, path)
    for state, stop in _stretches(log, part):
        own = list(_own_events(log, fold, state.size, stop))
        if own:
            yield from fold.newest_first(own, state.document(path))
    if start < log.floor:
        log.refuse_behind()


def versions_by_folding(log: Log, part: Part, path: str, start: int = 0) -> Iterator[Version]:
    """The same for a general projection."""
    for state, stop in _stretches(log, part):
        while stop > state.size:
            newest = Newest()
            for item in _steps(log, part, path, state, stop):
                newest.add(item)
            for position, changes in reversed(newest.items):
                yield Version(position, changes[0])
            # Versions too large to be held all at once are made again, up to the oldest held.
            stop = newest.items[0].position if newest.dropped else state.size
    if start < log.floor:
        log.refuse_behind()


def _stretches(log: Log, part: Part) -> Iterator[tuple[State, int]]:
    """The log in stretches, the last first: the state before each, and where it ends. Of a shallow
    repository's as much as there is."""
    part.states.at(log)  # makes the snapshots that are missing
    stop, floor = log.size, log.floor
    while stop > floor:
        state = part.states.nearest(log, stop - 1)
        yield state, stop
        stop = state.size


def _steps(log: Log, part: Part, path: str, state: State, stop: int) -> Iterator[EventChanges]:
    stepper = Stepper(part, state)
    position = state.size
    for text in log.texts(state.size, stop):
        lines = text.splitlines()
        if not stepper.take_unless(path, text, position):
            for place, line in enumerate(lines, position):
                changes = [c for c in stepper.take(line, place) if c.path == path]
                if changes:
                    yield EventChanges(place, changes)
        position += len(lines)


def _own_events(log: Log, fold: _Fold, start: int, stop: int) -> Iterator[_Own]:
    position = start
    for text in log.texts(start, stop):
        lines = text.splitlines()
        if fold.concerns(text, position):
            for place, line in enumerate(lines, position):
                if fold.concerns(line + b"\n", place):
                    yield _Own(place, line)
        position += len(lines)


class _Fold:
    """One document of a keyed projection."""

    def __init__(self, part: Part, path: str) -> None:
        assert isinstance(part.projection, KeyedProjection)
        self._projection = part.projection
        self._present = part.present
        self.path = path

    def concerns(self, text: bytes, position: int) -> bool:
        """Is one of these events, the first of which is at `position`, the document's?"""
        groups: Groups = defaultdict(list)
        self._projection.group(self._projection.decode(text, position), groups)
        return self.path in groups

    def take(self, before: bytes | None, own: Iterable[_Own]) -> bytes | None:
        """The document after these events, of which some may be none of its own."""
        decode = self._projection.decode
        groups: Groups = defaultdict(list)
        events = [e for position, line in own for e in decode(line + b"\n", position)]
        self._projection.group(events, groups)
        if self.path not in groups:
            return before
        return self._projection.fold_document(self.path, before, groups[self.path])

    def newest_first(self, own: Sequence[_Own], before: bytes | None) -> Iterator[Version]:
        """What each of these events did to the document, which was `before`.

        The document is kept at few places on the way, and folded one event at a time only between
        two of them.
        """
        if len(own) > ONE_BY_ONE:
            step = max(ONE_BY_ONE, len(own) // PLACES + 1)
            places = []
            for start in range(0, len(own), step):
                places.append((own[start : start + step], before))
                before = self.take(before, own[start : start + step])
            while places:
                yield from self.newest_first(*places.pop())
            return
        found = []
        seen_before = self._present(self.path, before)
        for each in own:
            before = self.take(before, [each])
            seen = self._present(self.path, before)
            if seen != seen_before:
                change = DocumentChange(self.path, seen_before, seen)
                found.append(Version(each.position, change))
            seen_before = seen
        yield from reversed(found)


class _Positions:
    """A document's own events, where their positions are known."""

    def __init__(
        self, history: History, log: Log, part: Part, fold: _Fold, positions: Positions
    ) -> None:
        self._history = history
        self._log = log
        self._part = part
        self._fold = fold
        self._positions = positions
        self._holder: CommitRow | None = None

    def newest_first(self, low: int, high: int, before: bytes | None) -> Iterator[Version]:
        """What the own events with indexes [low, high) did to the document, which was `before`."""
        if high - low > WORTH_A_SNAPSHOT:
            state = self._part.states.nearest(self._log, self._positions[high - 1])
            start = bisect_left(self._positions, state.size)
            if low < start < high:
                yield from self.newest_first(start, high, state.document(self._fold.path))
                yield from self.newest_first(low, start, before)
                return
        if high - low > HELD_EVENTS:
            middle = (low + high) // 2
            yield from self.newest_first(middle, high, self._after(low, middle, before))
            yield from self.newest_first(low, middle, before)
            return
        yield from self._fold.newest_first(self._own(low, high), before)

    def _after(self, low: int, high: int, before: bytes | None) -> bytes | None:
        """The document after the own events [low, high)."""
        for first in range(low, high, FOLDED):
            before = self._fold.take(before, self._own(first, min(first + FOLDED, high)))
        return before

    def _own(self, low: int, high: int) -> list[_Own]:
        positions = self._positions[low:high]
        if high - low < MANY or positions[-1] - positions[0] > THIN * (high - low):
            return [_Own(position, self._line(position)) for position in positions]
        wanted = set(positions)
        lines = enumerate(self._log.lines(positions[0], positions[-1] + 1), positions[0])
        return [_Own(position, line) for position, line in lines if position in wanted]

    def _line(self, position: int) -> bytes:
        holder = self._holder
        if holder is None or not holder.size - holder.added <= position < holder.size:
            holder = self._holder = self._history.graph.holding(self._log.row, position)
        return self._history.blocks.line(holder.line_at(position))
