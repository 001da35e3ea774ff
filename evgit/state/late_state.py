"""A state of the past of which one document is asked for, and mostly no other.

A document whose events the log can find is made of them alone and of the state before them. Only
when somebody asks for more are all events replayed. It knows how a projection and a log help with
that, not where states are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, count
from typing import Protocol, TypeVar, runtime_checkable

from evgit.formats.wanted_lines import wanted_lines
from evgit.state.forest import Trees
from evgit.state.projection import Groups, KeyedProjection, KnowsStreams
from evgit.state.state import Overlay, State

T = TypeVar("T")

LOOK_UPS = 32  # documents made alone, before all are made at once
ALONE = 4  # documents asked for together, of which each is looked for by itself
OWN_EVENTS = 256  # of a document that is made alone


@runtime_checkable
class IndexedLog(Protocol):
    """A log that finds the events of a stream without reading the others. Positions are 0-based."""

    def stream_names(self, prefix: str) -> Iterable[str]:
        """The names of all streams that begin so; others than the log's may be among them."""

    def stream_positions(self, name: str, start: int, stop: int) -> Sequence[int]:
        """Which of the positions [start, stop) hold events of a stream, ascending."""

    def line(self, position: int) -> bytes:
        """The event at a position as canonical JSON, without a newline."""

    def decoded(
        self, decode: Callable[[bytes | memoryview], list[T]], start: int, stop: int | None
    ) -> Iterator[tuple[bytes | memoryview, list[T]]]:
        """The events at positions [start, stop) as canonical JSON lines, several to a text, and
        what `decode` makes of each text: one of it for each event."""


@runtime_checkable
class FindsDocuments(KeyedProjection, KnowsStreams, Protocol):
    """A keyed projection whose documents can be made one by one from an indexed log."""


class LateState(State):
    """The state after `size` events, of which those behind `before` are read when needed."""

    def __init__(
        self,
        before: State,
        log: IndexedLog,
        projection: FindsDocuments,
        replay: Callable[[], State],
        *,
        size: int,
        log_root: bytes,
        short: int,
    ) -> None:
        """`replay` makes the whole state. `short`: how many events behind `before` are worth going
        through for some documents, where a replay would leave a snapshot."""
        self.size = size
        self.log_root = log_root
        self._before = before
        self._log = log
        self._finding = projection
        self._replay = replay
        self._short = short
        self._whole: State | None = None
        self._found: dict[str, bytes | None] = {}

    # ------------------------------------------------------------------ one document
    def document(self, path: str) -> bytes | None:
        if self._whole is None and path not in self._found and len(self._found) < LOOK_UPS:
            own = self._own_positions(path)
            if own is not None:
                self._found[path] = self._made_of(path, own)
        if self._whole is None and path in self._found:
            return self._found[path]
        return self.whole.document(path)

    def several(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        if self._whole is None:
            new = [path for path in paths if path not in self._found]
            if len(new) > ALONE and self.size - self._before.size <= self._short:
                self._find_together(new)
            elif len(self._found) + len(new) > LOOK_UPS:
                return self.whole.several(paths)
        return {path: self.document(path) for path in paths}

    def _find_together(self, paths: Sequence[str]) -> None:
        """Make documents of their own events, which one pass over all of them finds."""
        wanted: set[str] = set()
        for path in paths:
            names = self._finding.streams_of(path, self._log.stream_names)
            if names is None:
                return
            wanted.update(names)
        groups: Groups = defaultdict(list)
        decode, group = self._finding.decode, self._finding.group
        position = self._before.size
        for _, lines in self._log.decoded(wanted_lines(wanted), position, self.size):
            places = compress(count(position), lines)
            for place, line in zip(places, filter(None, lines), strict=True):
                group(decode(line, place), groups)
            position += len(lines)
        before = self._before.several(paths)
        for path in paths:
            document = before[path]
            if path in groups:
                document = self._finding.fold_document(path, document, groups[path])
            self._found[path] = document

    def _own_positions(self, path: str) -> list[int] | None:
        """Where events stand of which some are the document's; None where only reading tells."""
        names = self._finding.streams_of(path, self._log.stream_names)
        if names is None:
            return None
        start, stop = self._before.size, self.size
        own: list[int] = []
        for name in set(names):
            own += self._log.stream_positions(name, start, stop)
            if len(own) > OWN_EVENTS:
                return None
        return sorted(own)

    def _made_of(self, path: str, own: list[int]) -> bytes | None:
        groups: Groups = defaultdict(list)
        decode = self._finding.decode
        events = [e for place in own for e in decode(self._log.line(place) + b"\n", place)]
        self._finding.group(events, groups)
        before = self._before.document(path)
        if path not in groups:
            return before
        return self._finding.fold_document(path, before, groups[path])

    # ------------------------------------------------------------------ everything
    @property
    def whole(self) -> State:
        """The same state, replayed."""
        if self._whole is None:
            self._whole = self._replay()
        return self._whole

    def documents(self, under: str = "") -> Iterator[tuple[str, bytes]]:
        return self.whole.documents(under)

    @property
    def last_snapshot(self) -> int:  # type: ignore[override]
        return self.whole.last_snapshot

    @property
    def tree(self) -> Trees:
        return self.whole.tree

    @property
    def overlay(self) -> Overlay:
        return self.whole.overlay

    @property
    def settled(self) -> Trees | None:
        return self.whole.settled

    def settle(self) -> Trees:
        return self.whole.settle()

    def retrying(self, work: Callable[[], T]) -> T:
        return self.whole.retrying(work)
