"""What a model's author writes: projections, handlers, upcasters, invariants.

Everything here only records; the loader finds it by looking through the modules' names. It knows
nothing of logs, caches or repositories, so that a model can be tested as plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from evgit.state.modelling.events import Event

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__evgit_model__"
"""Name of the attribute by which a decorated function is found again: a list of marks."""


class _Delete:
    """The type of DELETE."""

    def __repr__(self) -> str:
        return "DELETE"


DELETE: Any = _Delete()
"""What a handler of a keyed projection returns to remove its document."""


@dataclass(frozen=True, slots=True)
class Handles:
    """Mark of a handler: the types of events that it takes. `data`: a type that msgspec converts
    the data into, None for plain JSON values."""

    types: tuple[str, ...]
    data: Any = None


@dataclass(frozen=True, slots=True)
class Upcasts:
    """Mark of an upcaster: from this version of this type to the next."""

    type: str
    from_version: int


@dataclass(frozen=True, slots=True)
class Holds:
    """Mark of an invariant. `documents`: a projection class, or a path prefix, whose documents it
    judges one by one; None: it judges all documents together."""

    name: str
    documents: Any = None


@dataclass(frozen=True, slots=True)
class Compensates:
    """Mark of a function that makes the events which take back an event of this type."""

    type: str


def on(*types: str, data: Any = None) -> Callable[[F], F]:
    """Decorate a method of a projection: it handles events of these types.

    `data`: a dataclass, TypedDict or msgspec.Struct; `event.data` is converted to it.
    """
    if not types or not all(isinstance(name, str) for name in types):
        raise TypeError('@on takes the types of events: @on("deposit_made")')
    return _marking(Handles(types, data))


def upcast(event_type: str, *, from_version: int) -> Callable[[F], F]:
    """Decorate `(data) -> data` or `(data, event) -> data`: data of `from_version` to the next.

    `data` is the function's own to change and to return.
    """
    if not isinstance(event_type, str) or type(from_version) is not int or from_version < 1:
        raise TypeError(
            '@upcast takes a type and a version: @upcast("deposit_made", from_version=1)'
        )
    return _marking(Upcasts(event_type, from_version))


def invariant(name: str, documents: Any = None) -> Callable[[F], F]:
    """Decorate a rule that must hold between commits.

    With a projection class or a path prefix: `(path, document)`, for every document of it. Without:
    `(documents)`, a mapping of all. It is broken where that returns False, a text that says what is
    wrong, or (across documents) the paths of those that break it; None, True, "" and an empty list
    mean that it holds.
    """
    if not isinstance(name, str) or not name:
        raise TypeError('@invariant takes a name: @invariant("never below zero", Accounts)')
    return _marking(Holds(name, documents))


def compensate(event_type: str) -> Callable[[F], F]:
    """Decorate `(event, documents) -> events` that take back an event of this type."""
    return _marking(Compensates(event_type))


def _marking(mark: object) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        marks = [*getattr(function, MARK, ()), mark]
        setattr(function, MARK, marks)
        return function

    return decorate


class AnyProjection:
    """What both kinds of projections declare."""

    prefix: ClassVar[str] = ""
    """All paths of its documents begin with it, and no other projection's do."""
    unknown: ClassVar[Literal["ignore", "error"]] = "ignore"
    """What an event of its streams is that no handler takes."""
    streams: ClassVar[str | Sequence[str]] = ()
    """Patterns of the shell for the names of its streams; none for all."""
    categories: ClassVar[str | Sequence[str]] = ()
    """Categories of its streams; none for all."""
    order: ClassVar[Literal["strict", "any"]] = "strict"
    """For merging: "any" where its documents may come out differently with the order of events."""
    ignore: ClassVar[Sequence[str]] = ()
    """For merging: JSON pointers of fields whose differences don't count ("/updated")."""
    sets: ClassVar[Sequence[str]] = ()
    """For merging: JSON pointers of arrays in which order does not count ("/tags")."""
    commuting: ClassVar[str | Sequence[str]] = ()
    """For merging: types of events whose order among themselves does not matter."""


class KeyedProjection(AnyProjection):
    """One document for each stream, or for each key that `key` computes from an event.

    Handlers are methods `(self, document, event)`, marked by `@on`: they change the document in
    place, return another, or return DELETE. A document depends on its own events alone.
    """

    suffix: ClassVar[str] = ".json"
    """.json; or a kind of text that `render` writes: .md, .csv, .txt."""

    def key(self, event: Event) -> str | None:
        """The key of the document that an event concerns: by default its stream's name without the
        category. None: it concerns none."""
        category, dash, rest = event.stream.partition("-")
        return rest if dash else category

    def initial(self, key: str) -> Any:
        """The document before its first event."""
        return {}

    def render(self, key: str, document: Any) -> str:
        """The text of a document, where the suffix is one of text."""
        raise NotImplementedError("a projection of texts needs `render(self, key, document)`")


class Projection(AnyProjection):
    """Any documents, several at once.

    Handlers are methods `(self, documents, event)`, marked by `@on`; `documents` maps whole paths
    (all with the projection's prefix) to values.
    """


Documents = MutableMapping[str, Any]
Paths = Iterable[str]
