"""What resolving a revision asks of a repository, and what it gives back.

Only shapes: `resolve` decides with them, and whoever has refs and logs implements them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from evgit.history.points import Point

Kind: TypeAlias = Literal["commit", "tag", "event", "blob"]


class StreamEntry(NamedTuple):
    """Where an event stands: its revision in its stream, its position in a log, its id."""

    revision: int
    position: int
    id: str


class RevisionSource(Protocol):
    """Refs, ids and logs as resolving sees them. All ids are 64 lower-case hex digits.

    A *target* is what a ref holds: an object id, `<commit id>#<size>` (the first `size` events of
    that commit's log) or, for HEAD, `ref: <full ref name>`.
    """

    def now(self) -> datetime:
        """The present, aware: what `yesterday` is relative to."""
        ...

    def read_ref(self, name: str) -> str | None:
        """The target of exactly this full name (`HEAD`, `refs/heads/main`), or None."""
        ...

    def list_ref_names(self) -> Iterable[str]:
        """Full names of all stored refs, asked for only to suggest one."""
        ...

    def ref_before(self, name: str, operations: int) -> str | None:
        """The target of a full name (or HEAD) that many operations ago, at least 1, or None.

        For HEAD on a branch: not `ref: …` but what that branch then held.
        """
        ...

    def previous_branch(self, number: int) -> str | None:
        """HEAD's target before the `number`-th switch back (1: the last one), or None."""
        ...

    def upstream(self, branch: str) -> str | None:
        """The full ref name that `refs/heads/…` follows, or None if none is set."""
        ...

    def find_ids(self, prefix: str, limit: int) -> Sequence[tuple[str, Kind]]:
        """Up to `limit` stored objects whose ids begin with `prefix` (4 to 64 hex digits).

        Commits and tags come first, so that a limit never hides them behind events. An id that is
        both a blob and an object comes twice.
        """
        ...

    def tag_target(self, tag: str) -> str:
        """The object id that a tag object names."""
        ...

    def parents(self, commit: str) -> Sequence[str]:
        """Ids of a commit's parents, first parent first."""
        ...

    def first_parent(self, commit: str, generations: int) -> str | None:
        """That many steps along first parents (0: itself), or None beyond the root commit."""
        ...

    def size(self, commit: str) -> int:
        """How many events a commit's log has."""
        ...

    def point_at_time(self, commit: str, instant: int) -> Point:
        """The point of the first-parent chain as recorded at an instant (microseconds)."""
        ...

    def point_at_size(self, commit: str, size: int) -> Point:
        """The point of `size` events on the first-parent chain, 0 <= size <= the log's size.

        Its commit is the oldest of the chain whose log has so many: the one that brought the
        last of them (for 0: the root commit).
        """
        ...

    def event_id(self, commit: str, position: int) -> str:
        """The id of the event at a position (0 <= position < size) of a commit's log."""
        ...

    def locate(self, event: str, commit: str) -> int | None:
        """The position of an event in a commit's log, or None."""
        ...

    def stream_event(self, point: Point, stream: str, revision: int | None) -> StreamEntry | None:
        """A stream's event by revision (None: the last one) in the log at a point, or None."""
        ...


class FoundEvent(msgspec.Struct, frozen=True):
    """An event. `position` and `point` (the log up to and with it) are None where only its id was
    given; `Resolver.located` looks for them.
    """

    id: str
    position: int | None = None
    point: Point | None = None


class FoundTag(msgspec.Struct, frozen=True):
    """A tag object, and the id of what it names."""

    id: str
    target: str


class FoundBlob(msgspec.Struct, frozen=True):
    """A blob."""

    id: str


class FoundDocument(msgspec.Struct, frozen=True):
    """A document of the state at a point; whether there is one is not looked up.

    The empty path is the state as a whole.
    """

    point: Point
    path: str


Resolved: TypeAlias = Point | FoundEvent | FoundTag | FoundBlob | FoundDocument


class Selection(msgspec.Struct, frozen=True):
    """What several expressions choose together: all that `include` and both sides of every
    `symmetric` pair reach, but for what `exclude` or both sides of a pair reach.
    """

    include: tuple[Point, ...] = ()
    exclude: tuple[Point, ...] = ()
    symmetric: tuple[tuple[Point, Point], ...] = ()
