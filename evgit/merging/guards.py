"""Guards, checked again: does what a commit's author believed still hold where its events now go?

A guard says at which revision a stream was when a decision was made. It fails where the stream's
events before the commit's first event are not the events that its author saw. It must not know why
events move: merging, re-appending and trying out all ask here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from evgit.formats.commit import decode_commit
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineAt, LineRange, Places, joined
from evgit.merging.differences import own_lines

LOOKUP = 200  # events that are decoded in the time of finding one stream in the index, about
ONE_BY_ONE = 64  # positions that are found one by one, rather than by going through the commits


class _Kind(msgspec.Struct, gc=False):
    """What of a stored event counts here."""

    stream: str
    type: str


_decode_kinds = msgspec.json.Decoder(_Kind).decode_lines


@dataclass(frozen=True, slots=True)
class FailedGuard:
    """A stream whose guard fails. `commit`: the first whose guard does; `revision`: what it says.

    `seen`, `found`: lines of the stream's events before the commit's first event, as its author had
    them and as they stand now, both without those that they begin with alike.
    """

    stream: str
    commit: CommitRow
    revision: int
    seen: list[int]
    found: list[int]


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A commit with guards some of whose events move. `first`: the place of its first in `moved`;
    `own`: lines of those that move."""

    order: int
    row: CommitRow
    parent: CommitRow
    guards: dict[str, int]
    first: int
    own: list[int]


def failed_guards(
    history: History,
    commits: Sequence[CommitRow],
    after: CommitRow,
    moved: Sequence[LineRange],
    commuting: Collection[str] = (),
) -> list[FailedGuard]:
    """The streams whose guards fail when `moved`, lines of events of `commits`, stand after the
    log of `after`; one entry a stream, by name.

    A commit none of whose events move has nothing to guard. `commuting`: types of events whose
    order does not matter: a guard holds all the same where only such events make the difference,
    and all that the commit itself moves are such, too.

    Costs grow with `moved` and with what the logs don't share. Asking once for many commits is much
    cheaper than asking for each.
    """
    guarded = _guarded(history, commits, moved)
    if not guarded:
        return []
    types = _Types(history, commuting)
    moving = _Table()
    streams = {stream for each in guarded for stream in each.guards}
    moving.read(history, moved, after.size, streams)
    by_chain: dict[int, list[_Guarded]] = defaultdict(list)
    for each in guarded:
        by_chain[each.parent.chain].append(each)
    failed: dict[str, tuple[int, FailedGuard]] = {}
    for group in by_chain.values():
        for each, found in _failing(history, group, after, moving, types):
            known = failed.get(found.stream)
            if known is None or each.order < known[0]:
                failed[found.stream] = each.order, found
    return [failed[stream][1] for stream in sorted(failed)]


def guards_of(history: History, rows: Sequence[CommitRow]) -> list[dict[str, int]]:
    """The guards of commits, read together."""
    lines = [(row.number + row.events, 1) for row in rows]
    texts = history.blocks.texts(lines)
    return [decode_commit(line).guards for text in texts for line in text.splitlines()]


def _guarded(
    history: History, commits: Sequence[CommitRow], moved: Sequence[LineRange]
) -> list[_Guarded]:
    places = Places(moved)
    lines = LineAt(moved)
    parents: dict[int, CommitRow] = {row.number: row for row in commits}
    found = []
    all_guards = guards_of(history, commits)
    some = [place for place, guards in enumerate(all_guards) if guards]
    own = own_lines(history, [commits[place] for place in some])
    for order, ranges in zip(some, own, strict=True):
        row = commits[order]
        here = list(places.within(ranges))
        if not here or row.parent is None:
            continue
        parent = parents.get(row.parent) or history.graph.by_number(row.parent)
        parents[parent.number] = parent
        moving = [lines(place) for first, count in here for place in range(first, first + count)]
        found.append(_Guarded(order, row, parent, all_guards[order], here[0][0], moving))
    return found


def _failing(
    history: History, group: list[_Guarded], after: CommitRow, moving: _Table, types: _Types
) -> Iterator[tuple[_Guarded, FailedGuard]]:
    """For each stream the first of these commits, whose parents are on one chain, whose guard on
    it fails."""
    reference = max((each.parent for each in group), key=lambda row: row.height)
    shared = history.graph.fork_size(after, reference)
    start = min(shared, *(each.parent.size for each in group)) if group else shared
    streams = {stream for each in group for stream in each.guards}
    seen, found = _Table(), _Table()
    seen.look_up(history, reference, start, streams)
    found.look_up(history, after, start, streams)
    found.append(moving)
    failed: set[str] = set()
    comparisons: dict[str, _Comparison] = {}
    for each in group:
        for stream, revision in each.guards.items():
            if stream in failed:
                continue
            compared = comparisons.get(stream)
            if compared is None:
                compared = _Comparison(seen.of(stream), found.of(stream), types)
                comparisons[stream] = compared
            before = compared.counts(each.parent.size, after.size + each.first)
            if not compared.holds(*before, each.own):
                failed.add(stream)
                yield each, compared.failure(stream, each.row, revision, *before)


