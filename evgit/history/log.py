"""The log of a commit: the ordered list of all events in its history, L(c).

Read-only, in bounded memory. It knows events and positions, not what events mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, overload

from evgit.errors import UnknownObject
from evgit.formats.canonical import digest
from evgit.formats.event import Event, decode_event, decode_events, decoder_into
from evgit.history.commit_row import CommitRow
from evgit.history.graph import CommitGraph
from evgit.history.line_ranges import LineRange
from evgit.storage.blocks import BlockStore

if TYPE_CHECKING:
    from evgit.formats.merkle import Frontier
    from evgit.history.merkle_log import MerkleLog

Form = TypeVar("Form")


class Log:
    """The first `size` events of a commit's log. Positions are 0-based."""

    def __init__(
        self,
        row: CommitRow,
        size: int,
        graph: CommitGraph,
        blocks: BlockStore,
        merkle: Callable[[], MerkleLog],
    ) -> None:
        self.row = row
        self.commit = row.hex
        self.size = size
        self._graph = graph
        self._blocks = blocks
        self._merkle = merkle

    def __len__(self) -> int:
        return self.size

    def ranges(self, start: int = 0, stop: int | None = None) -> Iterator[LineRange]:
        """The lines that hold positions [start, stop), in log order."""
        return self._graph.log_ranges(self.row, start, self._stop(stop))

    @overload
    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[list[Event]]: ...
    @overload
    def batches(
        self, start: int = 0, stop: int | None = None, *, into: type[Form]
    ) -> Iterator[list[Form]]: ...
    def batches(
        self, start: int = 0, stop: int | None = None, *, into: type[Any] = Event
    ) -> Iterator[list[Any]]:
        """Events at positions [start, stop), in order, in lists of convenient size.

        `into`: a type that has only the members that matter (see `decoder_into`), which is quicker
        to make than a whole `Event`. Raises InvalidEvent for one that does not fit it.
        """
        decode = decode_events if into is Event else decoder_into(into)
        for text in self.texts(start, stop):
            yield decode(text)

    def events(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        """Events at positions [start, stop), in order."""
        return chain.from_iterable(self.batches(start, stop))

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The same events as canonical JSON lines, several to a text."""
        return self._blocks.texts(self.ranges(start, stop))

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The same events as canonical JSON, one by one, without newlines."""
        for text in self.texts(start, stop):
            yield from text.splitlines()

    def ids(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Ids (32 bytes) of the events at positions [start, stop), in order."""
        return map(digest, self.lines(start, stop))

    def event(self, position: int) -> Event:
        """The event at one position. Raises UnknownObject beyond the end."""
        return decode_event(self.line(position))

    def line(self, position: int) -> bytes:
        """The event at one position as canonical JSON. Raises UnknownObject beyond the end."""
        if not 0 <= position < self.size:
            raise UnknownObject(f"there is no position {position}: the log ends before it")
        holder = self._graph.holding(self.row, position)
        return self._blocks.line(holder.line_at(position))

    def root(self, size: int | None = None) -> bytes:
        """RFC 6962 tree hash over the ids of the log's first `size` events."""
        return self.frontier(size).root()

    def frontier(self, size: int | None = None) -> Frontier:
        """The Merkle frontier of the log's first `size` events."""
        return self._merkle().frontier(self.row, self._stop(size), self.ids)

    def _stop(self, stop: int | None) -> int:
        return self.size if stop is None else min(stop, self.size)
