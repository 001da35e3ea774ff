"""Finding the lines of events: where they stand, by tables that indexes and packs keep.

One call for many events, in C where there is the native part. It knows numbers and no files.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from operator import itemgetter

from evgit.formats.block import ended_lines, line_starts
from evgit.formats.native import native

_LONG = 1 << 32


def lines_at(positions: list[int], start: int, sizes: array[int], shifts: array[int]) -> list[int]:
    """For each of positions[start:] a line, up to the first that is not below the last size:
    position + shifts[n], where sizes[n] is the first above the position. `sizes` ascend."""
    found = None if native is None else native.lines_at(positions, start, sizes, shifts)
    if found is not None:
        return found
    found, last = [], len(sizes)
    for position in positions[start:]:
        at = bisect_right(sizes, position)
        if at == last:
            break
        found.append(position + shifts[at])
    return found


def spans(
    numbers: list[int],
    start: int,
    low: int,
    high: int,
    base: int,
    places: array[int],
    starts: array[int],
) -> tuple[int, list[tuple[int, int, int]]]:
    """Where numbers[start:] stand, up to the first that is not in [low, high), and where that is in
    the list. Line `low` is at places[base], and so on; a frame's places are from starts[n] up to,
    not including, starts[n + 1].

    Each span is (frame, first line in it, line behind the last): neighbours are told as one.
    """
    known = (
        None if native is None else native.spans(numbers, start, low, high, base, places, starts)
    )
    if known is not None:
        return known
    found: list[tuple[int, int, int]] = []
    frame = first = behind = end = -1
    at, count, shift = start, len(numbers), base - low
    while at < count and low <= numbers[at] < high:
        place = places[numbers[at] + shift]
        at += 1
        if place != behind or place >= end:
            if frame >= 0:
                found.append((frame, first - starts[frame], behind - starts[frame]))
            frame = bisect_right(starts, place) - 1
            first, end = place, starts[frame + 1]
        behind = place + 1
    if frame >= 0:
        found.append((frame, first - starts[frame], behind - starts[frame]))
    return at, found


class PlacedLines:
    """The lines of a text by their places, to be picked in another order."""

    def __init__(self, text: bytes | bytearray) -> None:
        """The last line ends with a newline as well."""
        self._text = text
        self._lines: list[bytes] | None = None
        self._starts = array("I")
        if native is not None and len(text) < _LONG:
            self._starts = line_starts(text)
        else:
            self._split()

    def picked(self, places: array[int], first: int, end: int) -> bytes:
        """The lines at places[first:end], one after another. IndexError: there is none."""
        if native is not None and self._lines is None:
            found = native.picked_lines(self._text, self._starts, places, first, end)
            if found is not None:
                return found
        lines = self._split() if self._lines is None else self._lines
        some = places[first:end]
        return b"".join(itemgetter(*some)(lines) if len(some) > 1 else map(lines.__getitem__, some))

    def _split(self) -> list[bytes]:
        self._lines, self._text = ended_lines(self._text), b""
        return self._lines