_Placed = tuple[list[int], list[int]]
"""Of a stream's events: positions, ascending, and lines."""


class _Table:
    """Where the events of streams stand in a part of a log."""

    def __init__(self) -> None:
        self._streams: dict[str, _Placed] = {}

    def of(self, stream: str) -> _Placed:
        return self._streams.get(stream, ([], []))

    def read(
        self, history: History, ranges: Sequence[LineRange], start: int, streams: Collection[str]
    ) -> None:
        """Take in the events on these lines, the first of which is at `start`."""
        line_at = LineAt(ranges)
        place = 0
        for text in history.blocks.texts(ranges):
            for kind in _decode_kinds(text):
                if kind.stream in streams:
                    positions, lines = self._streams.setdefault(kind.stream, ([], []))
                    positions.append(start + place)
                    lines.append(line_at(place))
                place += 1

    def look_up(
        self, history: History, row: CommitRow, start: int, streams: Collection[str]
    ) -> None:
        """Take in the events of a commit's log from `start` on."""
        graph = history.graph
        if row.size - start <= LOOKUP * len(streams):
            self.read(history, list(graph.log_ranges(row, start, row.size)), start, streams)
            return
        at = {
            stream: list(history.streams.positions(row, row.size, number, start))
            for stream in streams
            if (number := history.streams.number(stream)) is not None
        }
        if sum(map(len, at.values())) <= ONE_BY_ONE:
            for stream, positions in at.items():
                lines = [graph.holding(row, place).line_at(place) for place in positions]
                self._streams[stream] = positions, lines
            return
        line_at = LineAt(graph.log_ranges(row, start, row.size))
        for stream, positions in at.items():
            self._streams[stream] = positions, [line_at(place - start) for place in positions]

    def append(self, other: _Table) -> None:
        """Take in another part of the log, which follows this one."""
        for stream, (positions, lines) in other._streams.items():
            before = self.of(stream)
            self._streams[stream] = before[0] + positions, before[1] + lines


class _Comparison:
    """One stream as the authors saw it, and as it stands now."""

    def __init__(self, seen: _Placed, found: _Placed, types: _Types) -> None:
        self._seen = seen
        self._found = found
        self._types = types
        pairs = zip(seen[1], found[1], strict=False)
        alike = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
        self._alike = min(len(seen[1]), len(found[1])) if alike is None else alike
        self._indifferent: tuple[int, int] | None = None

    def counts(self, parent_size: int, position: int) -> tuple[int, int]:
        """How many events of the stream there were, and are, before a commit's first event."""
        return bisect_left(self._seen[0], parent_size), bisect_left(self._found[0], position)

    def holds(self, seen: int, found: int, own: list[int]) -> bool:
        """Does the guard of a commit that moves `own` hold?"""
        if seen == found <= self._alike:
            return True
        if not self._types.commuting:
            return False
        if self._indifferent is None:
            first = self._types.first_other
            self._indifferent = (
                first(self._seen[1], self._alike),
                first(self._found[1], self._alike),
            )
        up_to = self._indifferent
        if seen > up_to[0] or found > up_to[1]:
            return False
        return self._types.first_other(own, 0) == len(own)

    def failure(
        self, stream: str, row: CommitRow, revision: int, seen: int, found: int
    ) -> FailedGuard:
        alike = min(self._alike, seen, found)
        return FailedGuard(
            stream, row, revision, self._seen[1][alike:seen], self._found[1][alike:found]
        )


class _Types:
    """The types of events on lines, as far as it matters whether they commute."""

    def __init__(self, history: History, commuting: Collection[str]) -> None:
        self._history = history
        self.commuting = frozenset(commuting)
        self._commute: dict[int, bool] = {}

    def first_other(self, lines: Sequence[int], start: int) -> int:
        """The index of the first of these, from `start` on, that does not commute."""
        unknown = sorted({line for line in lines[start:] if line not in self._commute})
        texts = self._history.blocks.texts(joined((line, 1) for line in unknown))
        kinds = (kind for text in texts for kind in _decode_kinds(text))
        for line, kind in zip(unknown, kinds, strict=True):
            self._commute[line] = kind.type in self.commuting
        for index in range(start, len(lines)):
            if not self._commute[lines[index]]:
                return index
        return len(lines)
