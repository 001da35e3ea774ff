"""Events as handlers get them: read-only, decoded as late as can be.

Stored lines are decoded at C speed into what folding needs; data is decoded anew for every fold, so
that nothing a handler does to it is seen by anyone else. A long replay folds each event once, and
decodes no more of it than handlers ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from evgit.formats import canonical
from evgit.formats.event_objects import lines_decoder

_decode_value = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="event"):
    """An event's members as they are stored."""

    blobs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw
    key: str | msgspec.UnsetType = msgspec.UNSET
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    origin: str | msgspec.UnsetType = msgspec.UNSET
    stream: str
    time: str
    type: str
    version: int


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event in a handler's hands. It is read-only.

    `position`: its 0-based place in the log, -1 where that is not known yet. `version`: as it was
    stored; `data` is of the newest version that the model knows, and a read-only mapping where it
    is a JSON object: `dict(event.data)` is a copy to keep or to change.
    """

    stream: str
    type: str
    version: int
    position: int = msgspec.field(name="(position)", default=-1)
    data: Any = msgspec.field(name="(data)", default=None)

    def _stored(self) -> StoredEvent:
        raise NotImplementedError

    @property
    def time(self) -> str:
        """When it happened, UTC, as it is stored."""
        return self._stored().time

    @property
    def key(self) -> str | None:
        """The idempotency key."""
        return self._stored().key

    @property
    def origin(self) -> str | None:
        """The writing process that stamped it."""
        return self._stored().origin

    @property
    def meta(self) -> MappingProxyType[str, Any]:
        """Who, why and from where."""
        stored = self._stored().stored_meta
        return MappingProxyType({} if stored is msgspec.UNSET else _decode_value(stored))

    @property
    def blobs(self) -> MappingProxyType[str, int]:
        """Blob id -> size in bytes."""
        stored = self._stored().stored_blobs
        return MappingProxyType({} if stored is msgspec.UNSET else _decode_value(stored))

    @property
    def line(self) -> bytes:
        """The canonical bytes, as they are stored."""
        event, unset = self._stored(), msgspec.UNSET
        return _encode(
            _Line(
                blobs=event.stored_blobs,
                data=event.stored_data,
                key=unset if event.key is None else event.key,
                meta=event.stored_meta,
                origin=unset if event.origin is None else event.origin,
                stream=event.stream,
                time=event.time,
                type=event.type,
                version=event.version,
            )
        )

    @property
    def id(self) -> str:
        """The event's id, 64 hex digits."""
        return canonical.object_id(self.line)


class StoredEvent(Event, frozen=True, kw_only=True, gc=False):
    """An event that may be folded more than once: it keeps all that its line says."""

    time: str
    stored_data: msgspec.Raw = msgspec.field(name="data")
    stored_meta: msgspec.Raw | msgspec.UnsetType = msgspec.field(name="meta", default=msgspec.UNSET)
    stored_blobs: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        name="blobs", default=msgspec.UNSET
    )
    key: str | None = None
    origin: str | None = None

    def _stored(self) -> StoredEvent:
        return self


class OnceEvent(Event, frozen=True, kw_only=True, gc=False):
    """An event that is folded once: its data is decoded with it, and all else when asked for."""

    data: Any = msgspec.field(name="data")
    source: Any = msgspec.field(name="(source)", default=None)

    def _stored(self) -> StoredEvent:
        stored: StoredEvent = self.source.event(self.position)
        return stored


class Lines:
    """The text that events were decoded from, for those who ask for more of one."""

    __slots__ = ("_last", "_lines", "_positions", "_text")

    def __init__(self, text: bytes, positions: Sequence[int]) -> None:
        """`positions`: of its lines."""
        self._text = text
        self._positions = positions
        self._lines: dict[int, bytes] | None = None
        self._last: tuple[int, StoredEvent] | None = None

    def event(self, position: int) -> StoredEvent:
        """The event at a position. The last one is kept: who asks once asks twice."""
        if self._last is None or self._last[0] != position:
            if self._lines is None:
                lines = self._text.split(b"\n")
                self._lines = dict(zip(self._positions, lines, strict=False))
            self._last = position, _decode_stored(self._lines[position])
        return self._last[1]


decode_lines = msgspec.json.Decoder(StoredEvent).decode_lines
decode_lines_once = lines_decoder(OnceEvent)
_decode_stored = msgspec.json.Decoder(StoredEvent).decode

# A frozen struct is read-only to everybody else; these fill in what its line does not say.
set_position: Callable[[Event, int], None] = Event.__dict__["position"].__set__
set_data: Callable[[Event, Any], None] = Event.__dict__["data"].__set__
set_source: Callable[[OnceEvent, Lines], None] = OnceEvent.__dict__["source"].__set__


def read_only(data: Any) -> Any:
    """Data as handlers get it."""
    return MappingProxyType(data) if type(data) is dict else data


def fresh_data(event: Event) -> Any:
    """The data as it is stored, decoded anew."""
    return _decode_value(event._stored().stored_data)
