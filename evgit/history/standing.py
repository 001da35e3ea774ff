"""What is known of an event by the line that it is, or that stands for it where it is absent.

Logs of shallow repositories are put together of both. It knows lines, not which there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evgit.formats.boundary import decode_absents, is_absent
from evgit.formats.canonical import digest
from evgit.formats.event import decode_event
from evgit.history.line_ranges import LineRange
from evgit.storage.blocks import BlockStore


class Standing(NamedTuple):
    """What is known of the event that a line is or stands for. `key`: None where it has none."""

    id: bytes
    stream: str
    key: str | None


def standing_on(blocks: BlockStore, ranges: Sequence[LineRange]) -> list[Standing]:
    """What is known of the events that lines are, or stand for."""
    found: list[Standing] = []
    for text in blocks.texts(ranges, closed=True):
        found += standing_in(text.splitlines())
    return found


def standing_in(lines: Sequence[bytes]) -> list[Standing]:
    """The same of lines at hand. Raises InvalidObject."""
    absent = [line for line in lines if is_absent(line)]
    known = iter(decode_absents(absent))
    found: list[Standing] = []
    for line in lines:
        if is_absent(line):
            one = next(known)
            key = one.key if isinstance(one.key, str) else None
            found.append(Standing(bytes.fromhex(one.id), one.stream, key))
        else:
            event = decode_event(line)
            found.append(Standing(digest(line), event.stream, event.key))
    return found
