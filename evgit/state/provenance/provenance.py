"""Provenance of one repository's states: the questions, put together from their parts.

It knows history and projections; it must not know how answers are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evgit.errors import NotFound
from evgit.history.history import History
from evgit.history.log import Log
from evgit.history.points import Point
from evgit.history.sessions import Sessions
from evgit.state.diff import DocumentChange
from evgit.state.projection import KeyedProjection
from evgit.state.provenance.attribution import Attribution, Attributor
from evgit.state.provenance.bisection import SESSION as BISECTION, Bisection
from evgit.state.provenance.blame import (
    blame_fields,
    blame_lines,
    fields_below,
    lines_of,
    pointer,
    refuse_field_of_text,
)
from evgit.state.provenance.parts import Part, own_positions, part_of, parts_under
from evgit.state.provenance.stepping import EventChanges, changes_at, changes_newest_first
from evgit.state.provenance.versions import (
    Version,
    versions_by_folding,
    versions_by_positions,
    versions_by_reading,
)

WALK = "step"
"""The session of a walk: the target of HEAD where it began."""


@dataclass(frozen=True, slots=True)
class BlamedField:
    """A field, by JSON pointer, with its present value and the event that set it."""

    pointer: str
    value: Any
    by: Attribution


@dataclass(frozen=True, slots=True)
class BlamedLine:
    """A line of a text, numbered from 1, and the event that set it."""

    number: int
    text: str
    by: Attribution


class Provenance:
    """Asks where states come from. `parts` gives the projections of a model, as of now."""

    def __init__(self, history: History, parts: Callable[[], Sequence[Part]]) -> None:
        self._history = history
        self._parts = parts
        self.sessions = Sessions(history.connection)

    # ------------------------------------------------------------------ one document
    def versions(self, point: Point, path: str, start: int = 0) -> Iterator[Version]:
        """Every event that changed a document, up to a point, the newest first.

        In a shallow repository those that are here; then BehindBoundary is raised, if there may be
        more from position `start` on.
        """
        log = self._history.log(point)
        part = part_of(self._parts(), path)
        positions = own_positions(self._history, log, part, path)
        if positions is not None:
            return versions_by_positions(self._history, log, part, path, positions, start)
        if isinstance(part.projection, KeyedProjection):
            return versions_by_reading(log, part, path, start)
        return versions_by_folding(log, part, path, start)

    def blame(
        self, point: Point, path: str, field: str | None = None
    ) -> list[BlamedField] | list[BlamedLine]:
        """The event behind every field of a document, or every line of a text.

        `field`: a JSON pointer; that field, or all fields below it. Raises NotFound for a document
        or field that is not there, UsageError for a field of a text.
        """
        versions = self.versions(point, path)
        newest = next(versions, None)
        if newest is None:
            raise NotFound(
                f"there is no document {path!r} at this point",
                hint="`evgit ls-tree REV` lists the documents",
            )
        attributor = Attributor(self._history, self._history.log(point))
        value = newest.change.new
        if newest.change.new_bytes is None:
            by = attributor.at(newest.position)
            raise NotFound(
                f"there is no document {path!r} any more: {by.event.type} at position "
                f"{by.position} removed it",
                hint=f"evgit blame {path} REV looks at a point before that",
            )
        every = _with_first(newest, versions)
        if isinstance(value, str):
            refuse_field_of_text(path, field)
            positions = blame_lines(value, every)
            known = {position: attributor.at(position) for position in sorted(set(positions))}
            return [
                BlamedLine(number, text, known[position])
                for number, (text, position) in enumerate(
                    zip(lines_of(value), positions, strict=True), 1
                )
            ]
        fields = fields_below(value, field or "")
        blamed = blame_fields(fields, every)
        known = {position: attributor.at(position) for position in sorted(set(blamed.values()))}
        return [
            BlamedField(pointer(tokens), leaf, known[blamed[tokens]])
            for tokens, leaf in fields.items()
        ]

    # ------------------------------------------------------------------ events and their changes
    def changes(self, point: Point, start: int = 0, under: str = "") -> Iterator[EventChanges]:
        """What each event from position `start` to a point changed, the newest first.

        With `under`, a document or directory: only events that changed something there, with those
        changes alone. Without, all events, those that changed nothing too. In a shallow repository
        those that are here, and then BehindBoundary is raised, if there may be more.
        """
        log = self._history.log(point)
        directory, floor = under.rstrip("/"), log.floor
        if not directory:
            yield from changes_newest_first(log, self._parts(), max(start, floor))
            if start < floor:
                log.refuse_behind()
            return
        if self._is_document(log, under):
            for position, change in self.versions(point, under, start):
                if position < start:
                    return
                yield EventChanges(position, [change])
            return
        parts = parts_under(self._parts(), directory + "/")
        for position, changes in changes_newest_first(log, parts, max(start, floor)):
            inside = [change for change in changes if _within(change.path, directory)]
            if inside:
                yield EventChanges(position, inside)
        if start < floor:
            log.refuse_behind()

    def _is_document(self, log: Log, under: str) -> bool:
        """Does this name one document, and no directory?"""
        if under.endswith("/"):
            return False
        parts = self._parts()
        if not any(under.startswith(part.prefix) for part in parts):
            return False
        part = part_of(parts, under)
        positions = own_positions(self._history, log, part, under)
        if positions is not None and len(positions) > 0:
            return True
        return part.present(under, part.states.at(log).document(under)) is not None

    def changes_at(self, point: Point, position: int) -> list[DocumentChange]:
        """What the event at a position changed. Raises UnknownObject beyond the end."""
        return changes_at(self._history.log(point), self._parts(), position)

    def attribution(self, point: Point, position: int) -> Attribution:
        """The event at a position and who brought it. Raises UnknownObject beyond the end."""
        return Attributor(self._history, self._history.log(point)).at(position)

    def attributor(self, point: Point) -> Attributor:
        """The same for many positions."""
        return Attributor(self._history, self._history.log(point))

    def stream_positions(self, point: Point, stream: str) -> Sequence[int]:
        """Where a stream's events stand, up to a point; none if there is no such stream."""
        number = self._history.streams.number(stream)
        if number is None:
            return []
        row = self._history.graph.get(point.commit)
        return self._history.streams.positions(row, point.size, number)

    # ------------------------------------------------------------------ away from a branch
    def origin(self) -> str | None:
        """The full name of the branch that a bisection or a walk under way began on, or None."""
        bisection = self.sessions.load(BISECTION)
        for target in (bisection and bisection["head"], self.sessions.load(WALK)):
            if isinstance(target, str) and target.startswith("ref: "):
                return target.removeprefix("ref: ")
        return None

    def leads_through(self, end: Point, here: Point) -> bool:
        """Does the log at `end` begin with all events of the log at `here`?"""
        log, beginning = self._history.log(end), self._history.log(here)
        return here.size <= end.size and log.root(here.size) == beginning.root()

    # ------------------------------------------------------------------ bisection
    def bisection(self) -> Bisection:
        """The bisection under way. Raises NotFound."""
        return Bisection.load(self._history, self.sessions)

    def start_bisection(self, head: str) -> Bisection:
        """Begin a bisection; `head` is where HEAD is to return. Raises Conflict."""
        return Bisection.start(self._history, self.sessions, head)


def _with_first(first: Version, rest: Iterator[Version]) -> Iterator[Version]:
    yield first
    yield from rest


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")
