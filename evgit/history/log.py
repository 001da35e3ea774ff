"""The log of a commit: the ordered list of all events in its history, L(c).

Read-only, in bounded memory. It knows events and positions, not what events mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, overload

from evgit.errors import DamagedObject, UnknownObject
from evgit.formats.canonical import digest
from evgit.formats.event import Event, decode_event, decode_events, decoder_into
from evgit.history.commit_row import CommitRow
from evgit.history.graph import CommitGraph
from evgit.history.line_ranges import LineRange
from evgit.storage.blocks import BlockStore

if TYPE_CHECKING:
    from evgit.formats.merkle import Frontier
    from evgit.history.merkle_log import MerkleLog
    from evgit.history.streams import StreamIndex
    from evgit.storage.stretches import Stretch

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
        streams: Callable[[], StreamIndex],
    ) -> None:
        self.row = row
        self.commit = row.hex
        self.size = size
        self._graph = graph
        self._blocks = blocks
        self._merkle = merkle
        self._streams = streams
        self._roots: dict[int, bytes] = {}

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
        return (events for _, events in self.decoded(decode, start, stop))

    def decoded(
        self, decode: Callable[[bytes | memoryview], list[Form]], start: int, stop: int | None
    ) -> Iterator[tuple[bytes | memoryview, list[Form]]]:
        """The same events as canonical JSON lines, several to a text, and what `decode` makes of
        each text: one of it for each event, or it raises DamagedObject."""
        for text, lines in self._blocks.pieces(self.ranges(start, stop)):
            try:
                events = decode(text)
            except DamagedObject:
                break
            if len(events) != lines:
                break
            yield text, events
            start += lines
        else:
            return
        for careful in self.texts(start, stop):  # says what is wrong, behind what can be read
            yield careful, decode(careful)

    def events(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        """Events at positions [start, stop), in order."""
        return chain.from_iterable(self.batches(start, stop))

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The same events as canonical JSON lines, several to a text."""
        return self._blocks.texts(self.ranges(start, stop))

    def stretches(self, start: int = 0, stop: int | None = None) -> Iterator[Stretch]:
        """The same events as far as they are packed and stand in order, to be read stream by stream
        (`evgit.storage.stretches`)."""
        if self._blocks.closed is not None:
            return iter(())
        from evgit.storage.stretches import stretches  # only long replays ask

        return stretches(self._blocks.packs, self.ranges(start, stop), start)

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The same events as canonical JSON, one by one, without newlines."""
        for text in self.texts(start, stop):
            yield from text.splitlines()

    def ids(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Ids (32 bytes) of the events at positions [start, stop), in order."""
        if self._graph.boundaries:  # ids are known of what is not here, too
            from evgit.formats.boundary import line_id  # most repositories do without

            texts = self._blocks.texts(self.ranges(start, stop), closed=True)
            return (line_id(line) for text in texts for line in text.splitlines())
        return map(digest, self.lines(start, stop))

    @property
    def floor(self) -> int:
        """How many events of the log are not here, because a shallow repository begins later."""
        bottom = self._graph.boundary_of(self.row)
        return 0 if bottom is None else bottom.size

    def refuse_behind(self) -> None:
        """Raise BehindBoundary where there are such events."""
        bottom = self._graph.boundary_of(self.row)
        if bottom is not None:
            self._graph.refuse_boundary(bottom)

    def event(self, position: int) -> Event:
        """The event at one position. Raises UnknownObject beyond the end."""
        return decode_event(self.line(position))

    def line(self, position: int) -> bytes:
        """The event at one position as canonical JSON. Raises UnknownObject beyond the end."""
        if not 0 <= position < self.size:
            raise UnknownObject(f"there is no position {position}: the log ends before it")
        holder = self._graph.holding(self.row, position)
        return self._blocks.line(holder.line_at(position))

    def stream_names(self, prefix: str) -> Iterator[str]:
        """The names of all streams that begin so; others than the log's may be among them."""
        return (name for name, _ in self._streams().names(prefix))

    def stream_positions(self, name: str, start: int, stop: int) -> Sequence[int]:
        """Which of the positions [start, stop) hold events of a stream, ascending."""
        number = self._streams().number(name)
        if number is None:
            return []
        return self._streams().positions(self.row, self._stop(stop), number, start)

    def root(self, size: int | None = None) -> bytes:
        """RFC 6962 tree hash over the ids of the log's first `size` events."""
        stop = self._stop(size)
        if stop not in self._roots:
            self._roots[stop] = self.frontier(stop).root()
        return self._roots[stop]

    def begins_with(self, other: Log) -> bool:
        """Are the other log's events the first ones of this?"""
        if other.size > self.size:
            return False
        if self._graph is other._graph and self._way(other.size) == other._way(other.size):
            return True  # what a chain has at a position never changes
        return self.root(other.size) == other.root()

    def _way(self, size: int) -> list[tuple[int, int]]:
        """The chains that have the first `size` events, and where each begins."""
        lineage = self._graph.lineage(self.row)
        return [(stretch.chain, stretch.start) for stretch in lineage if stretch.start < size]

    def frontier(self, size: int | None = None) -> Frontier:
        """The Merkle frontier of the log's first `size` events."""
        return self._merkle().frontier(self.row, self._stop(size), self.ids)

    def given_documents(self, projection: bytes) -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of the state after `floor` events, as another repository gave it.

        Raises BehindBoundary where it gave none by the projection with this key.
        """
        bottom = self._graph.boundary_of(self.row)
        if bottom is not None:
            return self._graph.boundaries.given_state(bottom.number, projection)
        return iter(())

    def _stop(self, stop: int | None) -> int:
        return self.size if stop is None else min(stop, self.size)
