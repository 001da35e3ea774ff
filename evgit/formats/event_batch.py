"""A batch of checked events, and all that can be known of it before it is known where it goes.

Ids, streams, frames and the hashes of the log's tree are computed when first asked for, and once. A
batch can be packed into bytes with all of that, to be computed by one process and stored by
another; the events and lines of an unpacked batch come from its frames, where anybody needs them.

This module computes; what makes an event a good one is known by `event`, where batches are made.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from evgit.formats.block import (
    FRAME_BYTES,
    EncodedBlock,
    encode_text,
    ended_lines,
    iter_frames,
    split_lines,
)
from evgit.formats.hashing import ID_BYTES, JoinedIds, hashed, hashed_text, joined_ids
from evgit.formats.merkle import Subtrees, subtrees
from evgit.formats.times import to_instants

if TYPE_CHECKING:
    from evgit.formats.event import Event
    from evgit.formats.event_facts import Facts

_BETWEEN = "\n"  # names of streams hold no control characters


class Packed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What `EventBatch.pack` writes, as msgpack: what `EventBatch` computes, by those names."""

    count: int
    text_size: int
    ids: bytes
    all_differ: bool
    prints_differ: bool
    streams: str
    keyed: list[int]
    keys: list[str]
    first_time: str
    last_time: str
    data: bytes
    frames: list[tuple[int, int]]
    start: int
    pieces: list[tuple[int, bytes]]
    nodes: list[tuple[int, int, bytes]]


@cache
def _packed_decoder() -> msgspec.msgpack.Decoder[Packed]:
    return msgspec.msgpack.Decoder(Packed)


