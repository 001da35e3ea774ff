"""Which events are listed, and where each stands in its log and its stream.

It reads through the repository and must not know how the chosen ones are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from evgit.cli.selection import Filters, is_pattern
from evgit.errors import UsageError
from evgit.formats.event import Event
from evgit.repository import Log, Point, Repository, Selection

BACKWARDS = 1000  # events read at once when a log is read from its end
MANY_STREAMS = 200  # looking up so many one by one takes as long as listing all of many thousands


class Placed(NamedTuple):
    """An event with its place in the log that was asked for."""

    position: int
    revision: int
    event: Event


class LastRevisions:
    """The last revisions of streams at a point; -1 where there is no such stream."""

    def __init__(self, repository: Repository, point: Point) -> None:
        self._repository = repository
        self._point = point
        self._known: dict[str, int] = {}
        self._complete = False

    def of(self, stream: str) -> int:
        """A stream's last revision."""
        found = self._known.get(stream)
        if found is not None:
            return found
        if not self._complete and len(self._known) >= MANY_STREAMS:
            self._known = {s.name: s.revision for s in self._repository.streams(self._point)}
            self._complete = True
            return self._known.setdefault(stream, -1)
        if self._complete:
            return -1
        found = self._repository.stream_revision(stream, self._point)
        self._known[stream] = found
        return found


def events(repository: Repository, selection: Selection, filters: Filters) -> Iterator[Placed]:
    """The events of a selection that fit, newest first.

    Raises BehindBoundary at the end, where a shallow repository does not have all of them.
    """
    tip = only_tip(selection)
    authors = _Authors(repository, tip)
    for placed in _events_backwards(repository, tip, selection.exclude, filters):
        event = placed.event
        if not filters.event_fits(event) or not filters.time_fits(event.time):
            continue
        if filters.patterns and not filters.text_fits(event.canonical().decode("utf-8")):
            continue
        if filters.authors and not filters.author_fits(authors.of(placed.position)):
            continue
        yield placed


def only_tip(selection: Selection) -> Point:
    """The one log that events are listed from."""
    if len(selection.include) != 1 or selection.symmetric:
        raise UsageError(
            "events are listed from one log, and other than one revision was given",
            hint="give one revision or one range A..B; for both sides: evgit diff --events A B",
        )
    return selection.include[0]


def _events_backwards(
    repository: Repository, tip: Point, excluded: Sequence[Point], filters: Filters
) -> Iterator[Placed]:
    start, known = beyond(repository, tip, excluded)
    floor = repository.log(tip).floor
    if known:
        if floor > start:
            yield from reversed(list(placed(repository, tip, floor, known=known)))
        stop = floor if floor > start else None
        yield from reversed(list(placed(repository, tip, start, stop, known)))
    elif len(filters.streams) == 1 and not is_pattern(filters.streams[0]):
        name = filters.streams[0]
        if repository.stream_revision(name, tip) < 0:
            return
        behind = repository.stream_revision(name, Point(tip.commit, floor)) + 1 if floor else 0
        for found in (
            repository.stream(name, tip, start=behind, backwards=True),
            repository.stream(name, tip, stop=behind, backwards=True),
        ):
            for revision, position, event in found:
                if position < start:
                    return
                yield Placed(position, revision, event)
    else:
        yield from _counted_down(repository, tip, _log_backwards(repository, tip, start))


def beyond(repository: Repository, tip: Point, excluded: Sequence[Point]) -> tuple[int, set[bytes]]:
    """(start, known): what the tip's log has and the excluded have not is its events from position
    `start` on but for those with the ids `known`, which is mostly empty.
    """
    start = 0
    known: set[bytes] = set()
    log = repository.log(tip)
    for point in excluded:
        other = repository.log(point)
        shared = shared_beginning(log, other)
        start = max(start, shared)
        if shared < log.size:
            known.update(other.ids(shared))
    return start, known


def shared_beginning(a: Log, b: Log) -> int:
    """How many events two logs begin with in common: a binary search by their Merkle roots."""
    low, high = 0, min(a.size, b.size)
    if a.root(high) == b.root(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a.root(middle) == b.root(middle):
            low = middle
        else:
            high = middle
    return low


def _log_backwards(repository: Repository, tip: Point, start: int) -> Iterator[tuple[int, Event]]:
    log = repository.log(tip)
    stop, floor = log.size, log.floor
    while stop > start:
        # What is here comes before the error for what is not.
        begin = max(start, stop - BACKWARDS, floor if stop > floor else 0)
        chunk = list(log.events(begin, stop))
        for offset in range(len(chunk) - 1, -1, -1):
            yield begin + offset, chunk[offset]
        stop = begin


def placed(
    repository: Repository,
    tip: Point,
    start: int = 0,
    stop: int | None = None,
    known: Collection[bytes] = (),
) -> Iterator[Placed]:
    """The events of a log at positions [start, stop), but for those with known ids, in order."""
    log = repository.log(tip)
    before = LastRevisions(repository, Point(tip.commit, start))
    revisions: dict[str, int] = {}
    ids = log.ids(start, stop) if known else repeat(b"")
    for position, (event_id, event) in enumerate(
        zip(ids, log.events(start, stop), strict=False), start
    ):
        stream = event.stream
        revision = (revisions[stream] if stream in revisions else before.of(stream)) + 1
        revisions[stream] = revision
        if not known or event_id not in known:
            yield Placed(position, revision, event)


def _counted_down(
    repository: Repository, tip: Point, backwards: Iterable[tuple[int, Event]]
) -> Iterator[Placed]:
    """All events from the log's end, with their stream revisions."""
    last = LastRevisions(repository, tip)
    next_revisions: dict[str, int] = {}
    for position, event in backwards:
        stream = event.stream
        revision = next_revisions[stream] if stream in next_revisions else last.of(stream)
        yield Placed(position, revision, event)
        next_revisions[stream] = revision - 1


class _Authors:
    """Who committed the event at a position; positions are asked for in descending order."""

    def __init__(self, repository: Repository, tip: Point) -> None:
        self._repository = repository
        self._tip = tip
        self._start = tip.size
        self._author = ""

    def of(self, position: int) -> str:
        """The author of the commit that brought the event."""
        if position < self._start:
            entry = self._repository.commit(self._repository.commit_adding(position, self._tip))
            self._start, self._author = entry.size_before, entry.commit.author
        return self._author


def event_count(repository: Repository, selection: Selection) -> int:
    """How many events a selection holds, without reading them where that can be."""
    tip = only_tip(selection)
    start, known = beyond(repository, tip, selection.exclude)
    if not known:
        return tip.size - start
    return sum(1 for _ in event_ids(repository, selection))


def event_ids(repository: Repository, selection: Selection) -> Iterator[str]:
    """The ids of a selection's events, in log order."""
    tip = only_tip(selection)
    start, known = beyond(repository, tip, selection.exclude)
    return (event_id.hex() for event_id in repository.log(tip).ids(start) if event_id not in known)


def only_in(repository: Repository, tip: Point, other: Point) -> Iterator[Placed]:
    """The events of the log at one point that the log at another has not."""
    start, known = beyond(repository, tip, [other])
    return placed(repository, tip, start, known=known)
