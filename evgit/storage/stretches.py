"""Reading packed events stream by stream: windows one after another, each as its text stands.

In a window the lines of one stream stand together, if the writer of its pack saw to that. Who needs
the order of events within each stream alone reads such text as it is: nothing has to be put back
into the order of the blocks, and who wants the events of some streams only decompresses no others.
That a window is in such an order is not believed: `Run.turns` says where to look. This module
knows lines and their streams, not what they mean.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count, groupby, pairwise
from operator import gt
from pathlib import Path
from typing import NamedTuple

from evgit.errors import DamagedObject
from evgit.formats.block import split_lines
from evgit.formats.pack_writing import stream_member
from evgit.storage.pack_file import PackedWindow, PackFile
from evgit.storage.packs import PackStore, PlacedWindow

UNWANTED = (1 << 32) - 1
_MEMBER = b',"stream":"'


class Unclustered(Exception):
    """Lines can't be read, or used, in this order: read them in that of the blocks. A signal."""


class Stretch(NamedTuple):
    """Events of one window. `spans`: (first, end, position of the first) of those in question, by
    their numbers in the order of the blocks; numbers and positions both ascend."""

    pack: str
    window: int
    spans: Sequence[tuple[int, int, int]]

    @property
    def end(self) -> int:
        """The position behind the last."""
        first, end, position = self.spans[-1]
        return position + end - first

    @property
    def size(self) -> int:
        return sum(end - first for first, end, _ in self.spans)


class Share(NamedTuple):
    """Streams whose names are not below `low` and below `high`, or not below `low` if that is
    empty."""

    low: str = ""
    high: str = ""

    def holds(self, stream: str) -> bool:
        return self.low <= stream and (not self.high or stream < self.high)


EVERYTHING = Share()


class Run(NamedTuple):
    """Events as they stand in a window: canonical lines, and the position of each.

    `turns`: those events (by their number here) whose position is below that of the event before
    them, also where that is the last of the run before. The window is in order if no event among
    them is of the same stream as the one before, and no stream comes again after others.
    """

    text: bytes
    positions: Sequence[int]
    turns: Sequence[int]


def stretches(
    packs: PackStore, ranges: Iterable[tuple[int, int]], position: int
) -> Iterator[Stretch]:
    """The lines of (first, count) ranges, the first of them at `position`: those in front that are
    packed and ascend."""
    cut = _cut_at_windows(packs, ranges)
    for (name, number), group in groupby(cut, key=lambda each: each[:2]):
        spans: list[tuple[int, int, int]] = []
        for _, _, first, end in group:
            if spans and spans[-1][1] == first:
                spans[-1] = (spans[-1][0], end, spans[-1][2])
            else:
                spans.append((first, end, position))
            position += end - first
        yield Stretch(name, number, spans)


def _cut_at_windows(
    packs: PackStore, ranges: Iterable[tuple[int, int]]
) -> Iterator[tuple[str, int, int, int]]:
    """(pack, number of a window, number of the first event there, that behind the last) of each
    range; more than one where it goes over several windows."""
    place: PlacedWindow | None = None
    commits: Sequence[int] = ()
    before = passed = 0
    for first, count_ in ranges:
        end = first + count_
        if first < passed:
            return
        passed = end
        while first < end:
            if place is None or not place.first <= first < place.end:
                try:
                    place = packs.placed(first)
                except DamagedObject:
                    return
                if place is None:
                    return
                commits, before = place.window.commit_lines, 0
            stop = min(end, place.end)
            line = first - place.shift
            before = bisect_left(commits, line, before)
            if before < len(commits) and commits[before] < stop - place.shift:
                return  # whoever asks for commits does not want events
            yield place.path, place.number, line - before, stop - place.shift - before
            first = stop


