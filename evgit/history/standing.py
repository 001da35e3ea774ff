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

AT_ONCE = 4096


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
    found: list[Standing] = []
    names: dict[str, str] = {}  # of many events of a stream, one text is enough
    for start in range(0, len(lines), AT_ONCE):
        part = lines[start : start + AT_ONCE]
        absent = iter(decode_absents([line for line in part if is_absent(line)]))
        for line in part:
            if is_absent(line):
                one = next(absent)
                key = one.key if isinstance(one.key, str) else None
                event_id, stream = bytes.fromhex(one.id), one.stream
            else:
                event = decode_event(line)
                event_id, stream, key = digest(line), event.stream, event.key
            found.append(Standing(event_id, names.setdefault(stream, stream), key))
    return found
