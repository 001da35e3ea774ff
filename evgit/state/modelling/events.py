"""Events as handlers get them: read-only, decoded as late as can be.

Stored lines are decoded at C speed into what folding needs; data is decoded anew for every fold, so
that nothing a handler does to it is seen by anyone else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec

from evgit.formats import canonical

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
    time: str
    version: int
    stored_data: msgspec.Raw = msgspec.field(name="data")
    stored_meta: msgspec.Raw | msgspec.UnsetType = msgspec.field(name="meta", default=msgspec.UNSET)
    stored_blobs: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        name="blobs", default=msgspec.UNSET
    )
    key: str | None = None
    origin: str | None = None
    position: int = msgspec.field(name="(position)", default=-1)
    data: Any = msgspec.field(name="(data)", default=None)

    @property
    def meta(self) -> MappingProxyType[str, Any]:
        """Who, why and from where."""
        stored = self.stored_meta
        return MappingProxyType({} if stored is msgspec.UNSET else _decode_value(stored))

    @property
    def blobs(self) -> MappingProxyType[str, int]:
        """Blob id -> size in bytes."""
        stored = self.stored_blobs
        return MappingProxyType({} if stored is msgspec.UNSET else _decode_value(stored))

    @property
    def line(self) -> bytes:
        """The canonical bytes, as they are stored."""
        unset = msgspec.UNSET
        return _encode(
            _Line(
                blobs=self.stored_blobs,
                data=self.stored_data,
                key=unset if self.key is None else self.key,
                meta=self.stored_meta,
                origin=unset if self.origin is None else self.origin,
                stream=self.stream,
                time=self.time,
                type=self.type,
                version=self.version,
            )
        )

    @property
    def id(self) -> str:
        """The event's id, 64 hex digits."""
        return canonical.object_id(self.line)


class Lines:
    """A text of canonical lines, split when somebody asks for one."""

    __slots__ = ("_first", "_lines", "_text")

    def __init__(self, text: bytes, first: int) -> None:
        """`first`: the position of its first line."""
        self._text = text
        self._first = first
        self._lines: list[bytes] | None = None

    def at(self, position: int) -> bytes:
        """The line of the event at a position."""
        if self._lines is None:
            self._lines = self._text.split(b"\n")
        return self._lines[position - self._first]


class OnceEvent(Event, frozen=True, kw_only=True, gc=False):
    """An event that is folded once: its data is decoded together with it, and is used up then."""

    data: Any = msgspec.field(name="data")
    stored_data: msgspec.Raw = msgspec.field(name="(stored data)", default=msgspec.Raw(b""))
    source: Any = msgspec.field(name="(source)", default=None)

    @property
    def line(self) -> bytes:
        """The canonical bytes, as they are stored."""
        line: bytes = self.source.at(self.position)
        return line


decode_lines = msgspec.json.Decoder(Event).decode_lines
decode_lines_once = msgspec.json.Decoder(OnceEvent).decode_lines
_decode_stored = msgspec.json.Decoder(Event).decode

# A frozen struct is read-only to everybody else; these fill in what its line does not say.
set_position: Callable[[Event, int], None] = Event.__dict__["position"].__set__
set_data: Callable[[Event, Any], None] = Event.__dict__["data"].__set__
set_source: Callable[[OnceEvent, Lines], None] = OnceEvent.__dict__["source"].__set__


def read_only(data: Any) -> Any:
    """Data as handlers get it."""
    return MappingProxyType(data) if type(data) is dict else data


def fresh_data(event: Event) -> Any:
    """The data as it is stored, decoded anew."""
    if isinstance(event, OnceEvent):
        return _decode_value(_decode_stored(event.line).stored_data)
    return _decode_value(event.stored_data)
