"""Which commits or events `log` and `rev-list` show: ranges of revisions, and filters.

It reads through the repository and must not know how the chosen ones are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from evgit.cli.clock import time_expression
from evgit.cli.invocation import Invocation
from evgit.errors import UsageError
from evgit.formats.event import Event
from evgit.repository import CommitEntry, Log, Point, Repository, Selection

BACKWARDS = 1000  # events read at once when a log is read from its end


class Placed(NamedTuple):
    """An event with its place in the log that was asked for."""

    position: int
    revision: int
    event: Event


class Filters:
    """What must hold for a commit or an event to be shown. Empty: everything."""

    def __init__(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        streams: Sequence[str] = (),
        types: Sequence[str] = (),
        authors: Sequence[re.Pattern[str]] = (),
        patterns: Sequence[re.Pattern[str]] = (),
    ) -> None:
        self.since = since
        self.until = until
        self.streams = streams
        self.types = types
        self.authors = authors
        self.patterns = patterns

    def time_fits(self, time: str) -> bool:
        """Is a time in the one format between the bounds?"""
        return (self.since is None or time >= self.since) and (
            self.until is None or time <= self.until
        )

    def event_fits(self, event: Event) -> bool:
        """Do stream and type fit?"""
        return _any_matches(event.stream, self.streams) and _any_matches(event.type, self.types)

    def author_fits(self, author: str) -> bool:
        """Does one of the --author patterns occur in it?"""
        return not self.authors or any(pattern.search(author) for pattern in self.authors)

    def text_fits(self, text: str) -> bool:
        """Does one of the --grep patterns occur in it?"""
        return not self.patterns or any(pattern.search(text) for pattern in self.patterns)

    @property
    def looks_at_events(self) -> bool:
        """Must a commit's events be read to judge it?"""
        return bool(self.streams or self.types)


def _any_matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(name == p or fnmatchcase(name, p) for p in patterns)


def compiled(words: Iterable[str], option: str, *, ignore_case: bool) -> list[re.Pattern[str]]:
    """Regular expressions of an option. Raises UsageError for one that is none."""
    found = []
    for word in words:
        try:
            found.append(re.compile(word, re.IGNORECASE if ignore_case else 0))
        except re.error as error:
            raise UsageError(
                f"{option} {word!r} is not a regular expression: {error}",
                hint=f"to look for these very characters: {option} {re.escape(word)!r}",
            ) from error
    return found


def is_pattern(name: str) -> bool:
    """Does a --stream or --type stand for several names?"""
    return any(mark in name for mark in "*?[")


def time_bound(text: str | None) -> str | None:
    """A --since or --until in the one format of times."""
    return None if text is None else time_expression(text)


def chosen(invocation: Invocation, repository: Repository, words: Sequence[str]) -> Selection:
    """What revisions and ranges choose together. Raises what resolving raises."""
    resolver = repository.resolver()
    selection = resolver.select(words)
    for note in resolver.notes:
        invocation.hint(note)
    return selection


def ids(points: Iterable[Point]) -> list[str]:
    """The commits of some points."""
    return [point.commit for point in points]


# ---------------------------------------------------------------------- commits
def walk(
    repository: Repository, selection: Selection, *, first_parent: bool = False
) -> Iterator[CommitEntry]:
    """The commits of a selection, newest first."""
    include, exclude = ids(selection.include), ids(selection.exclude)
    if not selection.symmetric:
        yield from repository.walk(include, exclude, first_parent=first_parent)
        return
    wanted = set(repository.commit_ids(include, exclude, first_parent=first_parent))
    for pair in selection.symmetric:
        left, right = ids(pair)
        include += [left, right]
        for one, other in ((left, right), (right, left)):
            wanted |= set(
                repository.commit_ids([one], [other, *exclude], first_parent=first_parent)
            )
    for entry in repository.walk(include, exclude):
        if not wanted:
            return
        if entry.id in wanted:
            wanted.discard(entry.id)
            yield entry


def commit_ids(
    repository: Repository, selection: Selection, *, first_parent: bool = False
) -> Iterator[str]:
    """The ids of a selection's commits, newest first."""
    if selection.symmetric:
        return (entry.id for entry in walk(repository, selection, first_parent=first_parent))
    include, exclude = ids(selection.include), ids(selection.exclude)
    return repository.commit_ids(include, exclude, first_parent=first_parent)