class StretchReader:
    """Reads stretches. It belongs to one process: a fork has none of what this one has opened."""

    def __init__(self) -> None:
        self._file: PackFile | None = None

    def runs(self, stretch: Stretch, share: Share = EVERYTHING) -> Iterator[Run]:
        """The events of a stretch whose streams are in a share, as they stand. Raises
        Unclustered."""
        try:
            yield from _runs(self._window(stretch), stretch, share)
        except (DamagedObject, FileNotFoundError) as error:
            raise Unclustered from error

    def shares(self, stretches: Sequence[Stretch], number: int) -> list[Share]:
        """So many shares of about as many events each, or fewer. Raises Unclustered."""
        try:
            window = self._window(max(stretches, key=lambda each: each.size))
            bounds = set()
            for part in range(1, number):
                place = window.header.events * part // number
                name = _name(split_lines(window.frame_text(window.frame_at(place)))[0])
                if b"\\" not in name:  # it would have another order than what it stands for
                    bounds.add(name.decode())
        except (DamagedObject, FileNotFoundError) as error:
            raise Unclustered from error
        ends = ["", *sorted(bounds - {""}), ""]
        return [Share(low, high) for low, high in pairwise(ends)]

    def _window(self, stretch: Stretch) -> PackedWindow:
        if self._file is None or str(self._file.path) != stretch.pack:
            self._file = PackFile(Path(stretch.pack))
        return self._file.window(stretch.window)


def _runs(window: PackedWindow, stretch: Stretch, share: Share) -> Iterator[Run]:
    events = window.header.events
    positions = _positions(window, stretch.spans)
    whole = stretch.size == events
    number, last = _first_frame(window, share.low), window.frame_at(events - 1)
    before = 0
    while number <= last:
        text = window.frame_text(number)
        start, end = window.frame_places(number)
        there: Sequence[int] = positions[start : min(end, events)]
        split = end > events or not (whole or UNWANTED not in there)
        at_end = False
        if share != EVERYTHING and end <= events:
            line = text[text.rfind(b"\n", 0, -1) + 1 : -1]
            at_end = bool(share.high) and _name(line) >= share.high.encode()
            split = split or at_end or _name(text[: text.find(b"\n")]) < share.low.encode()
        if split:
            lines, there = _chosen(split_lines(text), there, share)
            text = b"".join([line + b"\n" for line in lines])
        if there:
            turns = list(compress(count(1), map(gt, there[:-1], there[1:])))
            if there[0] < before:
                turns.insert(0, 0)
            before = there[-1]
            yield Run(text, there, turns)
        if at_end:
            return
        number += 1


def _chosen(
    lines: Sequence[bytes], positions: Sequence[int], share: Share
) -> tuple[list[bytes], list[int]]:
    """The lines in question, and their positions."""
    low, high = share.low.encode(), share.high.encode()
    kept = [
        (line, position)
        for line, position in zip(lines, positions, strict=False)  # commits may stand behind
        if position != UNWANTED
        and (share == EVERYTHING or (low <= (name := _name(line)) and (not high or name < high)))
    ]
    return [line for line, _ in kept], [position for _, position in kept]


def _positions(window: PackedWindow, spans: Iterable[tuple[int, int, int]]) -> array[int]:
    """The position of the event at each place, UNWANTED for those not in question."""
    places = window.places()
    found = array("I", b"\xff" * 4 * len(places))
    for first, end, position in spans:
        deque(map(found.__setitem__, places[first:end], count(position)), maxlen=0)
    return found


def _first_frame(window: PackedWindow, low: str) -> int:
    """The first frame that can hold a stream not below `low`, if the streams ascend."""
    first, end = 0, window.frame_at(window.header.events - 1)
    bound = low.encode()
    while bound and first < end:
        middle = (first + end + 1) // 2
        text = window.frame_text(middle)
        if _name(text[: text.find(b"\n")]) < bound:
            first = middle
        else:
            end = middle - 1
    return first


def _name(line: bytes) -> bytes:
    """The name of an event's stream as it stands in its line."""
    return stream_member(line)[len(_MEMBER) :]
