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


class Places:
    """Where lines stand in a sequence of ranges: 0-based places. A line occurs at most once."""

    def __init__(self, ranges: Iterable[LineRange]) -> None:
        self._rows: list[tuple[int, int, int]] = []
        place = 0
        for first, count in ranges:
            self._rows.append((first, first + count, place))
            place += count
        self._rows.sort()
        self._firsts = [row[0] for row in self._rows]
        self.total = place

    def of(self, line: int) -> int | None:
        """The place of a line, None for one that is not there."""
        index = bisect_right(self._firsts, line) - 1
        if index < 0:
            return None
        first, end, place = self._rows[index]
        return place + line - first if line < end else None

    def within(self, ranges: Iterable[LineRange]) -> Iterator[LineRange]:
        """Those of the lines in `ranges`, in their order, that are there: (place, count)."""
        for first, count in ranges:
            end = first + count
            index = max(bisect_right(self._firsts, first) - 1, 0)
            while index < len(self._rows):
                start, stop, place = self._rows[index]
                if start >= end:
                    break
                low, high = max(first, start), min(end, stop)
                if low < high:
                    yield place + low - start, high - low
                index += 1


class LineAt:
    """The line at a place in a sequence of ranges."""

    def __init__(self, ranges: Iterable[LineRange]) -> None:
        self._places: list[int] = []
        self._firsts: list[int] = []
        place = 0
        for first, count in ranges:
            self._places.append(place)
            self._firsts.append(first)
            place += count
        self._last = 0

    def __call__(self, place: int) -> int:
        index, places = self._last, self._places
        if place < places[index] or (index + 1 < len(places) and places[index + 1] <= place):
            index = self._last = bisect_right(places, place) - 1
        return self._firsts[index] + place - places[index]
