"""One pack on disk, read in parts: a line, some lines, or a window at a time.

Lines are numbered from 0 in the order of the blocks, other objects not counted. Whatever is read is
checked by its own checksum; the hash of the whole file is for `fsck`. This module must not know
which lines of a repository a pack holds, nor what they say.
"""

from __future__ import annotations

import os
import weakref
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import itemgetter
from pathlib import Path

from evgit.errors import DamagedObject
from evgit.formats.block import (
    count_lines,
    decode_frame,
    decode_frames,
    ended_lines,
    line_starts,
    split_lines,
)
from evgit.formats.pack import (
    INDEX,
    PAGE_EVENTS,
    PREFIX_BYTES,
    TAIL_BYTES,
    WindowEntry,
    WindowHeader,
    check_page,
    decode_index,
    decode_order,
    decode_page,
    decode_prefix,
    decode_tail,
    decode_window,
    in_block_order,
    page_of,
    place_in_page,
)
from evgit.formats.pack_lines import restored_in_frame
from evgit.formats.places import PlacedLines, spans
from evgit.storage.files import translated
from evgit.storage.frame_cache import Frame, FrameCache

KEPT_WINDOWS = 16
FRAMES_AT_ONCE = 64
KEPT_FRAME_BYTES = 1 << 25
KEPT_ORDERS = 32
"""Of windows, of at most 1 MiB each, or 2 where all are commits of one event."""
COMMITS_TO_A_PAGE = 16  # whose places are found in the time that reading a page of the order takes


class PackCache:
    """What has been read of packs and may be wanted again; several packs may share one.

    By pack and offset: frames, and where the lines of windows stand in their text.
    """

    def __init__(self) -> None:
        self.frames = FrameCache(KEPT_FRAME_BYTES)
        self._places: OrderedDict[tuple[str, int], array[int]] = OrderedDict()

    def places(self, key: tuple[str, int]) -> array[int] | None:
        """Where the lines of a window stand, if that is kept."""
        found = self._places.get(key)
        if found is not None:
            self._places.move_to_end(key)
        return found

    def keep_places(self, key: tuple[str, int], places: array[int]) -> None:
        """Keep where a window's lines stand for a while."""
        self._places[key] = places
        if len(self._places) > KEPT_ORDERS:
            self._places.popitem(last=False)


