"""Instants: the one time format of evgit's objects, and the lenient reading of everybody else's.

An *instant* is an int: microseconds since 0001-01-01T00:00:00Z in the proleptic Gregorian
calendar. Its text is always `YYYY-MM-DDTHH:MM:SS.ffffffZ`, 27 ASCII characters, so texts sort as
instants do. Years run from 0001 to 9999 and there is no second 60.

This module knows no clock: what "now" is, and what `yesterday` means, is decided above it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from evgit.errors import InvalidTime

ROOT_TIME = "0001-01-01T00:00:00.000000Z"
"""The earliest instant; the time of every root commit."""

_EPOCH = datetime(1, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_MAX_INSTANT = (datetime.max - _EPOCH) // _MICROSECOND

# Digits all become 0, so that the shape of a text is one comparison and non-ASCII digits fail it.
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_SHAPE = b"0000-00-00T00:00:00.000000Z"
_STRIDE = len(_SHAPE) + 1

_LENIENT = (
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<clock>[0-9]{2}:[0-9]{2})(?P<seconds>:[0-9]{2})?(?:\.(?P<fraction>[0-9]+))?"
    r"\ ?(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_HINT = "write a time as 2026-11-23T03:36:00.123456Z"


def to_instant(text: str) -> int:
    """The instant of a text in the one format. Raises InvalidTime for any other text."""
    try:
        if text.encode("ascii").translate(_DIGITS_TO_ZERO) == _SHAPE:
            return (datetime.fromisoformat(text[:26]) - _EPOCH) // _MICROSECOND
    except ValueError:  # no such day or hour, or (UnicodeEncodeError) not ASCII
        pass
    raise InvalidTime(f"{text!r} is not a time", hint=_HINT)


def to_instants(texts: Sequence[str]) -> list[int]:
    """The instants of texts for which `instants_valid` holds."""
    seconds: dict[str, int] = {}  # most often, many are of one
    instants = []
    for text in texts:
        second = text[:19]
        start = seconds.get(second)
        if start is None:
            start = seconds[second] = (datetime.fromisoformat(second) - _EPOCH) // _MICROSECOND
        instants.append(start + int(text[20:26]))
    return instants


def to_text(instant: int) -> str:
    """The text of an instant. Raises InvalidTime outside the years 0001 to 9999."""
    second, fraction = divmod(instant, 1_000_000)
    return f"{_second_text(second)}.{fraction:06d}Z"


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    """What the texts of a second's instants begin with: those asked for one after another are
    mostly of one."""
    if not 0 <= second * 1_000_000 <= _MAX_INSTANT:
        raise InvalidTime(f"instant {second * 1_000_000} lies outside the years 0001 to 9999")
    return (_EPOCH + timedelta(seconds=second)).isoformat(timespec="seconds")


def parse_instant(text: str) -> int:
    """Reads an RFC 3339 or ISO 8601 calendar time: with `T` or a space, an offset or `Z`.

    A bare date is its midnight, a time without offset is UTC, seconds may be left out. More than
    six fractional digits, second 60, and years outside 0001 to 9999 (after the offset is applied)
    raise InvalidTime: nothing is rounded.
    """
    match = re.fullmatch(_LENIENT, text)
    if match is None:
        raise InvalidTime(f"{text!r} is not a time", hint=_HINT)
    fraction = match["fraction"] or ""
    if len(fraction) > 6:
        raise InvalidTime(
            f"{text!r} has more than six fractional digits",
            hint="microseconds are the finest that is kept; round it before",
        )
    if fraction and match["seconds"] is None:
        raise InvalidTime(f"{text!r} has a fraction but no seconds", hint=_HINT)
    clock = (match["clock"] or "00:00") + (match["seconds"] or ":00")
    if clock.startswith("24"):  # which Python accepts from 3.14 on
        raise InvalidTime(f"{text!r} is not a time: hour 24", hint="write midnight as 00:00")
    try:
        local = datetime.fromisoformat(f"{match['date']}T{clock}.{fraction:0<6}")
    except ValueError as error:
        raise InvalidTime(f"{text!r} is not a time: {error}", hint=_HINT) from None
    instant = (local - _EPOCH) // _MICROSECOND - _offset(text, match["zone"])
    if not 0 <= instant <= _MAX_INSTANT:
        raise InvalidTime(f"{text!r} lies outside the years 0001 to 9999 in UTC")
    return instant


def _offset(text: str, zone: str | None) -> int:
    """Microseconds east of UTC."""
    if zone is None or zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise InvalidTime(f"{text!r} has an impossible offset from UTC", hint=_HINT)
    return (hours * 60 + minutes) * (-60_000_000 if zone[0] == "-" else 60_000_000)


def instants_valid(texts: Sequence[str]) -> bool:
    """Is every text in the one format, and on the calendar? About 150 ns a text.

    All are judged as one joined string: its shape by one comparison, minutes and seconds by their
    columns, and days and hours once for every distinct one.
    """
    if not texts:
        return True
    try:
        joined = "\n".join(texts).encode("ascii")
    except UnicodeEncodeError:
        return False
    if joined.translate(_DIGITS_TO_ZERO) != _SHAPE + (b"\n" + _SHAPE) * (len(texts) - 1):
        return False
    tens = joined[14::_STRIDE] + joined[17::_STRIDE]
    if tens.translate(None, b"012345"):
        return False
    try:
        for hour in {text[:13] for text in texts}:
            if hour.endswith("T24"):  # midnight of the next day, to Python from 3.14 on
                return False
            datetime.fromisoformat(hour)
    except ValueError:
        return False
    return True


def normalize(texts: list[str]) -> list[str]:
    """The times in the one format, in order; `texts` itself if they are already.

    Raises InvalidTime for the first that `parse_instant` refuses.
    """
    if instants_valid(texts):
        return texts
    padded = [_pad(text) for text in texts]  # cheap, and mostly all that is missing
    if instants_valid(padded):
        return padded
    return [to_text(parse_instant(text)) for text in texts]


def _pad(text: str) -> str:
    """Digits added to the fraction of a second of a time that seems to be in UTC."""
    if text[-1:] == "Z":
        if len(text) == 20:
            return text[:-1] + ".000000Z"
        if 21 < len(text) < 27:
            return text[:-1].ljust(26, "0") + "Z"
    return text
