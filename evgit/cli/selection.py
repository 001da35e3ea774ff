"""Which commits `log` and `rev-list` show: ranges of revisions, and filters.

It reads through the repository and must not know how the chosen ones are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from evgit.cli.clock import time_expression
from evgit.cli.invocation import Invocation
from evgit.errors import UsageError
from evgit.formats.event import Event
from evgit.repository import CommitEntry, Point, Repository, Selection


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


def oldest_first(invocation: Invocation, repository: Repository, words: Sequence[str]) -> list[str]:
    """Ids of the commits that words name, in their order: of `A..B`, what B has and A has not,
    parents before children; of anything else, the commit that it stands for."""
    found: list[str] = []
    for word in words:
        if ".." in word or word.startswith("^"):
            part = list(commit_ids(repository, chosen(invocation, repository, [word])))
            found += reversed(part)
        else:
            found.append(repository.resolve_commit(word))
    return list(dict.fromkeys(found))


def sides(repository: Repository, selection: Selection) -> dict[str, str]:
    """`<` or `>` for each commit that only the left, or only the right of `A...B` has."""
    found: dict[str, str] = {}
    for pair in selection.symmetric:
        left, right = ids(pair)
        found.update(dict.fromkeys(repository.commit_ids([left], [right]), "<"))
        found.update(dict.fromkeys(repository.commit_ids([right], [left]), ">"))
    return found


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


def common_ancestor(repository: Repository, left: str, right: str) -> str:
    """The commit latest stored that both have in their history."""
    only_right = set(repository.commit_ids([right], [left]))
    return next(i for i in repository.commit_ids([right]) if i not in only_right)