class PackFile:
    """An open pack. Raises FileNotFoundError where there is none, DamagedObject where it is not
    sound. It can be read as long as it is open, also when its name is gone."""

    def __init__(self, path: Path, cache: PackCache | None = None) -> None:
        self.path = path
        self.cache = PackCache() if cache is None else cache
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size
        self._entries = self._read_index()
        self._starts = list(
            accumulate((entry.events + entry.commits for entry in self._entries), initial=0)
        )
        self._windows: OrderedDict[int, PackedWindow] = OrderedDict()

    @property
    def lines(self) -> int:
        """How many lines its blocks have."""
        return self._starts[-1]

    @property
    def events(self) -> int:
        """How many of them are events or stand for one."""
        return sum(entry.events for entry in self._entries)

    @property
    def commits(self) -> int:
        return sum(entry.commits for entry in self._entries)

    @property
    def window_count(self) -> int:
        return len(self._entries)

    def window_range(self, number: int) -> range:
        """The lines that a window holds."""
        return range(self._starts[number], self._starts[number + 1])

    def window_of(self, line: int) -> int:
        """The number of the window that holds a line."""
        return bisect_right(self._starts, line) - 1

    def window(self, number: int) -> PackedWindow:
        """One window, its header read and checked."""
        found = self._windows.get(number)
        if found is None:
            found = PackedWindow(self, self._entries[number])
            self._windows[number] = found
            if len(self._windows) > KEPT_WINDOWS:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(number)
        return found

    def line(self, number: int) -> bytes:
        """One line, without its newline."""
        window = self.window_of(number)
        return self.window(window).line(number - self._starts[window])

    def block_end(self, line: int) -> int:
        """The line after the commit that closes the block which holds this line."""
        for number in range(self.window_of(line), len(self._entries)):
            start = self._starts[number]
            commits = self.window(number).commit_lines
            place = bisect_left(commits, max(line - start, 0))
            if place < len(commits):
                return start + commits[place] + 1
        raise DamagedObject("a pack is not sound: its last block is not closed")

    def block_start(self, line: int) -> int:
        """The first line of the block that holds this line."""
        for number in range(self.window_of(line), -1, -1):
            start = self._starts[number]
            commits = self.window(number).commit_lines
            place = bisect_left(commits, line - start) if line >= start else len(commits)
            if place:
                return start + commits[place - 1] + 1
            line = start - 1
        return 0

    def objects(self) -> Iterator[bytes]:
        """The lines of objects that are in no block, tags above all."""
        for number, entry in enumerate(self._entries):
            if entry.objects:
                yield from self.window(number).objects()

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes of the file."""
        parts = []
        try:
            while size:
                part = os.pread(self._descriptor, size, offset)
                if not part:
                    raise DamagedObject("a pack is not sound: it is cut short")
                parts.append(part)
                offset += len(part)
                size -= len(part)
        except OSError as error:
            raise translated(error, self.path) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_index(self) -> list[WindowEntry]:
        tail_offset = self.size - TAIL_BYTES
        if tail_offset < 0:
            raise DamagedObject("a pack is not sound: it is cut short")
        offset, _ = decode_tail(self.read(tail_offset, TAIL_BYTES))
        self.index_offset = offset
        if not 0 <= offset <= tail_offset - PREFIX_BYTES:
            raise DamagedObject("a pack is not sound: its index is not where it should be")
        name, size = decode_prefix(self.read(offset, PREFIX_BYTES))
        if name != INDEX or offset + PREFIX_BYTES + size != tail_offset:
            raise DamagedObject("a pack is not sound: its index is not where it should be")
        return decode_index(self.read(offset + PREFIX_BYTES, size))


class PackedWindow:
    """A window of an open pack. Lines are numbered from 0 inside it, in the order of the blocks;
    places are where they stand in its text."""

    def __init__(self, file: PackFile, entry: WindowEntry) -> None:
        self._file = weakref.ref(file)
        self._cache, self._path = file.cache, str(file.path)
        data = file.read(entry.offset, 8 + entry.header_bytes)
        self.header: WindowHeader = decode_window(data[8:])
        self._order_offset = entry.offset + 8 + entry.header_bytes
        frames_offset = self._order_offset + self.header.order_bytes
        sizes = [size for size, _ in self.header.frames]
        self._frame_offsets = list(accumulate(sizes, initial=frames_offset))
        self._frame_starts = array("I", accumulate((n for _, n in self.header.frames), initial=0))
        self.commit_lines = array("I", (end + n for n, end in enumerate(self.header.ends)))
        """Which lines are commit lines."""
        self._looked_up = 0

    @property
    def frame_count(self) -> int:
        return len(self.header.frames)

    def place(self, line: int) -> int:
        """Where a line stands in the text."""
        before = bisect_left(self.commit_lines, line)
        if before < len(self.commit_lines) and self.commit_lines[before] == line:
            return self.header.events + before
        return self.event_place(line - before)

    def events_before(self, line: int) -> int:
        """How many event lines come before a line, in the order of the blocks."""
        return line - bisect_left(self.commit_lines, line)

    def event_places(self, start: int, end: int) -> list[int]:
        """The same of the event lines from the start-th up to, not including, the end-th."""
        if self.header.ordered:
            return list(range(start, end))
        found: list[int] = []
        first = start - start % PAGE_EVENTS
        for event in range(first, end, PAGE_EVENTS):
            offset, size, count = page_of(event, self.header.events)
            found += decode_page(self._read(self._order_offset + offset, size), count)
        return found[start - first : end - first]

    def event_place(self, event: int) -> int:
        """Where the event-th event line, in the order of the blocks, stands in the text."""
        if self.header.ordered:
            return event
        offset, size, count = page_of(event, self.header.events)
        page = check_page(self._read(self._order_offset + offset, size), count)
        return place_in_page(page, count, event % PAGE_EVENTS)

    def line(self, number: int) -> bytes:
        """One line."""
        return self.at_place(self.place(number))

    def add_texts(
        self, numbers: list[int], start: int, low: int, high: int, base: int, parts: list[bytes]
    ) -> int:
        """Add the lines numbers[start:] with their newlines to `parts`, up to the first that is not
        in [low, high); the place of that. The line `low` is the `base`-th here."""
        places = self._all_places(len(numbers) - start)
        if places is None:
            stop = start
            while stop < len(numbers) and low <= numbers[stop] < high:
                stop += 1
            some = array("I", [self.place(n - low + base) for n in numbers[start:stop]])
            _, found = spans(list(range(len(some))), 0, 0, len(some), 0, some, self._frame_starts)
        else:
            stop, found = spans(numbers, start, low, high, base, places, self._frame_starts)
        for frame, first, end in found:  # one, where a stream's lines stand together
            parts.append(self.frame(frame).lines(first, end))
        return stop

    def _all_places(self, wanted: int) -> array[int] | None:
        """Where each line of a block stands in the text; None where so few are wanted that reading
        all of the order is not worth it."""
        key = self._path, self._order_offset
        places = self._cache.places(key)
        if places is None:
            self._looked_up += wanted
            pages = self.header.events // PAGE_EVENTS
            if self._looked_up <= pages + self.header.commits // COMMITS_TO_A_PAGE:
                return None
            self._looked_up = 0
            places = self._line_places()
            self._cache.keep_places(key, places)
        return places

    def _line_places(self) -> array[int]:
        """Where each line of a block stands in the text."""
        places, found, start = self.places(), array("I"), 0
        for place, end in enumerate(self.header.ends, self.header.events):
            found.extend(places[start:end])
            found.append(place)
            start = end
        found.extend(places[start:])
        return found

    def at_place(self, place: int) -> bytes:
        """The line that stands at a place of the text."""
        frame = self.frame_at(place)
        return self.frame(frame).line(place - self._frame_starts[frame])

    def frame_of(self, line: int) -> int:
        """The number of the frame that holds a line."""
        return self.frame_at(self.place(line))

    def frame_at(self, place: int) -> int:
        """The number of the frame in which a place of the text is."""
        return bisect_right(self._frame_starts, place) - 1

    def frame_places(self, number: int) -> tuple[int, int]:
        """The places [first, end) of the lines of a frame."""
        return self._frame_starts[number], self._frame_starts[number + 1]

    def places(self) -> array[int]:
        """Where all event lines, in the order of the blocks, stand in the text."""
        data = b""
        if not self.header.ordered:
            data = self._read(self._order_offset, self.header.order_bytes)
        return decode_order(self.header, data, sound=True)

    def frame(self, number: int) -> Frame:
        """One frame, kept for a while."""
        key = self._path, self._frame_offsets[number]
        frame = self._cache.frames.get(key)
        if frame is None:
            text = self.frame_text(number)
            if self._frame_starts[number + 1] > self.header.events:  # commits, which may be short
                text = b"\n".join([*self._lines_of(number, text), b""])
            frame = Frame(text, line_starts(text))
            count = self.header.frames[number][1]
            if len(frame) != count or text[-1:] != b"\n":
                raise DamagedObject(f"a frame holds {len(frame)} lines, not {count}")
            self._cache.frames.keep(key, frame)
        return frame

    def lines_of_frame(self, number: int) -> list[int]:
        """Which lines stand in a frame, ascending: for naming what damage hits."""
        start, end = self._frame_starts[number], self._frame_starts[number + 1]
        events = self.header.events
        found = [self.commit_lines[p - events] for p in range(max(start, events), end)]
        if start < events:
            offset = self._order_offset
            order = decode_order(self.header, self._read(offset, self.header.order_bytes))
            wanted = [e for e, place in enumerate(order) if start <= place < end]
            found += [self._line_of_event(event) for event in wanted]
        return sorted(found)

    def events(self) -> list[bytes]:
        """All event lines, in the order of the blocks."""
        return self._ordered(self._lines_between(0, self.header.events))

    def lines_at(self, places: Sequence[int]) -> list[bytes]:
        """The lines at places of the text, with their newlines, in this order: each frame that has
        any is read once, and not kept."""
        found = [b""] * len(places)
        frame: list[bytes] = []
        low = high = 0
        for number in sorted(range(len(places)), key=places.__getitem__):
            place = places[number]
            if place >= high:
                at = self.frame_at(place)
                low, high = self.frame_places(at)
                frame = self._ended_lines_of(at, self.frame_text(at))
            found[number] = frame[place - low]
        return found

    def events_as_they_stand(self) -> PlacedLines:
        """All event lines, by their places: `places` has the order."""
        text = bytearray()  # which grows without a copy of it
        last = self.frame_at(self.header.events - 1) if self.header.events else -1
        for first in range(0, last + 1, FRAMES_AT_ONCE):
            numbers = range(first, min(first + FRAMES_AT_ONCE, last + 1))
            for number, found in zip(numbers, self._frame_texts(numbers), strict=True):
                if self._frame_starts[number + 1] > self.header.events:  # commits are in it, too
                    rest = self.header.events - self._frame_starts[number]
                    found = b"".join(self._ended_lines_of(number, found)[:rest])
                else:
                    self._check_lines(number, count_lines(found), found)
                text += found
        return PlacedLines(text)

    def _frame_texts(self, numbers: range) -> Iterable[bytes]:
        """What frames that follow one another hold, decompressed together if they can be."""
        start = self._frame_offsets[numbers.start]
        offsets = [
            offset - start for offset in self._frame_offsets[numbers.start : numbers.stop + 1]
        ]
        data = self._read(start, offsets[-1])
        frames = [data[low:high] for low, high in pairwise(offsets)]
        found = decode_frames(frames)
        return map(self.frame_text, numbers) if found is None else found

    def all_lines(self) -> list[bytes]:
        """All lines of blocks, in the order of the blocks."""
        commits_end = self.header.events + self.header.commits
        lines = self._lines_between(0, commits_end)
        events = self._ordered(lines[: self.header.events])
        return in_block_order(self.header._replace(ordered=True), events, lines[len(events) :], ())

    def objects(self) -> list[bytes]:
        """The lines that are in no block."""
        start = self.header.events + self.header.commits
        return self._lines_between(start, start + self.header.objects)

    def _ordered(self, lines: list[bytes]) -> list[bytes]:
        if self.header.ordered:
            return lines
        places = self.places()
        # One call for all of them takes half the time, but gives no list where there is only one.
        return list(itemgetter(*places)(lines)) if len(places) > 1 else lines

    def _lines_between(self, start: int, end: int) -> list[bytes]:
        """The lines at places [start, end)."""
        lines: list[bytes] = []
        if start >= end:
            return lines
        first = bisect_right(self._frame_starts, start) - 1
        last = bisect_left(self._frame_starts, end)
        for number in range(first, last):
            lines += self._lines_of(number, self.frame_text(number))
        skipped = start - self._frame_starts[first]
        return lines[skipped : skipped + end - start]

    def _ended_lines_of(self, number: int, text: bytes) -> list[bytes]:
        if self._frame_starts[number + 1] > self.header.events:  # commits, which may be short
            return [line + b"\n" for line in self._lines_of(number, text)]
        lines = ended_lines(text)
        self._check_lines(number, len(lines), text)
        return lines

    def _check_lines(self, number: int, found: int, text: bytes) -> None:
        """Has a frame so many lines? DamagedObject if not."""
        count = self.header.frames[number][1]
        if found != count or text[-1:] != b"\n":
            raise DamagedObject(f"a frame holds {found} lines, not {count}")

    def _lines_of(self, number: int, text: bytes) -> list[bytes]:
        lines = split_lines(text)
        count = self.header.frames[number][1]
        if len(lines) != count:
            raise DamagedObject(f"a frame holds {len(lines)} lines, not {count}")
        start = self.header.events - self._frame_starts[number]
        return restored_in_frame(lines, start, start + self.header.commits)

    def _line_of_event(self, event: int) -> int:
        return event + bisect_right(self.header.ends, event)

    def frame_text(self, number: int) -> bytes:
        """What one frame holds, as it is stored: commit lines may be short."""
        size, _ = self.header.frames[number]
        return decode_frame(self._read(self._frame_offsets[number], size))

    def _read(self, offset: int, size: int) -> bytes:
        file = self._file()
        assert file is not None  # windows don't outlive the file that made them
        return file.read(offset, size)
