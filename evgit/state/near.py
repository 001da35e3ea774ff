"""What differs between two states of one log that few events lie between: what those concern.

Each document is made once, as it was before them, and takes them in: no state is made whole, so the
cost grows with the events between and with the way to the last snapshot, not with the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from evgit.state.diff import DocumentChange, is_within
from evgit.state.late_state import FindsDocuments
from evgit.state.merkle_node import key_of
from evgit.state.projection import Groups
from evgit.state.states import EventLog, States


@runtime_checkable
class ComparableLog(EventLog, Protocol):
    """A log that may know without hashes that another is its beginning."""

    def begins_with(self, other: Any) -> bool: ...


NEAR = 1024  # events, each of which may concern a document of its own


def near_changes(
    states: States, a: EventLog, b: EventLog, under: str | None = None
) -> Iterator[DocumentChange] | None:
    """As `diff_states` of the states after all of two logs; None where whole states must be
    compared: neither log begins with the other, or much lies between."""
    earlier, later = (a, b) if a.size <= b.size else (b, a)
    projection = states.projection
    if not isinstance(projection, FindsDocuments) or projection.sees_all:
        return None
    if later.size - earlier.size > NEAR or not _begins_with(later, earlier):
        return None
    groups: Groups = defaultdict(list)
    position = earlier.size
    for text in later.texts(position, later.size):
        events = projection.decode(text, position)
        projection.group(events, groups)
        position += len(events)
    directory = (under or "").rstrip("/")
    paths = [path for path in groups if not directory or is_within(path, directory)]
    paths.sort(key=key_of)
    return _changes(states, earlier, paths, groups, backwards=earlier is not a)


def _begins_with(later: EventLog, earlier: EventLog) -> bool:
    if isinstance(later, ComparableLog) and isinstance(earlier, ComparableLog):
        return later.begins_with(earlier)
    return later.root(earlier.size) == earlier.root()


def _changes(
    states: States, log: EventLog, paths: list[str], groups: Groups, *, backwards: bool
) -> Iterator[DocumentChange]:
    """What the events of each path change in the state after all of the log."""
    projection = states.projection
    assert isinstance(projection, FindsDocuments)
    before = states.at(log).several(paths) if paths else {}
    for path in paths:
        old = before[path]
        new = projection.fold_document(path, old, groups[path])
        if old != new:
            yield DocumentChange(path, *((new, old) if backwards else (old, new)))
