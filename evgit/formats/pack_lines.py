"""Commit lines as packs have them: without the parent where that is the commit line before.

A parent's id is 32 bytes that no compression makes smaller, and that follow from the line before.
So a pack has `{ "parents":["^"],` in front of such a line instead (docs/format.md, "Pack"): still
JSON, never canonical, so never mistaken for a line that stands as it is. It knows text, not what a
commit is.
"""

from __future__ import annotations

from collections.abc import Iterable

from evgit.errors import DamagedObject
from evgit.formats.canonical import digest

SHORT = b'{ "parents":["^"],'
_MEMBER = b'"parents":["%b"],'
_RECORDED = b'"recorded":"events",'
_TIME_BYTES = len(b'"time":"2026-11-23T03:36:00.123456Z"}')


def shortened(lines: Iterable[bytes]) -> list[bytes]:
    """Commit lines that one frame is to hold, each as short as it can be told."""
    found: list[bytes] = []
    before: bytes | None = None
    for line in lines:
        short = line
        if before is not None:
            member = _MEMBER % digest(before).hex().encode()
            end = _place(line)
            start = end - len(member)
            if start > 0 and line[start:end] == member and line[:1] == b"{":
                candidate = SHORT + line[1:start] + line[end:]
                if _place(candidate) == len(candidate) - (len(line) - end):
                    short = candidate
        found.append(short)
        before = line
    return found


def restored(lines: list[bytes]) -> list[bytes]:
    """The commit lines of one frame as they are named. Raises DamagedObject where the first is
    short: there is no line before it."""
    if not any(line.startswith(SHORT) for line in lines):
        return lines
    found: list[bytes] = []
    for line in lines:
        if line.startswith(SHORT):
            if not found:
                raise DamagedObject("a pack is not sound: no commit stands before a short one")
            place = _place(line)
            if place < len(SHORT):
                raise DamagedObject("a pack is not sound: a short commit line is cut off")
            member = _MEMBER % digest(found[-1]).hex().encode()
            line = b"{" + line[len(SHORT) : place] + member + line[place:]
        found.append(line)
    return found


def restored_in_frame(lines: list[bytes], start: int, end: int) -> list[bytes]:
    """The lines of one frame, of which the start-th up to, not including, the end-th are those of
    commits; either may lie outside of it."""
    start, end = max(start, 0), min(end, len(lines))
    if start >= end:
        return lines
    return [*lines[:start], *restored(lines[start:end]), *lines[end:]]


def _place(line: bytes) -> int:
    """Where the member behind `parents` begins: `time`, or `recorded` before it."""
    place = len(line) - _TIME_BYTES
    recorded = place - len(_RECORDED)
    return recorded if recorded >= 0 and line[recorded:place] == _RECORDED else place
