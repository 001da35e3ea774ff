"""Events with what each of them changed: of chosen documents, or of all.

It reads through the repository and must not know how the events are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from evgit import repository as library
from evgit.cli.event_selection import Placed, beyond, only_tip
from evgit.cli.selection import Filters
from evgit.repository import Point, Repository, Selection

if TYPE_CHECKING:  # `log` has all this at hand and seldom needs it: states are loaded when used
    from evgit.repository import Attribution, DocumentChange, EventChanges

NEAR = 2048  # positions that are passed over one by one, rather than to start anew further on


class Changed(NamedTuple):
    """An event, who brought it, and what it changed of what was asked for."""

    placed: Placed
    by: Attribution
    changes: list[DocumentChange]


def changed_events(
    repository: Repository, selection: Selection, filters: Filters, places: Sequence[str]
) -> Iterator[Changed]:
    """The events of a selection that changed one of these documents or something in one of these
    directories, and that fit; newest first."""
    tip = only_tip(selection)
    start, known = beyond(repository, tip, selection.exclude)
    provenance = repository.provenance
    attributor = provenance.attributor(tip)
    found = [provenance.changes(tip, start, place) for place in places]
    for position, changes in _joined(found):
        by = attributor.at(position)
        event = by.event
        if known and bytes.fromhex(by.id) in known:
            continue
        if not filters.event_fits(event) or not filters.time_fits(event.time):
            continue
        if filters.patterns and not filters.text_fits(event.canonical().decode("utf-8")):
            continue
        if not filters.author_fits(by.commit.author):
            continue
        revision = repository.stream_revision(event.stream, Point(tip.commit, position + 1))
        yield Changed(Placed(position, revision, event), by, changes)


def with_changes(
    repository: Repository, tip: Point, listing: Iterable[Placed]
) -> Iterator[Changed]:
    """A listing of events (newest first, or oldest first) with all that each of them changed."""
    walk = _Walk(repository, tip)
    attributor = repository.provenance.attributor(tip)
    for placed in listing:
        by = attributor.at(placed.position)
        yield Changed(placed, by, walk.changes_at(placed.position))


class _Walk:
    """What events changed, asked for mostly in descending order of position."""

    def __init__(self, repository: Repository, tip: Point) -> None:
        self._repository = repository
        self._tip = tip
        self._next = -1
        self._changes: Iterator[EventChanges] = iter(())

    def changes_at(self, position: int) -> list[DocumentChange]:
        """What the event at a position changed."""
        if not position <= self._next <= position + NEAR:
            here = Point(self._tip.commit, position + 1)
            self._changes = self._repository.provenance.changes(here)
        for found, changes in self._changes:
            self._next = found - 1
            if found == position:
                return changes
        return []


def _joined(found: Sequence[Iterator[EventChanges]]) -> Iterator[EventChanges]:
    """Several listings of changes as one, each event once."""
    if len(found) == 1:
        yield from found[0]
        return
    last: EventChanges | None = None
    for each in merge(*found, key=lambda item: -item.position):
        if last is not None and last.position == each.position:
            paths = {change.path for change in last.changes}
            more = [change for change in each.changes if change.path not in paths]
            last = library.EventChanges(last.position, [*last.changes, *more])
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
