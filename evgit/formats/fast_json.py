"""When msgspec's JSON may be trusted to be canonical, and the two fast ways built on that.

Facts about msgspec, each held by a test: its parser accepts what RFC 8259 does and no more, but
neither refuses nor reports duplicate keys. Its writer, told to sort, sorts keys by code points,
which is the order of RFC 8785 unless a key holds a character beyond the BMP; it escapes strings as
RFC 8785 does; it writes integers as they are, and doubles with the right digits but, where they are
integral, tiny or huge, not in the right form.

Nothing here refuses anything: in doubt, `rfc8785` decides.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any

import msgspec

from evgit.formats.json_value import MAX_OBJECT_BYTES, MAX_SAFE_INTEGER

ENCODER = msgspec.json.Encoder(order="sorted")

DOUBT: Any = object()
"""What `parse` returns instead of a value where it can't vouch for it."""

_TYPED_DEPTH = 4
_SETTLED_DEPTH = 64  # containers; far below what is refused, whatever they stand in
_QUOTE = ord('"')
_ASTRAL_BYTES = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")  # each begins four bytes of UTF-8
_TO_THE_END_OF_AN_ASTRAL_STRING = rb'(?s)[\xf0-\xf4](?:[^"\\]|\\.)*+"(:?)'


def strict_type() -> Any:
    """A type for msgspec decoders: safe integers, no floats, at most four containers deep.

    The sorted encoding of such values is canonical, but for astral keys.
    """
    bounds = msgspec.Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)
    flat: Any = bool | Annotated[int, bounds] | str | None
    deep: Any = flat
    for _ in range(_TYPED_DEPTH):
        deep = flat | list[deep] | dict[str, deep]
    return deep


def settle_numbers(container: dict[str, Any] | list[Any]) -> bool:
    """Makes the sorted encoding of a decoded container canonical, but for astral keys.

    Integral floats in it become ints, in place. False: there are numbers that need more than that,
    or it is very deep.
    """
    waiting: list[tuple[Any, int]] = [(container, 1)]
    while waiting:
        here, depth = waiting.pop()
        items = here.items() if type(here) is dict else enumerate(here)
        for place, item in items:
            kind = type(item)
            if kind is float:
                if not 1e-4 <= abs(item) <= MAX_SAFE_INTEGER and item != 0:
                    return False
                if item.is_integer():
                    here[place] = int(item)  # the keys stay, so that iteration goes on
            elif kind is int:
                if not -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER:
                    return False
            elif kind is dict or kind is list:
                if depth == _SETTLED_DEPTH:
                    return False
                waiting.append((item, depth + 1))
    return True


def has_astral(text: bytes) -> bool:
    """Does JSON without white space hold a key beyond the BMP, which is sorted otherwise?"""
    return (
        not text.isascii()
        and any(byte in text for byte in _ASTRAL_BYTES)
        and any(match[1] for match in re.finditer(_TO_THE_END_OF_AN_ASTRAL_STRING, text))
    )


def count_strings(text: bytes) -> int:
    """How many quotes of a JSON text begin or end a string (two for each string).

    Re-encoding a parsed text writes every string but those of the members that a duplicate key
    displaced, so equal counts mean that there was none.
    """
    quotes = text.count(b'"')
    if b"\\" in text:
        doubled = False  # is the backslash before `rest` escaped by one before it?
        for rest in text.split(b"\\")[1:]:
            if doubled:
                doubled = False
            elif not rest:
                doubled = True
            elif rest[0] == _QUOTE:
                quotes -= 1
    return quotes


@cache
def _strict_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(strict_type())


def parse(raw: bytes) -> Any:
    """The value of a JSON text, or DOUBT."""
    try:
        value = _strict_decoder().decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return DOUBT
    return value if count_strings(raw) == count_strings(ENCODER.encode(value)) else DOUBT


def encode(value: object) -> bytes | None:
    """The canonical bytes of a JSON value, or None in doubt."""
    try:
        line = ENCODER.encode(value)
        # msgspec also writes sets, dates and the like: those don't come back equal.
        if has_astral(line) or _strict_decoder().decode(line) != value:
            return None
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    return line if len(line) <= MAX_OBJECT_BYTES else None


def encode_all(values: list[object]) -> list[bytes] | None:
    """What `encode` makes of each of many values, at a lower price; None in doubt about any."""
    try:
        text = ENCODER.encode_lines(values)
        if has_astral(text) or _strict_decoder().decode_lines(text) != values:
            return None
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    lines = text.split(b"\n")  # a line break in a string is escaped
    lines.pop()
    return lines if len(text) <= MAX_OBJECT_BYTES else None
