"""Boundaries: what stands for the history that a shallow repository does not have.

A **boundary** is a commit whose log is known by ids alone. Its block has, in place of the commit's
own events, an **absent line** for each event that is not here, then one line that says which of
them make up the log, then the commit. An absent line is the canonical JSON of an event's id, its
stream and, where it has one, its key with the hash of what it said (docs/format.md). This module
must not know where boundaries are kept, or who sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec

from evgit.errors import InvalidObject
from evgit.formats.again import is_again
from evgit.formats.canonical import digest, encode, object_id
from evgit.formats.event import Event
from evgit.formats.event_rules import check_key
from evgit.formats.names import check_stream_name
from evgit.formats.times import to_instant

_ABSENT_START = b'{"id":"'
_BOUNDARY_START = b'{"height":'
_HEX = frozenset("0123456789abcdef")
MAX_HEIGHT = 1 << 31
OWN = ""
"""The source of a piece of log that is made of the boundary's own lines."""

Piece = tuple[str, int, int]
"""(source, start, count): a stretch of a boundary's log. The source is the id of a boundary that
comes before, of whose log it is [start, start + count), or OWN: of the lines of this block."""


class Absent(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An event that is not here. `key` and `said` stand together; `said`: see `said_by`."""

    id: str
    key: str | msgspec.UnsetType = msgspec.UNSET
    kind: Literal["absent"] = "absent"
    said: str | msgspec.UnsetType = msgspec.UNSET
    stream: str = ""


class Boundary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of a boundary's history.

    `height`: how many first parents the commit has before it. `held`: ids of X(c). `here`: places
    of own lines that are events in full, ascending. `latest`: the latest time of an event that an
    own line stands for, "" for none. `log`: the pieces that its log is made of. `number`: of own
    lines, which all come before this one.
    """

    height: int
    held: list[str]
    here: list[int]
    kind: Literal["boundary"] = "boundary"
    latest: str
    log: list[Piece]
    number: int

    def canonical(self) -> bytes:
        """The line of the block that says it."""
        return _encode(self)


def absent_line(event_id: str, stream: str, key: str | None = None, said: str = "") -> bytes:
    """Stands in a boundary's block for an event that is not here."""
    if key is None:
        return _encode(Absent(event_id, stream=stream))
    return _encode(Absent(event_id, key=key, said=said, stream=stream))


def absent_for(line: bytes, event: Event) -> bytes:
    """The absent line that stands for an event, given its canonical bytes, too."""
    return absent_line(object_id(line), event.stream, event.key, said_by(event))


def said_by(event: Event) -> str:
    """What an event says apart from when: equal where a key makes one the repetition of another."""
    return object_id(encode([event.type, event.version, event.data, event.meta]))


def is_absent(line: bytes) -> bool:
    """Is it an absent line? Neither events nor commits begin so."""
    return line.startswith(_ABSENT_START) and not is_again(line)


def is_boundary(line: bytes) -> bool:
    """Is it the line that says what a boundary's log is made of?"""
    return line.startswith(_BOUNDARY_START)


def line_id(line: bytes) -> bytes:
    """The 32-byte id of the event that a line is, or that it stands for if it is absent."""
    if line.startswith(_ABSENT_START) and not is_again(line):
        return bytes.fromhex(line[7:71].decode("ascii", "replace"))
    return digest(line)


def decode_absent(line: bytes) -> Absent:
    """An absent line, checked. Raises InvalidObject."""
    return decode_absents([line])[0]


def decode_absents(lines: Sequence[bytes]) -> list[Absent]:
    """Absent lines, each checked to be canonical and sound. Raises InvalidObject."""
    try:
        found = _absents().decode(b"[" + b",".join(lines) + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidObject(f"not a line that stands for an absent event: {error}") from None
    if len(found) != len(lines) or list(map(_encode, found)) != list(lines):
        raise InvalidObject("a line that stands for an absent event is not in canonical form")
    for one in found:
        _check_id(one.id)
        if isinstance(one.key, str) != isinstance(one.said, str):
            raise InvalidObject(f"event {one.id}: a key stands without what it said")
        if isinstance(one.key, str) and isinstance(one.said, str):
            _check_id(one.said)
            check_key(one.key)
    for stream in {one.stream for one in found}:
        check_stream_name(stream, appending=False, reserved=True)
    return found


def decode_boundary(line: bytes) -> Boundary:
    """What `canonical` wrote. Raises InvalidObject for what is malformed or contradicts itself."""
    try:
        found = _boundaries().decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidObject(f"not the line of a boundary: {error}") from None
    if found.canonical() != line:
        raise InvalidObject("the line of a boundary is not in canonical form")
    places_fit = all(a < b for a, b in pairwise([-1, *found.here, found.number]))
    if not 0 < found.height < MAX_HEIGHT or not places_fit:
        raise InvalidObject("the line of a boundary has numbers that can't be")
    for source, start, count in found.log:
        if source != OWN:
            _check_id(source)
        if start < 0 or count < 1 or (source == OWN and start + count > found.number):
            raise InvalidObject("a piece of a boundary's log lies outside of what it is taken from")
    for event_id in found.held:
        _check_id(event_id)
    if found.latest:
        to_instant(found.latest)
    return found


def _check_id(text: str) -> None:
    if len(text) != 64 or not _HEX.issuperset(text):
        raise InvalidObject(f"{text[:80]!r} is not an id")


_encode = msgspec.json.Encoder().encode


@cache
def _absents() -> msgspec.json.Decoder[list[Absent]]:
    return msgspec.json.Decoder(list[Absent])


@cache
def _boundaries() -> msgspec.json.Decoder[Boundary]:
    return msgspec.json.Decoder(Boundary)