class CommitTest:
    """Decides whether a commit of a walk (newest first) is to be shown."""

    def __init__(self, repository: Repository, selection: Selection, filters: Filters) -> None:
        self._repository = repository
        self._filters = filters
        self._chain = ""  # the next commit of the first-parent chain, while there is just one
        self._holding: set[str] | None = None
        if len(selection.include) == 1 and not selection.symmetric:
            self._chain = selection.include[0].commit
            if filters.streams and not any(map(is_pattern, filters.streams)):
                self._holding = self._commits_with_streams(selection.include[0])

    def __call__(self, entry: CommitEntry) -> bool:
        """Does the commit fit?"""
        on_chain = entry.id == self._chain
        if on_chain:
            self._chain = entry.commit.parents[0] if entry.commit.parents else ""
        filters, commit = self._filters, entry.commit
        if not filters.time_fits(commit.time):
            return False
        if not (filters.author_fits(commit.author) and filters.text_fits(commit.message)):
            return False
        if not filters.looks_at_events:
            return True
        if on_chain and self._holding is not None and entry.id not in self._holding:
            return False
        return any(map(filters.event_fits, own_events(self._repository, entry)))

    def _commits_with_streams(self, tip: Point) -> set[str]:
        """Commits of the first-parent chain that brought events of the streams asked for.

        They come from the stream index, so that looking for one stream does not read the others.
        """
        found = set()
        for name in self._filters.streams:
            if self._repository.stream_revision(name, tip) >= 0:
                for place in self._repository.stream(name, tip):
                    found.add(self._repository.commit_adding(place.position, tip))
        return found


def own_events(repository: Repository, entry: CommitEntry) -> Iterator[Event]:
    """The events that a commit itself appended; not those that a merge brought."""
    size = entry.commit.log.size
    return repository.log(entry.id).events(max(entry.size_before, size - entry.commit.events))


# ---------------------------------------------------------------------- events
def events(repository: Repository, selection: Selection, filters: Filters) -> Iterator[Placed]:
    """The events of a selection that fit, newest first."""
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
    if known:
        for position, event in reversed(list(_unknown(repository, tip, start, known))):
            here = Point(tip.commit, position + 1)
            yield Placed(position, repository.stream_revision(event.stream, here), event)
    elif len(filters.streams) == 1 and not is_pattern(filters.streams[0]):
        name = filters.streams[0]
        if repository.stream_revision(name, tip) < 0:
            return
        for revision, position, event in repository.stream(name, tip, backwards=True):
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
    stop = log.size
    while stop > start:
        begin = max(start, stop - BACKWARDS)
        chunk = list(log.events(begin, stop))
        for offset in range(len(chunk) - 1, -1, -1):
            yield begin + offset, chunk[offset]
        stop = begin


def _unknown(
    repository: Repository, tip: Point, start: int, known: set[bytes]
) -> Iterator[tuple[int, Event]]:
    """(position, event) of the log from `start` on, but for the known ones, in log order."""
    log = repository.log(tip)
    if not known:
        yield from enumerate(log.events(start), start)
        return
    pairs = zip(log.ids(start), log.events(start), strict=True)
    for position, (event_id, event) in enumerate(pairs, start):
        if event_id not in known:
            yield position, event


def _counted_down(
    repository: Repository, tip: Point, backwards: Iterable[tuple[int, Event]]
) -> Iterator[Placed]:
    """All events from the log's end, with their stream revisions."""
    next_revisions: dict[str, int] = {}
    for position, event in backwards:
        revision = next_revisions.get(event.stream)
        if revision is None:
            revision = repository.stream_revision(event.stream, tip)
        yield Placed(position, revision, event)
        next_revisions[event.stream] = revision - 1


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
    return sum(1 for _ in _unknown(repository, tip, start, known))


def event_ids(repository: Repository, selection: Selection) -> Iterator[str]:
    """The ids of a selection's events, in log order."""
    tip = only_tip(selection)
    start, known = beyond(repository, tip, selection.exclude)
    return (event_id.hex() for event_id in repository.log(tip).ids(start) if event_id not in known)


def only_in(repository: Repository, tip: Point, other: Point) -> Iterator[tuple[int, Event]]:
    """(position, event) of what is in the log at one point and not in that at another."""
    yield from _unknown(repository, tip, *beyond(repository, tip, [other]))


def common_ancestor(repository: Repository, left: str, right: str) -> str:
    """The commit latest stored that both have in their history."""
    only_right = set(repository.commit_ids([right], [left]))
    return next(i for i in repository.commit_ids([right]) if i not in only_right)
