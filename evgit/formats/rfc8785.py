"""Canonical JSON the slow way, which is the rule: RFC 8785 (JCS) with evgit's refusals.

The parser is the standard library's, told what to refuse; the writer is our own. Everything that
RFC 8785 leaves open or that could not survive it is refused with InvalidJSON: see `parse` and
`encode` in `canonical`, which also know the fast way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from evgit.errors import InvalidJSON
from evgit.formats.json_value import MAX_DEPTH, MAX_SAFE_INTEGER, JSONValue, to_bytes

_BIG_INTEGER_HINT = "pass big integers as strings"
_LONGEST_EXACT_INTEGER = 21  # digits; beyond that the form of a double has an exponent


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not a JSON value")


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)} characters)"


def _parse_int(literal: str) -> int:
    if len(literal) <= _LONGEST_EXACT_INTEGER + 1:
        value = int(literal)
        if abs(value) <= MAX_SAFE_INTEGER or format_number(float(value)) == literal:
            return value
    raise InvalidJSON(
        f"the integer {_shorten(literal)} is beyond 2^53-1, and a double would change it",
        hint=_BIG_INTEGER_HINT,
    )


def _parse_float(literal: str) -> float:
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise InvalidJSON(f"the number {_shorten(literal)} is out of the range of a double")
    return value


def _parse_object(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidJSON(f"duplicate key {_shorten(key)!r}")
            seen.add(key)
    return members


_SLOW_DECODER = json.JSONDecoder(
    parse_int=_parse_int,
    parse_float=_parse_float,
    parse_constant=_refuse_constant,
    object_pairs_hook=_parse_object,
)
# A string, or a string cut short, in one bite each; possessive, so that no text is scanned twice.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _check_depth(text: str) -> None:
    """Before parsing, which recurses."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJSON(f"nested deeper than {MAX_DEPTH} at character {match.start()}")
        elif bracket in "]}":
            depth -= 1


def _check_surrogates(value: JSONValue) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                raise InvalidJSON(f"lone surrogate in the string {_shorten(item)!r}")
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())


def parse(raw: bytes) -> JSONValue:
    """The value of a JSON text in UTF-8."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"not UTF-8: {error.reason} at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise InvalidJSON("the text begins with a byte order mark", hint="save it without one")
    _check_depth(text)
    try:
        value: JSONValue = _SLOW_DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = (
            f"line {error.lineno} column {error.colno}"
            if error.lineno > 1
            else (f"column {error.colno}")
        )
        raise InvalidJSON(f"not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise InvalidJSON("nested too deep for the stack that is left") from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def format_number(value: float) -> str:
    """A finite double as RFC 8785, 3.2.2.3 has it: ECMAScript's Number.prototype.toString.

    Both write the shortest digits that round-trip, as Python's repr does; only where the point
    and the exponent go differs.
    """
    if value == 0:
        return "0"
    text = repr(value)
    if 1e-4 <= abs(value) < 1e16:
        return text.removesuffix(".0")
    if value < 0:
        return "-" + format_number(-value)
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # 0.digits * 10**point is the value
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{tail}e{point - 1:+d}"


_write_string: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode
"""Quotes and escapes as RFC 8785, 3.2.2.2: the short escapes, else \\u00xx below U+0020 only."""


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


class _Writer:
    """Writes one value; `place` is the JSON pointer of what is being written."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.place: list[str] = []

    def refuse(self, reason: str, hint: str = "") -> InvalidJSON:
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in self.place)
        return InvalidJSON(f"{reason} (at {pointer})" if pointer else reason, hint=hint)

    def write(self, value: object) -> None:
        if value is None:
            self.parts.append("null")
        elif value is True:
            self.parts.append("true")
        elif value is False:
            self.parts.append("false")
        elif isinstance(value, str):
            self.parts.append(_write_string(value))
        elif isinstance(value, int):
            self.write_int(value)
        elif isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                raise self.refuse(f"{value} is not a JSON value")
            self.parts.append(format_number(float(value)))
        elif isinstance(value, dict | list):
            if len(self.place) == MAX_DEPTH:
                self.place = []  # a pointer of 128 steps helps nobody, least of all in a cycle
                raise self.refuse(f"nested deeper than {MAX_DEPTH}")
            if isinstance(value, dict):
                self.write_object(value)
            else:
                self.write_array(value)
        else:
            raise self.refuse(f"a {type(value).__name__} is not a JSON value")

    def write_int(self, value: int) -> None:
        if abs(value) > MAX_SAFE_INTEGER:
            try:
                exact = format_number(float(value)) == int.__repr__(value)
            except OverflowError:
                exact = False
            if not exact:
                raise self.refuse(
                    "an integer is beyond 2^53-1, and a double would change it", _BIG_INTEGER_HINT
                )
        self.parts.append(int.__repr__(value))

    def write_array(self, items: list[Any]) -> None:
        separator = "["
        for index, item in enumerate(items):
            self.parts.append(separator)
            self.place.append(str(index))
            self.write(item)
            self.place.pop()
            separator = ","
        self.parts.append("]" if items else "[]")

    def write_object(self, members: dict[Any, Any]) -> None:
        for key in members:
            if not isinstance(key, str):
                raise self.refuse(f"the key {key!r} is not a string")
        separator = "{"
        for key in sorted(members, key=_utf16):
            self.parts.append(f"{separator}{_write_string(key)}:")
            self.place.append(key)
            self.write(members[key])
            self.place.pop()
            separator = ","
        self.parts.append("}" if members else "{}")


def encode(value: object) -> bytes:
    """The canonical bytes of a value made of Python's JSON types."""
    writer = _Writer()
    try:
        writer.write(value)
    except RecursionError:
        raise InvalidJSON("nested too deep for the stack that is left") from None
    try:
        line = "".join(writer.parts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidJSON(
            f"lone surrogate in a string: {error.object[error.start : error.end]!r}"
        ) from None
    return to_bytes(line)