class EventBatch:
    """Checked events in order. `lines` are their canonical bytes, parallel to `events`."""

    __slots__ = (
        "_count", "_decode", "_differ", "_ended", "_events", "_first_and_last", "_frames", "_ids",
        "_instants", "_joined_streams", "_keyed", "_keys", "_lines", "_listing_blobs",
        "_prints_differ", "_streams", "_subtrees", "_text", "_text_size", "_times",
    )  # fmt: skip

    def __init__(
        self,
        events: list[Event],
        lines: list[bytes],
        streams: list[str] | None = None,
        times: list[str] | None = None,
    ) -> None:
        """`streams` and `times`: of the events, where they are known already."""
        self._count = len(lines)
        self._events: list[Event] | None = events
        self._lines: list[bytes] | None = lines
        self._text: bytes | None = None
        self._ended: Sequence[bytes] | None = None
        self._decode: Callable[[bytes], list[Event]] | None = None
        self._streams = streams
        self._joined_streams: str | None = None
        self._times = times
        self._instants: array[int] | None = None
        self._first_and_last: tuple[str, str] | None = None
        self._ids: Sequence[bytes] | None = None
        self._differ: bool | None = None
        self._prints_differ: bool | None = None
        self._keyed: list[int] | None = None
        self._keys: list[str] | None = None
        self._listing_blobs: list[int] | None = None
        self._text_size: int | None = None
        self._frames: EncodedBlock | None = None
        self._subtrees: Subtrees | None = None

    @classmethod
    def of_text(
        cls, events: list[Event], text: bytes, streams: list[str], times: list[str]
    ) -> EventBatch:
        """The batch whose lines stand in `text`, each with its newline."""
        batch = cls(events, [], streams, times)
        batch._count = len(events)
        batch._lines = None
        batch._text = text
        return batch

    @classmethod
    def of_facts(
        cls,
        facts: Facts,
        decode: Callable[[bytes], list[Event]],
        *,
        lines: list[bytes] | None = None,
        text: bytes = b"",
    ) -> EventBatch:
        """The batch of stored lines, or of the text that they stand in, each with its newline, of
        which so much is known. `decode`: makes events of a text, where anybody needs them."""
        batch = cls([], [])
        batch._count = len(facts.instants)
        batch._events = None
        batch._decode = decode
        batch._lines = lines
        batch._text = None if lines else text
        batch._joined_streams = facts.joined_streams
        batch._instants = facts.instants
        batch._first_and_last = facts.first_time, facts.last_time
        batch._keyed = facts.keyed
        batch._keys = facts.keys
        batch._listing_blobs = facts.listing_blobs
        return batch

    @classmethod
    def of_new(
        cls, line: bytes, stream: str, instant: int, decode: Callable[[bytes], list[Event]]
    ) -> EventBatch:
        """The batch of one event that has no key. `decode`: makes events of lines."""
        batch = cls([], [line], [stream])
        batch._events = None
        batch._decode = decode
        batch._keyed = []
        batch._text_size = len(line) + 1
        batch._instants = array("q", (instant,))
        return batch

    def __len__(self) -> int:
        return self._count

    # ------------------------------------------------------------------ events
    @property
    def events(self) -> list[Event]:
        """The events."""
        if self._events is None:
            assert self._decode is not None
            self._events = self._decode(self.text) if self._count else []
        return self._events

    @property
    def lines(self) -> list[bytes]:
        """Their canonical bytes, without newlines."""
        if self._lines is None:
            self._lines = split_lines(self.text)
        return self._lines

    @property
    def text(self) -> bytes:
        """The lines, each with its newline."""
        if self._text is None:
            if self._lines is None:
                self._text = b"".join([text for _, _, text in iter_frames(self.frames.data)])
            else:
                self._text = b"\n".join(self._lines) + b"\n" if self._lines else b""
        return self._text

    def select(self, indexes: Sequence[int]) -> EventBatch:
        """The batch of only these events, in the order of `indexes`."""
        chosen = EventBatch([self.events[i] for i in indexes], [self.lines[i] for i in indexes])
        if self._ids is not None:
            chosen._ids = [self._ids[i] for i in indexes]
        return chosen

    # ------------------------------------------------------------------ what is said in them
    @property
    def streams(self) -> list[str]:
        """The events' streams, in order."""
        if self._streams is None:
            if self._joined_streams is None:
                self._streams = [event.stream for event in self.events]
            else:
                self._streams = self._joined_streams.split(_BETWEEN)
        return self._streams

    @property
    def joined_streams(self) -> str:
        """The same with a newline between each two, which is in no name. It must not be empty."""
        if self._joined_streams is None:
            self._joined_streams = _BETWEEN.join(self.streams)
        return self._joined_streams

    @property
    def keyed(self) -> list[int]:
        """Places of the events that have a key."""
        if self._keyed is None:
            self._keyed = [i for i, event in enumerate(self.events) if event.key is not None]
        return self._keyed

    @property
    def keys(self) -> list[str]:
        """The keys of the events at the places in `keyed`."""
        if self._keys is None:
            self._keys = [event.key for event in self.events if event.key is not None]
        return self._keys

    @property
    def listing_blobs(self) -> list[int]:
        """Places of the events that list blobs."""
        if self._listing_blobs is None:
            self._listing_blobs = [i for i, event in enumerate(self.events) if event.blobs]
        return self._listing_blobs

    @property
    def times(self) -> list[str]:
        """The events' times, in order."""
        if self._times is None:
            self._times = [event.time for event in self.events]
        return self._times

    @property
    def instants(self) -> array[int]:
        """The same as instants, at the cost of `times` if those are not known."""
        if self._instants is None:
            self._instants = array("q", to_instants(self.times))
        return self._instants

    @property
    def first_time(self) -> str:
        """The earliest time. The batch must not be empty."""
        return self._bounds()[0]

    @property
    def last_time(self) -> str:
        """The latest time. The batch must not be empty."""
        return self._bounds()[1]

    def _bounds(self) -> tuple[str, str]:
        if self._first_and_last is None:
            self._first_and_last = min(self.times), max(self.times)
        return self._first_and_last

    # ------------------------------------------------------------------ what is computed of them
    @property
    def ids(self) -> Sequence[bytes]:
        """32-byte ids, parallel to `events`."""
        if self._ids is None:
            if self._lines is None:
                text = self.text
                self._ids = hashed_text(text, lambda: self._ended or ended_lines(text))
            else:
                self._ids = hashed(self._lines)
        return self._ids

    @property
    def all_differ(self) -> bool:
        """Is no event in it twice?"""
        if self._differ is None:
            self._differ = self.prints_differ or len(set(self.ids)) == self._count
        return self._differ

    @property
    def prints_differ(self) -> bool:
        """Are no two of `fingerprints` equal?"""
        if self._prints_differ is None:
            self._prints_differ = self._count < 2 or (len(set(self.fingerprints())) == self._count)
        return self._prints_differ

    def fingerprints(self) -> array[int]:
        """The first eight bytes of every id as a number, in this machine's order of bytes."""
        words = array("Q")
        words.frombytes(joined_ids(self.ids))
        return words[:: ID_BYTES // 8]

    @property
    def text_size(self) -> int:
        """Bytes of the lines with their newlines."""
        if self._text_size is None:
            if self._lines is None:
                self._text_size = len(self.text)
            else:
                self._text_size = sum(map(len, self._lines)) + self._count
        return self._text_size

    @property
    def is_large(self) -> bool:
        """Do its frames hold nothing but its lines, however long the commit's line is?"""
        return self.text_size >= FRAME_BYTES

    @property
    def frames(self) -> EncodedBlock:
        """The frames of a block that has these lines, but for the commit's."""
        if self._frames is None:
            self._frames = encode_text(self.text)
        return self._frames

    def know_frames(self, frames: EncodedBlock) -> None:
        """Take frames that hold just these lines, in place of compressing them again."""
        self._frames = frames

    def know_ended(self, lines: Sequence[bytes]) -> None:
        """Take its lines, each with its newline, in place of splitting the text again."""
        self._ended = lines

    def subtrees(self, start: int) -> Subtrees:
        """Its part of the tree over a log's ids, from leaf `start` on."""
        if self._subtrees is None or self._subtrees.start != start:
            self._subtrees = subtrees(self.ids, start)
        return self._subtrees

    def compute(self, start: int) -> None:
        """Computes at once what storing it at position `start` will ask for."""
        _ = self.ids, self.streams
        if self.is_large:
            _ = self.frames, self.subtrees(start), self.all_differ

    # ------------------------------------------------------------------ between processes
    def pack(self, start: int) -> bytes:
        """All of it as bytes. `start`: the position that its first event may get. Not empty."""
        leaves, block = self.subtrees(start), self.frames
        packed = Packed(
            count=self._count,
            text_size=self.text_size,
            ids=joined_ids(self.ids),
            all_differ=self.all_differ,
            prints_differ=self.prints_differ,
            streams=self.joined_streams,
            keyed=self.keyed,
            keys=self.keys,
            first_time=self.first_time,
            last_time=self.last_time,
            data=block.data,
            frames=block.frames,
            start=leaves.start,
            pieces=leaves.pieces,
            nodes=leaves.nodes,
        )
        return msgspec.msgpack.encode(packed)

    @classmethod
    def joined(cls, parts: Sequence[EventBatch]) -> EventBatch:
        """The batch of the events of all parts."""
        if len(parts) == 1:
            return parts[0]
        events = [event for part in parts for event in part.events]
        return cls(events, [line for part in parts for line in part.lines])

    @classmethod
    def unpack(cls, data: bytes, decode: Callable[[bytes], list[Event]]) -> EventBatch:
        """What was packed. `decode`: makes events of lines."""
        packed = _packed_decoder().decode(data)
        batch = cls([], [])
        batch._joined_streams = packed.streams
        batch._first_and_last = packed.first_time, packed.last_time
        batch._count = packed.count
        batch._events = batch._lines = None
        batch._decode = decode
        batch._ids = JoinedIds(packed.ids)
        batch._differ = packed.all_differ
        batch._prints_differ = packed.prints_differ
        batch._keyed = packed.keyed
        batch._keys = packed.keys
        batch._text_size = packed.text_size
        batch._frames = EncodedBlock(packed.data, packed.frames)
        batch._subtrees = Subtrees(packed.start, packed.pieces, packed.nodes)
        return batch
