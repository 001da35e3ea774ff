"""The projections that make up a state, each with what is known of its documents' events.

It knows projections and the stream index, not what is asked about them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from evgit.errors import NotFound
from evgit.history.history import History
from evgit.history.log import Log
from evgit.state.projection import AnyProjection, KnowsStreams
from evgit.state.states import States

Positions = Sequence[int]
"""Positions in a log, ascending."""


def _as_it_is(path: str, document: bytes | None) -> bytes | None:
    return document


class Part(NamedTuple):
    """One projection and its states. `prefix`: with what the paths of its documents begin.

    `present` makes of what the Merkle map holds at a path the document that everybody sees.
    """

    prefix: str
    projection: AnyProjection
    states: States
    present: Callable[[str, bytes | None], bytes | None] = _as_it_is


class _Presents(Protocol):
    """What is needed of a model's projection."""

    @property
    def prefix(self) -> str: ...

    def present(self, document: bytes) -> bytes: ...


class SeveralStates(Protocol):
    """States of several projections at once: those of a model."""

    @property
    def parts(self) -> Sequence[tuple[Any, States]]:
        """Each projection, with its prefix and how its documents are presented, and its states."""


def parts_of(states: States | SeveralStates) -> list[Part]:
    """The projections behind states: one alone, or those of a model."""
    if isinstance(states, States):
        return [Part("", states.projection, states)]
    return [
        Part(projection.prefix, projection, own, _presenting(projection))
        for projection, own in states.parts
    ]


def _presenting(projection: _Presents) -> Callable[[str, bytes | None], bytes | None]:
    def present(path: str, document: bytes | None) -> bytes | None:
        return None if document is None else projection.present(document)

    return present


def part_of(parts: Sequence[Part], path: str) -> Part:
    """The part that a document belongs to. Raises NotFound."""
    for part in parts:
        if path.startswith(part.prefix):
            return part
    prefixes = ", ".join(sorted(part.prefix for part in parts))
    raise NotFound(
        f"no projection makes documents like {path!r}",
        hint=f"paths begin with one of {prefixes}" if prefixes else "the model has no projections",
    )


def parts_under(parts: Sequence[Part], under: str) -> list[Part]:
    """The parts that may have documents whose paths begin with `under`."""
    return [p for p in parts if p.prefix.startswith(under) or under.startswith(p.prefix)]


def own_positions(history: History, log: Log, part: Part, path: str) -> Positions | None:
    """Where the events of a document stand, by the stream index; None where only reading tells.

    Not every one of them need concern the document, but no other does.
    """
    projection = part.projection
    if not isinstance(projection, KnowsStreams):
        return None
    streams = history.streams
    names = projection.streams_of(path, lambda prefix: (name for name, _ in streams.names(prefix)))
    if names is None:
        return None
    distinct = set(names)
    found = array("Q")
    for name in distinct:
        number = streams.number(name)
        if number is not None:
            found.extend(streams.positions(log.row, log.size, number))
    return found if len(distinct) == 1 else array("Q", sorted(found))
