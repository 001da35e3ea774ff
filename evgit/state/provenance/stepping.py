"""What each event changes: a projection run event by event, from any state on.

Steps forward are the only ones there are; who wants the newest first gets them window by window,
so that memory is bounded whatever the history. It knows lines of events, not who asks or why.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evgit.errors import UnknownObject
from evgit.history.log import Log
from evgit.state.diff import DocumentChange
from evgit.state.projection import Documents, Groups, KeyedProjection, Projection
from evgit.state.provenance.parts import Part
from evgit.state.state import State

FIRST_WINDOW = 256  # events: most people look at the last few
WINDOW = 4096
HELD_BYTES = 32 << 20  # documents, before and after, that a window may hold


class EventChanges(NamedTuple):
    """What the event at a position changed."""

    position: int
    changes: list[DocumentChange]

    @property
    def weight(self) -> int:
        """The bytes of its documents, about."""
        return sum(
            100 + len(change.old_bytes or b"") + len(change.new_bytes or b"")
            for change in self.changes
        )


class Stepper:
    """One projection on its way through a log, from a state on."""

    def __init__(self, part: Part, state: State) -> None:
        self._state = state
        self._present = part.present
        self._overlay: dict[str, bytes | None] = {}
        self._keyed: KeyedProjection | None = None
        self._general: Projection | None = None
        if isinstance(part.projection, KeyedProjection):
            self._keyed = part.projection
        else:
            self._general = part.projection

    def document(self, path: str) -> bytes | None:
        """Bytes of a document after the events taken so far, as the Merkle map holds them."""
        return self._overlay[path] if path in self._overlay else self._state.document(path)

    def take(self, line: bytes, position: int) -> list[DocumentChange]:
        """Take in the event (canonical JSON) at a position: what it changes, by path."""
        after = self._after(line + b"\n", position)
        changes = []
        for path in sorted(after):
            old, new = self.document(path), after[path]
            if old == new:
                continue
            seen_before, seen = self._present(path, old), self._present(path, new)
            if seen_before != seen:
                changes.append(DocumentChange(path, seen_before, seen))
        self._overlay.update(after)
        return changes

    def take_unless(self, path: str, text: bytes, position: int) -> bool:
        """Take in a text of events at once, if the document at `path` is none of theirs.

        `position`: of the first. False, and nothing taken in, where one of them may have changed
        the document. For general projections.
        """
        assert self._general is not None
        documents = self._documents()
        self._general.fold(self._general.decode(text, position), documents)
        # A value that was read may have been changed in place, and changed back.
        touched = path in documents.read or path in documents.written
        changes = documents.take_changes()
        if touched or path in changes:
            return False
        self._overlay.update(changes)
        return True

    def _after(self, text: bytes, position: int) -> dict[str, bytes | None]:
        if self._keyed is not None:
            groups: Groups = defaultdict(list)
            self._keyed.group(self._keyed.decode(text, position), groups)
            return {
                path: self._keyed.fold_document(path, self.document(path), events)
                for path, events in groups.items()
            }
        assert self._general is not None
        documents = self._documents()
        self._general.fold(self._general.decode(text, position), documents)
        return documents.take_changes()

    def _documents(self) -> Documents:
        assert self._general is not None
        return Documents(self.document, self._paths, self._general.encode)

    def _paths(self) -> Iterator[str]:
        for path, _ in self._state.documents():
            if self._overlay.get(path, b"") is not None:
                yield path
        for path, document in list(self._overlay.items()):
            if document is not None and self._state.document(path) is None:
                yield path


class Newest:
    """The newest of what comes in order, as much as may be held."""

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self.items: deque[EventChanges] = deque()
        self._limit = limit
        self._held = 0
        self.dropped = False

    def add(self, item: EventChanges) -> None:
        """Hold one more, and let go of the oldest where that is too much."""
        self.items.append(item)
        self._held += item.weight
        while self._held > self._limit and len(self.items) > 1:
            self._held -= self.items.popleft().weight
            self.dropped = True


def changes_newest_first(
    log: Log, parts: Sequence[Part], start: int = 0, stop: int | None = None
) -> Iterator[EventChanges]:
    """What each event at positions [start, stop) changed, the newest first; all of them."""
    stop = log.size if stop is None else stop
    window = FIRST_WINDOW
    while stop > start:
        begin = max(start, stop - window)
        newest = Newest()
        for item in _forward(log, parts, begin, stop):
            newest.add(item)
        yield from reversed(newest.items)
        stop = newest.items[0].position
        window = min(window * 2, WINDOW)


def changes_at(log: Log, parts: Sequence[Part], position: int) -> list[DocumentChange]:
    """What the event at a position changed. Raises UnknownObject beyond the end."""
    if not 0 <= position < log.size:
        raise UnknownObject(f"the log has {log.size} events: no position {position}")
    return next(_forward(log, parts, position, position + 1)).changes


def _forward(log: Log, parts: Sequence[Part], start: int, stop: int) -> Iterator[EventChanges]:
    steppers = [Stepper(part, part.states.at(log, start)) for part in parts]
    for position, line in enumerate(log.lines(start, stop), start):
        changes = [change for stepper in steppers for change in stepper.take(line, position)]
        yield EventChanges(position, changes)
