"""Parts of a log as ranges of line numbers: (first line, count), in log order.

Every event is stored on one line of a repository, so questions about which events two logs share
are arithmetic on ranges, which costs in proportion to commits and not to events. Pure.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

LineRange = tuple[int, int]


def encode_ranges(ranges: Iterable[LineRange]) -> bytes:
    """Ranges as pairs of little-endian unsigned 32-bit words."""
    words = array("I")
    for first, count in ranges:
        words.append(first)
        words.append(count)
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def decode_ranges(data: bytes) -> list[LineRange]:
    """The inverse of `encode_ranges`."""
    words = array("I", data)
    if sys.byteorder == "big":
        words.byteswap()
    return list(zip(words[0::2], words[1::2], strict=True))


def total(ranges: Iterable[LineRange]) -> int:
    """How many lines the ranges hold."""
    return sum(count for _, count in ranges)


def joined(ranges: Iterable[LineRange]) -> list[LineRange]:
    """The same lines in the same order, neighbours joined and empty ranges dropped."""
    found: list[LineRange] = []
    for first, count in ranges:
        if not count:
            continue
        if found and found[-1][0] + found[-1][1] == first:
            found[-1] = (found[-1][0], found[-1][1] + count)
        else:
            found.append((first, count))
    return found


def clipped(ranges: Iterable[LineRange], start: int, stop: int) -> Iterator[LineRange]:
    """The part of a sequence of ranges from its `start`-th line up to, not including, `stop`."""
    place = 0
    for first, count in ranges:
        low, high = max(start - place, 0), min(stop - place, count)
        if low < high:
            yield first + low, high - low
        place += count
        if place >= stop:
            return


class LineSet:
    """A set of lines, for subtracting from ranges."""

    def __init__(self, ranges: Iterable[LineRange] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for first, count in sorted(ranges):
            if self._ends and first <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], first + count)
            else:
                self._starts.append(first)
                self._ends.append(first + count)

    def __contains__(self, line: int) -> bool:
        place = bisect_right(self._starts, line) - 1
        return place >= 0 and line < self._ends[place]

    def removed_from(self, ranges: Iterable[LineRange]) -> list[LineRange]:
        """The lines of `ranges`, in their order, that are not in this set."""
        kept: list[LineRange] = []
        for first, count in ranges:
            end = first + count
            place = max(bisect_right(self._starts, first) - 1, 0)
            while first < end and place < len(self._starts):
                start, stop = self._starts[place], self._ends[place]
                if start >= end:
                    break
                if stop > first:
                    if start > first:
                        kept.append((first, start - first))
                    first = stop
                place += 1
            if first < end:
                kept.append((first, end - first))
        return joined(kept)
