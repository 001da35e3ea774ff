"""A commit's row in the index, with a checksum: SQLite has none, and a wrong row is a wrong log.

It knows what the columns mean, not how rows are found.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from evgit.errors import Damage
from evgit.history.line_ranges import LineRange, clipped, decode_ranges, total

NO_LINE = -1  # where no commit has an event
COLUMNS = (
    "number, id, events, chain, height, size, time, parent, further_parents, segment, held_back,"
    " checksum"
)

_EIGHT_NUMBERS = struct.Struct("<8q").pack


class CommitRow(NamedTuple):
    """A commit in the index. `number`: the first line of its block; `size`: of its log.
    `identity`: its id, or what reads it from the commit's line."""

    number: int
    identity: bytes | Callable[[int], bytes]
    events: int
    chain: int
    height: int
    size: int
    time: int
    parent: int | None
    further_parents: bytes | None
    segment: bytes | None
    held_back: int | None

    @property
    def id(self) -> bytes:
        """32 bytes. Raises DamagedObject where they stand in a pack that is damaged."""
        known = self.identity
        return known if isinstance(known, bytes) else known(self.number + self.events)

    @property
    def hex(self) -> str:
        return self.id.hex()

    @property
    def parents(self) -> list[int]:
        """Numbers of the parents, first parent first."""
        if self.parent is None:
            return []
        return [self.parent, *array("Q", self.further_parents or b"")]

    @property
    def ranges(self) -> list[LineRange]:
        """Lines of the events that this commit adds to its first parent's log, in log order."""
        if self.segment is None:
            return [(self.number, self.events)] if self.events else []
        return decode_ranges(self.segment)

    @property
    def added(self) -> int:
        """How many events this commit adds to its first parent's log."""
        return self.events if self.segment is None else total(self.ranges)

    def line_at(self, position: int) -> int:
        """The line of the event at a position of the log that this commit added."""
        if self.segment is None:
            place = position - self.size + self.events
            if 0 <= place < self.events:
                return self.number + place
        place = position - self.size + self.added
        for line, _ in clipped(self.ranges, place, place + 1):
            return line
        raise damaged_index(f"commit {self.hex} does not hold position {position}")

    def checksum(self) -> int:
        """CRC-32 of the row, kept beside it: SQLite itself has none."""
        parent = -1 if self.parent is None else self.parent
        held = -1 if self.held_back is None else self.held_back
        numbers = (self.number, self.events, self.chain, self.height, self.size, self.time)
        known = self.identity
        return crc32(
            _EIGHT_NUMBERS(*numbers, parent, held)
            + (known if isinstance(known, bytes) else self.id)
            + (self.further_parents or b"")
            + (b"-" if self.segment is None else self.segment)
        )


def checked(values: Sequence[Any]) -> CommitRow:
    """A row as it was written. Raises Damage where it is not."""
    row = CommitRow(*values[:-1])
    try:
        if row.checksum() == values[-1]:
            return row
    except (struct.error, TypeError):
        pass  # not even of the right type
    called = row.hex if isinstance(row.identity, bytes) else "?"
    raise damaged_index(f"the row of commit {called}, at line {row.number}, is not what it was")


def damaged_index(what: str) -> Damage:
    """The error for an index that contradicts itself or the blocks."""
    return Damage(f"the index is damaged: {what}", hint="`evgit reindex` makes all indexes again")
